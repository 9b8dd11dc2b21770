"""The accessory's side over Bluetooth LE: an engine, a GATT server, the application's handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar, Unpack, cast

from hap_asyncio.entropy import system_entropy
from hap_asyncio.feed import Feed
from hap_asyncio.pump import Pump
from hap_asyncio.server import _await as attend  # pyright: ignore[reportPrivateUsage]
from hap_asyncio.tasks import settle
from hap_sync.store import FileStore, MemoryStore, Store
from hapcore.accessory.handlers import Consultation
from hapcore.ble.accessory.effects import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.accessory.peripheral import Peripheral
from hapcore.ble.gatt import GattService
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.ids import CharacteristicId
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, make_server
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .peripheral import GattRefusal, GattServer, RadioError

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_asyncio")
#: The ATT error for what should not happen: an access over a link that is gone.
_UNLIKELY = 0x0E


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, of which `address` and `port` mean nothing here, and

    - `radio`: a GATT server, or how Bumble names a Bluetooth controller: "usb:0", "hci-socket:0" ...; "usb:0".
    """

    radio: GattServer | str


class PeripheralServer(Serving[Feed[Event]]):
    """A running accessory, from `open_peripheral()`. It answers for the attributes of a `GattServer`."""

    def __init__(self, engine: Peripheral, store: Store, radio: GattServer) -> None:
        # What both kinds of engine have in common is all that is used of it there, and in the pump.
        common = cast("Server", engine)
        super().__init__(common, Feed[Event])
        self.radio = radio
        self._peripheral = engine
        self._air = Feed[SetAdvertisement | StopAdvertising](limit=1)  # only the latest counts
        self._pump = Pump(common, self._carry_out, store)
        self._loop = asyncio.get_running_loop()
        self._link = 0
        self._answer: asyncio.Future[bytes] | None = None
        self._published: tuple[GattService, ...] = ()

    async def start(self) -> None:
        """Publish the services and advertise; `open_peripheral()` does it. Raises `RadioError`."""
        self._begin()
        await self._publish()
        self._pump.tasks.start(self._keep_on_air())
        self._peripheral.start(self._loop.time())
        self._pump.drain()

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.accessory.commands`, such as `UpdateValues`, and wait for its result."""
        result = await self._pump.submit(command)
        if self._peripheral.gatt is not self._published:
            self._begin_again()
            await self._publish()
        return result

    async def aclose(self) -> None:
        """Stop, and wait until nothing is under way; `open_peripheral()` does it at the end of its block."""
        self.stop()
        await self._pump.aclose()

    # What the GATT server tells.

    def link_opened(self, link: int, max_read: int, max_write: int) -> None:
        """See `GattApplication`."""
        self._link = link
        self._peripheral.link_opened(self._loop.time(), max_read=max_read, max_write=max_write)
        self._pump.drain()

    def mtu_changed(self, link: int, max_read: int, max_write: int) -> None:
        """See `GattApplication`."""
        if link == self._link:
            self._peripheral.mtu_changed(max_read, max_write, self._loop.time())
            self._pump.drain()

    def link_closed(self, link: int) -> None:
        """See `GattApplication`."""
        if link == self._link:
            self._link = 0
            self._peripheral.link_closed(self._loop.time())
            self._pump.drain()

    async def answer_read(self, link: int, handle: int) -> bytes:
        """See `GattApplication`."""
        return await self._access(link, partial(self._peripheral.receive_read, handle))

    async def answer_write(self, link: int, handle: int, data: bytes) -> None:
        """See `GattApplication`."""
        await self._access(link, partial(self._peripheral.receive_write, handle, data))

    async def answer_subscribe(self, link: int, handle: int, enabled: bool) -> None:
        """See `GattApplication`."""
        await self._access(link, partial(self._peripheral.receive_subscribe, handle, enabled))

    async def _access(self, link: int, put: Callable[[float], None]) -> bytes:
        if link != self._link:
            raise GattRefusal(_UNLIKELY)
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answer = answer
        put(self._loop.time())
        self._pump.drain()
        try:
            return await answer
        finally:
            self._answer = None

    # What the engine wants.

    def _carry_out(self, output: Output) -> None:
        match output:
            case GattReply(data):
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(data)
            case GattRefuse(code):
                if self._answer is not None and not self._answer.done():
                    self._answer.set_exception(GattRefusal(code))
            case GattIndicate(handle):
                self._pump.tasks.start(self._indicate(self._link, handle))
            case DropLink():
                self._pump.tasks.start(self._drop(self._link))
            case SetAdvertisement() | StopAdvertising():
                self._air.put(output)
            case _:
                self._report(output)

    async def _indicate(self, link: int, handle: int) -> None:
        try:
            await self.radio.indicate(link, handle)
        except RadioError as error:
            _log.info("%s", error)
        if link == self._link:
            self._peripheral.indication_confirmed(self._loop.time())
            self._pump.drain()

    async def _drop(self, link: int) -> None:
        try:
            await self.radio.drop(link)
        except RadioError as error:
            _log.error("dropping a link: %s", error)

    async def _keep_on_air(self) -> None:
        async for wanted in self._air:
            try:
                if isinstance(wanted, SetAdvertisement):
                    await self.radio.advertise(wanted.data, wanted.scan_response, wanted.interval)
                else:
                    await self.radio.stop_advertising()
            except RadioError as error:
                _log.error("advertising: %s", error)

    async def _publish(self) -> None:
        self._published = self._peripheral.gatt
        await self.radio.publish(self._published, self)

    def _begin_again(self) -> None:
        """`ReplaceDatabase` was carried out."""
        if self._served is not None:
            for characteristic in self._served.characteristics:
                characteristic.bind(None)
        self._begin()

    # What `Serving` leaves to adapters.

    def _post(self, command: Command[object]) -> None:
        self._pump.post(command)

    def _advertise(self, event: Advertise) -> None:
        """That is for the network."""

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        self._pump.tasks.start(attend(consultation, awaited))

    def _complain(self, one: CharacteristicId, error: Exception) -> None:
        _log.error("the handler of characteristic %s failed", one, exc_info=error)


@asynccontextmanager
async def open_peripheral(what: Served, **settings: Unpack[Settings]) -> AsyncGenerator[PeripheralServer, None]:
    """Serve an accessory over Bluetooth LE for the length of a block, see `Settings`.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow over Bluetooth LE, `RadioError` when the controller cannot be used. Leaving the block
    disconnects whoever is connected.
    """
    state, radio = settings.get("state"), settings.get("radio", "usb:0")
    store = MemoryStore() if state is None else FileStore(state, STATE)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        table = await settle(asyncio.get_running_loop().run_in_executor(None, store.load))
        engine = _make(what, settings, table)
        if isinstance(radio, str):
            from .radio import open_radio, static_address  # costs the import of Bumble

            address = static_address(bytes.fromhex(engine.device_id.replace(":", "")))
            radio = await stack.enter_async_context(open_radio(radio, address=address, name=engine.config.name))
        server = PeripheralServer(engine, store, radio)
        stack.push_async_callback(server.aclose)
        await server.start()
        yield server


def _make(what: Served, settings: Settings, table: dict[str, bytes]) -> Peripheral:
    """The engine, in the words that make one for the network."""
    core = CoreSettings(**{key: value for key, value in settings.items() if key != "radio"})  # type: ignore[typeddict-item]
    core.setdefault("engine", cast("Callable[..., Server]", Peripheral))
    return cast("Peripheral", make_server(what, core, table, system_entropy))


async def serve(
    what: Served, *, started: Callable[[PeripheralServer], object] | None = None, **settings: Unpack[Settings]
) -> NoReturn:
    """Serve until cancelled. `started` is called with the `PeripheralServer` as soon as it can be reached."""
    async with open_peripheral(what, **settings) as server:
        if started is not None:
            started(server)
        await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody has that future")
