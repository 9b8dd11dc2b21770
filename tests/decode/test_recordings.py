"""`hap decode` of what `hap replay` takes: every session captured from others, and transcripts of our own engines."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from tests.decode.listening import gaps, said
from tests.decode.session import House
from tests.replay.recordings import ALL, path, script

from hap_trio.cli import group
from hapcore.decode import Conversation, KeyRing
from hapcore.ip.controller import GetAccessories, Read, Subscribe
from hapcore.pairing.keylog import read_key_log
from hapcore.replay.decoded import decode_script, decode_transcript
from hapcore.transcript import RecordedServer, TranscriptError, read_transcripts

#: The one message in all the recordings that is none: a request line with a version that is no word of HTTP.
MALFORMED = {"ip-read": ["59 bytes cannot be read: no message of HAP: malformed request line"]}


def run(*arguments: object):
    return CliRunner().invoke(group.hap, ["decode", *map(str, arguments)])


@pytest.mark.parametrize("name", ALL)
def test_every_recording_is_read_whole(name):
    entries = list(decode_script(script(name)))
    assert gaps(entries) == MALFORMED.get(name, [])
    assert [entry.number for entry in entries] == list(range(len(entries)))
    result = run(path(name))
    assert result.exit_code == 0, result.output
    assert "pair-" in result.output


@pytest.mark.parametrize("with_secrets", [False, True])
def test_a_transcript_says_what_was_on_the_wire(with_secrets, tmp_path):
    lines: list[bytes] = []
    house = House(
        server=lambda accessories, **more: RecordedServer(
            accessories, sink=lines.append, with_secrets=with_secrets, **more
        )
    )
    house.pair()
    line = house.connect()
    line.verify()
    on = house.find("25")
    line.do(GetAccessories())
    line.do(Read([on]))
    line.do(Subscribe([on]))
    line.change(True)
    (transcript,) = read_transcripts(lines)
    entries = list(decode_transcript(transcript))
    assert not gaps(entries)
    wire = Conversation("a > b", KeyRing(read_key_log(line.talk.keys).sessions))
    heard = [entry for direction, data, time in line.talk.sent for entry in wire.feed(direction, data, time)]
    shown = said([entry for entry in entries if entry.connection.startswith("connection 2")])[1:-1]
    if with_secrets:
        assert shown == said(heard)
    else:  # what is in tlv8 values was replaced
        assert [one.partition(" [")[0] for one in shown] == [one.partition(" [")[0] for one in said(heard)]
    file = tmp_path / "lamp.jsonl"
    file.write_bytes(b"".join(lines))
    result = run(file)
    assert result.exit_code == 0, result.output
    assert "Lightbulb.On = true" in result.output
    page = tmp_path / "page.html"
    assert run(file, "--html", page).exit_code == 0
    assert "Lightbulb.On" in page.read_text("utf-8")


def test_damaged_transcripts(tmp_path):
    lines: list[bytes] = []
    House(server=lambda accessories, **more: RecordedServer(accessories, sink=lines.append, **more)).pair()
    broken = [line.replace(b'"text":', b'"txet":') for line in lines]
    with pytest.raises(TranscriptError, match="damaged"):
        list(decode_transcript(read_transcripts(broken)[0]))
    file = tmp_path / "x"
    for data in (b"".join(broken), b"{}", b"[" * 100_000, b"\x1f\x8b\x08" + bytes(20)):
        file.write_bytes(data)
        result = run(file)
        assert result.exit_code == 1, data[:20]
        assert "hap: " in result.output
        assert "internal error" not in result.output
