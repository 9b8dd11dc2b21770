"""Links of the accessory over Bluetooth LE: fragments, what drops a link, and the clocks (HAP-BLE A.3)."""

from __future__ import annotations

import pytest
from tests.core.ble_rig import ADMIN, FEATURES, ON, PROTOCOL_SIGNATURE, SETUP, VERIFY, Refused, Rig

from hapcore.accessory.commands import ReplaceDatabase, Shutdown
from hapcore.accessory.events import PeerMisbehaved, SessionClosed
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Request, write_request
from hapcore.replay.bench import lightbulb

READ, WRITE, TIMED, EXECUTE = 3, 2, 4, 5


@pytest.fixture
def rig():
    return Rig()


def get_on(tid=7):
    return write_request(Request(READ, tid, ON), 100)[0]


def in_pieces(body, size=20, tid=7, iid=0x59, opcode=WRITE):
    return write_request(Request(opcode, tid, iid, body), size)


BODY = tlv8.encode([(1, bytes(40))])


# Every field of a fragment wrong, one at a time. All of it ends the link; afterwards everything works again.

FRAGMENTS = {
    "nothing": [b""],
    "one byte": [b"\0"],
    "a header cut off": [get_on()[:4]],
    "half a length": [get_on() + b"\3"],
    "a response": [b"\x02" + get_on()[1:]],
    "another type": [b"\x04" + get_on()[1:]],
    "a long control field": [b"\x01" + get_on()[1:]],
    "bit 4": [b"\x10" + get_on()[1:]],
    "bit 5": [b"\x20" + get_on()[1:]],
    "bit 6": [b"\x40" + get_on()[1:]],
    "a continuation first": [in_pieces(BODY)[1]],
    "more than announced": [get_on() + b"\1\0ab"],
    "more than announced, later": [*in_pieces(BODY)[:-1], in_pieces(BODY)[-1] + b"x"],
    "a repeated first fragment": [in_pieces(BODY)[0]] * 2,
    "a repeated last fragment": [*in_pieces(BODY), in_pieces(BODY)[-1]],
    "another transaction": [in_pieces(BODY)[0], in_pieces(BODY, tid=8)[1]],
    "a response goes on": [in_pieces(BODY)[0], b"\x82" + in_pieces(BODY)[1][1:]],
    "a new request in the middle": [in_pieces(BODY)[0], get_on()],
    "a new request before the answer": [get_on(), get_on(8)],
    "a continuation of one byte": [in_pieces(BODY)[0], b"\x80"],
}


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_bad_fragment(rig, name, secured):
    central = rig.connect()
    if secured:
        central.verify()
    rig.wait(1)
    iid = 0x59
    for fragment in FRAGMENTS[name][:-1]:
        central.write(iid, fragment)
    assert not rig.dropped
    with pytest.raises(Refused):
        central.write(iid, FRAGMENTS[name][-1])
    assert rig.told(PeerMisbehaved)
    rig.wait(0.2)
    assert rig.dropped
    assert len(rig.told(SessionClosed)) == secured
    central.close()
    rig.clear()
    assert rig.connect().verify().get(ON) == b"\0"


def test_missing_and_swapped_fragments_are_seen_by_their_length(rig):
    central = rig.connect()
    first, *rest = in_pieces(BODY, 20)
    assert len(rest) == 2
    central.write(0x69, first)
    central.write(0x69, rest[1])
    with pytest.raises(Refused):
        central.read(0x69)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped


def test_empty_continuations_after_a_complete_request(rig):
    central = rig.connect()
    central.write(FEATURES, write_request(Request(READ, 7, FEATURES), 100)[0])
    central.write(FEATURES, b"\x80\x07")
    central.write(FEATURES, b"\x80\x07")
    assert central.receive(FEATURES, 7) == (0, b"\1\1\0")


def test_an_empty_body_with_a_length(rig):
    central = rig.connect()
    assert central.ask(FEATURES, READ, b"") == (0, b"\1\1\0")


@pytest.mark.parametrize("size", [7, 8, 20, 23])
def test_fragments_as_small_as_they_get(rig, size):
    central = rig.connect(size + 16)
    central.limit = size
    central.verify()
    central.limit = size + 16
    assert central.put(0x59, bytes(range(200))) == 0
    assert central.get(0x59) == bytes(range(200))


