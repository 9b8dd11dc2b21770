"""One connection to one accessory: an engine, and those who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from hap_sync.store import MemoryStore
from hapcore.controller.methods import Awaiting, Requests
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.ip.controller import CharacteristicChanged, Connection
from hapcore.ip.controller.connection import REQUEST_TIMEOUT
from hapcore.ip.controller.speaking import Speaking
from hapcore.model.remote import AccessoryDescription

from .entropy import system_entropy
from .feed import Feed
from .pipe import Pipe, Reader, Writer
from .pump import Pump
from .wire import Wire

__all__ = ["Session", "open_connection"]

R = TypeVar("R")


class Session(Speaking[Feed[CharacteristicChanged]], Requests, Awaiting):
    """A connection to an accessory, from `open_connection()`. Commands of `hapcore.ip.controller` go into `do()`."""

    def __init__(
        self,
        host: str,
        entropy: Entropy,
        database: Iterable[AccessoryDescription] = (),
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        super().__init__(Connection(host, entropy=entropy, database=database, request_timeout=request_timeout))
        self.ended = asyncio.Event()
        self._pump = Pump(self.engine, self._report, MemoryStore())

    async def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the `HapError` it failed with.

        Cancelling the wait drops the interest in the result only: the request goes on, the connection stays usable.
        """
        return await self.submit(command)

    def submit(self, command: Command[R]) -> asyncio.Future[R]:
        """Submit a command; the future is what `do()` waits for."""
        self._check_open()
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
            self._leave(feed)

    async def aclose(self) -> None:
        """End the connection and wait until it is closed; `open_connection()` does it."""
        self.close()
        await self._pump.aclose()

    def carry(self, wire: Wire) -> None:
        """Speak over this wire from now on; `open_connection()` does it."""
        self._pump.adopt(wire, ConnectionId(0), self.engine.receive_data, self.engine.receive_eof)

    def _post(self, command: Command[object]) -> None:
        self._pump.post(command)

    def _report(self, event: Output) -> None:
        super()._report(event)
        if self.closed:
            self.ended.set()


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
