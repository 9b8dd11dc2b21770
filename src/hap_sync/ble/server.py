"""The accessory's side over Bluetooth LE: the engine and the application's handlers here, the radio in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, TypeVar, Unpack, cast

from hap_sync.bridge import Bridge
from hap_sync.entropy import system_entropy
from hap_sync.loop import Loop, thread_loop
from hap_sync.server import Hosting
from hap_sync.store import Store, open_store
from hapcore.discovery import Advertise
from hapcore.engine import Command, Output
from hapcore.ip.accessory.settings import Served, store_first
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .across import Across, bridge_to

if TYPE_CHECKING:  # costs the import of asyncio
    from hap_asyncio.ble.peripheral import GattServer
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
    """An accessory, from `open_peripheral()`. While nothing moves, accesses wait; after 10 s the link is lost."""

    def __init__(self, engine: Peripheral, told: list[Output], loop: Loop, store: Store, bridge: Bridge) -> None:
        from hap_asyncio.ble.port import GattPort

        # What both kinds of engine have in common is all that is used of it there.
        super().__init__(cast("Server", engine), loop, store)
        self._peripheral = engine
        self._bridge = bridge
        self._port = GattPort(
            lambda put: bridge.report(lambda: self._pump.give(put, time.monotonic)),
            bridge.post,
        )
        self._begin(told)

    def start(self, radio: GattServer | str) -> None:
        """Publish the services and advertise; `open_peripheral()` does it. Raises `RadioError`."""
        self._bridge.run(self._port.open, radio, self._peripheral)
        with self._loop:
            self._peripheral.start(time.monotonic())
            self._pump.drain()

    def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.accessory.commands`, such as `UpdateValues`, and wait for its result."""
        result = super().do(command)
        if self._peripheral.gatt is not self._port.published:
            self._renew()
            self._bridge.run(self._port.publish, self._peripheral.gatt)
        return result

    def close(self) -> None:
        """Stop, and wait until the radio is silent; `open_peripheral()` does it at the end of its block."""
        with self._loop.shielded():
            self.stop()
            self._bridge.run(self._port.aclose)
            self._pump.close()

    def _report(self, event: Output) -> None:
        if not self._port.carry_out(event):
            super()._report(event)

    def _advertise(self, event: Advertise) -> None:
        """That is for the network."""


@contextmanager
def open_peripheral(what: Served, **settings: Unpack[Settings]) -> Generator[PeripheralServer, None, None]:
    """An accessory over Bluetooth LE for the length of a block, see `Settings`; it serves while a call waits.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow over Bluetooth LE, `OSError` when the state cannot be stored, `RadioError` of
    `hap_asyncio.ble.peripheral` when the controller cannot be used. Leaving the block disconnects whoever is connected.
    """
    from hap_asyncio.ble.port import make_peripheral

    store, radio = open_store(settings.get("state"), STATE), settings.get("radio", "usb:0")
    with ExitStack() as stack:
        stack.enter_context(closing(store))
        engine = make_peripheral(what, settings, store.load(), system_entropy)
        told = store_first(cast("Server", engine), store)
        loop = stack.enter_context(thread_loop())
        bridge = stack.enter_context(bridge_to(radio, loop))
        server = PeripheralServer(engine, told, loop, store, bridge)
        stack.callback(server.close)
        server.start(radio.it if isinstance(radio, Across) else radio)
        yield server


def serve(
    what: Served, *, started: Callable[[PeripheralServer], object] | None = None, **settings: Unpack[Settings]
) -> None:
    """Serve until Ctrl-C (a `KeyboardInterrupt`, after everything is closed), or until the server is told to `stop()`.

    `started` is called with the server once it can be reached.
    """
    with open_peripheral(what, **settings) as server:
        if started is not None:
            started(server)
        server.run()
