"""Pairing with the accessory over Bluetooth LE: setup, verify, resume, the list (HAP-BLE A.5)."""

from __future__ import annotations

import pytest
from tests.core.ble_rig import (
    ADMIN,
    CODE,
    DEVICE_ID,
    FEATURES,
    ON,
    PAIRINGS,
    PROTOCOL,
    PROTOCOL_SIGNATURE,
    SETUP,
    USER,
    VERIFY,
    Draws,
    Person,
    Refused,
    Rig,
    error,
    items,
)

from hapcore.accessory.config import Config
from hapcore.accessory.events import PairingAdded, PairingRemoved, SessionClosed, SetupAttemptFailed
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode
from hapcore.crypto.keys import hkdf
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.secret import Secret
from hapcore.errors import LocalProtocolError, PairingRefused
from hapcore.ip.accessory import Server
from hapcore.model.accessory import Accessory
from hapcore.pairing.items import Item, Method
from hapcore.pairing.pairings import decode_list, encode_add, encode_list, encode_remove
from hapcore.pairing.setup import PairSetupController
from hapcore.replay.bench import bench

READ, WRITE = 3, 2


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def fresh():
    return Rig(people=())


def pair(central, code=CODE, method=Method.PAIR_SETUP):
    run = PairSetupController(Draws(), method=method, expected_id=DEVICE_ID)
    status, m2 = central.message(SETUP, run.m1())
    assert status == 0
    run.receive_m2(m2)
    status, m4 = central.message(SETUP, run.m3(code.text))
    assert status == 0
    status, m6 = central.message(SETUP, run.m5(m4))
    assert status == 0
    return run.finish(m6)


# Pair-setup.


def test_pair_setup(fresh):
    central = fresh.connect()
    assert fresh.adverts[-2].data[9] == 1
    pairing = pair(central)
    assert pairing.accessory_id == DEVICE_ID
    assert fresh.told(PairingAdded)[0].admin
    assert [key for key in fresh.store if key.startswith("pairing/")]
    central.close()
    assert fresh.adverts[-1].data[9] == 0


@pytest.mark.parametrize("limit", [20, 97, 155, 182, 244, 512])
def test_pair_setup_in_fragments(fresh, limit):
    pair(fresh.connect(limit))
    assert fresh.engine.paired


def test_pair_setup_with_authentication_is_served_like_any_other(fresh):
    pair(fresh.connect(), method=Method.PAIR_SETUP_WITH_AUTH)
    assert fresh.engine.paired


def test_a_wrong_code(fresh):
    central = fresh.connect()
    with pytest.raises(PairingRefused) as refused:
        pair(central, type(CODE)("999-88-777"))
    assert refused.value.error == 2
    assert fresh.told(SetupAttemptFailed)[0].failures == 1
    assert fresh.store["attempts"] == b"1"
    pair(central)
    assert "attempts" not in fresh.store


@pytest.mark.parametrize(
    "message",
    [b"", b"\6\1", bytes.fromhex("060103"), bytes.fromhex("060105"), bytes.fromhex("060101"), bytes.fromhex("060109")],
)
def test_what_is_no_message(fresh, message):
    """Status 06; the link stays, and pairing can begin again."""
    central = fresh.connect()
    assert central.message(SETUP, message) == (6, b"")
    pair(central)


def test_paired_already(rig):
    status, m2 = rig.connect().message(SETUP, bytes.fromhex("060101000100"))
    assert (status, error(m2)) == (0, 6)


def test_no_end_of_pair_setup(fresh):
    central = fresh.connect()
    found = [central.message(SETUP, b"\6\1")[0] for _ in range(70)]
    assert set(found) == {6}
    assert central.message(SETUP, bytes.fromhex("060101000100")) == (6, b"")
    central.close()
    pair(fresh.connect())


def test_a_pairing_that_cannot_be_stored(fresh):
    central = fresh.connect()
    run = PairSetupController(Draws())
    run.receive_m2(central.message(SETUP, run.m1())[1])
    m4 = central.message(SETUP, run.m3(CODE.text))[1]
    m5 = run.m5(m4)
    fresh.failing.add("pairing/")
    status, _ = central.message(SETUP, m5)
    assert status == 6
    assert not fresh.engine.paired
    fresh.failing.clear()
    pair(central)


def test_a_message_written_and_read_apart(fresh):
    """Without return-response the answer is kept for a read."""
    central = fresh.connect()
    assert central.ask(SETUP, WRITE, tlv8.encode([(1, bytes.fromhex("060101000100"))])) == (0, b"")
    status, body = central.ask(SETUP, READ)
    assert status == 0
    assert Item.PUBLIC_KEY in items(items(body)[1])
    assert central.ask(SETUP, READ) == (6, b"")


