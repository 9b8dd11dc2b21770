"""The accessory over Bluetooth LE: what is reachable when, reading, writing, timed writes (HAP-BLE A.3, A.5.1)."""

from __future__ import annotations

import pytest
from tests.core.ble_rig import ADMIN, BRIGHTNESS, FEATURES, HUE, ON, PAIRINGS, SETUP, USER, VERIFY, Refused, Rig

from hapcore.accessory.commands import AnswerRead, AnswerWrite
from hapcore.accessory.events import (
    CharacteristicsWritten,
    IdentifyRequested,
    PeerMisbehaved,
    ReadRequested,
    SessionClosed,
    SessionOpened,
    WriteRequested,
)
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode
from hapcore.ids import HapStatus, Transport

READ, WRITE, TIMED, EXECUTE = 3, 2, 4, 5
SUCCESS, UNSUPPORTED, BUSY, UNAUTHORIZED, WRONG_IID, UNAUTHENTICATED, INVALID = range(7)


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def clear(rig):
    return rig.connect()


@pytest.fixture
def central(rig):
    return rig.connect().verify()


# What is reachable without a session (HAP-BLE A.5.1).


def test_signatures_are_for_everybody(clear):
    assert clear.ask(ON, Opcode.CHARACTERISTIC_SIGNATURE_READ)[0] == SUCCESS
    assert clear.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=0x30) == (SUCCESS, bytes.fromhex("0f02010010026000"))


def test_features_are_for_everybody(clear):
    assert clear.get(FEATURES) == b"\0"


@pytest.mark.parametrize("opcode", [READ, WRITE])
def test_values_are_not(clear, opcode):
    assert clear.ask(ON, opcode, tlv8.encode([(1, b"\1")])) == (UNAUTHENTICATED, b"")


def test_what_has_no_right_at_all_is_not_supported(clear):
    assert clear.ask(0x63, READ)[0] == UNSUPPORTED  # write only
    assert clear.put(0x64, b"\1") == UNSUPPORTED  # read only


def test_what_is_open_to_everybody(clear):
    assert clear.put(0x69, b"\7") == SUCCESS
    assert clear.get(0x69) == b"\7"


@pytest.mark.parametrize("opcode", [7, 8, 0x10, 0x11, 0x12])
def test_configuration_needs_a_session(clear, opcode):
    target = 0x10 if opcode == 8 else 0x11
    assert clear.ask(0x11, opcode, b"", target=target)[0] == UNSUPPORTED


def test_identify_by_anybody_while_nobody_is_paired():
    rig = Rig(people=())
    central = rig.connect()
    assert central.put(2, b"\0") == INVALID
    assert central.put(2, b"\1") == SUCCESS
    assert len(rig.told(IdentifyRequested)) == 1


def test_identify_by_the_paired_only(rig, clear):
    assert clear.put(2, b"\1") == UNAUTHENTICATED
    assert clear.verify().put(2, b"\1") == SUCCESS
    assert not rig.told(IdentifyRequested)
    assert rig.told(CharacteristicsWritten)


def test_service_numbers_are_never_encrypted(rig, central):
    for service in rig.engine.gatt:
        rig.engine.receive_read(service.iid_handle, rig.now)
        rig.pump()
        assert rig.replies.pop().data == service.iid.to_bytes(2, "little")
    assert central.get(ON) == b"\0"  # and the counters have not moved


def test_service_numbers_cannot_be_written(rig, central):
    rig.engine.receive_write(rig.engine.gatt[0].iid_handle, b"\1\0", rig.now)
    rig.pump()
    assert rig.replies.pop().code == 3
    assert central.get(ON) == b"\0"


# In a session.


def test_who_is_there(rig):
    central = rig.connect().verify(USER)
    opened = rig.told(SessionOpened)[0].caller
    assert (opened.pairing_id, opened.admin, opened.transport) == (USER.identifier, False, Transport.BLE)
    central.close()
    assert rig.told(SessionClosed)[0].reason is None


