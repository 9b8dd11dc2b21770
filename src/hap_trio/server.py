"""The accessory's side: an engine, a listener, the application's handlers, an announcement."""

from __future__ import annotations

import ipaddress
import logging
import socket
import weakref
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import NoReturn, TypeVar, Unpack

import trio

from hap_sync.store import FileStore, MemoryStore
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId, Value
from hapcore.ip import accessory as hap
from hapcore.ip.accessory.handlers import Consultation, consult
from hapcore.ip.accessory.settings import Served, make_server
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database
from hapcore.state import STATE

from .background import background
from .entropy import system_entropy
from .feed import Feed
from .mdns import Mdns, open_mdns
from .pump import Pump, Store
from .stream import accept, listen

__all__ = ["AccessoryServer", "Settings", "open_server", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_trio")


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, and

    - `mdns`: False announces nothing, an open `Mdns` is shared; one of its own, on the interface of `address`.
    """

    mdns: bool | Mdns


class AccessoryServer:
    """A running accessory, from `open_server()`."""

    def __init__(self, engine: hap.Server, nursery: trio.Nursery, store: Store, listener: socket.socket) -> None:
        self._engine = engine
        self._nursery = nursery
        self._feeds: weakref.WeakSet[Feed[Event]] = weakref.WeakSet()
        self._announcements = Feed[Advertise](limit=1)  # only the latest counts
        self._pump = Pump(engine, nursery, self._report, store)
        self.host: str
        self.port: int
        self.host, self.port = listener.getsockname()[:2]
        for characteristic in self.database.characteristics:
            characteristic.bind(self._update)
        self._pump.drain()
        nursery.start_soon(self._accept, listener)

    @property
    def device_id(self) -> str:
        """Six bytes in hexadecimal, kept for life: "12:34:56:78:9A:BC"."""
        return self._engine.device_id

    @property
    def setup_code(self) -> str:
        """What a person types to pair: "031-45-154"."""
        return self._engine.setup_code.text

    @property
    def setup_uri(self) -> str:
        """What the QR code says: "X-HM://..."."""
        return self._engine.setup_payload.uri()

    @property
    def paired(self) -> bool:
        """Whether any controller is paired."""
        return self._engine.paired

    @property
    def database(self) -> Database:
        """What is served."""
        return self._engine.database

    def events(self) -> Feed[Event]:
        """What happens from now on, the events of `hapcore.ip.accessory`: pairings, sessions, writes, subscriptions.

        Never holds up the server: a reader 1000 events behind loses the oldest, and `lost` counts them. The iteration
        ends with the server.
        """
        feed = Feed[Event]()
        self._feeds.add(feed)
        return feed

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.ip.accessory`, such as `UpdateValues`, and wait for its result."""
        return await self._pump.do(command)

    def attach(self, stream: trio.abc.Stream) -> None:
        """Serve a controller on any byte stream; the server owns and closes it."""
        engine = self._engine
        number = engine.connection_opened(trio.current_time())
        inputs = partial(engine.receive_data, number), partial(engine.receive_eof, number)
        self._nursery.start_soon(self._pump.attend, self._pump.adopt(stream, number, *inputs))

    def stop(self) -> None:
        """Close all connections; `open_server()` does it at the end of its block."""
        for characteristic in self.database.characteristics:
            characteristic.bind(None)
        self._pump.post(hap.Shutdown())
        for feed in self._feeds:
            feed.close()

    async def announce(self, mdns: Mdns, addresses: Sequence[str]) -> None:
        """Keep the announcement up to date; `open_server()` has this run."""
        async for event in self._announcements:
            try:
                await mdns.advertise(event.record, self.port, addresses)
            except (OSError, HapError) as error:  # the accessory is there all the same, for those who know where
                _log.error("could not announce %s: %s", event.record.name, error)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            self.attach(await accept(listener))

    def _update(self, characteristic: AnyCharacteristic, value: Value) -> None:
        self._pump.post(hap.UpdateValues({characteristic.id: value}))

    def _report(self, event: Output) -> None:
        if isinstance(event, Advertise):
            self._announcements.put(event)
        elif isinstance(event, Event):
            if self._feeds:
                for feed in self._feeds:
                    feed.put(event)
            consultation = consult(event, self.database, self._pump.post, _complain)
            if consultation is not None and (awaited := consultation.advance()) is not None:
                self._nursery.start_soon(_await, consultation, awaited)


def _complain(one: CharacteristicId, error: Exception) -> None:
    _log.error("the handler of characteristic %s failed", one, exc_info=error)


async def _await(consultation: Consultation, awaited: Awaitable[object] | None) -> None:
    """Be the task behind handlers that take their time."""
    while awaited is not None:
        try:
            result = await awaited
        except Exception as error:  # noqa: BLE001 - whatever the application does, the others are served
            awaited = consultation.raised(error)
        else:
            awaited = consultation.returned(result)


@asynccontextmanager
async def open_server(what: Served, **settings: Unpack[Settings]) -> AsyncGenerator[AccessoryServer, None]:
    """Serve accessories for the length of a block, see `Settings`.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow, `OSError` when the port is taken. Leaving the block withdraws the announcement and closes
    all connections.
    """
    state, address, mdns = settings.get("state"), settings.get("address"), settings.get("mdns", True)
    store = MemoryStore() if state is None else FileStore(state, STATE)
    # Who listens on one address only must not be announced with others.
    addresses = [] if address is None or ipaddress.ip_address(address).is_unspecified else [address]
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        engine = make_server(what, settings, await trio.to_thread.run_sync(store.load), system_entropy)
        listener = stack.enter_context(listen(address, settings.get("port", 0)))
        if mdns is True:
            mdns = await stack.enter_async_context(open_mdns(addresses or None))
        if mdns:
            stack.push_async_callback(_withdraw, mdns, engine.device_id)
        nursery = await stack.enter_async_context(background())
        server = AccessoryServer(engine, nursery, store, listener)
        if mdns:
            nursery.start_soon(server.announce, mdns, addresses)
        try:
            yield server
        finally:
            server.stop()


async def _withdraw(mdns: Mdns, device_id: str) -> None:
    with trio.CancelScope(shield=True):
        await mdns.withdraw(device_id)


async def serve(
    what: Served,
    *,
    task_status: trio.TaskStatus[AccessoryServer] = trio.TASK_STATUS_IGNORED,
    **settings: Unpack[Settings],
) -> NoReturn:
    """Serve until cancelled. `await nursery.start(serve, ...)` returns the `AccessoryServer`."""
    async with open_server(what, **settings) as server:
        task_status.started(server)
        await trio.sleep_forever()
    raise AssertionError("sleep_forever() returned")