def transient(central):
    run = PairSetupController(Draws())
    m1 = tlv8.encode([(6, b"\1"), (0, b"\0"), (0x13, b"\x10")])
    run.m1()
    run.receive_m2(central.message(SETUP, m1)[1])
    status, m4 = central.message(SETUP, run.m3(CODE.text))
    assert (status, error(m4)) == (0, 0)
    run.m5(m4)
    key = run._session_key.reveal()
    central.write_cipher = RecordCipher(Secret(hkdf(key, b"SplitSetupSalt", b"ControllerEncrypt-Control")))
    central.read_cipher = RecordCipher(Secret(hkdf(key, b"SplitSetupSalt", b"AccessoryEncrypt-Control")))


def test_a_transient_session(fresh):
    """Signatures and information, nothing else (HAP-BLE A.5.10)."""
    central = fresh.connect()
    transient(central)
    assert central.ask(ON, Opcode.CHARACTERISTIC_SIGNATURE_READ)[0] == 0
    assert central.ask(0x31, Opcode.SERVICE_SIGNATURE_READ, target=0x30)[0] == 0
    assert central.ask(PROTOCOL_SIGNATURE, Opcode.INFO)[0] == 0
    assert central.ask(PROTOCOL_SIGNATURE, Opcode.TOKEN) == (6, b"")
    assert central.ask(PROTOCOL_SIGNATURE, Opcode.TOKEN_UPDATE, bytes.fromhex("020178")) == (6, b"")
    for opcode in (2, 3, 4, 7):
        assert central.ask(ON, opcode, bytes.fromhex("010101")) == (1, b"")
    assert central.ask(PROTOCOL_SIGNATURE, 8, b"\2\0", target=PROTOCOL) == (1, b"")
    assert central.ask(0x69, READ) == (1, b"")
    assert central.ask(PAIRINGS, WRITE, bytes.fromhex("0900")) == (1, b"")


def test_nothing_is_indicated_in_a_transient_session(fresh):
    central = fresh.connect()
    central.subscribe(ON)
    transient(central)
    fresh.engine.values_changed([(1, ON)], fresh.now)
    fresh.pump()
    assert not fresh.indications


# Pair-verify.


def test_an_unknown_controller(rig):
    with pytest.raises(PairingRefused) as refused:
        rig.connect().verify(Person("stranger"))
    assert refused.value.error == 2


def test_a_verify_without_pairings(fresh):
    with pytest.raises(PairingRefused):
        fresh.connect().verify()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\6\1",
        tlv8.encode([(6, b"\1")]),
        tlv8.encode([(6, b"\1"), (3, b"short")]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 33)]),
        tlv8.encode([(6, b"\3"), (5, bytes(120))]),
        tlv8.encode([(6, b"\2"), (3, b"k" * 32)]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\0")]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\2")]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\6")]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\6"), (14, b"x" * 8)]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\6"), (14, b"x" * 7), (5, b"t" * 16)]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\6"), (14, b"x" * 8), (5, b"t" * 15)]),
    ],
)
def test_what_is_no_verify_message(rig, message):
    central = rig.connect()
    assert central.message(VERIFY, message) == (6, b"")
    assert central.verify().get(ON) == b"\0"


def test_a_wrong_proof_then_the_right_one(rig):
    central = rig.connect()
    m1 = tlv8.encode([(6, b"\1"), (3, b"k" * 32)])
    assert error(central.message(VERIFY, m1)[1]) == 0
    status, m4 = central.message(VERIFY, tlv8.encode([(6, b"\3"), (5, bytes(120))]))
    assert (status, error(m4)) == (0, 2)
    assert central.verify().get(ON) == b"\0"


def test_a_read_between_the_messages_ends_the_exchange(rig):
    central = rig.connect()
    assert central.message(VERIFY, tlv8.encode([(6, b"\1"), (3, b"k" * 32)]))[0] == 0
    assert central.ask(VERIFY, READ) == (6, b"")
    assert central.message(VERIFY, tlv8.encode([(6, b"\3"), (5, bytes(120))])) == (6, b"")


def test_other_requests_between_the_messages(rig):
    central = rig.connect()
    original = central.message

    def message(iid, data):
        central.ask(ON, Opcode.CHARACTERISTIC_SIGNATURE_READ)
        return original(iid, data)

    central.message = message
    assert central.verify().get(ON) == b"\0"


def test_verify_twice_on_one_link(rig):
    central = rig.connect().verify()
    central.get(ON)
    central.verify(USER)
    assert central.get(ON) == b"\0"
    assert [one.caller.pairing_id for one in rig.told(SessionClosed)] == [ADMIN.identifier]