def test_fixed_values(central):
    assert central.get(0x12) == b"2.2.0"
    assert central.get(0x31) == b""
    assert central.get(3) == b"Acme"


@pytest.mark.parametrize("iid", [SETUP, VERIFY])
def test_a_read_of_a_pairing_characteristic_without_a_write(clear, iid):
    assert clear.ask(iid, READ) == (INVALID, b"")


def test_a_read_of_the_pairings_without_a_write(central):
    assert central.ask(PAIRINGS, READ) == (INVALID, b"")


@pytest.mark.parametrize(
    ("iid", "value", "status"),
    [
        (ON, b"\1", SUCCESS),
        (ON, b"\2", INVALID),
        (ON, b"", INVALID),
        (ON, b"\1\0", INVALID),
        (BRIGHTNESS, (100).to_bytes(4, "little"), SUCCESS),
        (BRIGHTNESS, (101).to_bytes(4, "little"), INVALID),
        (BRIGHTNESS, (-1).to_bytes(4, "little", signed=True), INVALID),
        (BRIGHTNESS, b"\x32", INVALID),
        (HUE, bytes.fromhex("0000c07f"), INVALID),  # not a number
        (HUE, bytes.fromhex("0000807f"), INVALID),  # infinite
        (0x52, b"\x10", INVALID),  # off the grid
        (0x57, bytes.fromhex("9a99193e"), INVALID),  # 0.15, grid of 0.1
        (0x58, b"a" * 64, SUCCESS),
        (0x58, b"a" * 65, INVALID),
        (0x58, b"", SUCCESS),
        (0x58, b"nul\0x", INVALID),
        (0x58, b"\xff\xfe", INVALID),
        (0x59, b"", SUCCESS),
        (0x6B, b"\3", SUCCESS),
        (0x6B, b"\2", INVALID),
        (0x6C, b"\x0b", SUCCESS),
        (0x6C, b"\5", INVALID),
    ],
)
def test_values(rig, central, iid, value, status):
    before = rig.engine.table.find(iid).characteristic.value
    assert central.put(iid, value) == status
    if status:
        assert rig.engine.table.find(iid).characteristic.value == before
    else:
        assert central.get(iid) == value


def test_a_float_is_moved_onto_its_grid(central):
    assert central.put(0x57, bytes.fromhex("9b99993e")) == SUCCESS  # 0.3 and a little
    assert central.get(0x57) == bytes.fromhex("9a99993e")


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 494, 495, 511, 512, 513, 1020, 60000])
@pytest.mark.parametrize("limit", [36, 97, 512])
def test_values_of_any_size(rig, size, limit):
    if size == 60000 and limit != 512:
        return  # the same path, only longer
    central = rig.connect(limit).verify()
    value = bytes(number % 251 for number in range(size))
    assert central.put(0x59, value) == SUCCESS
    assert central.get(0x59) == value


def test_values_that_are_too_long(central):
    assert central.put(0x59, bytes(64000)) == SUCCESS
    assert central.put(0x59, bytes(64001)) == INVALID
    assert central.get(0x59) == bytes(64000)


def test_more_than_the_buffer_holds():
    """The link stays: only this one is refused."""
    rig = Rig(max_body=600)
    central = rig.connect().verify()
    assert central.put(0x59, bytes(601)) == INVALID
    assert central.get(0x59) == b""
    rig.database.find(1, 0x59).store(bytes(601))
    assert central.ask(0x59, READ) == (INVALID, b"")
    assert central.get(ON) == b"\0"


# The body of a write (HAP-BLE A.3.8).


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, INVALID),
        (b"", INVALID),
        ("020178", INVALID),
        ("01", INVALID),  # cut off
        ("010201", INVALID),
        ("010101010100", INVALID),  # twice in a row
        ("010101550178010101", INVALID),  # twice
        ("550178010101", SUCCESS),
        ("0101010000", SUCCESS),
        ("030100010101", SUCCESS),
        ("030102010101", INVALID),
        ("0300010101", INVALID),
        ("01010108010a", SUCCESS),
        ("0101010800", INVALID),
        ("0101010802000a", INVALID),
        ("010101090100", INVALID),
        ("0101010900", INVALID),
        ("010101090102", INVALID),
    ],
)
def test_bodies(central, body, status):
    data = bytes.fromhex(body) if isinstance(body, str) else body
    assert central.ask(ON, WRITE, data) == (status, b"")


