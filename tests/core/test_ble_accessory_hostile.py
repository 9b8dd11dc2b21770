"""Centrals that break the rules of ATT, stores that fail, power that fails: nothing leaks, nothing runs back."""

from __future__ import annotations

from functools import partial

import pytest
from tests.core.ble_rig import (
    ADMIN,
    BRIGHTNESS,
    CODE,
    ON,
    PAIRINGS,
    PROTOCOL,
    PROTOCOL_SIGNATURE,
    SETUP,
    USER,
    VERIFY,
    Central,
    Draws,
    Person,
    Rig,
)
from tests.replay.test_made_up_ble import pair

from hapcore.accessory.commands import AnswerRead, AnswerWrite, ReplaceDatabase, UpdateValues
from hapcore.accessory.config import Config
from hapcore.accessory.events import PairingAdded, PeerMisbehaved, ReadRequested, SessionClosed, WriteRequested
from hapcore.ble.accessory import GattRefuse, GattReply
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Request, write_request
from hapcore.engine import Forget, Persist
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import Accessory
from hapcore.pairing.pairings import encode_add
from hapcore.pairing.records import ControllerIdentity
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController

NUMBER = CharacteristicId(1, BRIGHTNESS)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def begin(central: Central, iid: int, data: bytes | None = None) -> None:
    """A read, or a write, whatever else is under way; its answer is left in `rig.replies`."""
    rig = central.rig
    if data is None:
        rig.engine.receive_read(central.handle(iid), rig.now)
    else:
        rig.engine.receive_write(central.handle(iid), data, rig.now)
    rig.pump()


def broadcasting(rig: Rig) -> None:
    central = rig.connect().verify()
    central.ask(PROTOCOL_SIGNATURE, Opcode.PROTOCOL_CONFIGURATION, bytes.fromhex("01000200"), target=PROTOCOL)
    central.ask(ON, Opcode.CHARACTERISTIC_CONFIGURATION, bytes.fromhex("01020100"))
    central.close()


# --- two requests at a time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iid", [BRIGHTNESS, ON, VERIFY, SETUP, PAIRINGS])
@pytest.mark.parametrize("writes", [False, True])
def test_a_request_before_the_answer_to_the_last_one_ends_the_link(rig, iid, writes):
    """ATT does not allow it; whoever injects it must not get the answer of another."""
    rig.database.find(1, BRIGHTNESS).read_handled = True
    central = rig.connect().verify()
    central.send(BRIGHTNESS, Opcode.CHARACTERISTIC_READ)
    begin(central, BRIGHTNESS)
    assert rig.replies == []
    (fragment,) = write_request(Request(2, 9, iid, tlv8.encode([(9, b"\1"), (1, b"junk")])), 512)
    begin(central, iid, fragment if writes else None)
    assert len(rig.replies) == 2
    assert all(isinstance(one, GattRefuse) for one in rig.replies)
    assert rig.told(PeerMisbehaved)
    assert rig.told(SessionClosed)
    (asked,) = rig.told(ReadRequested)
    rig.submit(AnswerRead(asked.request, {NUMBER: 77}))
    begin(central, iid)
    assert not any(isinstance(one, GattReply) for one in rig.replies)
    assert rig.dropped
    central.close()
    rig.clear()
    assert rig.connect().verify().get(ON) == b"\0"


def test_a_write_that_is_read_twice_is_done_once(rig):
    rig.database.find(1, BRIGHTNESS).write_handled = True
    central = rig.connect().verify()
    central.send(BRIGHTNESS, Opcode.CHARACTERISTIC_WRITE, tlv8.encode([(1, (5).to_bytes(4, "little"))]))
    begin(central, BRIGHTNESS)
    begin(central, BRIGHTNESS)
    (asked,) = rig.told(WriteRequested)
    rig.submit(AnswerWrite(asked.request))
    assert len(rig.replies) == 2


# --- what is stored ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [[], ["user"]])
def test_the_broadcast_key_goes_with_the_last_pairing_though_the_power_fails_between(rig, left):
    broadcasting(rig)
    for key in [key for key in rig.store if key.startswith("pairing/")]:
        if bytes.fromhex(key.removeprefix("pairing/")).decode() not in left:
            del rig.store[key]
    rig.restart()
    assert rig.engine.broadcasts.key is None
    assert "ble/broadcast" not in rig.store
    assert "ble/broadcast-settings" in rig.store


class Slow(Rig):
    """A store that takes its time: values change while it stores the first of several things."""

    meanwhile = False

    def pump(self) -> None:
        first = self.engine.poll()
        while isinstance(first, Persist | Forget):
            if self.meanwhile:
                self.meanwhile = False
                self.engine.submit(UpdateValues({(1, ON): True}), self.now)
            if isinstance(first, Forget):
                self.store.pop(first.key, None)
            elif first.key.startswith(tuple(self.failing)):
                self.engine.effect_failed(first, "no room", self.now)
            else:
                self.store[first.key] = first.value
            first = self.engine.poll()
        if first is not None:
            self.engine._outputs.appendleft(first)
            super().pump()


