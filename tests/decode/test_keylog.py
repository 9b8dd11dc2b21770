"""The key log: one line a session from every adapter and both roles, and nothing of it where it was not asked for."""

from __future__ import annotations

import logging
import os
import stat

import pytest
from tests.decode.session import House

from hap_sync import keylog
from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.secret import Secret
from hapcore.engine import ConnectionId, Done, Engine
from hapcore.ip.controller import Read
from hapcore.pairing.keylog import SessionKeysMade, read_key_log, write_line
from hapcore.replay import assert_replays, replay_transcript
from hapcore.transcript import RecordedServer, read_transcripts

READ, WRITE = bytes(range(32)), bytes(range(32, 64))
MADE = SessionKeysMade(
    ConnectionId(3), b"\x07" * 32, "12:34:56:78:9A:BC", b"a b%\xff", SessionKeys(Secret(READ), Secret(WRITE))
)
LINE = (
    "HAP1 1763644456.250000 " + "07" * 32 + " 12:34:56:78:9A:BC a%20b%25%FF " + READ.hex() + " " + WRITE.hex() + "\n"
).encode()


def test_a_line_and_back():
    assert write_line(MADE, 1763644456.25) == LINE
    (one,) = read_key_log(LINE).sessions
    assert one.time == 1763644456.25
    assert (one.public, one.accessory_id, one.controller_id) == (b"\x07" * 32, "12:34:56:78:9A:BC", "a b%\ufffd")
    assert (one.keys.read.reveal(), one.keys.write.reveal()) == (READ, WRITE)


def test_no_repr_shows_a_key():
    shown = repr(MADE) + repr(read_key_log(LINE))
    assert READ.hex() not in shown
    assert repr(READ) not in shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"CLIENT_RANDOM 00 11", "line 2: expected it to begin with HAP1"),
        (b"HAP1 1 - - -", "line 2: expected 7 fields, got 5"),
        (b"HAP1 soon - - - " + READ.hex().encode() + b" " + READ.hex().encode(), "line 2: the time is no number"),
        (b"HAP1 1 xx - - " + READ.hex().encode() + b" " + READ.hex().encode(), "line 2: the session is not hexadec"),
        (b"HAP1 1 - - - 0102 " + READ.hex().encode(), "line 2: expected a key of 32 bytes, got 2"),
        (b"HAP1 1 - - - \xff\xfe " + READ.hex().encode(), "line 2: the key is not hexadecimal"),
    ],
)
def test_lines_that_are_none(text, problem):
    log = read_key_log(b"# a comment\n" + text + b"\n\n" + LINE)
    assert len(log.sessions) == 1
    assert len(log.problems) == 1
    assert log.problems[0].startswith(problem)
    assert READ.hex() not in log.problems[0]


def test_what_is_not_known():
    keys = (READ.hex() + " " + WRITE.hex()).encode()
    (one,) = read_key_log(b"HAP1 - - - - " + keys).sessions
    assert (one.time, one.public, one.accessory_id, one.controller_id) == (0.0, b"", "", "")


# The file


def test_the_file_belongs_to_its_owner_alone(tmp_path, monkeypatch):
    path = tmp_path / "keys"
    path.write_bytes(b"# before\n")
    path.chmod(0o644)
    monkeypatch.setenv(keylog.VARIABLE, str(path))
    heard = []
    report = keylog.watch(Engine(), heard.append)
    report(MADE)
    report(done := Done(1))
    report(MADE)
    assert heard == [done]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_key_log(path.read_bytes()).sessions) == 2
    assert path.read_bytes().startswith(b"# before\n")


def test_a_file_is_made_for_its_owner_alone(tmp_path, monkeypatch):
    path = tmp_path / "keys"
    monkeypatch.setenv(keylog.VARIABLE, str(path))
    before = os.umask(0)
    try:
        keylog.watch(Engine(), list)(MADE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_without_the_variable(monkeypatch):
    monkeypatch.delenv(keylog.VARIABLE, raising=False)
    engine = Engine()
    assert keylog.watch(engine, print) is print
    assert not engine.tells_keys


def test_a_file_that_cannot_be_written_is_one_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(keylog.VARIABLE, str(tmp_path / "no" / "such" / "folder"))
    report = keylog.watch(Engine(), print)
    with caplog.at_level(logging.WARNING):
        report(MADE)
        report(MADE)
    assert len(caplog.records) == 1
    assert READ.hex() not in caplog.text


# Transcripts, and the two together


@pytest.mark.parametrize("with_secrets", [False, True])
def test_a_transcript_beside_has_no_keys_and_replays(with_secrets):
    lines: list[bytes] = []
    house = House(
        server=lambda accessories, **more: RecordedServer(
            accessories, sink=lines.append, with_secrets=with_secrets, **more
        )
    )
    house.server.tells_keys = True
    house.pair()
    line = house.connect()
    line.verify()
    line.do(Read([house.find("25")]))
    (one,) = read_key_log(line.talk.keys).sessions
    text = b"".join(lines)
    for key in (one.keys.read.reveal(), one.keys.write.reveal()):
        assert key.hex().encode() not in text
    (transcript,) = read_transcripts(lines)
    assert any(line.content.get("out") == {"$other": "SessionKeysMade"} for line in transcript.lines)
    outcome = replay_transcript(transcript)
    assert outcome.first is None, outcome.first
    assert outcome.compared > 10
    assert_replays(lines)


def test_both_engines_tell_the_same_and_only_when_asked():
    house = House()
    house.pair()
    line = house.connect()
    line.verify()
    assert house.told == []
    house.server.tells_keys = True
    line = house.connect()
    line.verify()
    (made,) = house.told
    (logged,) = read_key_log(line.talk.keys).sessions
    assert made.keys == logged.keys
    assert made.public == logged.public == read_key_log(write_line(made, 1.0)).sessions[0].public
    assert made.accessory_id == logged.accessory_id == house.accessory_id
    assert made.controller_id.decode() == logged.controller_id