def test_a_write_with_response(central):
    assert central.ask(ON, WRITE, bytes.fromhex("010101090101")) == (SUCCESS, bytes.fromhex("010101"))
    assert central.ask(0x63, WRITE, bytes.fromhex("010101090101")) == (UNSUPPORTED, b"")


def test_a_read_with_a_body(central):
    assert central.ask(ON, READ, b"whatever") == (SUCCESS, bytes.fromhex("010100"))
    assert central.ask(ON, Opcode.CHARACTERISTIC_SIGNATURE_READ, b"whatever")[0] == SUCCESS


# Numbers and opcodes.


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 7, 8, 0x10, 0x11, 0x12])
def test_another_number_than_the_attribute(central, opcode):
    assert central.ask(ON, opcode, target=0x34) == (WRONG_IID, b"")
    assert central.ask(ON, opcode, target=0) == (WRONG_IID, b"")


@pytest.mark.parametrize("opcode", [0, 9, 0x0A, 0x0B, 0x0F, 0x13, 0xFF])
def test_unknown_opcodes(central, opcode):
    assert central.ask(ON, opcode) == (UNSUPPORTED, b"")
    assert central.ask(ON, opcode, target=0x34) == (UNSUPPORTED, b"")


@pytest.mark.parametrize("target", [0, 0x40, 0x31, 0xFFFF])
def test_the_signature_of_another_service_is_empty(central, target):
    assert central.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=target) == (SUCCESS, b"\x10\0")


def test_service_signatures_come_from_their_characteristic(central):
    assert central.ask(ON, Opcode.SERVICE_SIGNATURE_READ, target=0x30) == (UNSUPPORTED, b"")


@pytest.mark.parametrize("tid", [0, 1, 255])
def test_any_transaction_id(central, tid):
    central.tid = (tid - 1) % 256
    assert central.get(ON) == b"\0"
    assert central.tid == tid


# Rights.


def test_what_only_admins_may_do(rig):
    user = rig.connect().verify(USER)
    assert user.ask(0x66, READ) == (UNAUTHENTICATED, b"")
    assert user.put(0x66, b"\1") == UNAUTHENTICATED
    assert user.get(ON) == b"\0"
    user.close()
    assert rig.connect().verify(ADMIN).put(0x66, b"\1") == SUCCESS


# What the application decides.


def test_a_getter_is_asked_and_the_read_waits(rig, central):
    rig.database.find(1, ON).getter(lambda caller: True)
    central.send(ON, READ)
    central.begin_read(ON)
    assert not rig.replies
    asked = rig.told(ReadRequested)[-1]
    assert (asked.ids, asked.caller.pairing_id) == (((1, ON),), ADMIN.identifier)
    rig.engine.submit(AnswerRead(asked.request, {(1, ON): True}), rig.now)
    rig.pump()
    assert central.read_cipher.open(rig.replies.pop().data)[5:] == b"\1\1\1"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (HapStatus.UNABLE_TO_COMMUNICATE, INVALID),
        (HapStatus.BUSY, INVALID),
        (HapStatus.INSUFFICIENT_PRIVILEGES, UNAUTHENTICATED),
        (HapStatus.INSUFFICIENT_AUTHORIZATION, UNAUTHORIZED),
        ("no boolean", INVALID),
    ],
)
def test_a_getter_that_fails(rig, central, result, status):
    rig.database.find(1, ON).read_handled = True
    central.send(ON, READ)
    central.begin_read(ON)
    rig.engine.submit(AnswerRead(rig.told(ReadRequested)[-1].request, {(1, ON): result}), rig.now)
    rig.pump()
    assert central.read_cipher.open(rig.replies.pop().data) == bytes((2, central.tid, status))


