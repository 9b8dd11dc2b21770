"""Transcripts of the Bluetooth LE engines: what is noted replays, and a redacted one holds no secret in any form."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pairs import ble_air
from tests.pairs.ble_air import CODE, IDENTITY, LEVEL, LOCK, ON, OTHER, SIZES, TEXT, Air, draws
from tests.replay.test_transcripts import _hexadecimal as hexadecimal
from tests.replay.test_transcripts import forms

from hap_sync.recording import Recording, read_lines
from hap_sync.recording import assert_replays as assert_file_replays
from hapcore.controller.commands import (
    AddPairing,
    CharacteristicWrite,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    StartPairSetup,
    Subscribe,
    Write,
)
from hapcore.pairing.records import new_controller_identity
from hapcore.replay import assert_replays, bytewise, replay_lines, replay_transcript
from hapcore.setup_code import SetupCode
from hapcore.transcript import RecordedPeer, RecordedPeripheral, TranscriptError, read_transcripts

AUTH = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90")
NOTE = bytes(range(40, 250)) * 3
WRONG = SetupCode("987-65-432")
GUEST = new_controller_identity(draws("guest"))


class Session:
    """A life of both engines, each recorded: pairing after a wrong code, values, events, broadcasts, resuming."""

    def __init__(self, *, with_secrets: bool, size: int = 182) -> None:
        self.accessory: list[bytes] = []
        self.controller: list[bytes] = []
        self.drawn: dict[str, bytes] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                ble_air,
                "Peripheral",
                partial(RecordedPeripheral, sink=self.accessory.append, with_secrets=with_secrets),
            )
            self.make = partial(RecordedPeer, sink=self.controller.append, with_secrets=with_secrets)
            patch.setattr(ble_air, "Peer", self.make)
            patch.setattr(ble_air, "draws", self.noted)
            self.air = Air(size=size)
            self.run(patch)

    def noted(self, seed: str) -> Any:
        source = draws(seed)

        def entropy(label: str, length: int) -> bytes:
            data = self.drawn[f"{seed} {label} {len(self.drawn)}"] = source(label, length)
            return data

        return entropy

    def run(self, patch: pytest.MonkeyPatch) -> None:
        air = self.air
        air.ask(StartPairSetup(identity=IDENTITY))
        assert "setup code is wrong" in str(air.ask(FinishPairSetup(WRONG)))
        air.ask(StartPairSetup(identity=IDENTITY))
        self.pairing = air.ask(FinishPairSetup(CODE))
        air.ask(GetAccessories())
        writes = [
            CharacteristicWrite(ON, True),
            CharacteristicWrite(LOCK, 1),
            CharacteristicWrite(TEXT, NOTE),
            CharacteristicWrite(LEVEL, 20, auth_data=AUTH),
        ]
        assert all(not one.status for one in air.ask(Write(writes)).values())
        assert air.ask(Read([ON, LEVEL, TEXT]))[TEXT].value == NOTE
        air.ask(Subscribe([ON, OTHER]))
        air.set(OTHER, True)
        air.ask(AddPairing(GUEST.identifier.encode(), GUEST.ltpk))
        assert len(air.ask(ListPairings())) == 2
        air.run(60.0)
        assert not air.connected
        for value in (False, True):  # the key is there, so these are broadcast
            air.set(ON, value)
            air.run(1.0)
        assert air.changes()[-2:] == [(ON.iid, False), (ON.iid, True)]
        self.shared = self.air.peer._session.resume
        air.ask(Read([LEVEL]))  # resumes
        air.run(60.0)
        # After a power cut the accessory remembers no session: what was offered goes on as a pair-verify.
        air.accessory = ble_air.Peripheral(
            ble_air.lamp(), config=air.accessory.config, state=air.state, entropy=self.noted("again")
        )
        air.accessory.start(air.time)
        air.pump()
        assert air.ask(Read([LEVEL]))[LEVEL].value == 0
        air.run(60.0)
        # The beginning of a request, and something that is none.
        air.accessory.link_opened(air.time, max_read=184, max_write=182)
        handle = next(one.handle for service in air.accessory.gatt for one in service.characteristics)
        air.accessory.receive_write(handle, b"\x00\x03\x01" + AUTH, air.time)
        air.accessory.receive_write(handle, b"\x07" + AUTH, air.time)
        air.accessory.link_closed(air.time)
        air.pump()
        patch.setattr(ble_air, "Peer", self.make)
        air.restart()
        air.outputs.clear()
        assert air.ask(Read([ON]))[ON].value is False
        assert air.ask(RemovePairing(IDENTITY.identifier.encode())) is None

    @property
    def transcripts(self) -> list[list[bytes]]:
        return [self.accessory, self.controller]

    def secrets(self) -> dict[str, bytes]:
        """Everything that nobody but the two may know, by what it is."""
        open_ = ("pair-setup.salt", "identity.device-id", "setup-id", "controller.pairing-id")
        found = {label: data for label, data in self.drawn.items() if not any(one in label for one in open_)}
        key = self.air.accessory.broadcasts.key
        assert self.shared is not None
        return {
            **found,
            "controller key": self.pairing.controller_ltsk.reveal(),
            "accessory key": self.air.accessory.stored.identity.ltsk.reveal(),
            "guest key": GUEST.ltpk,
            "shared secret": self.shared[1].reveal(),
            "session": self.shared[0],
            "authorization": AUTH,
            "note": NOTE[:32],
            **({} if key is None else {"broadcast key": key.reveal()}),
        }


_SESSIONS: dict[tuple[bool, int], Session] = {}


def session(*, with_secrets: bool, size: int = 182) -> Session:
    """A session costs seconds: each kind is held once."""
    if (with_secrets, size) not in _SESSIONS:
        _SESSIONS[with_secrets, size] = Session(with_secrets=with_secrets, size=size)
    return _SESSIONS[with_secrets, size]


@pytest.mark.parametrize("with_secrets", [False, True])
@pytest.mark.parametrize("size", [SIZES[0], 182, SIZES[-1]])
def test_a_session_replays(with_secrets: bool, size: int) -> None:
    for lines in session(with_secrets=with_secrets, size=size).transcripts:
        for transcript in read_transcripts(lines):
            assert (transcript.secrets, transcript.transport) == (with_secrets, "ble")
            outcome = replay_transcript(transcript)
            assert outcome.first is None, str(outcome.first)
            assert outcome.compared > 10
        assert len(read_transcripts(lines)) == 2
        for replayed in replay_lines(lines):
            assert replayed.outcome.first is None, str(replayed.outcome.first)


@pytest.mark.parametrize("with_secrets", [False, True])
def test_from_every_prefix(with_secrets: bool) -> None:
    for lines in session(with_secrets=with_secrets, size=SIZES[0]).transcripts:
        for transcript in read_transcripts(lines):
            outcome = replay_transcript(transcript, bytewise)  # fragments are whole attributes: nothing is cut
            assert outcome.first is None, str(outcome.first)
        first = read_transcripts(lines)[0]
        for size in range(0, len(first.lines), 211):
            outcome = replay_transcript(first.prefix(size))
            assert outcome.first is None, (size, str(outcome.first))
            # The same where the file really ends there.
            (shorter,) = read_transcripts(lines[: size + 1])
            outcome = replay_transcript(shorter)
            assert outcome.first is None, (size, str(outcome.first))


def test_assert_replays() -> None:
    for lines in session(with_secrets=False).transcripts:
        assert_replays(b"".join(lines), prefixes=2)


def test_a_redacted_transcript_holds_no_secret() -> None:
    redacted, open_ = session(with_secrets=False), session(with_secrets=True)
    texts = [b"".join(lines) for lines in redacted.transcripts]
    shown = 0
    for name, secret in redacted.secrets().items():
        for form in forms(secret):
            assert not any(form in text for text in texts), name
            shown += any(form in b"".join(lines) for lines in open_.transcripts)
    assert shown > 10  # the same search finds them where they are
    hexes = [bytes.fromhex(one) for text in texts for one in hexadecimal(text)]
    for name, secret in redacted.secrets().items():
        assert not any(secret in one or secret.hex().encode() in one for one in hexes), name
    for code in (CODE.text, WRONG.text):
        assert not any(code.encode() in text for text in texts)
        assert not any(code.encode() in one for one in hexes)


def test_a_redacted_transcript_tells_what_was_said() -> None:
    accessory, controller = (b"".join(lines).decode() for lines in session(with_secrets=False).transcripts)
    for said in ('"says":[', "SetupAttemptFailed", "PeerMisbehaved", '"step":"pair-resume"', '"pdu":"request"'):
        assert said in accessory
    for said in ('"step":"broadcast","opened":[', '"pdu":"response"', '"sealed":true', "CharacteristicChanged"):
        assert said in controller


@pytest.mark.parametrize("with_secrets", [False, True])
def test_every_changed_output_is_found(with_secrets: bool) -> None:
    for lines in session(with_secrets=with_secrets).transcripts:
        places = [index for index, line in enumerate(lines) if b'"out":{' in line]
        for place in places[:: len(places) // 7]:
            content = json.loads(lines[place])
            content["out"]["$"] += "X"
            changed = [*lines[:place], json.dumps(content).encode(), *lines[place + 1 :]]
            assert any(replay_transcript(one).first is not None for one in read_transcripts(changed))


def test_a_difference_names_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is named, and what is another in the answer."""
    from hapcore.ble.accessory import configuration

    accessory, _ = session(with_secrets=False).transcripts
    transcript = read_transcripts(accessory)[0]
    monkeypatch.setattr(configuration, "_PROPERTIES", 3)
    difference = replay_transcript(transcript).first
    assert difference is not None
    assert "after characteristic configuration of characteristic 65: GattReply instead of Persist" in (
        difference.reason
    )
    assert "characteristic configuration" in difference.cause


