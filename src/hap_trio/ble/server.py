"""The accessory's side over Bluetooth LE: the engine and the application's handlers here, the radio across a bridge."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import TYPE_CHECKING, NoReturn, TypeVar, Unpack, cast

import trio

from hap_sync.store import Store, open_store
from hap_trio.background import background
from hap_trio.entropy import system_entropy
from hap_trio.server import Hosting
from hapcore.engine import Command, Output
from hapcore.ip.accessory.settings import Served, store_first
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .across import Across, bridge_to

if TYPE_CHECKING:  # costs the import of asyncio
    from hap_asyncio.ble.peripheral import GattServer
    from hap_trio.bridge import Bridge
    from hapcore.ble.accessory.peripheral import Peripheral
    from hapcore.ip.accessory.server import Server

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]

R = TypeVar("R")


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, of which `address` and `port` mean nothing here, and

    - `radio`: how Bumble names a Bluetooth controller ("usb:0", "hci-socket:0" ...), or one of a virtual air; "usb:0".
    """

    radio: str | Across[GattServer]


class PeripheralServer(Hosting):
    """A running accessory, from `open_peripheral()`."""

    def __init__(
        self, engine: Peripheral, told: list[Output], nursery: trio.Nursery, store: Store, bridge: Bridge
    ) -> None:
        from hap_asyncio.ble.port import GattPort

        # What both kinds of engine have in common is all that is used of it there.
        super().__init__(cast("Server", engine), nursery, store)
        self._peripheral = engine
        self._bridge = bridge
        self._port = GattPort(lambda put: bridge.report(self._pump.give, put, trio.current_time), bridge.post)
        self._begin(told)

    async def start(self, radio: GattServer | str) -> None:
        """Publish the services and advertise; `open_peripheral()` does it. Raises `RadioError`."""
        await self._bridge.run(self._port.open, radio, self._peripheral)
        self._peripheral.start(trio.current_time())
        self._pump.drain()

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.accessory.commands`, such as `UpdateValues`, and wait for its result."""
        result = await super().do(command)
        if self._peripheral.gatt is not self._port.published:
            self._renew()
            await self._bridge.run(self._port.publish, self._peripheral.gatt)
        return result

    async def aclose(self) -> None:
        """Stop, and wait until the radio is silent; `open_peripheral()` does it at the end of its block."""
        with trio.CancelScope(shield=True):
            self.stop()
            await self._bridge.run(self._port.aclose)

    def _report(self, event: Output) -> None:
        if not self._port.carry_out(event):
            super()._report(event)


@asynccontextmanager
async def open_peripheral(what: Served, **settings: Unpack[Settings]) -> AsyncGenerator[PeripheralServer, None]:
    """Serve an accessory over Bluetooth LE for the length of a block, see `Settings`.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow over Bluetooth LE, `RadioError` of `hap_asyncio.ble.peripheral` when the controller cannot
    be used. Leaving the block disconnects whoever is connected.
    """
    from hap_asyncio.ble.port import make_peripheral

    store = open_store(settings.get("state"), STATE)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        engine = make_peripheral(what, settings, await trio.to_thread.run_sync(store.load), system_entropy)
        told = await trio.to_thread.run_sync(store_first, cast("Server", engine), store)
        radio = settings.get("radio", "usb:0")
        bridge = await stack.enter_async_context(bridge_to(radio))
        nursery = await stack.enter_async_context(background())
        server = PeripheralServer(engine, told, nursery, store, bridge)
        stack.push_async_callback(server.aclose)
        await server.start(radio.it if isinstance(radio, Across) else radio)
        yield server


async def serve(
    what: Served,
    *,
    task_status: trio.TaskStatus[PeripheralServer] = trio.TASK_STATUS_IGNORED,
    **settings: Unpack[Settings],
) -> NoReturn:
    """Serve until cancelled. `await nursery.start(serve, light)` returns the `PeripheralServer`."""
    async with open_peripheral(what, **settings) as server:
        task_status.started(server)
        await trio.sleep_forever()
    raise AssertionError("sleep_forever() returned")
