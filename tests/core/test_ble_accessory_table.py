"""The GATT table of an accessory, and what is added to its database for Bluetooth LE (HAP-BLE A.2, A.4)."""

from __future__ import annotations

import pytest
from tests.core.ble_rig import Rig

from hapcore.ble import uuids
from hapcore.ble.signature import (
    CharacteristicProperties,
    ServiceProperties,
    read_characteristic_signature,
    read_service_signature,
)
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import LocalProtocolError
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import Database
from hapcore.model.service import Service
from hapcore.model.uuid import PAIRING, PROTOCOL_INFORMATION, SERVICE_SIGNATURE

P = CharacteristicProperties


def lamp(**arguments: object) -> Database:
    """As people write it: nothing of it is about Bluetooth LE."""
    light = Lightbulb(on=False, brightness=40)
    light.primary = True
    return Database([Accessory("Lamp", services=[light])], **arguments)


@pytest.fixture
def rig():
    return Rig(lamp())


def service(rig, uuid):
    return next(one for one in rig.engine.gatt if one.uuid == uuid)


def test_handles_are_positive_and_different(rig):
    handles = [
        number
        for one in rig.engine.gatt
        for number in (one.handle, one.iid_handle, *(each.handle for each in one.characteristics))
    ]
    assert min(handles) > 0
    assert len(set(handles)) == len(handles)


def test_numbers_are_those_of_the_database_and_different(rig):
    numbers = [n for one in rig.engine.gatt for n in (one.iid, *(each.iid for each in one.characteristics))]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) <= 0xFFFF
    assert rig.engine.gatt[0].iid == 1
    light = rig.database.accessories[0].find_service(s.LIGHTBULB.uuid)
    assert service(rig, s.LIGHTBULB.uuid).iid == light.iid
    assert {light[c.ON].iid, light[c.BRIGHTNESS].iid} < set(numbers)


def test_what_is_added(rig):
    assert [one.uuid for one in service(rig, PAIRING).characteristics] == [
        uuids.PAIR_SETUP,
        uuids.PAIR_VERIFY,
        uuids.PAIRING_FEATURES,
        uuids.PAIRING_PAIRINGS,
    ]
    for uuid in (PROTOCOL_INFORMATION, s.LIGHTBULB.uuid):
        assert service(rig, uuid).characteristics[0].uuid == SERVICE_SIGNATURE
    # A service that has nothing to say has none.
    assert all(one.uuid != SERVICE_SIGNATURE for one in rig.engine.gatt[0].characteristics)


def test_the_database_itself_stays_as_it_was(rig):
    ids = dict(rig.database.ids)
    fingerprint = rig.database.fingerprint()
    again = lamp(ids=ids)
    assert dict(again.ids) == ids
    assert again.fingerprint() == fingerprint
    assert rig.database.accessories[0].find_service(PAIRING) is None


def test_added_numbers_stay(rig):
    """They follow from the service, so that they are the same after every restart and every change."""
    before = {(one.uuid, each.uuid): each.iid for one in rig.engine.gatt for each in one.characteristics}
    rig.database = lamp(ids=rig.database.ids)
    rig.restart()
    after = {(one.uuid, each.uuid): each.iid for one in rig.engine.gatt for each in one.characteristics}
    assert before == after


def test_indications_follow_events(rig):
    for one in rig.engine.gatt:
        for each in one.characteristics:
            assert each.readable
            assert each.writable
            assert each.indicates is (each.uuid in (c.ON.uuid, c.BRIGHTNESS.uuid))