# Pair-resume (HAP-BLE A.5.6).


def test_resume(rig):
    first = rig.connect().verify()
    number, shared = first.resume_id, first.shared
    first.close()
    second = rig.connect()
    assert second.resume(ADMIN, number, shared)
    assert second.get(ON) == b"\0"
    assert second.resume_id != number
    number, shared = second.resume_id, second.shared
    assert second.resume(ADMIN, number, shared)  # on the same link, and again with the new number
    assert second.get(ON) == b"\0"


def test_a_number_is_used_up_by_one_try(rig):
    first = rig.connect().verify()
    first.close()
    assert rig.connect().resume(ADMIN, first.resume_id, first.shared)
    assert not rig.connect().resume(ADMIN, first.resume_id, first.shared)


def test_a_wrong_tag_uses_it_up_too(rig):
    first = rig.connect().verify()
    first.close()
    with pytest.raises(PairingRefused) as refused:
        rig.connect().resume(ADMIN, first.resume_id, Secret(bytes(32)))
    assert refused.value.error == 2
    assert not rig.connect().resume(ADMIN, first.resume_id, first.shared)


def test_eight_are_remembered(rig):
    sessions = []
    for _ in range(10):
        central = rig.connect().verify()
        sessions.append((central.resume_id, central.shared))
        rig.entropy("shift", 1)
        central.close()
    # All have the same ephemeral keys but for the accessory's draws, so all numbers differ.
    assert len({number for number, _ in sessions}) == 10
    assert [rig.connect().resume(ADMIN, *one) for one in sessions] == [False, False, *[True] * 8]


def test_a_restart_forgets_sessions(rig):
    first = rig.connect().verify()
    first.close()
    rig.restart()
    assert not rig.connect().resume(ADMIN, first.resume_id, first.shared)


def test_a_removed_pairing_cannot_resume(rig):
    first = rig.connect().verify(USER)
    first.close()
    admin = rig.connect().verify()
    assert admin.message(PAIRINGS, encode_remove(USER.identifier))[0] == 0
    admin.close()
    assert not rig.connect().resume(USER, first.resume_id, first.shared)


# The list of pairings (HAP-BLE A.5.7).


def test_list(rig):
    status, answer = rig.connect().verify().message(PAIRINGS, encode_list())
    assert status == 0
    assert {one.identifier for one in decode_list(answer)} == {ADMIN.identifier, USER.identifier}


def test_only_admins_may_ask(rig):
    status, answer = rig.connect().verify(USER).message(PAIRINGS, encode_list())
    assert (status, error(answer)) == (0, 2)


def test_not_without_a_session(rig):
    assert rig.connect().ask(PAIRINGS, WRITE, tlv8.encode([(9, b"\1"), (1, encode_list())])) == (5, b"")


@pytest.mark.parametrize("message", [b"", b"\6\1", bytes.fromhex("060101"), bytes.fromhex("060101000109")])
def test_what_is_no_request(rig, message):
    central = rig.connect().verify()
    assert central.message(PAIRINGS, message) == (6, b"")
    assert central.get(ON) == b"\0"


def test_add(rig):
    other = Person("other")
    central = rig.connect().verify()
    assert error(central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False))[1]) == 0
    assert rig.told(PairingAdded)[-1].identifier == other.identifier
    central.close()
    assert rig.connect().verify(other).get(ON) == b"\0"


def test_a_full_table(rig):
    central = rig.connect().verify()
    found = []
    for number in range(15):
        other = Person(f"other {number}")
        found.append(error(central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False))[1]))
    assert found == [0] * 14 + [4]
    assert len(decode_list(central.message(PAIRINGS, encode_list())[1])) == 16  # in more than one fragment


def test_a_pairing_that_is_not_stored(rig):
    other = Person("other")
    central = rig.connect().verify()
    rig.failing.add("pairing/" + other.identifier.hex())
    assert central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False)) == (6, b"")
    assert other.identifier not in rig.engine.stored.pairings
    rig.failing.clear()
    assert central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False))[0] == 0


def test_an_admin_removes_itself(rig):
    """It is told so in the session; then the link goes."""
    second = Person("second")
    central = rig.connect().verify()
    central.message(PAIRINGS, encode_add(second.identifier, second.paired.ltpk, True))
    assert central.message(PAIRINGS, encode_remove(ADMIN.identifier)) == (0, bytes.fromhex("060102"))
    rig.wait(0.19)
    assert not rig.dropped
    rig.wait(0.02)
    assert rig.dropped
    assert rig.told(PairingRemoved)[-1].identifier == ADMIN.identifier
    assert rig.engine.paired
    central.close()
    with pytest.raises(PairingRefused):
        rig.connect().verify()


