"""A virtual air: Bluetooth LE in one process, without hardware."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import ModuleType
from typing import Final

from attrs import frozen
from bleak.backends import client as bleak_client
from bleak.backends import scanner as bleak_scanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bumble import hci
from bumble.device import Device
from bumble.transport import open_transport
from bumble.transport.common import AsyncPipeSink

from hap_asyncio.ble.bumble import BumbleServer
from hap_asyncio.ble.radio import switch_on

from .adapter import Adapter
from .client import AirClient
from .controller import VirtualController
from .ether import Ether
from .lending import Guest
from .scanner import AirScanner
from .table import Habits

__all__ = ["Air", "Bleak", "open_air"]

#: Seconds between advertisements in a test, whatever the accessory asks for: the least that Bluetooth allows.
QUICK: Final = 0.02
_CLIENT: Final = "get_platform_client_backend_type"
_SCANNER: Final = "get_platform_scanner_backend_type"


@frozen
class Bleak:
    """bleak on one adapter of a virtual air: `BleakClient(device, backend=it.client)`, `BleakScanner(backend=...)`."""

    client: type[BaseBleakClient]
    scanner: type[BaseBleakScanner]

    @classmethod
    def on(cls, adapter: Adapter, habits: Habits) -> Bleak:
        """Backends that share an adapter."""
        client = type("AirClient", (AirClient,), {"adapter": adapter, "habits": habits})
        return cls(client, type("AirScanner", (AirScanner,), {"adapter": adapter}))

    @contextmanager
    def as_platform(self) -> Generator[None, None, None]:
        """Within the block this is what bleak takes for the computer's Bluetooth, for code that names no backend."""
        replacements = {_CLIENT: (self.client, "virtual air"), _SCANNER: (self.scanner, "virtual air")}
        originals = {
            _CLIENT: bleak_client.get_platform_client_backend_type,
            _SCANNER: bleak_scanner.get_platform_scanner_backend_type,
        }
        changed: list[tuple[ModuleType, str]] = []
        for module in tuple(sys.modules.values()):
            for name, original in originals.items():
                if getattr(module, "__dict__", {}).get(name) is original:
                    setattr(module, name, lambda found=replacements[name]: found)
                    changed.append((module, name))
        try:
            yield
        finally:
            for module, name in changed:
                setattr(module, name, originals[name])


class Air:
    """Everybody here hears everybody else; from `open_air()`."""

    def __init__(self, ether: Ether, stack: AsyncExitStack) -> None:
        self.ether = ether
        self._stack = stack
        self._count = 0
        self._controllers: dict[Device, VirtualController] = {}

    async def device(self, name: str = "HAP", address: str | None = None) -> Device:
        """A Bumble device with a controller of its own, switched on; `address` is a static random one."""
        controller = self._controller()
        address = address or f"F0:F1:F2:F3:{self._number}".upper()
        device = await switch_on(controller, AsyncPipeSink(controller), address, name)
        self._stack.callback(device.host.emit, "flush")
        self._controllers[device] = controller
        return device

    async def peripheral(self, name: str = "HAP", address: str | None = None, *, max_mtu: int = 517) -> BumbleServer:
        """A GATT server, the very one that drives real controllers; `max_mtu` is what it agrees to, 23 to 517."""
        server = BumbleServer(await self.device(name, address), max_mtu)
        self._stack.push_async_callback(server.aclose)
        return server

    async def bleak(self, *, like_bluez: bool = False) -> Bleak:
        """bleak on an adapter of its own; `like_bluez` shows what it finds as BlueZ is known to, see `Habits`."""
        adapter = Adapter(await self.device("computer"))
        self._stack.push_async_callback(adapter.aclose)
        return Bleak.on(adapter, Habits(bluez=like_bluez))

    async def lend(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Lend controllers to other processes: every TCP connection is the HCI of a new one. Returns the port.

        Bumble's hosts take it as "tcp-client:127.0.0.1:PORT": an accessory with `open_radio()`, for example.
        """
        guests: set[Guest] = set()

        def welcome() -> Guest:
            guest = Guest(self._controller, leave)
            guests.add(guest)
            return guest

        def leave(guest: Guest, controller: VirtualController) -> None:
            guests.discard(guest)
            self.ether.vanish(controller)

        def close() -> None:
            server.close()
            for guest in guests:
                guest.close()

        server = await asyncio.get_running_loop().create_server(welcome, host, port)
        self._stack.callback(close)
        return int(server.sockets[0].getsockname()[1])

    async def serve(self, transport: str) -> None:
        """Be the controller of the host at the other end of one of Bumble's transports, until the air is closed.

        "vhci" makes an adapter of this very Linux, for BlueZ and all that uses it; it takes the right to open
        /dev/vhci.
        """
        opened = await open_transport(transport)
        self._stack.push_async_callback(opened.close)
        controller = self._controller()
        controller.host = opened.sink
        opened.source.set_packet_sink(controller)

    def _controller(self) -> VirtualController:
        self._count += 1
        public = hci.Address(f"00:1A:7D:00:{self._number}", hci.Address.PUBLIC_DEVICE_ADDRESS)
        controller = VirtualController(f"{self._count:05}", self.ether, public)
        self._stack.callback(controller.stop)
        return controller

    @property
    def _number(self) -> str:
        return self._count.to_bytes(2, "big").hex(":")

    def vanish(self, device: Device) -> None:
        """The device goes out of range."""
        self.ether.vanish(self._controllers[device])

    def come_back(self, device: Device) -> None:
        """The device is in range again."""
        self.ether.come_back(self._controllers[device])

    def unplug(self, device: Device) -> None:
        """The device's host loses its controller, as when a dongle is pulled out."""
        self.vanish(device)
        self._controllers[device].stop()
        device.host.on_transport_lost()  # type: ignore[no-untyped-call]

    def lose_connections(self, count: int) -> None:
        """The next `count` connections break before their first packet, as happens on a bad line."""
        self.ether.lose_connections(count)


@asynccontextmanager
async def open_air(*, interval: float = QUICK) -> AsyncGenerator[Air, None]:
    """Bluetooth LE without hardware, for the length of a block.

    Nobody waits longer than `interval` seconds between two advertisements, whatever the accessory asked for;
    `math.inf` is as on the real air. At the end everything is disconnected and silent.
    """
    async with AsyncExitStack() as stack:
        yield Air(Ether(interval), stack)