@pytest.mark.parametrize("mtu", [*range(23, 60, 6), 100, 158, 185, 247, 512, 515, 517])
def test_pairing_at_any_mtu(rig, mtu):
    central = rig.connect(min(mtu - 3, 512)).verify()
    if mtu >= 26:  # below that, no request fits into an encrypted write (HAP-BLE A.3.5)
        assert central.get(ON) == b"\0"


def test_no_room_for_an_answer(rig):
    central = rig.connect().verify()
    rig.engine.mtu_changed(19, 512, rig.now)
    central.send(ON, READ)
    with pytest.raises(Refused):
        central.read(ON)
    rig.wait(0.2)
    assert rig.dropped


def test_the_mtu_grows_under_way(rig):
    central = rig.connect(36).verify()
    rig.engine.mtu_changed(512, 512, rig.now)
    central.limit = 512
    assert central.put(0x59, bytes(400)) == 0
    central.send(0x59, READ)
    assert len(central.read(0x59)) == 5 + 400 + 4


# Reads.


def test_a_read_without_a_request(rig):
    central = rig.connect()
    with pytest.raises(Refused):
        central.read(ON)
    assert rig.dropped  # nothing was answered: there is nothing to wait for


def test_a_read_too_much(rig):
    central = rig.connect().verify()
    central.get(ON)
    with pytest.raises(Refused):
        central.read(ON)
    assert not rig.dropped
    rig.wait(0.19)
    assert not rig.dropped
    rig.wait(0.02)
    assert rig.dropped


def test_a_read_of_another_characteristic(rig):
    central = rig.connect()
    central.send(FEATURES, READ)
    with pytest.raises(Refused):
        central.read(ON)


def test_a_read_before_the_request_is_complete(rig):
    central = rig.connect()
    central.write(0x69, in_pieces(BODY, iid=0x69)[0])
    with pytest.raises(Refused):
        central.read(0x69)


def test_a_write_before_the_answer_is_read(rig):
    central = rig.connect(97).verify()
    central.put(0x59, bytes(200))
    central.send(0x59, READ)
    central.read(0x59)
    with pytest.raises(Refused):
        central.send(0x59, READ)


@pytest.mark.parametrize("handle", [0, 9999])
def test_unknown_handles(rig, handle):
    rig.connect()
    rig.engine.receive_read(handle, rig.now)
    rig.engine.receive_write(handle, b"x", rig.now)
    rig.engine.receive_subscribe(handle, True, rig.now)
    rig.pump()
    assert len(rig.replies) == 3
    assert not rig.dropped


def test_without_a_link(rig):
    rig.engine.receive_read(1, rig.now)
    rig.engine.receive_write(1, b"x", rig.now)
    rig.engine.receive_descriptor(1, b"\2\0", rig.now)
    rig.engine.indication_confirmed(rig.now)
    rig.engine.mtu_changed(1, 1, rig.now)
    rig.engine.link_closed(rig.now)
    rig.pump()
    assert len(rig.replies) == 3


# One procedure at a time.


def test_two_at_a_time(rig):
    central = rig.connect().verify()
    tid = central.send(ON, READ)
    assert central.ask(0x34, READ) == (2, b"")
    assert central.ask(PROTOCOL_SIGNATURE, Opcode.SERVICE_SIGNATURE_READ, target=0) == (0, b"\x10\0")
    assert central.receive(ON, tid) == (0, b"\1\1\0")
    assert central.get(0x34) == bytes(4)


def test_interleaved_fragments(rig):
    central = rig.connect(36).verify()
    one = write_request(Request(WRITE, 1, 0x59, BODY), 20)
    two = write_request(Request(WRITE, 2, 0x5B, tlv8.encode([(1, b"x" * 40)])), 20)
    for first, second in zip(one, two, strict=True):
        central.write(0x59, first)
        central.write(0x5B, second)
    assert central.receive(0x5B, 2) == (2, b"")
    assert central.receive(0x59, 1) == (0, b"")
    assert central.get(0x59) == bytes(40)
    assert central.get(0x5B) == b""


@pytest.mark.parametrize(
    "fragment",
    [b"", b"\0\3\7", b"\2\3\7\x34\0", b"\x80\7", get_on() + b"\1", get_on() + b"\1\0ab"],
)
def test_a_bad_fragment_of_a_second_request(rig, fragment):
    central = rig.connect().verify()
    central.send(ON, READ)
    with pytest.raises(Refused):
        central.write(0x34, fragment)


