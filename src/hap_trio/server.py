"""The accessory's side: an engine, a listener, the application's handlers, an announcement."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import NoReturn, TypeVar, Unpack

import trio

from hap_sync.listening import listen
from hap_sync.store import Store, open_store
from hapcore.accessory.handlers import Consultation
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.ip import accessory as hap
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, announced_at, make_server, store_first
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .background import background
from .entropy import system_entropy
from .feed import Feed
from .mdns import Mdns, open_mdns
from .pump import Pump
from .stream import accept
from .wire import Wire

__all__ = ["AccessoryServer", "Settings", "open_server", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_trio")


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, and

    - `mdns`: False announces nothing, an open `Mdns` is shared; one of its own, on the interface of `address`.
    """

    mdns: bool | Mdns


class Hosting(Serving[Feed[Event]]):
    """A running accessory, whatever it is served over."""

    def __init__(self, engine: hap.Server, nursery: trio.Nursery, store: Store) -> None:
        super().__init__(engine, Feed[Event])
        self._nursery = nursery
        self._announcements = Feed[Advertise](limit=1)  # only the latest counts
        self._pump = Pump(engine, nursery, self._report, store)
        self._post, self._cross = self._pump.post, trio.lowlevel.current_trio_token().run_sync_soon

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.accessory.commands`, such as `UpdateValues`, and wait for its result."""
        return await self._pump.do(command)

    def _advertise(self, event: Advertise) -> None:
        self._announcements.put(event)

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        self._nursery.start_soon(_await, consultation, awaited)

    def _complain(self, what: str, error: Exception) -> None:
        _log.error("%s failed", what, exc_info=error)


class AccessoryServer(Hosting):
    """A running accessory, from `open_server()`."""

    def __init__(
        self, engine: hap.Server, told: list[Output], nursery: trio.Nursery, store: Store, sockets: list[socket.socket]
    ) -> None:
        super().__init__(engine, nursery, store)
        self.host: str
        self.port: int
        self.host, self.port = sockets[0].getsockname()[:2]
        self._begin(told)
        self._pump.drain()
        for listener in sockets:
            nursery.start_soon(self._accept, listener)

    def attach(self, stream: trio.abc.Stream) -> trio.Event:
        """Serve a controller on any byte stream; the server owns and closes it. The event is set when it is closed."""
        engine, ended = self._engine, trio.Event()
        number = engine.connection_opened(trio.current_time())
        inputs = partial(engine.receive_data, number), partial(engine.receive_eof, number)
        self._nursery.start_soon(self._attend, self._pump.adopt(stream, number, *inputs), ended)
        return ended

    async def _attend(self, wire: Wire, ended: trio.Event) -> None:
        try:
            await self._pump.attend(wire)
        finally:
            ended.set()

    async def announce(self, mdns: Mdns, addresses: Sequence[str]) -> None:
        """Keep the announcement up to date; `open_server()` has this run."""
        async for event in self._announcements:
            await mdns.announce(event.record, self.port, addresses)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            self.attach(await accept(listener))


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
    that HAP does not allow, `OSError` when the state cannot be stored or the port is taken. Leaving the block withdraws
    the announcement and closes all connections.
    """
    mdns, addresses = settings.get("mdns", True), announced_at(settings)
    store = open_store(settings.get("state"), STATE)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        engine = make_server(what, settings, await trio.to_thread.run_sync(store.load), system_entropy)
        told = await trio.to_thread.run_sync(store_first, engine, store)
        listeners = [stack.enter_context(listener) for listener in listen(settings)]
        if mdns is True:
            mdns = await stack.enter_async_context(open_mdns(addresses or None))
        if mdns:
            stack.push_async_callback(_withdraw, mdns, engine.device_id)
        nursery = await stack.enter_async_context(background())
        server = AccessoryServer(engine, told, nursery, store, listeners)
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
