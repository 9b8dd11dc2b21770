"""The clocks of Bluetooth LE, end to end and in virtual time: real intervals, idle links, silence."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Coroutine

import pytest
from tests.adapters.ble.home import CODE, Home, Lamp
from tests.adapters.ble.test_home import parted

from hap_asyncio.ble.central import open_central
from hap_asyncio.ble.server import open_peripheral
from hap_asyncio.testing import run
from hap_asyncio.testing.radio import open_air
from hapcore.ble.controller.states import Link
from hapcore.controller.events import CharacteristicChanged
from hapcore.errors import TimedOut


def in_no_time(test: Callable[[Home], Coroutine[object, object, None]]) -> Callable[[], None]:
    """A home on an air with real advertising intervals, in a world whose clock jumps."""

    @functools.wraps(test)
    def play() -> None:
        async def main() -> None:
            async with open_air(interval=math.inf) as air:
                lamp, radio = Lamp(), await air.peripheral("Lamp")
                async with (
                    open_peripheral(lamp.accessory, radio=radio, setup_code=CODE) as server,
                    open_central(await air.bleak()) as central,
                ):
                    home = Home(air, lamp, radio, server, central)
                    await home.pair()
                    await test(home)

        run(main())

    del play.__wrapped__  # pytest must not look for the home among its fixtures
    return play


def now() -> float:
    return asyncio.get_running_loop().time()


@in_no_time
async def test_an_idle_link_is_dropped_before_the_accessory_does_it(home: Home):
    async with home.paired() as peer:
        await peer.read([home.lamp.on.id])
        started = now()
        await parted(peer)
        assert 19 < now() - started < 22


@in_no_time
async def test_the_accessory_drops_an_idle_link(home: Home):
    async with home.paired(idle_timeout=1000) as peer:
        await peer.read([home.lamp.on.id])
        started = now()
        await parted(peer)
        assert 29 < now() - started < 32
        assert (await peer.read([home.lamp.on.id]))[home.lamp.on.id].value is False


@in_no_time
async def test_a_while_without_news_and_then_some(home: Home):
    """By the state number and by broadcast, at the intervals an accessory really has."""
    async with home.paired() as peer, peer.subscribe([home.lamp.on.id, home.lamp.brightness.id]) as changes:
        await parted(peer)
        links = home.radio.links
        await asyncio.sleep(300)
        assert home.radio.links == links
        started = now()
        home.lamp.on.value = True
        assert await anext(changes) == CharacteristicChanged(home.lamp.on.id, True)
        assert now() - started < 3
        assert home.radio.links == links
        await asyncio.sleep(100)
        home.lamp.brightness.value = 12
        while await anext(changes) != CharacteristicChanged(home.lamp.brightness.id, 12):
            pass


@in_no_time
async def test_an_accessory_that_is_not_there(home: Home):
    home.air.vanish(home.radio.device)
    async with home.paired() as peer:
        started = now()
        with pytest.raises(TimedOut, match="was not heard"):
            await peer.read([home.lamp.on.id])
        assert 9 < now() - started < 60
        assert peer.peer.link is Link.IDLE