@pytest.mark.parametrize(
    ("uuid", "properties"),
    [
        (uuids.PAIR_SETUP, P.CLEAR_READ | P.CLEAR_WRITE),
        (uuids.PAIR_VERIFY, P.CLEAR_READ | P.CLEAR_WRITE),
        (uuids.PAIRING_FEATURES, P.CLEAR_READ),
        (uuids.PAIRING_PAIRINGS, P.READ | P.WRITE),
        (uuids.IDENTIFY, P.WRITE),
        (uuids.VERSION, P.READ),
        (SERVICE_SIGNATURE, P.READ),
    ],
)
def test_properties(rig, uuid, properties):
    central = rig.connect()
    found = next(each for one in rig.engine.gatt for each in one.characteristics if each.uuid == uuid)
    status, body = central.ask(found.iid, 1)
    assert status == 0
    assert read_characteristic_signature(body).properties == properties


def test_signatures_of_what_was_added(rig):
    central = rig.connect()
    light = service(rig, s.LIGHTBULB.uuid)
    status, body = central.ask(light.characteristics[0].iid, 6, target=light.iid)
    assert status == 0
    assert read_service_signature(body).properties == ServiceProperties.PRIMARY
    protocol = service(rig, PROTOCOL_INFORMATION)
    _, body = central.ask(protocol.characteristics[0].iid, 6, target=protocol.iid)
    assert read_service_signature(body).properties == ServiceProperties.CONFIGURATION


def test_it_can_be_used(rig):
    central = rig.connect().verify()
    on = rig.database.accessories[0].find(c.ON)
    assert central.put(on.iid, b"\1") == 0
    assert on.value is True
    protocol = service(rig, PROTOCOL_INFORMATION)
    assert central.ask(protocol.characteristics[0].iid, 8, b"\1\0", target=protocol.iid) == (0, b"")


def fixed(iid: int, *more: Service) -> Database:
    light = Service(s.LIGHTBULB, [Characteristic(c.ON, iid=iid)], iid=0x30)
    return Database([Accessory("Lamp", services=[light, *more])])


def test_numbers_too_large():
    with pytest.raises(LocalProtocolError, match="instance ids"):
        Rig(fixed(0x10000))
    with pytest.raises(LocalProtocolError, match="32511"):
        Rig(fixed(0x7F00))
    assert Rig(fixed(0x7EFF)).connect().verify().get(0x7EFF) == b"\0"


def test_a_button_between_two_presses():
    event = Characteristic(c.PROGRAMMABLE_SWITCH_EVENT, iid=0x40)
    button = Service(s.STATELESS_PROGRAMMABLE_SWITCH, [event], iid=0x30)
    rig = Rig(Database([Accessory("Button", services=[button])]))
    central = rig.connect().verify()
    assert len(central.get(0x40)) == 1
    central.subscribe(0x40)
    for _ in range(2):  # every press counts, though the value is the same
        event.bind(None)
        rig.engine.changed(event, 0, None)
        rig.pump()
        central.confirm()
    assert len(rig.indications) == 2


def test_rights_of_the_model():
    own = Characteristic(c.ON, iid=0x40, clear_read=True)
    assert (own.clear_read, own.clear_write, own.broadcasts) == (True, False, True)
    assert own.disconnected_events
    assert not Characteristic(c.ON, disconnected_events=False).disconnected_events
    assert not Characteristic(c.ON, perms=["pr", "pw", "ev"]).disconnected_events
    rig = Rig(Database([Accessory("Lamp", services=[Service(s.LIGHTBULB, [own], iid=0x30)])]))
    central = rig.connect()
    assert central.get(0x40) == b"\0"
    assert central.put(0x40, b"\1") == 5


def test_rights_move_the_configuration_number():
    plain = fixed(0x40).fingerprint()
    for change in ({"clear_read": True}, {"clear_write": True}, {"disconnected_events": False}):
        light = Service(s.LIGHTBULB, [Characteristic(c.ON, iid=0x40, **change)], iid=0x30)
        assert Database([Accessory("Lamp", services=[light])]).fingerprint() != plain
    same = Service(s.LIGHTBULB, [Characteristic(c.ON, iid=0x40, disconnected_events=True)], iid=0x30)
    assert Database([Accessory("Lamp", services=[same])]).fingerprint() == plain
