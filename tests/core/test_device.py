"""Other people's accessories as typed objects: services and characteristics by name, values in their own types."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.core.ble_device import paired
from tests.core.controller_peer import DATABASE, answer, knowing, verified
from tests.core.home_rig import Lamp, Rig
from tests.core.test_home_radio import PAIRED, Sky

from hapcore.catalogue import remote, service_types, services
from hapcore.catalogue.characteristics import BRIGHTNESS, ECOBEE_CURRENT_MODE, EVE_ENERGY_WATT, HUE, ON
from hapcore.catalogue.define import ValueEnum
from hapcore.catalogue.remote import Battery, InputSource, Lightbulb, Outlet, Switch, Television
from hapcore.catalogue.values import LockCurrentState, LockTargetState
from hapcore.codec import tlv8
from hapcore.codec.json import read_tolerant
from hapcore.codec.pdu import Opcode
from hapcore.controller.device import Device
from hapcore.controller.typed import Describe, GetValue, SetValue
from hapcore.errors import HapError, LocalProtocolError, Refused, RemoteProtocolError, ValueRefused
from hapcore.home import Ask, Close, Disconnect
from hapcore.ids import CharacteristicId
from hapcore.ip.controller import CharacteristicWrite, GetAccessories, Read, Snapshot, Subscribe, Write
from hapcore.model.remote import read_accessories
from hapcore.model.service import Has, Service, ServiceType
from hapcore.model.view import May, Missing, Must, ServiceView

EVE = "-079E-48FF-8F27-9C2605A29F52"


def characteristic(iid: int, kind: str, form: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"iid": iid, "type": kind, "format": form, "perms": ["pr", "pw", "ev"], "value": value, **more}


def service(iid: int, kind: str, *characteristics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"iid": iid, "type": kind, "characteristics": list(characteristics), **more}


def named(name: str) -> dict[str, Any]:
    return service(1, "3E", characteristic(2, "23", "string", name))


def device(*services: dict[str, Any], name: str = "Thing") -> Device:
    return Device(read_accessories({"accessories": [{"aid": 1, "services": [named(name), *services]}]}))


def bridge(*names: str) -> Device:
    listed = [
        {"aid": aid, "services": [named(name), service(8, "43", characteristic(9, "25", "bool", aid % 2 == 0))]}
        for aid, name in enumerate(names, 1)
    ]
    return Device(read_accessories({"accessories": listed}))


LIGHT = service(
    8, "43", characteristic(9, "25", "bool", 1), characteristic(10, "8", "int", 40, unit="percentage", maxValue=100)
)


# --- what there is ----------------------------------------------------------------------------------------------------


def test_services_and_characteristics_by_name():
    lamp = device(LIGHT)
    light = lamp.lightbulb
    assert type(light) is Lightbulb
    assert light == lamp.service(Lightbulb) == lamp.services[1]
    assert hash(light) == hash(lamp.services[1])
    assert light != lamp.accessory_information
    assert light != "light"
    assert light.on == CharacteristicId(1, 9) == (1, 9)
    assert light.brightness == light[BRIGHTNESS] == light.get(BRIGHTNESS)
    assert light.hue is light.get(HUE) is None
    assert ON in light
    assert HUE not in light
    assert lamp.find(Switch) is None
    assert [one.name for one in light.characteristics] == ["On", "Brightness"]
    assert [repr(one) for one in lamp.services] == ["<Accessory Information 1.1>", "<Lightbulb 1.8>"]
    assert lamp.name == lamp.accessory_information.name.value == "Thing"
    assert Lightbulb.on is ON


def test_what_is_not_there_says_what_is():
    lamp = device(service(8, "43", characteristic(10, "8", "int", 40)), name="Desk\nlamp")
    with pytest.raises(Missing, match=r"'Desk\\nlamp' has no Outlet, but Accessory Information, Lightbulb$"):
        _ = lamp.outlet
    with pytest.raises(Missing, match=r"'Lightbulb' of accessory 1 has no On, but Brightness$"):
        _ = lamp.lightbulb.on
    with pytest.raises(Missing, match=r"no characteristic 1\.99"):
        _ = lamp[1, 99]
    with pytest.raises(Missing, match=r"no characteristic 2\.9"):
        _ = lamp[2, 9]
    assert not hasattr(lamp, "outlet"), "it is an AttributeError too"
    assert issubclass(Missing, HapError)
    with pytest.raises(AttributeError, match="lamp"):
        _ = lamp.lamp
    with pytest.raises(LocalProtocolError):
        Device(())


def test_messages_list_no_more_than_a_person_reads():
    kinds = [one.uuid for one in vars(service_types).values() if isinstance(one, ServiceType)]
    everything = device(*(service(10 + at, kind) for at, kind in enumerate(kinds) if "113" not in kind[:8]))
    with pytest.raises(Missing) as refusal:
        _ = everything.speaker
    assert str(refusal.value).endswith(", ...")
    assert len(str(refusal.value)) < 500


def test_the_primary_service_is_the_one_that_is_meant():
    strip = device(
        service(8, "47", characteristic(9, "25", "bool", 0)),
        service(18, "47", characteristic(19, "25", "bool", 1), primary=True),
    )
    assert strip.outlet.on == (1, 19)
    assert [one.on.value for one in strip.all(Outlet)] == [False, True]
    assert strip.outlet.primary
    assert not strip.outlet.hidden


def test_linked_services_and_labels():
    television = device(
        service(8, "D8", characteristic(9, "E3", "string", "Living room"), linked=[20, 30, 99]),
        service(20, "D9", characteristic(21, "E3", "string", "HDMI 1"), characteristic(22, "23", "string", "in1")),
        service(30, "D9", characteristic(31, "23", "string", "in2"), characteristic(32, "E3", "string", "")),
        service(40, "D9", hidden=True),
    )
    assert [one.label for one in television.television.linked] == ["HDMI 1", "in2"]
    assert all(isinstance(one, InputSource) for one in television.television.linked)
    assert [one.label for one in television.services][1:] == ["Living room", "HDMI 1", "in2", "Input Source"]
    assert television.services[0].label == "Accessory Information", "the name in it is that of the accessory"
    assert television.all(InputSource)[2].hidden
    assert television.find(Battery) is None
    assert isinstance(television.television, Television)


def test_accessories_behind_a_bridge_by_number_and_by_name():
    home = bridge("Bridge", "Desk lamp", "Hall", "Hall")
    assert list(home.accessories) == [1, 2, 3, 4]
    assert home.accessories[1] is home
    assert home.accessories[2].lightbulb.on.value is True
    assert home.named("Desk lamp").lightbulb.on == (2, 9)
    assert home[3, 9].value is False
    assert home[3, 9].name == "On"
    with pytest.raises(Missing, match="from 3, 4"):
        home.named("Hall")
    with pytest.raises(Missing, match="no accessory is called 'Attic', but 'Bridge', 'Desk lamp', 'Hall'"):
        home.named("Attic")
    assert repr(home.accessories[2]) == "<Accessory 2 'Desk lamp'>"


def test_a_device_without_accessory_1_and_one_without_a_name():
    odd = Device(read_accessories([{"aid": 490605949956, "services": [LIGHT]}]))
    assert (odd.aid, odd.name) == (490605949956, "accessory 490605949956")
    assert odd.lightbulb.on == (490605949956, 9)


def test_handles_outlive_the_database_they_are_from():
    before, after = device(LIGHT), device(service(5, "49"), LIGHT)
    assert before.lightbulb.on == after.lightbulb.on
    assert {before.lightbulb.on: 1} == {after.lightbulb.on: 1} == {(1, 9): 1}
    assert after[before.lightbulb.on].value is True
    handle = before.lightbulb.on
    for copied in (copy.copy(handle), copy.deepcopy(handle)):
        assert (copied, copied.name, copied.value, type(copied)) == (handle, "On", True, type(handle))
    assert (str(handle), repr(handle)) == ("1.9", "<Handle 1.9 On>")


# --- types that are not of the book -----------------------------------------------------------------------------------


def test_types_of_manufacturers_have_names_values_and_units():
    eve = device(
        service(
            8,
            "E863F007" + EVE,
            characteristic(9, "E863F10D" + EVE, "float", 12.5, perms=["pr", "ev"]),
            characteristic(10, "E863F117" + EVE, "data", "AQID", description="History"),
            characteristic(11, "E863F1FF" + EVE, "uint8", 3),
            characteristic(12, "E863F130" + EVE, "int", 120),
            characteristic(13, "4AAAF931-0DEC-11E5-B939-0800200C9A66", "float", 3.0),
            characteristic(14, "B7DDB9A3-54BB-4572-91D2-F1F5B0510F8C", "uint8", 2),
            characteristic(15, "FC093458-18F0-4B1D-8360-BB68A3FCC9C5", "uint32", 7),
            characteristic(16, "12345678-0000-4000-8000-000000000000", "string", "a\x1bb", description="Odd\x07"),
        ),
        service(30, "12345678-1111-4000-8000-000000000000"),
    )
    found = eve.services[1]
    assert type(found) is ServiceView
    assert (found.kind, found.label) == ("Eve service E863F007", "Eve service E863F007")
    assert eve.services[2].label == "service 12345678-1111-4000-8000-000000000000"
    assert [(one.name, one.text(one.value)) for one in found.characteristics] == [
        ("Eve Energy Watt", "12.5 W"),
        ("History", "<3 bytes>"),
        ("Eve characteristic E863F1FF", "3"),
        ("Eve Degree Elevation", "120"),
        ("Koogeek Realtime Energy", "3 W"),
        ("ecobee Current Mode", "away"),
        ("VOCOlinc Outlet Energy", "7"),
        ("Odd?", "a?b"),
    ]
    watt = found[EVE_ENERGY_WATT]
    assert (watt.value, watt.unit, watt.readable, watt.writable, watt.notifies) == (12.5, "W", True, False, True)
    assert found[ECOBEE_CURRENT_MODE].value is ECOBEE_CURRENT_MODE.python.AWAY


@pytest.mark.parametrize(
    ("kind", "form", "value", "typed", "text"),
    [
        ("25", "bool", 1, True, "true"),
        ("25", "uint8", 0, False, "false"),
        ("8", "float", 39.6, 40, "40"),
        ("8", "int", "40", 40, "40"),
        ("13", "int", 200, 200.0, "200"),
        ("11", "float", 21.549999, 21.549999, "21.55"),
        ("1D", "uint8", 1, LockCurrentState.SECURED, "secured"),
        ("1D", "float", 3.0, LockCurrentState.UNKNOWN, "unknown"),
        ("1D", "uint8", 9, 9, "value 9"),
        ("23", "string", "Lamp", "Lamp", "Lamp"),
        ("23", "string", "x" * 300, "x" * 300, "x" * 200 + "..."),
        ("120", "tlv8", "AQEB", b"\x01\x01\x01", "Status: in use"),
        ("120", "data", "AQEB", b"\x01\x01\x01", "Status: in use"),
        ("8", "string", "bright", None, "bright"),
        ("23", "int", 7, None, "7"),
        ("73", "uint8", None, None, "no value"),
    ],
)
def test_values_have_the_type_of_the_catalogue_whatever_the_accessory_declares(kind, form, value, typed, text):
    handle = device(service(8, "43", characteristic(9, kind, form, value)))[1, 9]
    assert handle.value == typed
    assert type(handle.value) is type(typed) or isinstance(handle.value, ValueEnum)
    assert handle.text(handle.description.value) == text


@pytest.mark.parametrize(
    ("kind", "form", "text", "value"),
    [
        ("33", "uint8", "heat", 1),
        ("33", "uint8", " OFF ", 0),
        ("33", "uint8", "3", 3),
        ("8F", "uint8", "not-charging", 0),
        ("8F", "uint8", "NOT_CHARGING", 0),
        ("25", "bool", "on", True),
        ("8", "int", "40", 40),
        ("11", "float", "21.5", 21.5),
        ("23", "string", "heat", "heat"),
        ("33", "string", "heat", "heat"),
    ],
)
def test_what_people_write(kind, form, text, value):
    handle = device(service(8, "43", characteristic(9, kind, form)))[1, 9]
    found = handle.from_text(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "form", "text", "words"),
    [
        (
            "33",
            "uint8",
            "warm",
            "Target Heating Cooling State: 'warm' is no whole number; it may be off, heat, cool, auto",
        ),
        ("33", "uint8", "5", "5 is not"),
        ("8", "int", "heat", "'heat' is no whole number$"),
        ("25", "bool", "heat", "neither true nor false"),
    ],
)
def test_what_people_should_not_write(kind, form, text, words):
    handle = device(
        service(8, "43", characteristic(9, kind, form, **{"valid-values": [0, 1, 2, 3]} if kind == "33" else {}))
    )
    with pytest.raises(ValueRefused, match=words):
        handle[1, 9].from_text(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_have_no_value(value):
    light = device(LIGHT).lightbulb
    assert light.brightness is not None
    assert light.brightness.typed(value) is None
    assert "nan" in light.brightness.text(value) or "inf" in light.brightness.text(value)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("celsius", "21.5 °C"),
        ("percentage", "21.5 %"),
        ("arcdegrees", "21.5 °"),
        ("lux", "21.5 lx"),
        ("seconds", "21.5 s"),
    ],
)
def test_units(unit, shown):
    handle = device(service(8, "8A", characteristic(9, "11", "float", 21.5, unit=unit)))[1, 9]
    assert handle.text(handle.value) == shown


def test_tlv8_by_name():
    handle = device(service(8, "110", characteristic(9, "120", "tlv8", "AQEB")))[1, 9]
    assert handle.fields(handle.value) == {"Status": "in use"}
    assert handle.fields(None) is handle.fields("AQEB") is None
    keys = tlv8.encode([(4, tlv8.encode([(1, b"\0"), (2, bytes(range(16)))]))])
    endpoints = device(service(8, "110", characteristic(9, "118", "tlv8")))[1, 9]
    assert bytes(range(16)).hex() not in f"{endpoints.fields(keys)} {endpoints.text(keys)}"


def test_every_service_has_a_view_that_says_the_same():
    listed = [one for one in vars(service_types).values() if isinstance(one, ServiceType)]
    assert len(listed) > 70
    for kind in listed:
        view, ours = getattr(remote, kind.name), getattr(services, kind.name)
        assert view.TYPE is kind
        seen = {name: has for name, has in vars(view).items() if isinstance(has, Must | May)}
        assert set(seen) == {name for name, has in vars(ours).items() if isinstance(has, Has)}
        for has in seen.values():
            type_ = has.__get__(None, view)
            assert isinstance(has, Must) == (type_.uuid in kind.required), (kind.name, type_.name)
        empty = device(service(8, kind.uuid)).services[1]
        assert type(empty) is view
        made = ours()
        assert isinstance(made, Service)


# --- over a connection ------------------------------------------------------------------------------------------------


def test_the_database_is_read_once():
    link = verified(answer(200, DATABASE), answer(200, DATABASE))
    first = link.ask(Describe())
    assert isinstance(first, Device)
    assert link.ask(Describe()).lightbulb.on == first.lightbulb.on == (1, 9)
    assert [one.target for one in link.accessory.requests] == ["/accessories"]
    link.ask(GetAccessories())
    assert len(link.accessory.requests) == 2


def lamp() -> Device:
    return Device(read_accessories(read_tolerant(DATABASE)))


def test_handles_go_where_numbers_go():
    link = knowing(
        answer(200, b'{"characteristics":[{"aid":1,"iid":9,"value":1},{"aid":1,"iid":10,"value":45}]}'),
        answer(204),
        answer(204),
    )
    light = lamp().lightbulb
    brightness = light[BRIGHTNESS]
    results = link.ask(Read([light.on, brightness]))
    assert (results[light.on].value, results[brightness].value) == (True, 45)
    assert all(type(one) is CharacteristicId for one in results)
    assert link.ask(Write([CharacteristicWrite(light.on, False)]))[light.on].status == 0
    assert link.ask(Subscribe([light.on])) == {light.on: 0}
    assert link.accessory.raw[0].startswith(b"GET /characteristics?id=1.9,1.10 ")


def test_one_value_in_its_own_type():
    state = b'{"aid":1,"services":[{"iid":8,"type":"45","characteristics":[%b]}]}' % (
        b'{"iid":9,"type":"1D","format":"uint8","perms":["pr","ev"]},'
        b'{"iid":10,"type":"1E","format":"uint8","perms":["pr","pw","ev","tw"]}'
    )
    link = verified(
        answer(200, b'{"accessories":[%b]}' % state),
        answer(200, b'{"characteristics":[{"aid":1,"iid":9,"value":1}]}'),
        answer(204),
        answer(204),
    )
    lock = link.ask(Describe()).lock_mechanism
    assert link.ask(GetValue(lock.lock_current_state)) is LockCurrentState.SECURED
    assert link.ask(SetValue(lock.lock_target_state, LockTargetState.UNSECURED)) is None
    assert [one.target for one in link.accessory.requests][2:] == ["/prepare", "/characteristics"]
    assert b'"value":0' in link.accessory.requests[-1].body


@pytest.mark.parametrize(("given", "sent"), [(2.5, b"5"), (52, b"50"), (52.5, b"55"), (100, b"100")])
def test_numbers_are_rounded_half_up_to_the_step_before_they_leave(given, sent):
    link = knowing(answer(204))
    link.ask(SetValue(lamp().lightbulb[BRIGHTNESS], given))
    assert link.accessory.requests[0].body == b'{"characteristics":[{"aid":1,"iid":10,"value":%b}]}' % sent


def test_what_does_not_fit_does_not_leave():
    link = knowing()
    for value in (103, -3, "bright", None):
        with pytest.raises(ValueRefused):
            link.engine.submit(SetValue(lamp().lightbulb[BRIGHTNESS], value), 0.0)
    with pytest.raises(LocalProtocolError, match=r"such as device\.lightbulb\.on, got tuple"):
        GetValue((1, 9))
    with pytest.raises(LocalProtocolError):
        SetValue(CharacteristicId(1, 9), True)
    assert not link.sent


def test_what_is_refused_is_raised_with_its_name():
    link = knowing(
        answer(207, b'{"characteristics":[{"aid":1,"iid":9,"status":-70402}]}'),
        answer(207, b'{"characteristics":[{"aid":1,"iid":9,"status":-70404}]}'),
        answer(207, b'{"characteristics":[{"aid":1,"iid":9,"status":-6}]}'),
        answer(200, b'{"characteristics":[{"aid":1,"iid":14,"value":null}]}'),
    )
    on = lamp().lightbulb.on
    error = link.ask(GetValue(on))
    assert type(error) is Refused
    assert (error.hap_status, str(error)) == (
        -70402,
        "reading On (1.9) was refused: the accessory could not do it, or could not be reached",
    )
    error = link.ask(SetValue(on, True))
    assert (error.hap_status, str(error)) == (
        -70404,
        "writing On (1.9) was refused: the characteristic cannot be written",
    )
    assert str(link.ask(GetValue(on))) == "reading On (1.9) was refused: status -6"
    error = link.ask(GetValue(lamp()[1, 14]))
    assert type(error) is RemoteProtocolError
    assert "a value of the type ProgrammableSwitchEvent of Programmable Switch Event (1.14)" in str(error)


def test_over_bluetooth_le():
    air = paired()
    found = air.ask(Describe())
    assert isinstance(found, Device)
    assert not any(one.value for one in found.services[-1].characteristics), "no value was read but names"
    read = [iid for opcode, iid, _ in air.device.log if opcode == Opcode.CHARACTERISTIC_READ]
    assert (found.name, [found[1, iid].name for iid in read]) == ("Lamp", ["Name"])
    handle = next(one for each in found.services for one in each.characteristics if one.iid == 0x34)
    assert air.ask(SetValue(handle, 41.5)) is None
    assert air.ask(GetValue(handle)) == 42
    air.device.statuses[Opcode.CHARACTERISTIC_READ, 0x34] = 1
    error = air.ask(GetValue(handle))
    assert isinstance(error, Refused), error


def test_in_a_home_a_handle_may_be_older_than_the_connection():
    rig = Rig(discovery=False)
    rig.hosts["192.0.2.7", 5001] = Lamp()
    rig.pair()
    light = rig.ask(Ask("lamp", Describe())).lightbulb
    for connected in (True, False):
        if not connected:
            rig.ask(Disconnect("lamp"))
        rig.ask(Ask("lamp", SetValue(light.brightness, 30.5)))
        assert rig.ask(Ask("lamp", GetValue(light.brightness))) == 31
        with pytest.raises(ValueRefused):
            rig.ask(Ask("lamp", SetValue(light.brightness, 101)))


def test_all_who_want_the_database_wait_for_the_same_reading():
    rig = Rig(discovery=False)
    rig.hosts["192.0.2.7", 5001] = there = Lamp()
    rig.pair()
    rig.ask(Disconnect("lamp"))
    fresh = Rig(rig.table, discovery=False)
    fresh.hosts["192.0.2.7", 5001] = there
    commands = [Ask("lamp", one, "192.0.2.7:5001") for one in (Describe(), Read([there.on]))]
    numbers = [fresh.home.submit(one, fresh.now) for one in commands]
    fresh.run()
    first, read = (fresh.result(one) for one in numbers)
    assert first.lightbulb.on == there.on
    assert read[there.on].status == 0
    assert fresh.ask(commands[0]).description is first.description, "it was read once"


def test_a_handle_from_elsewhere_waits_for_the_database():
    rig = Rig(discovery=False)
    rig.hosts["192.0.2.7", 5001] = there = Lamp()
    rig.pair()
    on = rig.ask(Ask("lamp", Describe())).lightbulb.on
    again = Rig(rig.table, discovery=False)
    again.hosts["192.0.2.7", 5001] = there
    assert again.ask(Ask("lamp", GetValue(on), "192.0.2.7:5001")) is False


def test_in_a_home_over_bluetooth_le_too() -> None:
    sky = Sky(PAIRED)
    found = sky.ask(Ask("lamp", Describe()))
    (handle,) = (one for each in found.services for one in each.characteristics if one.iid == 0x34)
    assert sky.ask(Ask("lamp", SetValue(handle, 41.5))) is None
    assert sky.ask(Ask("lamp", GetValue(handle))) == 42
    sky.ask(Close())
    again = Sky(sky.stored, sky.device)
    again.device.log.clear()
    known = again.ask(Ask("lamp", Describe()))
    assert [one.iid for one in known.services] == [one.iid for one in found.services]
    assert known.name == found.name
    assert not again.opcodes() & {Opcode.CHARACTERISTIC_SIGNATURE_READ, Opcode.SERVICE_SIGNATURE_READ}


def test_pictures_do_not_come_over_bluetooth_le() -> None:
    for connected in (False, True):
        sky = Sky(PAIRED)
        if connected:
            sky.ask(Ask("lamp", Describe()))
        try:
            error = sky.ask(Ask("lamp", Snapshot(640, 360)))
        except LocalProtocolError as refusal:
            error = refusal
        assert type(error) is LocalProtocolError
        assert "over IP only" in str(error)
        assert sky.ask(Ask("lamp", Describe())).services, "the link is fine"
