"""--record and `hap replay FILE`, each command in a process of its own; and the file that they write."""

from __future__ import annotations

import gzip
import json
import signal
import stat

import pytest
from tests.cli.program import LIMIT, failure, hap, lines, served

from hap_sync.recording import Recording, assert_replays, read_file
from hapcore.transcript import TranscriptError, read_transcripts

CODE = "031-45-154"


def session(folder, *more):
    """Serve, pair, write and read, all recorded; the two files."""
    ours, theirs = folder / "accessory.jsonl.gz", folder / "controller.jsonl"
    pairings = ["-a", "lamp", "-f", folder / "pairings.json"]
    with served("--setup-code", CODE, "--record", ours, *more) as (lamp, listening):
        where = ["--address", f"127.0.0.1:{listening['port']}", "--record", theirs, *more]
        results = [
            hap("pair", "-p", CODE, *pairings, *where),
            hap("put", "-c", "1.9", "true", *pairings, *where),
            hap("get", "-c", "1.9", *pairings, *where),
        ]
        lamp.process.send_signal(signal.SIGTERM)
        lamp.process.communicate(timeout=LIMIT)
    assert [one.returncode for one in results] == [0, 0, 0], results
    return ours, theirs, results


@pytest.mark.parametrize("more", [(), ("--with-secrets",)], ids=["redacted", "with secrets"])
def test_recorded_sessions_replay(tmp_path, more):
    ours, theirs, results = session(tmp_path, *more)
    for one in results:
        assert ("keys and setup codes" in one.stderr) is bool(more)
    for file, engines in ((ours, 1), (theirs, 3)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        found = lines(hap("replay", "--json", file))
        assert [one["alike"] for one in found] == [True] * engines
        assert all(one["compared"] > 5 and not one["torn"] for one in found)
        assert "alike" in hap("replay", file).stdout
        assert_replays(file, prefixes=2)
        assert (CODE.encode() in read_file(file)) is bool(more)
    # Cut off anywhere, packed or not, it is read as far as it goes.
    data = ours.read_bytes()
    ours.write_bytes(data[: len(data) * 2 // 3])
    assert lines(hap("replay", "--json", ours))[0]["alike"]


def test_the_first_difference_is_shown(tmp_path):
    _, file, _ = session(tmp_path)
    text = file.read_text()
    assert '\\"value\\":true' in text or '\\"value\\":1' in text
    changed = text.replace(
        '"$":"SendBytes","connection":0,"text":"GET /accessories',
        '"$":"SendBytes","connection":0,"text":"GET /other',
        1,
    )
    assert changed != text
    file.write_text(changed)
    result = hap("replay", file)
    assert result.returncode == 1
    assert "GET /other" in result.stdout
    assert "--- ours\nGET /accessories" in result.stdout
    found = lines(hap("replay", "--json", file), 1)
    assert [one["event"] for one in found].count("difference") == 1


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"\x1f\x8b\x08\x00", b"\x1f\x8bnothing", b'{"format":"hapcore-transcript"}']
)
def test_what_cannot_be_replayed(tmp_path, content):
    file = tmp_path / "x"
    file.write_bytes(content)
    assert f"{file} cannot be replayed" in failure(hap("replay", file))


def test_a_newer_version(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b'{"e":1,"n":1,"format":"hapcore-transcript","version":99}\n')
    assert "newer" in failure(hap("replay", file))


def test_wrong_usage(tmp_path):
    failure(hap("serve", "--with-secrets"), 2)
    failure(hap("serve", "--record", tmp_path / "no" / "folder", "--no-mdns"))


def test_the_file_is_appended_to_and_kept_private(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"torn")
    file.chmod(0o644)
    with Recording(file) as recording:
        recording.put(b"one\n")
        recording.put(b"two\n")
    recording.close()
    assert file.read_bytes() == b"torn\none\ntwo\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_packed_file_is_appended_to_after_a_crash(tmp_path):
    file = tmp_path / "a.jsonl.gz"
    for text in (b"one\n", b"two\n", b"three\n"):
        with Recording(file) as recording:
            recording.put(text * 100)
        file.write_bytes(file.read_bytes()[:-9])  # without the end of the stream
    assert b"\nthree\n" in read_file(file)
    assert read_file(file).startswith(b"one\n")


def test_packed_pieces_follow_each_other(tmp_path):
    file = tmp_path / "a.jsonl.gz"
    for text in (b"one\n", b"two\n"):
        with Recording(file) as recording:
            recording.put(text)
    assert gzip.decompress(file.read_bytes()) == read_file(file) == b"one\n\ntwo\n"


def test_a_full_disk_ends_the_recording_alone():
    with pytest.raises(OSError, match="space"), Recording("/dev/full") as recording:
        recording.put(b"line\n")


def test_a_slow_disk_ends_the_recording_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("hap_sync.recording.MAX_WAITING", -1)
    with pytest.raises(OSError, match="wait for the disk"), Recording(tmp_path / "a") as recording:
        recording.put(b"line\n")


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hap_sync.recording.MAX_SIZE", 100)
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(bytes(1000)))
    with pytest.raises(TranscriptError, match="larger"):
        read_file(file)
    file.write_bytes(bytes(101))
    with pytest.raises(TranscriptError, match="larger"):
        read_file(file)


def test_lines_are_numbered_by_engine(tmp_path):
    _, theirs, _ = session(tmp_path)
    transcripts = read_transcripts(read_file(theirs))
    assert [one.role for one in transcripts] == ["controller"] * 3
    assert all(json.loads(line)["e"] == 1 for line in read_file(theirs).splitlines() if line)
