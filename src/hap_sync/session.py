"""One connection to one accessory: a transport and an engine."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from hapcore.controller.methods import Blocking, Requests
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.ip.controller import CharacteristicChanged, Connection
from hapcore.ip.controller.connection import REQUEST_TIMEOUT
from hapcore.ip.controller.speaking import Speaking
from hapcore.model.remote import AccessoryDescription

from .entropy import system_entropy
from .feed import Feed
from .loop import Loop, thread_loop
from .pump import Pump
from .store import MemoryStore
from .wire import Transport

__all__ = ["Session", "open_connection"]

R = TypeVar("R")


class Session(Speaking[Feed[CharacteristicChanged]], Requests, Blocking):
    """A connection to an accessory, from `open_connection()`. Commands of `hapcore.ip.controller` go into `do()`."""

    def __init__(self, transport: Transport, engine: Connection, loop: Loop) -> None:
        super().__init__(engine)
        self._loop = loop
        self._pump = Pump(engine, loop, self._report, MemoryStore())
        self._pump.adopt(transport, ConnectionId(0), engine.receive_data, engine.receive_eof)

    def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the `HapError` it failed with.

        Ctrl-C in the wait drops the interest in the result only: the connection stays usable.
        """
        self._check_open()
        return self._pump.do(command)

    @contextmanager
    def subscribe(self, ids: Iterable[tuple[int, int]]) -> Generator[Feed[CharacteristicChanged], None, None]:
        """Subscribe for the length of a block: `with session.subscribe(ids) as changes: for change in changes: ...`.

        Iterating raises `Disconnected` (or what broke the connection) when it ends. Raises `Refused` when the accessory
        refuses one of the ids.
        """
        feed = Feed[CharacteristicChanged](self._loop)
        try:
            self._subscriptions.check(self.do(self._subscriptions.add(feed, ids)))
            yield feed
        finally:
            self._leave(feed)

    def _post(self, command: Command[object]) -> None:
        self._pump.post(command)

    def _report(self, event: Output) -> None:
        super()._report(event)
        if self.closed:
            self._pump.close()


@contextmanager
def open_connection(
    transport: Transport,
    host: str = "localhost",
    *,
    entropy: Entropy = system_entropy,
    database: Iterable[AccessoryDescription] = (),
    request_timeout: float = REQUEST_TIMEOUT,
) -> Generator[Session, None, None]:
    """Speak HAP as a controller over a socket, or any object with `recv` and `sendall`; see `Transport`.

    It is closed at the end of the block. `host` is what the Host header says, `database` what was read from the
    accessory before; `request_timeout` is in seconds.
    """
    engine = Connection(host, entropy=entropy, database=database, request_timeout=request_timeout)
    with thread_loop() as loop:
        session = Session(transport, engine, loop)
        try:
            yield session
        finally:
            session.close()
