"""One connection to one accessory: an engine, and those who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from hap_sync.store import MemoryStore
from hapcore.controller.methods import Awaiting, Requests
from hapcore.controller.subscriptions import Subscriptions
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, HapError
from hapcore.ip.controller import CharacteristicChanged, Close, Connection, SessionClosed
from hapcore.ip.controller.connection import REQUEST_TIMEOUT
from hapcore.model.remote import AccessoryDescription

from .entropy import system_entropy
from .feed import Feed
from .pipe import Pipe, Reader, Writer
from .pump import Pump
from .wire import Wire

__all__ = ["Session", "open_connection"]

R = TypeVar("R")


class Session(Requests, Awaiting):
    """A connection to an accessory, from `open_connection()`. Commands of `hapcore.ip.controller` go into `do()`."""

    def __init__(
        self,
        host: str,
        entropy: Entropy,
        database: Iterable[AccessoryDescription] = (),
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self.closed = False
        #: Why it is closed; None as long as it is open, and when we closed it.
        self.reason: HapError | None = None
        self.ended = asyncio.Event()
        self.engine = Connection(host, entropy=entropy, database=database, request_timeout=request_timeout)
        self._subscriptions = Subscriptions[Feed[CharacteristicChanged]]()
        self._pump = Pump(self.engine, self._report, MemoryStore())

    async def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the `HapError` it failed with.

        Cancelling the wait drops the interest in the result only: the request goes on, the connection stays usable.
        """
        return await self.submit(command)

    def submit(self, command: Command[R]) -> asyncio.Future[R]:
        """Submit a command; the future is what `do()` waits for."""
        if self.closed:
            raise Disconnected("the connection is closed") from self.reason
        return self._pump.submit(command)

    @asynccontextmanager
    async def subscribe(self, ids: Iterable[tuple[int, int]]) -> AsyncGenerator[Feed[CharacteristicChanged], None]:
        """Subscribe for the length of a block: `async with session.subscribe(ids) as changes: async for change ...`.

        Iterating raises `Disconnected` (or what broke the connection) when it ends. Raises `Refused` when the accessory
        refuses one of the ids.
        """
        feed = Feed[CharacteristicChanged]()
        try:
            self._subscriptions.check(await self.do(self._subscriptions.add(feed, ids)))
            yield feed
        finally:
            unsubscribe = self._subscriptions.remove(feed)
            if unsubscribe is not None and not self.closed:
                self._pump.post(unsubscribe)

    def close(self) -> None:
        """End the connection; whoever waits for a command gets `Disconnected`. Harmless when it is closed."""
        if not self.closed:
            self._pump.post(Close())

    async def aclose(self) -> None:
        """End the connection and wait until it is closed; `open_connection()` does it."""
        self.close()
        await self._pump.aclose()

    def carry(self, wire: Wire) -> None:
        """Speak over this wire from now on; `open_connection()` does it."""
        self._pump.adopt(wire, ConnectionId(0), self.engine.receive_data, self.engine.receive_eof)

    def _report(self, event: Output) -> None:
        if isinstance(event, CharacteristicChanged):
            self._subscriptions.tell(event)
        elif isinstance(event, SessionClosed):
            self.closed, self.reason = True, event.reason
            self.ended.set()
            self._subscriptions.end(event.reason)


@asynccontextmanager
async def open_connection(
    reader: Reader,
    writer: Writer,
    host: str = "localhost",
    *,
    entropy: Entropy = system_entropy,
    database: Iterable[AccessoryDescription] = (),
    request_timeout: float = REQUEST_TIMEOUT,
) -> AsyncGenerator[Session, None]:
    """Speak HAP as a controller over any reader and writer; they are closed at the end of the block.

    `host` is what the Host header says, `database` what was read from the accessory before; `request_timeout` is in
    seconds.
    """
    session = Session(host, entropy, database, request_timeout)
    session.carry(Pipe(reader, writer))
    try:
        yield session
    finally:
        await session.aclose()
