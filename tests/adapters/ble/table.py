"""A small GATT table, an application behind it, and what the Bluetooth tests have in common."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager

from bleak import BleakScanner
from bleak.backends.device import BLEDevice

from hap_asyncio.ble.bumble import BumbleServer
from hap_asyncio.ble.peripheral import GattRefusal
from hap_asyncio.testing.radio import Air, Bleak, open_air
from hapcore.ble.gatt import GattCharacteristic, GattService

BASE = "-0000-1000-8000-0026BB765291"
INFORMATION, LAMP = f"0000003E{BASE}", f"00000043{BASE}"
IDENTIFY, ON, NAME = f"00000014{BASE}", f"00000025{BASE}", f"00000023{BASE}"
#: Handles of the values, as an engine gives them out.
IDENTIFY_HANDLE, ON_HANDLE, NAME_HANDLE = 11, 12, 13
TABLE = (
    GattService(INFORMATION, 1, 1, [GattCharacteristic(IDENTIFY, 2, IDENTIFY_HANDLE)]),
    GattService(
        LAMP,
        0x30,
        2,
        [
            GattCharacteristic(ON, 0x31, ON_HANDLE, indicates=True),
            GattCharacteristic(NAME, 0x0132, NAME_HANDLE),
        ],
    ),
)
FLAGS = b"\x02\x01\x06"
#: A manufacturer's four bytes, as Apple's number announces them.
DATA = FLAGS + b"\x07\xff\x4c\x00\x06\x31\x00\x01"
SCAN_RESPONSE = b"\x05\x09Lamp"
#: The longest a test may take, in seconds: something hangs.
PATIENCE = 20.0


class Application:
    """Values in a dictionary, and a protocol of what happened."""

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.values: dict[int, bytes] = {IDENTIFY_HANDLE: b"", ON_HANDLE: b"\x01", NAME_HANDLE: b"Lamp"}
        self.refused = 0
        #: While not set, accesses wait.
        self.free = asyncio.Event()
        self.free.set()
        self.busy = 0
        self.busiest = 0
        self.cancelled = 0
        self._news = asyncio.Event()

    def note(self, *what: object) -> None:
        self.log.append(what)
        self._news.set()

    async def until(self, *what: object) -> None:
        """Wait until this has happened."""
        while what not in self.log:
            self._news.clear()
            await self._news.wait()

    @property
    def link(self) -> int:
        """The latest connection."""
        return next(one[1] for one in reversed(self.log) if one[0] == "opened")

    def link_opened(self, link: int, max_read: int, max_write: int) -> None:
        self.note("opened", link, max_read, max_write)

    def mtu_changed(self, link: int, max_read: int, max_write: int) -> None:
        self.note("sizes", link, max_read, max_write)

    def link_closed(self, link: int) -> None:
        self.note("closed", link)

    async def answer_read(self, link: int, handle: int) -> bytes:
        await self._take("read", link, handle)
        return self.values[handle]

    async def answer_write(self, link: int, handle: int, data: bytes) -> None:
        await self._take("write", link, handle, data)
        self.values[handle] = data

    async def answer_subscribe(self, link: int, handle: int, enabled: bool) -> None:
        await self._take("subscribe", link, handle, enabled)

    async def _take(self, *what: object) -> None:
        self.note(*what)
        if self.refused:
            raise GattRefusal(self.refused)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.note("cancelled", what[1])
            raise
        finally:
            self.busy -= 1


class Stage:
    """An air with an accessory's GATT server in it, advertising, and bleak."""

    def __init__(self, air: Air, server: BumbleServer, application: Application, backend: Bleak) -> None:
        self.air = air
        self.server = server
        self.application = application
        self.backend = backend

    async def find(self) -> BLEDevice:
        """The accessory, by its manufacturer data."""
        found = await BleakScanner.find_device_by_filter(
            lambda _, heard: heard.manufacturer_data.get(0x4C, b"")[:1] == b"\x06", backend=self.backend.scanner
        )
        assert found is not None
        return found


@asynccontextmanager
async def stage(*, max_mtu: int = 517, like_bluez: bool = False) -> AsyncGenerator[Stage, None]:
    async with open_air() as air:
        server = await air.peripheral("Lamp", max_mtu=max_mtu)
        application = Application()
        await server.publish(TABLE, application)
        await server.advertise(DATA, SCAN_RESPONSE, 0.16)
        yield Stage(air, server, application, await air.bleak(like_bluez=like_bluez))


def in_the_air(test: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """Run a test on asyncio, in time; nothing may be left behind or fail unseen."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        unseen: list[dict[str, object]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)
            gc.collect()
            await asyncio.sleep(0)

        # Not asyncio.run(): once trio-asyncio has been imported, that takes one of its own loops.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(main())
        gc.collect()
        assert not unseen, unseen

    return run
