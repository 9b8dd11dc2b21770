"""One function that answers for several characteristics: one call for each request."""

from __future__ import annotations

import pytest

from hapcore.accessory.handlers import together
from hapcore.catalogue.services import Lightbulb
from hapcore.controller.commands import CharacteristicWrite
from hapcore.ids import HapStatus
from hapcore.model.characteristic import HapStatusError
from hapcore.testing import Pair


@pytest.fixture
def light():
    return Lightbulb("Desk lamp", on=False, brightness=40, hue=10, saturation=20)


def test_one_call_answers_a_request(light):
    asked = []

    def read(ids, caller):
        asked.append((ids, caller.admin))
        return {light.on.id: True, light.brightness.id: HapStatus.BUSY}

    together([light.on, light.brightness, light.hue], read=read)
    light.saturation.getter(lambda _caller: 33)
    lamp = Pair(light).pair()
    lamp.accessories()
    asked.clear()
    ids = [light.hue.id, light.on.id, light.saturation.id, light.brightness.id]
    found = lamp.read(ids)
    assert asked == [((light.hue.id, light.on.id, light.brightness.id), True)]
    assert [(found[one].value, found[one].status) for one in ids] == [
        (None, HapStatus.UNABLE_TO_COMMUNICATE),  # left out
        (True, 0),
        (33.0, 0),
        (None, HapStatus.BUSY),
    ]


def test_one_call_decides_about_a_write(light):
    asked = []

    def write(writes, _caller):
        asked.append([(one.id, one.value, one.remote) for one in writes])
        return {light.brightness.id: HapStatus.NOT_ALLOWED, light.hue.id: 99}

    together([light.on, light.brightness, light.hue], write=write)
    lamp = Pair(light).pair()
    writes = [(light.on.id, True), (light.brightness.id, 50), (light.hue.id, 11), (light.saturation.id, 12)]
    found = lamp.write([CharacteristicWrite(one, value, remote=one == light.on.id) for one, value in writes])
    assert asked == [[(light.on.id, True, True), (light.brightness.id, 50, False), (light.hue.id, 11, False)]]
    assert [one.status for one in found.values()] == [0, HapStatus.NOT_ALLOWED, 0, 0]
    # What is reported to be held instead of what was written is not replaced by that.
    assert (light.on.value, light.brightness.value, light.hue.value, light.saturation.value) == (True, 40, 10, 12)


def test_what_an_ordinary_setter_returns_is_for_write_responses_only(light):
    light.brightness.setter(lambda value, _caller: value + 1)
    lamp = Pair(light).pair()
    assert lamp.write({light.brightness.id: 50})[light.brightness.id].status == 0
    assert light.brightness.value == 50


def test_what_it_raises_is_for_all(light):
    def read(ids, caller):
        raise HapStatusError(HapStatus.OUT_OF_RESOURCES)

    together([light.on, light.brightness], read=read)
    lamp = Pair(light).pair()
    found = lamp.read([light.on.id, light.brightness.id, light.hue.id])
    assert [one.status for one in found.values()] == [HapStatus.OUT_OF_RESOURCES, HapStatus.OUT_OF_RESOURCES, 0]


def test_what_is_no_mapping_is_the_authors_mistake(light):
    together([light.on, light.brightness], read=lambda _ids, _caller: 5)
    pair = Pair(light)
    lamp = pair.pair()
    found = lamp.read([light.on.id, light.brightness.id])
    assert {one.status for one in found.values()} == {HapStatus.UNABLE_TO_COMMUNICATE}
    assert isinstance(pair.errors[-1], TypeError)


def test_only_what_can_be_read_or_written_is_handled(light):
    together(light.characteristics, read=lambda _ids, _caller: {}, write=lambda _writes, _caller: {})
    assert all(one.read_handled is one.readable and one.write_handled is one.writable for one in light.characteristics)
