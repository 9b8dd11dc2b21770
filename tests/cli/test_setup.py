"""Setup codes on the command line: `hap code`, labels and tags, `hap serve --display`, the lock and the way out."""

from __future__ import annotations

import re
import stat
import struct
import sys
import zlib
from contextlib import closing
from subprocess import PIPE, Popen
from xml.etree import ElementTree

import pytest
from tests.cli.program import ENVIRONMENT, LIMIT, failure, hap, lines, served

from hap_sync.store import FileStore
from hapcore.setup_code import SetupCode, SetupPayload
from hapcore.state import STATE

FIXED = ("--setup-code", "031-45-154", "--setup-id", "7OSX", "--category", "lightbulb")
URI = "X-HM://00522H1VM7OSX"


def modules_of_png(data):
    """The picture's modules, row by row, True for black."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, rest = {}, data[8:]
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        kind, content, check = rest[4:8], rest[8 : 8 + size], rest[8 + size : 12 + size]
        assert struct.pack(">I", zlib.crc32(kind + content)) == check
        chunks[kind], rest = content, rest[12 + size :]
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (1, 0)
    stride = 1 + (width + 7) // 8
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == stride * height
    rows = []
    for y in range(5, height, 10):
        line = raw[y * stride + 1 : (y + 1) * stride]
        rows.append([not line[x // 8] >> (7 - x % 8) & 1 for x in range(5, width, 10)])
    return rows


def modules_of_svg(text):
    """The same of the squares that an SVG is made of, and its texts."""
    tree = ElementTree.fromstring(text)  # noqa: S314 - written by us a moment ago
    squares = tree.findall("{*}path")[-1].attrib["d"]
    black = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", squares)}
    left, top = min(x for x, _ in black), min(y for _, y in black)
    side = max(x for x, _ in black) - left + 1
    rows = [[(left + x, top + y) in black for x in range(side)] for y in range(side)]
    return rows, [one.text for one in tree.findall(".//{*}text")], tree


def test_a_drawn_code_is_valid_and_another_each_time():
    drawn = [lines(hap("code", "--json"))[0] for _ in range(2)]
    assert drawn[0]["setup_code"] != drawn[1]["setup_code"]
    for one in drawn:
        payload = SetupPayload.parse(one["setup_uri"])
        assert payload.code == SetupCode(one["setup_code"])  # which refuses the trivial ones
        assert (payload.setup_id, payload.category) == (one["setup_id"], 1)


def test_the_label(tmp_path):
    label, picture, tag = tmp_path / "label.svg", tmp_path / "label.png", tmp_path / "tag.ndef"
    (told,) = lines(hap("code", *FIXED, "--qr", label, "--nfc", tag, "--json"))
    assert told["setup_uri"] == URI
    assert tag.read_bytes() == b"\xd1\x01\x15U\x00" + URI.encode()
    assert told["nfc"] == tag.read_bytes().hex()
    rows, texts, tree = modules_of_svg(label.read_text("utf-8"))
    assert texts == ["0314", "5154"]
    assert tree.find("{*}title").text == "HomeKit setup code 031-45-154"
    lines(hap("code", *FIXED, "--qr", picture, "--json"))
    page = modules_of_png(picture.read_bytes())
    side = len(rows)
    # The finder patterns are where a camera looks for them, with white around.
    finder = [[c == "#" for c in line] for line in ("#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#")]
    for corner in (0, side - 7):
        assert [row[corner : corner + 7] for row in rows[:6]] == finder
    code = [row[4:-4] for row in page[-4 - side : -4]]
    assert code == rows
    assert not any(any(row[:4]) or any(row[-4:]) for row in page)
    assert not any(map(any, [*page[:4], *page[-4:], *page[-8 - side : -4 - side]]))


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_what_holds_a_code_is_for_its_owner_only(tmp_path, kind):
    label, tag = tmp_path / f"label.{kind}", tmp_path / "tag.ndef"
    lines(hap("code", *FIXED, "--qr", label, "--nfc", tag, "--json"))
    assert [stat.S_IMODE(one.stat().st_mode) for one in (label, tag)] == [0o600, 0o600]
    label.chmod(0o644)  # somebody wants to have it printed
    lines(hap("code", *FIXED, "--qr", label, "--json"))
    assert stat.S_IMODE(label.stat().st_mode) == 0o644


def test_a_label_that_cannot_be(tmp_path):
    assert ".svg or .png" in failure(hap("code", "--qr", tmp_path / "label.gif"), 2)
    assert ".svg or .png" in failure(hap("serve", "--qr", tmp_path / "label.gif"), 2)
    assert "eight digits" in failure(hap("code", "--setup-code", "1234"), 2)
    assert "too easy" in failure(hap("code", "--setup-code", "123-45-678"), 2)
    assert "four characters" in failure(hap("code", "--setup-id", "abc"), 2)
    assert "door-lock" in failure(hap("code", "--category", "dor-lock"), 2)
    assert "--ble" in failure(hap("code", "--no-ip"), 2)
    assert "no such file" in failure(hap("code", "--state", tmp_path / "none.json"))
    with closing(FileStore(tmp_path / "new.json", STATE)) as store:
        store.replace({})
    assert "no code in it yet" in failure(hap("code", "--state", tmp_path / "new.json"))
    for left in tmp_path.iterdir():
        left.unlink()
    assert "--state goes without" in failure(hap("code", "--state", "x", "--setup-id", "7OSX"), 2)
    assert not list(tmp_path.iterdir())


def test_a_lock_gets_no_fixed_label(tmp_path):
    told = hap("code", "--category", "door-lock", "--qr", tmp_path / "label.svg")
    assert "only have a tag that changes" in told.stderr
    assert told.returncode == 0


def test_a_label_of_what_is_served(tmp_path):
    state, label = tmp_path / "lamp.json", tmp_path / "label.svg"
    with served("lightbulb", "--state", state, "--qr", label) as (program, line):
        code = line["setup_code"]
        where = f"{line['host']}:{line['port']}"
        lines(hap("pair", "--address", where, "-p", code, "-a", "lamp", "-f", tmp_path / "p.json", "--json"))
        program.until("paired")
        assert modules_of_svg(label.read_text("utf-8"))[1] == [code[:3] + code[4], code[5] + code[7:]]
    assert "shown no more" in failure(hap("code", "--state", state))
    label.unlink()
    with served("lightbulb", "--state", state) as (_, line):
        assert (line["setup_code"], line["setup_uri"], line["paired"]) == (None, None, True)
    assert not label.exists()


def test_what_is_served_is_what_the_label_says(tmp_path):
    """A label is printed before the device is served; a phone that reads it knows the device by the setup id."""
    (label,) = lines(hap("code", *FIXED, "--json"))
    with served("lightbulb", *FIXED[:4], "--state", tmp_path / "s.json") as (_, listening):
        assert listening["setup_uri"] == label["setup_uri"] == URI
    with served("lightbulb", "--state", tmp_path / "s.json") as (_, listening):
        assert listening["setup_uri"] == URI, "kept"
    assert "four characters" in failure(hap("serve", "lightbulb", "--no-mdns", "--setup-id", "7osx"))
    assert hap("serve", "--display", "--setup-id", "7OSX").returncode == 2


def test_a_display_has_a_fresh_code_for_each_attempt(tmp_path):
    assert "each time" in failure(hap("serve", "--display", "--setup-code", "031-45-154"), 2)
    with served("lightbulb", "--display") as (program, line):
        assert (line["setup_code"], line["setup_uri"]) == (None, None)
        where, file = f"{line['host']}:{line['port']}", tmp_path / "p.json"
        codes = []
        failure(hap("pair", "--address", where, "-p", "031-45-154", "-a", "lamp", "-f", file))
        codes.append(program.until("show-code")["setup_code"])
        program.until("hide-code")
        command = [sys.executable, "-m", "hap_trio.cli", "pair", "--address", where, "-a", "lamp", "-f", str(file)]
        with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT) as pairing:
            shown = program.until("show-code")
            codes.append(shown["setup_code"])
            assert SetupPayload.parse(shown["setup_uri"]).code == SetupCode(codes[-1])
            said = pairing.communicate(codes[-1] + "\n", timeout=LIMIT)
            assert pairing.returncode == 0, said
        program.until("hide-code")
        program.until("paired")
        assert len(set(codes)) == 2


@pytest.fixture
def locked(tmp_path):
    """The state of an accessory that was guessed at a hundred times."""
    file = tmp_path / "lamp.json"
    with served("lightbulb", "--state", file):
        pass
    with closing(FileStore(file, STATE)) as store:
        store.replace({**store.load(), "attempts": b"100"})
    return file


def test_the_lock_and_the_gentle_way_out(locked, tmp_path):
    (before,) = lines(hap("state", "show", "--state", locked, "--json"))
    assert (before["failed_attempts"], before["locked"]) == (100, True)
    assert "hap reset --attempts" in hap("state", "show", "--state", locked).stdout
    pair = ("pair", "-p", before["setup_code"], "-a", "lamp", "-f", tmp_path / "p.json")
    with served("lightbulb", "--state", locked) as (_, line):
        assert line["locked"]
        assert "too many" in failure(hap(*pair, "--address", f"{line['host']}:{line['port']}")).lower()
    assert "exclude" in failure(hap("reset", "--attempts", "--pairings", "--state", locked), 2)
    lines(hap("reset", "--attempts", "--state", locked, "--json"))
    (after,) = lines(hap("state", "show", "--state", locked, "--json"))
    assert after == {**before, "failed_attempts": 0, "locked": False}
    with served("lightbulb", "--state", locked) as (_, line):
        assert not line["locked"]
        lines(hap(*pair, "--address", f"{line['host']}:{line['port']}", "--json"))


def test_people_are_told_how_to_get_out(locked):
    """What `hap serve` says to people, without the wait for a lock."""
    from hap_trio.cli.telling import records, sentence
    from hapcore.ip.accessory import SetupAttemptFailed

    (record,) = records(SetupAttemptFailed(99, 100))
    assert "reset" not in sentence(record)
    (record,) = records(SetupAttemptFailed(100, 100))
    assert "hap reset --attempts" in sentence(record)
