"""What the recordings at hand do not show: our own accessory recorded, and played again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.core.ble_rig import (
    ADMIN,
    CODE,
    ON,
    PAIRINGS,
    PROTOCOL,
    PROTOCOL_SIGNATURE,
    SETUP,
    VERIFY,
    Draws,
    Person,
    Refused,
)
from tests.replay.made_up_ble import Tape

from hapcore.accessory.commands import UpdateValues
from hapcore.codec import tlv8
from hapcore.codec.pdu import Request, write_request
from hapcore.pairing.items import Method
from hapcore.pairing.pairings import encode_add, encode_list, encode_remove
from hapcore.pairing.records import ControllerIdentity
from hapcore.pairing.setup import PairSetupController
from hapcore.replay import read
from hapcore.replay.bench import lock
from hapcore.replay.known import deliberate, play_known


def pair(central, person=ADMIN):
    identity = ControllerIdentity(person.pairing.controller_id, person.pairing.controller_ltsk)
    run = PairSetupController(Draws(), identity=identity)
    run.receive_m2(central.message(SETUP, run.m1())[1])
    m4 = central.message(SETUP, run.m3(CODE.text))[1]
    run.finish(central.message(SETUP, run.m5(m4))[1])


@pytest.fixture
def tape():
    tape = Tape()
    tape.begin()
    tape.wait(1)
    tape.case("setup: pair")
    central = tape.connect()
    pair(central)
    central.close()
    return tape


def check(tape, least=10):
    outcome = play_known(read(tape.recording()))
    assert not outcome.differences, "\n\n".join(map(str, outcome.differences))
    assert outcome.compared >= least


def change(tape, iid, value):
    tape.engine.submit(UpdateValues({(1, iid): value}), tape.now)
    tape.pump()


def test_pairing(tape):
    check(tape)


def test_timeouts(tape):
    tape.case("no procedure")
    tape.connect()
    tape.wait(10.0)
    assert tape.dropped
    tape.end()
    tape.case("half a request")
    central = tape.connect()
    tape.wait(2)
    central.write(0x69, write_request(Request(2, 1, 0x69, bytes(100)), 20)[0])
    tape.wait(10)
    tape.end()
    tape.case("a session without anything")
    central = tape.connect().verify()
    tape.wait(30)
    tape.end()
    tape.case("in clear")
    central = tape.connect()
    central.get(0x24)
    tape.wait(100)
    central.close()
    tape.case("pair-verify left open")
    central = tape.connect()
    central.message(VERIFY, tlv8.encode([(6, b"\1"), (3, b"k" * 32)]))
    tape.wait(10)
    tape.end()
    check(tape, 25)


def test_fatal(tape):
    for name, fragment in {
        "continuation first": b"\x80\1",
        "reserved": b"\x10\3\1\x33\0",
        "response": b"\2\1\0",
        "short": b"\0\3",
    }.items():
        for secured in (False, True):
            tape.case(name)
            central = tape.connect()
            if secured:
                central.verify()
            with suppress(Refused):
                central.write(ON, fragment)
            tape.wait(0.2)
            tape.end()
    tape.case("a read too much")
    central = tape.connect().verify()
    central.get(ON)
    with suppress(Refused):
        central.read(ON)
    tape.wait(0.2)
    tape.end()
    check(tape, 40)


def test_pairings(tape):
    tape.case("a full table")
    central = tape.connect().verify()
    for number in range(16):
        other = Person(f"other {number}")
        central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, number == 3))
    central.message(PAIRINGS, encode_list())
    central.message(PAIRINGS, encode_remove(b"other 1"))
    central.message(PAIRINGS, encode_list())
    central.message(PAIRINGS, b"\6\1")
    central.close()
    tape.case("self")
    central = tape.connect().verify()
    central.message(PAIRINGS, encode_remove(ADMIN.identifier))
    tape.wait(0.2)
    tape.end()
    check(tape, 60)


def test_another_order_of_pairings_is_no_difference_but_another_pairing_is(tape):
    tape.case("list")
    central = tape.connect().verify()
    other = Person("other")
    central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False))
    central.message(PAIRINGS, encode_list())
    central.close()
    recording = tape.recording()
    record = [one for one in recording["cases"][-1]["log"] if one.get("iid") == PAIRINGS and "result" in one][-1]
    items = tlv8.decode(tlv8.decode(bytes.fromhex(record["result"]["body"]))[0][1])
    place = next(index for index, item in enumerate(items) if item[0] == 0xFF)

    def answer(*parts):
        body = tlv8.encode([(1, tlv8.encode([item for part in parts for item in part]))])
        record["result"]["body"] = body.hex()
        head = bytes.fromhex(record["plain"])[:3]
        record["plain"] = (head + len(body).to_bytes(2, "little") + body).hex()
        record["raw"] = "00"

    answer(items[:1], items[place + 1 :], [items[place]], items[1:place])
    assert not play_known(read(recording)).differences
    answer(items[:1], items[1:place])
    assert [one.reason for one in play_known(read(recording)).differences] == ["other pairings"]
    answer(items, [items[place], (1, b""), (3, bytes(32)), (11, b"\0")])
    (difference,) = play_known(read(recording)).differences
    assert deliberate(difference).name == "ble-without-empty-identifier"


def test_state_numbers_that_were_set(tape):
    tape.case("broadcast key")
    central = tape.connect().verify()
    central.ask(PROTOCOL_SIGNATURE, 8, bytes.fromhex("01000200"), target=PROTOCOL)
    central.ask(ON, 7, bytes.fromhex("01020100"))
    central.close()
    tape.wait(6)
    tape.case("wrap", "the state number set to 65534 in the store")
    tape.edit(65534)
    tape.wait(1)
    for value in (True, False, True):
        change(tape, ON, value)
        tape.wait(1)
    tape.wait(12)
    assert tape.engine.state_number.value == 2
    tape.case("expiry", "the state number set to 32766 in the store")
    tape.edit(32766)
    tape.wait(1)
    change(tape, ON, False)
    tape.wait(6)
    change(tape, ON, True)
    tape.wait(6)
    central = tape.connect().verify()
    central.ask(PROTOCOL_SIGNATURE, 8, bytes.fromhex("0200"), target=PROTOCOL)
    change(tape, ON, False)
    central.ask(PROTOCOL_SIGNATURE, 8, bytes.fromhex("0200"), target=PROTOCOL)
    central.close()
    tape.wait(6)
    change(tape, ON, True)
    tape.wait(6)
    check(tape, 40)


def test_configuration(tape):
    tape.case("all of it")
    central = tape.connect().verify()
    for body in ("", "01020100", "01020000", "0103", "020101"):
        central.ask(ON, 7, bytes.fromhex(body))
    for body in ("", "0200", "0100", "0306c0ffee000001", "0300", "02000100"):
        central.ask(PROTOCOL_SIGNATURE, 8, bytes.fromhex(body), target=PROTOCOL)
    for opcode in (0x10, 0x11, 0x12):
        central.ask(PROTOCOL_SIGNATURE, opcode, b"")
    central.close()
    check(tape, 40)


def test_errors_of_pair_setup():
    tape = Tape()
    tape.begin()
    tape.case("malformed")
    central = tape.connect(97)
    for message in (b"", b"\6\1", bytes.fromhex("060103"), bytes.fromhex("060101")):
        central.message(SETUP, message)
    central.ask(SETUP, 3)
    run = PairSetupController(Draws())
    run.receive_m2(central.message(SETUP, run.m1())[1])
    assert central.message(SETUP, run.m3("999-88-777"))[0] == 0
    central.close()
    tape.case("100 failures", "attempt counter set to 99")
    tape.store["attempts"] = b"99"
    tape.edit(1)
    central = tape.connect()
    for _ in range(2):
        run = PairSetupController(Draws())
        _, m2 = central.message(SETUP, run.m1())
        with suppress(Exception):
            run.receive_m2(m2)
            central.message(SETUP, run.m3("999-88-777"))
    central.close()
    tape.case("after a reset")
    tape.store.pop("attempts")
    tape.edit(1)
    central = tape.connect()
    pair(central)
    central.close()
    check(tape, 30)


def test_the_lock():
    tape = Tape(app="lock", database=lock())
    tape.begin()
    tape.case("session")
    central = tape.connect()
    pair(central)
    central.verify()
    central.subscribe(0x33)
    central.ask(0x34, 4, bytes.fromhex("010101080132"))
    central.ask(0x34, 5)
    assert central.get(0x34) == b"\1"
    assert central.get(0x33) == b"\0"
    central.ask(0x42, 4, bytes.fromhex("0100080132"))
    central.ask(0x42, 5)
    central.get(0x43)
    central.close()
    check(tape, 20)


def test_method_1_fails_with_apple_s_accessories():
    """As recorded elsewhere: M4 is refused with status 06; ours goes on."""
    tape = Tape()
    tape.begin()
    tape.case("method 1")
    central = tape.connect()
    run = PairSetupController(Draws(), method=Method.PAIR_SETUP_WITH_AUTH)
    run.receive_m2(central.message(SETUP, run.m1())[1])
    central.message(SETUP, run.m3(CODE.text))
    central.close()
    recording = tape.recording()
    record = [one for one in recording["cases"][-1]["log"] if "result" in one][-1]
    record["raw"], record["result"] = record["raw"][:4] + "06", {"status": 6, "body": ""}
    (difference,) = play_known(read(recording)).differences
    assert deliberate(difference).name == "ble-method-1"
