"""A session between two foreign implementations, heard by dumpcap: decoded to the last byte. See data/README.md."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("pcapng", reason="captures are read with the extra `decode`")

from pcapng import FileScanner, blocks
from tests.decode.listening import heard

from hapcore.decode import Direction, KeyRing, Kind
from hapcore.decode.packets import read_packet
from hapcore.pairing.keylog import read_key_log

DATA = Path(__file__).parent / "data"
TOLD = json.loads((DATA / "foreign.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def entries():
    keys = KeyRing(read_key_log((DATA / "foreign.keys").read_bytes()).sessions)
    return heard((DATA / "foreign.pcapng").read_bytes(), keys)


def on_the_wire() -> dict[tuple[str, bool], bytes]:
    """What each side of each connection sent: the capture has every segment once and in order."""
    streams: dict[tuple[str, bool], bytearray] = defaultdict(bytearray)
    port = TOLD["listening"]["port"]
    with (DATA / "foreign.pcapng").open("rb") as file:
        for block in FileScanner(file):
            if isinstance(block, blocks.EnhancedPacket) and (found := read_packet(1, block.packet_data)) is not None:
                to_accessory = found.target[1] == port
                controller = found.source[1] if to_accessory else found.target[1]
                streams[f"127.0.0.1:{controller} > 127.0.0.1:{port}", to_accessory] += found.data
    return {key: bytes(data) for key, data in streams.items()}


def plaintext_size(stream: bytes, clear: int) -> int:
    """What a stream holds, of which so many bytes are clear and the rest is in frames of two bytes, text and tag."""
    place, size = clear, clear
    while place < len(stream):
        length = int.from_bytes(stream[place : place + 2], "little")
        size += length
        place += 2 + length + 16
    assert place == len(stream)
    return size


def test_to_the_last_byte(entries):
    shown: dict[tuple[str, bool], bytearray] = defaultdict(bytearray)
    clear: dict[tuple[str, bool], int] = defaultdict(int)
    for entry in entries:
        assert entry.kind not in (Kind.GAP, Kind.NOTE), entry
        if entry.direction is not Direction.NEITHER:
            key = entry.connection, entry.direction is Direction.TO_ACCESSORY
            shown[key] += entry.data
            if entry.title.startswith(("pair-setup", "pair-verify")):
                clear[key] += len(entry.data)
    streams = on_the_wire()
    assert len(streams) == 6
    assert set(shown) == set(streams)
    for key, stream in streams.items():
        assert len(shown[key]) == plaintext_size(stream, clear[key])
        assert shown[key].startswith(stream[: clear[key]])


def test_both_sides_say_what_the_controller_says_it_heard(entries):
    def body(entry):
        return json.loads(entry.data.partition(b"\r\n\r\n")[2])

    asked = {entry.number: entry for entry in entries}
    (database,) = [e for e in entries if e.answers is not None and asked[e.answers].title == "GET /accessories"]
    assert [one["aid"] for one in body(database)["accessories"]] == [one["aid"] for one in TOLD["accessories"]]
    values = {
        f"{one.aid}.{one.iid}": one.value
        for entry in entries
        if entry.answers is not None and asked[entry.answers].title.endswith("id=1.9,1.10")
        for one in entry.touched
    }
    assert values == {"1.9": "false", "1.10": "40"}
    assert TOLD["get"]["1.10"]["value"] == 40
    events = [entry.touched[0] for entry in entries if entry.kind is Kind.EVENT]
    assert [(one.name, one.value) for one in events] == [
        ("Lightbulb.On", "false"),
        ("StatelessProgrammableSwitch.ProgrammableSwitchEvent", "1 (DOUBLE_PRESS)"),
    ]


def test_handshakes_and_pairings_are_named(entries):
    titles = [entry.title for entry in entries if entry.kind is Kind.PAIRING]
    assert titles[:6] == [f"pair-setup M{number}" for number in range(1, 7)]
    assert titles.count("pair-verify M4") == 2
    assert titles[-2:] == ["remove pairing M1", "remove pairing M2"]
    (listed,) = [dict(entry.details) for entry in entries if entry.title == "list pairings M2"]
    assert listed["Identifier"] == TOLD["pair"]["controller"]
    assert listed["PublicKey"] == TOLD["pair"]["ltpk"]
    assert listed["Permissions"] == "admin (1)"


def test_the_accessory_is_known_by_its_id(entries):
    sessions = [entry for entry in entries if entry.kind in (Kind.REQUEST, Kind.RESPONSE, Kind.EVENT)]
    assert {entry.accessory for entry in sessions} == {TOLD["listening"]["device_id"]}


def test_every_answer_has_its_question_and_took_some_time(entries):
    numbers = {entry.number: entry for entry in entries}
    answers = [e for e in entries if e.direction is Direction.TO_CONTROLLER and e.kind is not Kind.EVENT]
    assert answers
    for entry in answers:
        assert numbers[entry.answers].direction is Direction.TO_ACCESSORY
        assert entry.took is not None
        assert 0 < entry.took < 1
