"""Our controller over unmodified bleak, D-Bus, BlueZ and the kernel; our accessory on a controller of its own."""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest
from tests.adapters.ble.home import CODE, Lamp, heard
from tests.bluez.rig import House, on_bluez, open_house

from hap_asyncio.testing.radio import Air
from hapcore.accessory.commands import ReplaceDatabase
from hapcore.accessory.events import SessionClosed, SessionOpened
from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import DiscoveredAccessory, Transport
from hapcore.errors import Disconnected, PairingRefused

WRONG_CODE = "111-22-334"
#: How often all of it is done: BlueZ loses about one fresh connection in nine.
TIMES = 20


async def all_of_it(house: House) -> None:
    """What a home does, end to end."""
    lamp, seen = house.lamp, house.server.events()
    one = await house.found()
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
        await house.drop(seen)
        lamp.brightness.value = 77
        assert await anext(changes) == CharacteristicChanged(lamp.brightness.id, 77)
        assert (await heard(seen, SessionOpened)).resumed
    await house.controller.remove("lamp")
    assert not house.server.paired


@on_bluez
async def test_all_of_it(air: Air) -> None:
    connections = 0
    for _ in range(TIMES):
        async with open_house(air) as house:
            await all_of_it(house)
            connections += house.server.radio.links
    print(f"\n{connections - 2 * TIMES} of {connections} connections were lost by bleak as soon as they were made")


@on_bluez
async def test_how_long_a_read_takes(air: Air) -> None:
    async with open_house(air) as house:
        client = await house.paired()
        times: list[float] = []
        for _ in range(100):
            began = time.perf_counter()
            await client.read([house.lamp.on.id])
            times.append((time.perf_counter() - began) * 1000)
        print(f"\nours: a read takes {statistics.median(times):.1f} ms (median of {len(times)})")


@on_bluez
async def test_a_wrong_setup_code(air: Air) -> None:
    async with open_house(air) as house:
        with pytest.raises(PairingRefused):
            await house.controller.pair(await house.found(), WRONG_CODE, "lamp")
        assert not house.server.paired
        await house.paired()
        assert house.server.paired


@on_bluez
async def test_a_broadcast(air: Air) -> None:
    """The changed value itself is advertised, encrypted: nobody connects."""
    async with open_house(air) as house:
        client, lamp, seen = await house.paired(), house.lamp, house.server.events()
        async with client.subscribe([lamp.on.id]) as changes:
            await house.drop(seen)
            before = house.server.radio.links
            lamp.on.value = True
            assert await anext(changes) == CharacteristicChanged(lamp.on.id, True)
            assert house.server.radio.links == before


@on_bluez
async def test_a_cancelled_read(air: Air) -> None:
    """Nobody gets the answer to what somebody else has asked."""
    async with open_house(air) as house:
        client, lamp = await house.paired(), house.lamp
        free = asyncio.Event()

        async def slowly() -> int:
            await free.wait()
            return 12

        lamp.brightness.getter(lambda _: slowly())
        reading = asyncio.ensure_future(client.read([lamp.brightness.id]))
        await asyncio.sleep(0.2)
        reading.cancel()
        await asyncio.wait([reading])
        free.set()
        assert (await client.read([lamp.name.id]))[lamp.name.id].value == "Lamp"


@on_bluez
async def test_dropped_at_any_moment(air: Air) -> None:
    """The link ends somewhere in the middle; the next call is fine."""
    async with open_house(air) as house:
        client, lamp = await house.paired(), house.lamp
        for turns in range(8):
            reading = asyncio.ensure_future(client.read([lamp.on.id, lamp.brightness.id, lamp.name.id]))
            await asyncio.sleep(turns * 0.01)
            await house.server.radio.drop(house.server.radio.links)
            await asyncio.wait([reading])
            assert reading.exception() is None or isinstance(reading.exception(), Disconnected)
            assert (await client.read([lamp.name.id]))[lamp.name.id].value == "Lamp", turns


@on_bluez
async def test_another_database(air: Air) -> None:
    """BlueZ remembers the tables of accessories; what it remembers must not be used for another one."""
    async with open_house(air) as house:
        client, seen = await house.paired(), house.server.events()
        await client.read([house.lamp.on.id])
        other = Lamp()
        other.name.value = "Other"
        other.service.characteristics.remove(other.swing)
        await house.server.do(ReplaceDatabase([other.accessory]))
        await heard(seen, SessionClosed)
        assert (await client.read([other.name.id]))[other.name.id].value == "Other"
        await client.write({other.on.id: True})
        assert other.on.value is True


@on_bluez
async def test_paired_while_looking_for_others(air: Air) -> None:
    """While a scan is on BlueZ tells of an advertisement once in 11 seconds, and connects to what it hears anew."""
    async with open_house(air) as house:
        looking = house.controller.discover()
        async for one in looking:
            if isinstance(one, DiscoveredAccessory):
                break
        async with asyncio.timeout(8):
            await house.controller.pair(one, CODE, "lamp")
        await looking.aclose()
