"""Listening for accessories with bleak: one scan for all who want to hear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias

from bleak import BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from hap_asyncio.tasks import Tasks, settle
from hapcore.ble.advert import COMPANY_ID
from hapcore.ble.controller.inputs import Advertisement

__all__ = ["Backend", "Central", "open_central", "problem"]

#: Hears an advertisement of Apple's company id.
Hearer: TypeAlias = Callable[[Advertisement], object]
#: Devices remembered so that they can be connected: a street has hundreds, a hostile neighbour any number.
_MAX_DEVICES: Final = 1000
#: Seconds a host may take to begin or end a scan.
_LIMIT: Final = 10.0
#: How BlueZ says that it does something of that kind already, and seconds until it is asked again.
_BUSY: Final = "org.bluez.Error.InProgress"
_PAUSES: Final = (0.1, 0.2, 0.5)
#: How the name of an adapter begins that Bumble is to drive.
_BUMBLE: Final = "bumble:"
_log = logging.getLogger("hap_asyncio")


class Backend(Protocol):
    """bleak on something else than the computer's own Bluetooth, such as `hap_asyncio.testing.radio`."""

    @property
    def client(self) -> type[BaseBleakClient]:
        """What connects."""
        ...

    @property
    def scanner(self) -> type[BaseBleakScanner]:
        """What scans."""
        ...


class Central:
    """The computer's Bluetooth, shared by all who look for accessories or are connected; from `open_central()`.

    `adapter` is the local radio ("hci1"), where the platform lets one choose; or, for one that Bumble is to drive
    instead of the platform, "bumble:" and how Bumble names it ("bumble:usb:0").
    """

    def __init__(self, backend: Backend | None = None, adapter: str | None = None) -> None:
        self._backend = backend
        driven = adapter is not None and adapter.startswith(_BUMBLE)
        #: What Bumble is to drive, until it does.
        self._transport = adapter.removeprefix(_BUMBLE) if adapter is not None and driven else None
        self._options: dict[str, Any] = {} if adapter is None or driven else {"bluez": {"adapter": adapter}}
        self._driving = AsyncExitStack()
        self._hearers: dict[Hearer, Callable[[str], object]] = {}
        self._devices: dict[str, BLEDevice] = {}
        self._scanner: BleakScanner | None = None
        self._connecting = 0
        self._changing = asyncio.Lock()
        self._tasks = Tasks()

    def listen(self, hearer: Hearer, failed: Callable[[str], object]) -> None:
        """Hand every advertisement of Apple's company id to `hearer` from now on; or tell why that cannot be."""
        self._hearers[hearer] = failed
        self._tasks.start(self._adjust())

    def unlisten(self, hearer: Hearer) -> None:
        """No more. Harmless when it was not listening."""
        self._hearers.pop(hearer, None)
        self._tasks.start(self._adjust())

    def client(self, address: str, disconnected: Callable[[BleakClient], None], limit: float) -> BleakClient:
        """A bleak client for what was last heard at `address`; it may take `limit` seconds to connect."""
        device = self._devices.get(address, address)
        backend = None if self._backend is None else self._backend.client
        return BleakClient(device, disconnected, backend=backend, timeout=limit, **self._options)

    @asynccontextmanager
    async def quiet(self) -> AsyncGenerator[None, None]:
        """No scan of ours for the length of a block: while one is on, BlueZ connects to what it hears anew only.

        It hears an advertisement that has not changed once in 11 seconds.
        """
        self._connecting += 1
        try:
            await self._adjust()
            yield
        finally:
            self._connecting -= 1
            self._tasks.start(self._adjust())

    async def aclose(self) -> None:
        """Stop scanning."""
        self._hearers.clear()
        await self._adjust()
        await self._tasks.aclose()
        await settle(self._driving.aclose())

    async def _adjust(self) -> None:
        """Scan if, and only if, somebody listens."""
        async with self._changing:
            try:
                async with asyncio.timeout(_LIMIT):
                    wanted = bool(self._hearers) and not self._connecting
                    if wanted and self._scanner is None:
                        await self._switch_on()
                        backend = None if self._backend is None else self._backend.scanner
                        self._scanner = await _scan(BleakScanner(self._hear, backend=backend, **self._options))
                    elif not wanted and self._scanner is not None:
                        scanner, self._scanner = self._scanner, None
                        await scanner.stop()
            except Exception as error:  # noqa: BLE001 - bleak's backends raise whatever their platform does
                _log.info("scanning: %s", problem(error))
                for hearer, failed in list(self._hearers.items()):
                    del self._hearers[hearer]
                    failed(problem(error))

    async def _switch_on(self) -> None:
        """Have Bumble drive the controller, if that is wanted and not done."""
        transport = self._transport
        if transport is not None:
            from .host import open_host  # costs the import of Bumble

            self._backend = await self._driving.enter_async_context(open_host(transport))
            self._transport = None

    def _hear(self, device: BLEDevice, data: AdvertisementData) -> None:
        manufacturer_data = data.manufacturer_data.get(COMPANY_ID)
        if manufacturer_data is None:
            return
        self._devices.pop(device.address, None)
        self._devices[device.address] = device
        if len(self._devices) > _MAX_DEVICES:
            del self._devices[next(iter(self._devices))]  # the one that has been silent longest
        heard = Advertisement(device.address, manufacturer_data, data.local_name or device.name or "", data.rssi)
        for hearer in tuple(self._hearers):
            hearer(heard)


@asynccontextmanager
async def open_central(backend: Backend | None = None, adapter: str | None = None) -> AsyncGenerator[Central, None]:
    """Bluetooth for the length of a block; see `Central`."""
    central = Central(backend, adapter)
    try:
        yield central
    finally:
        await central.aclose()


async def _scan(scanner: BleakScanner) -> BleakScanner:
    """Begin to scan. BlueZ refuses for the moments in which it begins or ends a scan of somebody else."""
    for pause in _PAUSES:
        try:
            await scanner.start()
        except BleakError as error:
            if _BUSY not in str(error):
                raise
            await asyncio.sleep(pause)
        else:
            return scanner
    await scanner.start()
    return scanner


def problem(error: BaseException) -> str:
    """What went wrong, in words."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__