@pytest.mark.parametrize("fragment", [b"\x80", b"\x80\x09", b"\0\3\7\x34\0", b"\x80\7" + bytes(90)])
def test_a_bad_continuation_of_a_second_request(rig, fragment):
    central = rig.connect().verify()
    central.send(ON, READ)
    central.write(0x59, in_pieces(BODY)[0])
    with pytest.raises(Refused):
        central.write(0x59, fragment)


def test_a_second_request_read_too_early(rig):
    central = rig.connect().verify()
    central.send(ON, READ)
    central.write(0x59, in_pieces(BODY)[0])
    with pytest.raises(Refused):
        central.read(0x59)


def test_no_room_for_the_answer_to_a_second_request(rig):
    central = rig.connect().verify()
    central.send(ON, READ)
    central.send(0x34, READ)
    rig.engine.mtu_changed(18, 512, rig.now)
    with pytest.raises(Refused):
        central.read(0x34)


def test_a_pairing_message_comes_first(rig):
    """Whatever is under way elsewhere is given up."""
    central = rig.connect()
    central.send(0x69, READ)
    central.send(ON, READ)
    assert central.get(FEATURES) == b"\0"
    with pytest.raises(Refused):
        central.read(0x69)


# Encryption.


@pytest.mark.parametrize("change", [0, 3, -1])
def test_a_record_that_does_not_open(rig, change):
    central = rig.connect().verify()
    record = bytearray(central.write_cipher.seal(get_on()))
    record[change] ^= 1
    with pytest.raises(Refused):
        central.write_raw(ON, bytes(record))
    assert rig.told(SessionClosed)


def test_a_record_twice(rig):
    central = rig.connect().verify()
    record = central.write_cipher.seal(get_on())
    central.write_raw(ON, record)
    assert central.receive(ON, 7)[0] == 0
    with pytest.raises(Refused):
        central.write_raw(ON, record)


@pytest.mark.parametrize("data", [b"", bytes(15), get_on()])
def test_clear_text_in_a_session(rig, data):
    central = rig.connect().verify()
    with pytest.raises(Refused):
        central.write_raw(ON, data)


def test_an_encrypted_request_to_what_is_clear_only(rig):
    """It is taken for clear text, and makes no sense."""
    central = rig.connect().verify()
    with pytest.raises(Refused):
        central.write(FEATURES, write_request(Request(READ, 1, FEATURES), 100)[0])
    assert rig.told(SessionClosed)


def test_a_clear_request_to_what_is_clear_only_ends_the_session(rig):
    central = rig.connect().verify()
    central.forget_session()
    assert central.get(FEATURES) == b"\0"
    assert rig.told(SessionClosed)
    assert central.ask(ON, READ) == (5, b"")  # the link stays


# Clocks (HAP-BLE A.3.6).


def test_nothing_for_ten_seconds(rig):
    rig.connect()
    rig.wait(9.99)
    assert not rig.dropped
    rig.wait(0.02)
    assert rig.dropped


def test_static_attributes_are_no_procedure(rig):
    rig.connect()
    rig.wait(5)
    rig.engine.receive_read(rig.engine.gatt[0].iid_handle, rig.now)
    rig.pump()
    rig.wait(5.1)
    assert rig.dropped


def test_a_link_in_clear_may_idle(rig):
    central = rig.connect()
    central.get(FEATURES)
    rig.wait(3600)
    assert not rig.dropped


@pytest.mark.parametrize("when", ["request", "answer", "timed"])
def test_a_procedure_ends_within_ten_seconds(rig, when):
    central = rig.connect(97)
    if when == "request":
        central.write(0x69, in_pieces(BODY, iid=0x69)[0])
    elif when == "answer":
        central.limit = 20
        rig.engine.mtu_changed(20, 20, rig.now)
        central.send(0x33, Opcode.CHARACTERISTIC_SIGNATURE_READ)
        rig.wait(5)
        central.read(0x33)
        rig.wait(4.9)
        central.read(0x33)
        rig.wait(-4.9 + 4.9)
        assert not rig.dropped
        rig.wait(0.3)
        assert rig.dropped
        return
    else:
        assert central.ask(0x69, TIMED, bytes.fromhex("0101010801ff")) == (0, b"")
    rig.wait(9.9)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped


def test_a_second_request_ends_within_ten_seconds(rig):
    central = rig.connect().verify()
    central.send(ON, READ)
    rig.wait(5)
    central.send(0x34, READ)
    central.receive(ON, central.tid - 1)
    rig.wait(9.9)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped


