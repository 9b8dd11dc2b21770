"""One getter or setter for a whole service or accessory: one call for each request, typed, and it may refuse a part."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import kind

from hapcore.catalogue.characteristics import BRIGHTNESS, NAME
from hapcore.catalogue.services import Lightbulb, Switch, TemperatureSensor
from hapcore.controller.commands import CharacteristicWrite
from hapcore.ids import Caller, HapStatus, Transport
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, HapStatusError
from hapcore.model.group import Reads, Writes
from hapcore.model.metadata import Format
from hapcore.testing import Pair


@pytest.fixture
def light():
    return Lightbulb("Desk lamp", on=False, brightness=40, hue=10, saturation=20)


def statuses(results):
    return [one.status for one in results.values()]


def test_colour_and_brightness_come_in_one_call(light):
    calls = []

    @light.setter
    def show(writes: Writes, caller: Caller) -> None:
        calls.append({one.type.name: writes[one] for one in writes})
        assert (len(writes), light.hue in writes, light.on in writes) == (3, True, False)
        assert (writes.get(light.hue), writes.get(light.on)) == (30.0, None)
        assert caller.admin
        assert caller.transport is Transport.IP

    lamp = Pair(light).pair()
    written = lamp.write({light.hue.id: 30, light.saturation.id: 40, light.brightness.id: 50})
    assert statuses(written) == [0, 0, 0]
    assert calls == [{"Hue": 30.0, "Saturation": 40.0, "Brightness": 50}]
    assert (light.hue.value, light.saturation.value, light.brightness.value) == (30.0, 40.0, 50)


async def show_slowly(writes: Writes, caller: Caller) -> None:
    for one in writes:
        if one.type is BRIGHTNESS:
            writes.refuse(one, HapStatus.NOT_ALLOWED)


def test_a_part_may_be_refused_and_all_of_it(light):
    light.setter(show_slowly)
    lamp = Pair(light).pair()
    assert statuses(lamp.write({light.hue.id: 30, light.brightness.id: 50})) == [0, HapStatus.NOT_ALLOWED]
    assert (light.hue.value, light.brightness.value) == (30.0, 40)

    @light.setter
    def never(writes: Writes, caller: Caller) -> None:
        raise HapStatusError(HapStatus.BUSY)

    assert statuses(lamp.write({light.hue.id: 31, light.brightness.id: 51})) == [HapStatus.BUSY] * 2
    assert (light.hue.value, light.brightness.value) == (30.0, 40)


@pytest.mark.parametrize("status", [one for one in HapStatus if one])
def test_every_status_may_be_the_reason(light, status):
    @light.setter
    def refuse(writes: Writes, caller: Caller) -> None:
        writes.refuse(light.on, status)

    @light.getter
    def fail(reads: Reads, caller: Caller) -> None:
        reads[light.hue] = status

    lamp = Pair(light).pair()
    assert statuses(lamp.write({light.on.id: True, light.hue.id: 5})) == [status, 0]
    assert statuses(lamp.read([light.hue.id, light.on.id])) == [status, 0]


def test_one_reading_answers_for_all_and_what_is_left_out_is_what_is_held(light):
    asked = []

    @light.getter
    async def fetch(reads: Reads, caller: Caller) -> None:
        asked.append([one.type.name for one in reads])
        assert len(reads) == len(asked[-1])
        assert light.on in reads
        reads[light.on] = True
        reads[light.hue] = 77.0  # not asked for in the second request
        reads[light.brightness] = HapStatus.BUSY

    lamp = Pair(light).pair()
    lamp.accessories()
    assert asked == [["On", "Brightness", "Hue", "Saturation"]], "the whole database asks once"
    found = lamp.read([light.saturation.id, light.on.id, light.brightness.id])
    assert asked[1:] == [["Saturation", "On", "Brightness"]]
    assert [(one.value, one.status) for one in found.values()] == [(20.0, 0), (True, 0), (None, HapStatus.BUSY)]


def test_a_value_that_its_characteristic_does_not_allow_fails_alone(light):
    @light.getter
    def fetch(reads: Reads, caller: Caller) -> None:
        reads[light.brightness] = 101
        reads[light.on] = True

    found = Pair(light).pair().read([light.brightness.id, light.on.id])
    assert statuses(found) == [HapStatus.UNABLE_TO_COMMUNICATE, 0]


def test_the_narrower_one_goes_first_in_whatever_order_they_are_given(light):
    said = []
    outlet, lone = Switch("Outlet", key="outlet"), TemperatureSensor("Window", current_temperature=5.0)
    thing = Accessory("Thing", services=[light, outlet, lone])
    light.hue.setter(lambda value, _: said.append(("hue", value)))
    light.setter(lambda writes, _: said.append(("light", [one.type.name for one in writes])))
    thing.setter(lambda writes, _: said.append(("thing", [one.type.name for one in writes])))
    light.saturation.setter(lambda value, _: said.append(("saturation", value)))
    thing.getter(lambda reads, _: said.append(("read", [one.type.name for one in reads])))
    lamp = Pair(thing).pair()
    lamp.accessories()
    said.clear()
    lamp.write({light.hue.id: 1, light.saturation.id: 2, light.on.id: True, light.brightness.id: 3, outlet.on.id: True})
    assert said == [
        ("hue", 1.0),
        ("saturation", 2.0),
        ("light", ["On", "Brightness"]),
        ("thing", ["On"]),
    ]
    said.clear()
    lamp.read([lone.current_temperature.id, thing.information[NAME].id, outlet.on.id])
    assert said == [("read", ["CurrentTemperature", "On"])], "Accessory Information speaks for itself"
    light.setter(lambda writes, _: said.append("the new one"))
    said.clear()
    lamp.write({light.on.id: False})
    assert said == ["the new one"]


def test_what_is_added_later_is_answered_for_too(light):
    said = []
    light.setter(lambda writes, _: said.append([one.type.name for one in writes]))
    more = light.add(Characteristic(kind("More", 1, Format.UINT8, "pr pw", int)))
    Pair(light).pair().write({more.id: 3, light.on.id: True})
    assert said == [["More", "On"]]


def test_identify_stays_what_it_is(light):
    thing = Accessory("Thing", services=[light])
    said = []
    thing.setter(lambda writes, _: said.append("setter"))
    thing.identify(lambda: said.append("identify"))
    Pair(thing).pair().write({thing.identify_characteristic.id: True})
    assert said == ["identify"]


def test_the_caller_tells_how_each_value_came(light):
    door = light.add(Characteristic(kind("Door", 1, Format.BOOL, "pr pw aa", bool)))
    seen = []

    @light.setter
    def judge(writes: Writes, caller: Caller) -> None:
        seen.append([(one.remote, one.timed, one.auth_data) for one in (caller, *map(writes.caller, writes))])
        assert caller.pairing_id == lamp.pairing.controller_id.encode()

    pair = Pair(light)
    lamp = pair.pair()
    lamp.write({light.on.id: True})
    lamp.write(
        [CharacteristicWrite(light.on.id, True), CharacteristicWrite(door.id, True, auth_data=b"key", remote=True)]
    )
    lamp.write({light.on.id: True, light.hue.id: 1}, timed=1000)
    lamp.write([CharacteristicWrite(door.id, True, auth_data=b"key")])
    assert seen == [
        [(False, False, None)] * 2,
        # What holds for one is not said of all: the key of the door opens no other.
        [(True, False, None), (False, False, None), (True, False, b"key")],
        [(False, True, None)] * 3,
        [(False, False, b"key")] * 2,
    ]


def test_what_a_write_response_reads(light):
    point = light.add(Characteristic(kind("Point", 1, Format.TLV8, "pr pw wr", bytes)))

    @light.setter
    def answer(writes: Writes, caller: Caller) -> None:
        writes.answer(point, b"\x01\x01\x05")
        writes.answer(light.hue, 5.0)  # nobody wrote it
        writes.refuse(light.hue, HapStatus.BUSY)

    lamp = Pair(light).pair()
    found = lamp.write(
        [CharacteristicWrite(point.id, b"\x02\x00", response=True), CharacteristicWrite(light.on.id, True)]
    )
    assert found[point.id].value == b"\x01\x01\x05"
    assert statuses(found) == [0, 0]
    assert point.value == b""


def test_an_error_in_it_is_for_all_it_was_asked_about_and_the_others_go_on(light):
    other = Lightbulb("Other", on=False)
    light.setter(lambda writes, _: 1 / 0)
    pair = Pair([Accessory.of(light), Accessory.of(other)])
    lamp = pair.pair()
    assert statuses(lamp.write({light.on.id: True, light.hue.id: 3, other.on.id: True})) == [-70402, -70402, 0]
    assert isinstance(pair.errors.pop(), ZeroDivisionError)
    assert (light.on.value, other.on.value) == (False, True)