def test_what_could_not_be_stored_is_stored_later_as_it_is_then():
    """A pairing has everything stored again that was not; what has changed meanwhile does not run back."""
    rig = Slow(people=())
    rig.submit(UpdateValues({(1, ON): True}))
    rig.submit(UpdateValues({(1, ON): False}))
    rig.engine.stored.unsaved["identity"] = Persist("identity", rig.store["identity"])
    rig.failing = {"ble/state-number"}
    central = rig.connect()
    rig.failing = set()
    central.message = partial(_pairing_message, central, central.message)
    pair(central)
    number = rig.engine.state_number.value
    assert number == 3
    assert rig.store["ble/state-number"] == b"3 1"


def _pairing_message(central, message, iid, data):
    if dict(tlv8.decode(data))[6] == b"\5":
        central.rig.meanwhile = True
    return message(iid, data)


# --- whose rights -----------------------------------------------------------------------------------------------------


def test_what_waits_is_not_done_with_the_rights_of_who_comes_next(rig):
    """Another transport stores a change to the pairings meanwhile; the user who asked goes, an admin comes."""
    rig.engine.stored.change_underway = True
    central = rig.connect().verify(USER)
    friend = Person("friend")
    body = tlv8.encode([(9, b"\1"), (1, encode_add(friend.identifier, friend.paired.ltpk, True))])
    central.send(PAIRINGS, Opcode.CHARACTERISTIC_WRITE, body)
    begin(central, PAIRINGS)
    assert rig.replies == []
    central.close()
    central = rig.connect().verify(ADMIN)
    rig.engine.stored.change_underway = False
    rig.engine.stored.waiting.popleft()()
    rig.pump()
    assert not rig.told(PairingAdded)
    assert friend.identifier not in rig.engine.stored.pairings
    assert central.get(ON) == b"\0"


def test_a_pairing_removed_while_its_verify_is_answered_in_pieces_ends_the_link(rig):
    central = rig.connect()
    run = PairVerifyController(ADMIN.pairing, Draws())
    _, m2 = central.message(VERIFY, run.m1())
    rig.engine.mtu_changed(7, 512, rig.now)
    body = tlv8.encode([(9, b"\1"), (1, run.m3(m2))])
    central.send(VERIFY, Opcode.CHARACTERISTIC_WRITE, body)
    central.read_raw(VERIFY)
    assert rig.engine.secured
    del rig.engine.stored.pairings[ADMIN.identifier]
    rig.engine.pairings_changed(rig.now)
    central.read_raw(VERIFY)
    rig.wait(0.2)
    assert rig.dropped
    assert rig.told(SessionClosed)


# --- an application that is slow --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("patience", "begun"), [(30.0, 0.0), (9.0, 4.0), (2.0, 0.0)])
def test_who_waits_for_the_application_is_answered_before_the_procedure_ends(patience, begun):
    """Whatever time it is given: a procedure has ten seconds from its first fragment, or the link is dropped."""
    config = Config(name="Bench", category=5, setup_code=CODE, setup_id="ADK1", answer_deadline=patience)
    rig = Rig(config=config)
    rig.database.find(1, BRIGHTNESS).read_handled = True
    central = rig.connect().verify()
    tid = central.send(BRIGHTNESS, Opcode.CHARACTERISTIC_READ)
    rig.wait(begun)
    begin(central, BRIGHTNESS)
    rig.wait(9.9 - begun)
    assert not rig.told(PeerMisbehaved)
    (reply,) = rig.replies
    rig.replies.clear()
    assert central.read_cipher.open(reply.data) == bytes((2, tid, 6))
    assert central.get(ON) == b"\0"


def test_one_controller_sets_up_though_another_transport_has_a_desk_of_its_own():
    rig = Rig(people=())
    central = rig.connect()
    run = PairSetupController(Draws(), identity=ControllerIdentity("late", USER.pairing.controller_ltsk))
    run.receive_m2(central.message(SETUP, run.m1())[1])
    m4 = central.message(SETUP, run.m3(CODE.text))[1]
    rig.engine.stored.pairings[ADMIN.identifier] = ADMIN.paired
    status, m6 = central.message(SETUP, run.m5(m4))
    assert (status, m6) == (0, tlv8.encode([(6, b"\6"), (7, b"\6")]))
    assert list(rig.engine.stored.pairings) == [ADMIN.identifier]
    assert not any(key.startswith("pairing/") for key in rig.store)


def test_a_database_that_cannot_be_served_changes_nothing(rig):
    before = rig.engine.database
    bridge = [Accessory("First"), Accessory("Second")]
    with pytest.raises(LocalProtocolError, match="bridge"):
        rig.submit(ReplaceDatabase(bridge))
    assert rig.engine.database is before
    assert rig.connect().verify().ask(PROTOCOL_SIGNATURE, Opcode.INFO)[0] == 0