def test_a_session_ends_after_thirty_seconds_of_nothing(rig):
    central = rig.connect().verify()
    rig.wait(29.9)
    assert central.get(ON) == b"\0"
    rig.wait(29.9)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped
    assert rig.told(SessionClosed)


def test_pair_verify_ends_within_ten_seconds(rig):
    central = rig.connect()
    assert central.message(VERIFY, tlv8.encode([(6, b"\1"), (3, b"k" * 32)]))[0] == 0
    rig.wait(5)
    central.get(0x69)
    rig.wait(4.9)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped


def test_the_clock_of_pair_verify(rig):
    """It goes on after a malformed message, and is over with the answer that ends the exchange."""
    central = rig.connect()
    m1 = tlv8.encode([(6, b"\1"), (3, b"k" * 32)])
    central.message(VERIFY, m1)
    central.message(VERIFY, tlv8.encode([(6, b"\3"), (5, bytes(120))]))  # refused in M4
    rig.wait(20)
    assert not rig.dropped
    central.message(VERIFY, m1)
    rig.wait(5)
    assert central.message(VERIFY, tlv8.encode([(6, b"\3")])) == (6, b"")
    rig.wait(4.9)
    assert not rig.dropped
    rig.wait(0.2)
    assert rig.dropped


def test_pair_verify_in_time(rig):
    central = rig.connect().verify()
    rig.wait(11)
    assert central.get(ON) == b"\0"


def test_pair_setup_may_take_its_time():
    rig = Rig(people=())
    central = rig.connect()
    assert central.message(SETUP, tlv8.encode([(6, b"\1"), (0, b"\0")]))[0] == 0
    rig.wait(600)
    assert not rig.dropped


def test_a_read_that_waits_for_the_application_is_answered_before_the_link_would_be_dropped(rig):
    rig.database.find(1, ON).read_handled = True
    central = rig.connect().verify()
    central.send(ON, READ)
    rig.wait(5)
    central.begin_read(ON)
    rig.wait(4.4)  # the procedure began before the question did
    assert rig.replies == []
    rig.wait(0.7)
    assert [type(one).__name__ for one in rig.replies] == ["GattReply"]
    assert not rig.dropped


# The end.


def test_after_a_fault_nothing_is_answered(rig):
    central = rig.connect().verify()
    central.get(ON)
    with pytest.raises(Refused):
        central.read(ON)
    with pytest.raises(Refused):
        central.write_raw(FEATURES, write_request(Request(READ, 1, FEATURES), 100)[0])
    assert rig.dropped  # at once: who still asks need not be waited for
    rig.clear()
    with pytest.raises(Refused):
        central.read_raw(FEATURES)
    assert not rig.dropped  # once is enough


@pytest.mark.parametrize("steps", range(9))
def test_disconnected_at_every_step(rig, steps):
    """The link goes away after so many attribute requests; the next one finds everything in order."""
    central = rig.connect()
    left = steps

    def count(function):
        def counted(*arguments):
            nonlocal left
            if not left:
                raise EOFError
            left -= 1
            return function(*arguments)

        return counted

    central.write_raw, central.read_raw = count(central.write_raw), count(central.read_raw)
    with pytest.raises(EOFError):
        central.verify()
        central.ask(0x67, TIMED, bytes.fromhex("0101010801ff"))
        central.ask(0x67, EXECUTE)
        central.get(ON)
        central.get(ON)
    central.close()
    rig.wait(60)
    assert not rig.replies
    fresh = rig.connect()
    assert fresh.ask(ON, READ) == (5, b"")
    assert fresh.verify().get(ON) == b"\0"
    assert not rig.dropped


def test_a_second_link_takes_the_place_of_the_first(rig):
    rig.connect().verify()
    assert rig.connect().ask(ON, READ) == (5, b"")
    assert rig.told(SessionClosed)


def test_shutdown(rig):
    central = rig.connect().verify()
    central.get(ON)
    rig.submit(Shutdown())
    rig.wait(0.3)
    assert rig.dropped
    central.close()
    assert type(rig.adverts[-1]).__name__ == "StopAdvertising"
    rig.clear()
    rig.connect()
    assert rig.dropped


def test_another_database(rig):
    rig.connect().verify()
    before = rig.engine.config_number
    rig.submit(ReplaceDatabase(lightbulb()))
    assert rig.engine.config_number == before + 1
    rig.wait(0.3)
    assert rig.dropped
    assert rig.connect().verify(ADMIN).get(5) == b"Acme Light Bulb"
