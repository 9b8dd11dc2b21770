"""One connection to one accessory: a stream, an engine, and the tasks that wait for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from hap_sync.store import MemoryStore
from hapcore.controller.methods import Awaiting, Requests
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.ip.controller import CharacteristicChanged, Connection
from hapcore.ip.controller.connection import REQUEST_TIMEOUT
from hapcore.ip.controller.speaking import Speaking
from hapcore.model.remote import AccessoryDescription

from .background import background
from .entropy import system_entropy
from .feed import Feed
from .pump import Pump

__all__ = ["Session", "open_connection"]

R = TypeVar("R")


class Session(Speaking[Feed[CharacteristicChanged]], Requests, Awaiting):
    """A connection to an accessory, from `open_connection()`. Commands of `hapcore.ip.controller` go into `do()`."""

    def __init__(self, stream: trio.abc.Stream, engine: Connection, nursery: trio.Nursery) -> None:
        super().__init__(engine)
        self.ended = trio.Event()
        self._nursery = nursery
        self._pump = Pump(engine, nursery, self._report, MemoryStore())
        self._wire = self._pump.adopt(stream, ConnectionId(0), engine.receive_data, engine.receive_eof)

    async def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the `HapError` it failed with.

        Cancelling the wait drops the interest in the result only: the request goes on, the connection stays usable.
        """
        self._check_open()
        return await self._pump.do(command)

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

    async def run(self) -> None:
        """Carry the connection until it ends. `open_connection()` does this."""
        await self._pump.attend(self._wire)

    def _post(self, command: Command[object]) -> None:
        self._pump.post(command)

    def _report(self, event: Output) -> None:
        super()._report(event)
        if self.closed:
            self.ended.set()


@asynccontextmanager
async def open_connection(
    stream: trio.abc.Stream,
    host: str = "localhost",
    *,
    entropy: Entropy = system_entropy,
    database: Iterable[AccessoryDescription] = (),
    request_timeout: float = REQUEST_TIMEOUT,
    engine: Callable[..., Connection] = Connection,
) -> AsyncGenerator[Session, None]:
    """Speak HAP as a controller over any byte stream; it is closed at the end of the block.

    `host` is what the Host header says, `database` what was read from the accessory before; `request_timeout` is in
    seconds. `engine` makes the engine, called like `Connection`; one that is recorded, for example.
    """
    made = engine(host, entropy=entropy, database=database, request_timeout=request_timeout)
    async with background() as nursery:
        session = Session(stream, made, nursery)
        nursery.start_soon(session.run)
        try:
            yield session
        finally:
            session.close()
