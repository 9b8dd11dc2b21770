"""What a product needs of an accessory, over Bluetooth LE and with every adapter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.accessory_rig import kind
from tests.scenarios.homes import KINDS, LIMIT
from tests.scenarios.test_over_the_air import AirHouse

from hapcore.accessory.commands import RefreshDatabase
from hapcore.ids import Caller, HapStatus, Transport
from hapcore.model.characteristic import Characteristic, HapStatusError
from hapcore.model.group import Reads, Writes
from hapcore.model.metadata import Format


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AirHouse]:
    house = AirHouse(request.param, tmp_path)
    yield house
    house.close()


def test_one_handler_for_a_service(house: AirHouse) -> None:
    said: list[tuple[Transport, bool, dict[str, object]]] = []

    def show(writes: Writes, caller: Caller) -> None:
        said.append((caller.transport, caller.admin, {one.type.name: writes[one] for one in writes}))
        if house.brightness in writes:
            raise HapStatusError(HapStatus.NOT_ALLOWED)

    def look(reads: Reads, caller: Caller) -> None:
        reads[house.brightness] = 77

    house.light.setter(show)
    house.light.getter(look)
    _, lamp = house.visit()
    found = lamp.write({house.on.id: True, house.brightness.id: 50})
    # Each is a request of its own here.
    assert said == [(Transport.BLE, True, {"On": True}), (Transport.BLE, True, {"Brightness": 50})]
    assert found[house.on.id].status == 0
    assert found[house.brightness.id].status != 0
    assert (house.on.value, house.brightness.value) == (True, 40)
    assert lamp.value(house.brightness.id) == 77
    assert lamp.value(house.on.id) is True


def test_a_value_set_in_another_thread_is_an_event(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    with lamp.watching([house.brightness.id]) as change:
        thread = threading.Thread(target=accessory.server.call_soon, args=(house.brightness.set, 41))
        thread.start()
        assert change().value == 41
        thread.join(LIMIT)


def test_a_characteristic_that_is_added(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    more = house.light.add(Characteristic(kind("More", 9, Format.UINT8, "pr pw", int), 7))
    before = accessory.server.database
    accessory.run(accessory.server.do, RefreshDatabase())
    assert accessory.server.database is not before
    lamp.accessories()
    assert lamp.value(more.id) == 7
