"""The accessory's side over Bluetooth LE: an engine, a GATT server, the application's handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import TYPE_CHECKING, NoReturn, TypeVar, Unpack, cast

from hap_asyncio.entropy import system_entropy
from hap_asyncio.feed import Feed
from hap_asyncio.pump import Pump
from hap_asyncio.server import _await as attend  # pyright: ignore[reportPrivateUsage]
from hap_asyncio.tasks import settle
from hap_sync.store import Store, open_store
from hapcore.accessory.handlers import Consultation
from hapcore.ble.accessory.peripheral import Peripheral
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, store_first
from hapcore.state import STATE

from .peripheral import GattServer
from .port import GattPort, Settings, make_peripheral

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_asyncio")


class PeripheralServer(Serving[Feed[Event]]):
    """A running accessory, from `open_peripheral()`."""

    def __init__(self, engine: Peripheral, told: list[Output], store: Store) -> None:
        # What both kinds of engine have in common is all that is used of it there, and in the pump.
        common = cast("Server", engine)
        super().__init__(common, Feed[Event])
        self._peripheral = engine
        self._pump = Pump(common, self._carry_out, store)
        self._loop = asyncio.get_running_loop()
        self._post, self._cross = self._pump.post, self._loop.call_soon_threadsafe
        self._port = GattPort(self._tell, lambda begin: begin())
        self._begin(told)

    @property
    def radio(self) -> GattServer:
        """What it is served by."""
        return self._port.radio

    async def start(self, radio: GattServer | str) -> None:
        """Publish the services and advertise; `open_peripheral()` does it. Raises `RadioError`."""
        await self._port.open(radio, self._peripheral)
        self._tell(lambda engine, now: engine.start(now))

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.accessory.commands`, such as `UpdateValues`, and wait for its result."""
        result = await self._pump.submit(command)
        if self._peripheral.gatt is not self._port.published:
            self._renew()
            await self._port.publish(self._peripheral.gatt)
        return result

    async def aclose(self) -> None:
        """Stop, and wait until nothing is under way; `open_peripheral()` does it at the end of its block."""
        self.stop()
        await self._port.aclose()
        await self._pump.aclose()

    def _tell(self, put: Callable[[Peripheral, float], object]) -> None:
        put(self._peripheral, self._loop.time())
        self._pump.drain()

    def _carry_out(self, output: Output) -> None:
        if not self._port.carry_out(output):
            self._report(output)

    # What `Serving` leaves to adapters.

    def _advertise(self, event: Advertise) -> None:
        """That is for the network."""

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        self._pump.tasks.start(attend(consultation, awaited))

    def _complain(self, what: str, error: Exception) -> None:
        _log.error("%s failed", what, exc_info=error)


@asynccontextmanager
async def open_peripheral(what: Served, **settings: Unpack[Settings]) -> AsyncGenerator[PeripheralServer, None]:
    """Serve an accessory over Bluetooth LE for the length of a block, see `Settings`.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow over Bluetooth LE, `RadioError` when the controller cannot be used. Leaving the block
    disconnects whoever is connected.
    """
    loop = asyncio.get_running_loop()
    store = open_store(settings.get("state"), STATE)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        table = await settle(loop.run_in_executor(None, store.load))
        engine = make_peripheral(what, settings, table, system_entropy)
        told = await settle(loop.run_in_executor(None, store_first, cast("Server", engine), store))
        server = PeripheralServer(engine, told, store)
        stack.push_async_callback(server.aclose)
        await server.start(settings.get("radio", "usb:0"))
        yield server


async def serve(
    what: Served, *, started: Callable[[PeripheralServer], object] | None = None, **settings: Unpack[Settings]
) -> NoReturn:
    """Serve until cancelled. `started` is called with the `PeripheralServer` as soon as it can be reached."""
    async with open_peripheral(what, **settings) as server:
        if started is not None:
            started(server)
        await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody has that future")
