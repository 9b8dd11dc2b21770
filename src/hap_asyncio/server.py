"""The accessory's side: an engine, a listener, the application's handlers, an announcement."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar, Unpack

from hap_sync.listening import BACKLOG, listen
from hap_sync.store import Store, open_store
from hapcore.accessory.handlers import Consultation
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.ip import accessory as hap
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, announced_at, make_server, store_first
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .entropy import system_entropy
from .feed import Feed
from .pipe import Pipe, Reader, Writer
from .pump import Pump
from .tasks import settle
from .wire import Link, Wire

if TYPE_CHECKING:  # costs the import of zeroconf: only who announces pays
    from .mdns import Mdns

__all__ = ["AccessoryServer", "Settings", "open_server", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_asyncio")


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, and

    - `mdns`: False announces nothing, an open `Mdns` is shared; one of its own, on the interface of `address`.
    """

    mdns: bool | Mdns


class AccessoryServer(Serving[Feed[Event]]):
    """A running accessory, from `open_server()`."""

    def __init__(
        self, engine: hap.Server, told: list[Output], store: Store, listeners: Sequence[socket.socket]
    ) -> None:
        super().__init__(engine, Feed[Event])
        self._announcements = Feed[Advertise](limit=1)  # only the latest counts
        self._pump = Pump(engine, self._report, store)
        self._post, self._cross = self._pump.post, asyncio.get_running_loop().call_soon_threadsafe
        self.host: str
        self.port: int
        self.host, self.port = listeners[0].getsockname()[:2]
        self._listeners = listeners
        self._accepting: list[asyncio.Server] = []
        self._begin(told)
        self._pump.drain()

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.ip.accessory`, such as `UpdateValues`, and wait for its result."""
        return await self._pump.submit(command)

    def attach(self, reader: Reader, writer: Writer) -> asyncio.Future[None]:
        """Serve a controller on any reader and writer; the server owns and closes them, and the future is done then."""
        pipe = Pipe(reader, writer)
        self._carry(pipe)
        return self._pump.closing(pipe)

    async def accept(self) -> None:
        """Take connections from now on; `open_server()` does it."""
        loop = asyncio.get_running_loop()
        make = partial(Link, self._carry)
        for listener in self._listeners:
            self._accepting.append(await loop.create_server(make, sock=listener, backlog=BACKLOG))

    def keep_announced(self, mdns: Mdns, addresses: Sequence[str]) -> None:
        """Announce the accessory until the end; `open_server()` does it."""
        self._pump.tasks.start(self._announce(mdns, addresses))

    async def aclose(self) -> None:
        """Stop, and wait until everything is closed; `open_server()` does it at the end of its block."""
        for accepting in self._accepting:
            accepting.close()
        self.stop()
        await self._pump.aclose()

    def _carry(self, wire: Wire) -> None:
        engine = self._engine
        number = engine.connection_opened(asyncio.get_running_loop().time())
        self._pump.adopt(wire, number, partial(engine.receive_data, number), partial(engine.receive_eof, number))

    async def _announce(self, mdns: Mdns, addresses: Sequence[str]) -> None:
        async for event in self._announcements:
            await mdns.announce(event.record, self.port, addresses)

    def _advertise(self, event: Advertise) -> None:
        self._announcements.put(event)

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        self._pump.tasks.start(_await(consultation, awaited))

    def _complain(self, what: str, error: Exception) -> None:
        _log.error("%s failed", what, exc_info=error)


async def _await(consultation: Consultation, awaited: Awaitable[object] | None) -> None:
    """Be the task behind handlers that take their time."""
    task = asyncio.current_task()
    while awaited is not None:
        try:
            result = await awaited
        except asyncio.CancelledError as error:
            if task is None or task.cancelling():
                raise
            failure = RuntimeError("what the handler waited for was cancelled")
            failure.__cause__ = error
            awaited = consultation.raised(failure)
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
        loop = asyncio.get_running_loop()
        table = await settle(loop.run_in_executor(None, store.load))
        engine = make_server(what, settings, table, system_entropy)
        told = await settle(loop.run_in_executor(None, store_first, engine, store))
        listeners = [stack.enter_context(listener) for listener in listen(settings)]
        if mdns is True:
            from .mdns import open_mdns

            mdns = await stack.enter_async_context(open_mdns(addresses or None))
        if mdns:
            stack.push_async_callback(lambda: settle(mdns.withdraw(engine.device_id)))
        server = AccessoryServer(engine, told, store, listeners)
        stack.push_async_callback(server.aclose)
        await server.accept()
        if mdns:
            server.keep_announced(mdns, addresses)
        yield server


async def serve(
    what: Served,
    *,
    started: Callable[[AccessoryServer], object] | None = None,
    **settings: Unpack[Settings],
) -> NoReturn:
    """Serve until cancelled. `started` is called with the `AccessoryServer` as soon as it can be reached."""
    async with open_server(what, **settings) as server:
        if started is not None:
            started(server)
        await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody has that future")