def test_the_last_admin_takes_everybody_along(rig):
    """Pairings, sessions, key and identifier go; the state number and the settings of characteristics stay."""
    central = rig.connect().verify()
    key = bytes.fromhex("0100" + "0306c0ffee000001")
    assert central.ask(PROTOCOL_SIGNATURE, 8, key, target=PROTOCOL) == (0, b"")
    assert central.ask(ON, 7, bytes.fromhex("01020100"))[0] == 0
    number, shared = central.resume_id, central.shared
    central.put(ON, b"\1")
    assert central.message(PAIRINGS, encode_remove(ADMIN.identifier)) == (0, bytes.fromhex("060102"))
    rig.wait(0.3)
    central.close()
    assert not rig.engine.paired
    assert {key for key in rig.store if key.startswith(("pairing/", "ble/"))} == {
        "ble/state-number",
        "ble/broadcast-settings",
        "ble/firmware",
    }
    assert rig.on_air.gsn == 2
    assert not rig.on_air.paired
    assert rig.engine.advertising_identifier == bytes.fromhex(DEVICE_ID.replace(":", ""))
    assert not rig.connect().resume(ADMIN, number, shared)


def test_removed_without_reading_the_answer(rig):
    second = Person("second")
    central = rig.connect().verify()
    central.message(PAIRINGS, encode_add(second.identifier, second.paired.ltpk, True))
    body = tlv8.encode([(1, encode_remove(ADMIN.identifier))])
    assert central.ask(PAIRINGS, WRITE, body) == (0, b"")
    rig.wait(0.3)
    assert rig.dropped


def test_an_admin_lowers_itself(rig):
    second = Person("second")
    central = rig.connect().verify()
    central.message(PAIRINGS, encode_add(second.identifier, second.paired.ltpk, True))
    central.message(PAIRINGS, encode_add(ADMIN.identifier, ADMIN.paired.ltpk, False))
    assert error(central.message(PAIRINGS, encode_list())[1]) == 2
    assert central.ask(0x66, READ) == (5, b"")
    assert central.get(ON) == b"\0"  # the session goes on


# One accessory over IP and Bluetooth LE at a time.


def both(rig):
    config = Config(name="Bench", category=5, setup_code=CODE, setup_id="ADK1")
    return Server(rig.database, config=config, state=rig.store, entropy=rig.entropy)


def test_identity_and_pairings_are_those_of_ip(rig):
    server = both(rig)
    assert (server.device_id, server.setup_code) == (rig.engine.device_id, rig.engine.setup_code)
    assert {one.identifier for one in server.pairings} == {one.identifier for one in rig.engine.pairings}
    assert server.config_number == rig.engine.config_number


def test_two_engines_share_what_is_stored(rig):
    server = both(rig)
    rig = Rig(server.database, state=rig.store, stored=server.stored)
    central = rig.connect().verify()
    other = Person("other")
    central.message(PAIRINGS, encode_add(other.identifier, other.paired.ltpk, False))
    assert other.identifier in {one.identifier for one in server.pairings}
    # The other engine removes everybody.
    server.stored.pairings.clear()
    rig.engine.pairings_changed(rig.now)
    rig.wait(0.3)
    assert rig.dropped
    central.close()
    assert not rig.on_air.paired
    assert rig.adverts[-1].data[9] == 1


def test_a_change_of_another_engine_comes_first(rig):
    central = rig.connect().verify()
    stored = rig.engine.stored
    stored.change_underway = True
    central.send(PAIRINGS, WRITE, tlv8.encode([(9, b"\1"), (1, encode_list())]))
    central.begin_read(PAIRINGS)
    assert not rig.replies
    stored.change_underway = False
    stored.waiting.popleft()()
    rig.pump()
    assert rig.replies


def test_a_bridge_cannot_be_served():
    with pytest.raises(LocalProtocolError, match="bridge"):
        Rig(database=type(bench())([Accessory.bridge("Bridge"), Accessory("Lamp")]))


def test_clear_characteristics_keep_their_answers_apart(fresh):
    central = fresh.connect()
    central.ask(SETUP, WRITE, tlv8.encode([(1, bytes.fromhex("060101000100"))]))
    assert central.get(FEATURES) == b"\0"
    assert central.ask(VERIFY, READ) == (6, b"")
    assert central.ask(SETUP, READ)[0] == 0


def test_a_link_that_was_dropped_gives_pair_setup_free(fresh):
    central = fresh.connect()
    run = PairSetupController(Draws())
    central.message(SETUP, run.m1())
    with pytest.raises(Refused):
        central.read_raw(ON)
    central.close()
    pair(fresh.connect())
