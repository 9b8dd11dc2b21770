"""A virtual air in which this Linux has an adapter: BlueZ on one side, accessories of ours on the other."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError
from tests.adapters.ble.home import CODE, Lamp, heard

from hap_asyncio.ble.server import PeripheralServer, open_peripheral
from hap_asyncio.client import Client
from hap_asyncio.controller import Controller, open_controller
from hap_asyncio.feed import Feed
from hap_asyncio.testing.radio import Air, open_air
from hapcore.accessory.events import SessionClosed
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Event

#: Seconds for the kernel, BlueZ and D-Bus to get an adapter ready.
_READY = 20.0
#: The longest a test may take, in seconds. BlueZ takes two and a half for the end of a link alone, and one test has
#: twenty rounds, another nine processes.
PATIENCE = 240.0


async def adapters(bus: MessageBus) -> list[bool]:
    """Which adapters BlueZ has: whether each is switched on."""
    try:
        proxy = bus.get_proxy_object("org.bluez", "/", await bus.introspect("org.bluez", "/"))
        manager = proxy.get_interface("org.freedesktop.DBus.ObjectManager")
        rows = (await manager.call_get_managed_objects()).values()  # type: ignore[attr-defined]
    except DBusError:
        return []  # BlueZ is not on the bus yet
    return [row["org.bluez.Adapter1"]["Powered"].value for row in rows if "org.bluez.Adapter1" in row]


async def until(bus: MessageBus, wanted: list[bool]) -> None:
    """Wait until BlueZ has these."""
    async with asyncio.timeout(_READY):
        while await adapters(bus) != wanted:  # noqa: ASYNC110 - asking is the simplest way
            await asyncio.sleep(0.02)


@asynccontextmanager
async def open_bluez(*, interval: float = 0.1) -> AsyncGenerator[Air, None]:
    """An air with BlueZ in it."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        async with open_air(interval=interval) as air:
            await air.serve("vhci")
            await until(bus, [True])
            yield air
        await until(bus, [])  # or the next one might take this one for its own
    finally:
        bus.disconnect()


#: Every accessory has another address: BlueZ keeps the tables of those it has seen.
_numbers = itertools.count(1)


def address() -> str:
    """One that nobody has had."""
    return f"F0:00:00:00:{next(_numbers).to_bytes(2, 'big').hex(':')}".upper()


class House:
    """A lamp that is served over a controller of its own, as over a dongle, and our controller over BlueZ."""

    def __init__(self, air: Air, lamp: Lamp, server: PeripheralServer, controller: Controller) -> None:
        self.air = air
        self.lamp = lamp
        self.server = server
        self.controller = controller

    async def found(self) -> DiscoveredAccessory:
        """The lamp, by its advertisement."""
        looking = self.controller.discover()
        try:
            async for one in looking:
                if isinstance(one, DiscoveredAccessory) and one.device_id == self.server.device_id:
                    return one
        finally:
            await looking.aclose()
        raise AssertionError("the search has ended")

    async def paired(self) -> Client:
        """Pair it, under the alias "lamp"."""
        return await self.controller.pair(await self.found(), CODE, "lamp")

    async def drop(self, seen: Feed[Event]) -> None:
        """The accessory ends the link; `seen` are its events."""
        await self.server.radio.drop(self.server.radio.links)
        await heard(seen, SessionClosed)


@asynccontextmanager
async def open_house(air: Air) -> AsyncGenerator[House, None]:
    """All of it on one air."""
    async with AsyncExitStack() as stack:
        lamp, port = Lamp(), await air.lend()
        server = await stack.enter_async_context(
            open_peripheral(lamp.accessory, radio=f"tcp-client:127.0.0.1:{port}", setup_code=CODE)
        )
        controller = await stack.enter_async_context(open_controller(mdns=False, ble=True))
        yield House(air, lamp, server, controller)


def on_bluez(test: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """Run a test on asyncio, in time, with an air that BlueZ is in as its first argument. Nothing may fail unseen."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        unseen: list[dict[str, object]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
            async with asyncio.timeout(PATIENCE), open_bluez() as air:
                await test(air, *args, **kwargs)

        asyncio.run(main())
        gc.collect()
        assert not unseen, unseen

    # pytest fills in all arguments but the air.
    signature = inspect.signature(test)
    run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return run
