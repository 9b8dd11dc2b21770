"""Our controller over unmodified bleak, D-Bus, BlueZ and the kernel's Bluetooth; our accessory on a controller of its own."""

from __future__ import annotations

import asyncio
import time

from tests.adapters.ble.home import CODE, heard
from tests.bluez.rig import House, on_bluez, open_house

from hap_asyncio.testing.radio import Air
from hapcore.accessory.events import SessionClosed, SessionOpened
from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import DiscoveredAccessory, Transport

#: How often all of it is done: BlueZ loses about one fresh connection in nine.
TIMES = 20


async def found(house: House) -> DiscoveredAccessory:
    """The lamp, by its advertisement."""
    looking = house.controller.discover()
    try:
        async for one in looking:
            if isinstance(one, DiscoveredAccessory) and one.device_id == house.server.device_id:
                return one
    finally:
        await looking.aclose()
    raise AssertionError("not found")


async def all_of_it(house: House) -> None:
    """What a home does, end to end."""
    lamp, seen = house.lamp, house.server.events()
    one = await found(house)
    assert (one.transport, one.paired, one.category) == (Transport.BLE, False, 5)
    client = await house.controller.pair(one, CODE, "lamp")
    accessories = await client.accessories()
    assert [each.type[:8].lstrip("0") for each in accessories[0].services] == ["3E", "43", "A2"]
    values = await client.read([lamp.on.id, lamp.brightness.id, lamp.name.id])
    assert [each.value for each in values.values()] == [False, 50, "Lamp"]
    await client.write({lamp.on.id: True, lamp.brightness.id: 80})
    assert (lamp.on.value, lamp.brightness.value) == (True, 80)
    assert len(await client.pairings()) == 1
    async with client.subscribe([lamp.on.id, lamp.brightness.id]) as changes:
        lamp.on.value = False
        assert await anext(changes) == CharacteristicChanged(lamp.on.id, False)
        # Nobody is connected: the state number is advertised.
        await house.server.radio.drop(house.server.radio.links)
        await heard(seen, SessionClosed)
        lamp.brightness.value = 77
        assert await anext(changes) == CharacteristicChanged(lamp.brightness.id, 77)
        assert (await heard(seen, SessionOpened)).resumed
    await house.controller.remove("lamp")
    assert not house.server.paired


@on_bluez
async def test_all_of_it(air: Air) -> None:
    for time_ in range(TIMES):
        async with open_house(air) as house:
            began = time.monotonic()
            await all_of_it(house)
            print(f"{time_}: {time.monotonic() - began:.1f} s, {house.server.radio.links} links")