def test_an_application_that_answers_nothing(rig, central):
    rig.database.find(1, ON).read_handled = True
    central.send(ON, READ)
    central.begin_read(ON)
    rig.wait(8.9)
    assert not rig.replies
    rig.wait(0.2)
    assert central.read_cipher.open(rig.replies.pop().data) == bytes((2, central.tid, INVALID))
    rig.database.find(1, ON).read_handled = False
    assert central.get(ON) == b"\0"


def test_a_write_the_application_decides_about(rig, central):
    rig.database.find(1, ON).write_handled = True
    central.send(ON, WRITE, bytes.fromhex("010101030101"))
    central.begin_read(ON)
    asked = rig.told(WriteRequested)[-1]
    (write,) = asked.writes
    assert (write.value, write.remote, write.timed, write.auth_data) == (True, True, False, None)
    assert rig.database.find(1, ON).value is False
    rig.engine.submit(AnswerWrite(asked.request), rig.now)
    rig.pump()
    assert central.read_cipher.open(rig.replies.pop().data) == bytes((2, central.tid, 0))
    assert rig.database.find(1, ON).value is True


@pytest.mark.parametrize("opcode", [READ, WRITE])
def test_an_answer_in_parts(rig, central, opcode):
    """What does not speak of the characteristic is no answer yet."""
    rig.database.find(1, ON).read_handled = rig.database.find(1, ON).write_handled = True
    central.send(ON, opcode, bytes.fromhex("010101"))
    central.begin_read(ON)
    asked = rig.told(ReadRequested if opcode == READ else WriteRequested)[-1].request
    answer = AnswerRead if opcode == READ else AnswerWrite
    assert rig.submit(answer(asked, {}, last=False)).result is True
    assert not rig.replies
    given = True if opcode == READ else HapStatus.SUCCESS
    assert rig.submit(answer(asked, {(1, ON): given}, last=False)).result is True
    assert central.read_cipher.open(rig.replies.pop().data)[2] == SUCCESS
    assert rig.submit(answer(asked, {})).result is False


def test_a_write_that_was_carried_out_late(rig, central):
    rig.database.find(1, ON).write_handled = True
    central.send(ON, WRITE, bytes.fromhex("010101"))
    central.begin_read(ON)
    rig.wait(9.1)
    assert central.read_cipher.open(rig.replies.pop().data) == bytes((2, central.tid, INVALID))
    rig.engine.submit(AnswerWrite(rig.told(WriteRequested)[-1].request), rig.now)
    rig.pump()
    assert rig.done[-1].result is False
    assert rig.database.find(1, ON).value is True


def test_an_answer_after_the_link_has_gone(rig, central):
    rig.database.find(1, ON).write_handled = True
    central.send(ON, WRITE, bytes.fromhex("010101"))
    central.begin_read(ON)
    central.close()
    rig.submit(AnswerWrite(rig.told(WriteRequested)[-1].request))
    assert not rig.replies
    assert rig.database.find(1, ON).value is True
    assert rig.connect().verify().get(ON) == b"\1"


@pytest.mark.parametrize(
    ("extra", "status", "seen"),
    [
        ("", UNAUTHORIZED, None),
        ("0202aabb", INVALID, ...),  # without an origin
        ("0202aabb030100", SUCCESS, b"\xaa\xbb"),
        ("0202aabb030101", SUCCESS, b"\xaa\xbb"),
        ("02020000030101", UNAUTHORIZED, b"\0\0"),
        ("0200030101", UNAUTHORIZED, b""),
        ("030101", UNAUTHORIZED, None),
        ("0202aabb030102", INVALID, ...),
    ],
)
def test_additional_authorization(rig, central, extra, status, seen):
    central.send(0x68, WRITE, bytes.fromhex("010101" + extra))
    central.begin_read(0x68)
    asked = rig.told(WriteRequested)
    if seen is ...:
        assert not asked
    else:
        auth_data = asked[-1].writes[0].auth_data
        assert auth_data == seen
        answer = HapStatus.SUCCESS if auth_data == b"\xaa\xbb" else HapStatus.INSUFFICIENT_AUTHORIZATION
        rig.engine.submit(AnswerWrite(asked[-1].request, {(1, 0x68): answer}), rig.now)
        rig.pump()
    assert central.read_cipher.open(rig.replies.pop().data) == bytes((2, central.tid, status))