def replay_or_refuse(lines: list[bytes]) -> None:
    """Anything but a clear error is ours."""
    try:
        for replayed in replay_lines(lines):
            assert len(replayed.outcome.differences) < 2
    except TranscriptError:
        pass


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_an_error_or_a_difference(data: st.DataObject) -> None:
    lines = session(with_secrets=False).transcripts[data.draw(st.integers(0, 1))]
    text = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    replay_or_refuse(bytes(text).split(b"\n"))


@settings(max_examples=25, deadline=None)
@given(place=st.integers(0, 10**6), content=st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_any_line_in_any_place(place: int, content: dict[str, object]) -> None:
    lines = session(with_secrets=False).transcripts[place % 2]
    place = place // 2 % len(lines)
    known = json.loads(lines[place])
    known.update(content)
    known.pop(sorted(known)[place % len(known)])
    replay_or_refuse([*lines[:place], json.dumps(known).encode(), *lines[place + 1 :]])


@pytest.mark.parametrize("with_secrets", [False, True])
def test_both_engines_into_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_secrets: bool) -> None:
    file = tmp_path / "air.jsonl.gz"
    with Recording(file, with_secrets=with_secrets) as recording:
        monkeypatch.setattr(ble_air, "Peripheral", recording.peripheral)
        monkeypatch.setattr(ble_air, "Peer", recording.peer)
        air = Air()
        assert air.ask(Identify()) is None
        air.run(30.0)
    found = [(one.role, one.transport, one.outcome.first) for one in replay_lines(read_lines(file))]
    assert found == [("accessory", "ble", None), ("controller", "ble", None)]
    assert_file_replays(file, prefixes=3)