def test_authorization_where_none_is_wanted(central):
    assert central.put(ON, b"\1", (2, b"x")) == SUCCESS


# Timed writes (HAP-BLE A.3.8).

ANNOUNCED = bytes.fromhex("01010108010a")  # true, one second


def test_a_timed_write(rig, central):
    assert central.ask(0x67, TIMED, ANNOUNCED) == (SUCCESS, b"")
    assert rig.database.find(1, 0x67).value is False
    rig.wait(0.9)
    assert central.ask(0x67, EXECUTE) == (SUCCESS, b"")
    assert central.get(0x67) == b"\1"
    assert rig.told(CharacteristicsWritten)[-1].writes[0].timed


def test_a_timed_write_too_late(rig, central):
    central.ask(0x67, TIMED, ANNOUNCED)
    rig.wait(1.1)
    assert central.ask(0x67, EXECUTE) == (UNSUPPORTED, b"")
    assert central.get(0x67) == b"\0"


@pytest.mark.parametrize("body", ["010101", "010101080100", "01010108020a00", "", "010107" + "08010a"])
def test_what_is_wrong_shows_at_the_execute(central, body):
    assert central.ask(0x67, TIMED, bytes.fromhex(body)) == (SUCCESS, b"")
    assert central.ask(0x67, EXECUTE) == (INVALID, b"")
    assert central.get(0x67) == b"\0"


def test_only_timed(central):
    assert central.put(0x67, b"\1") == INVALID


def test_timed_where_it_need_not_be(central):
    assert central.ask(ON, TIMED, ANNOUNCED) == (SUCCESS, b"")
    assert central.ask(ON, EXECUTE) == (SUCCESS, b"")
    assert central.get(ON) == b"\1"


def test_return_response_of_a_timed_write(central):
    central.ask(0x67, TIMED, ANNOUNCED + bytes.fromhex("090101"))
    assert central.ask(0x67, EXECUTE) == (SUCCESS, bytes.fromhex("010101"))


@pytest.mark.parametrize("opcode", [READ, WRITE, TIMED, EXECUTE, 7, 8])
def test_while_a_timed_write_waits_there_is_no_room_for_a_body(central, opcode):
    central.ask(0x67, TIMED, ANNOUNCED)
    assert central.ask(0x67, opcode, b"\1\1\1") == (INVALID, b"")
    assert central.ask(0x67, EXECUTE) == (SUCCESS, b"")


@pytest.mark.parametrize("opcode", [1, READ, WRITE, TIMED, 7])
def test_while_a_timed_write_waits_nothing_else_may_come(rig, central, opcode):
    central.ask(0x67, TIMED, ANNOUNCED)
    central.send(0x67, opcode)
    with pytest.raises(Refused):
        central.receive(0x67)
    rig.wait(0.2)
    assert rig.dropped


def test_other_characteristics_while_a_timed_write_waits(central):
    central.ask(0x67, TIMED, ANNOUNCED)
    assert central.ask(ON, READ) == (BUSY, b"")
    assert central.ask(ON, READ, target=0x34) == (WRONG_IID, b"")
    assert central.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=0) == (SUCCESS, b"\x10\0")
    assert central.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=0x40) == (WRONG_IID, b"")
    assert central.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=0x30) == (BUSY, b"")
    assert central.put(0x59, bytes(1000)) == BUSY
    assert central.ask(ON, 0x55, target=0x34) == (BUSY, b"")
    assert central.ask(0x67, EXECUTE) == (SUCCESS, b"")


def test_an_execute_without_a_timed_write(rig, central):
    central.send(0x67, EXECUTE)
    rig.wait(0.5)
    with pytest.raises(Refused):
        central.receive(0x67)
    assert rig.dropped
    assert rig.told(PeerMisbehaved)
