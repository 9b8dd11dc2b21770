"""One connection to one accessory: a transport and an engine."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from hapcore.controller.methods import Blocking, Requests
from hapcore.controller.subscriptions import Subscriptions
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, HapError
from hapcore.ip.controller import CharacteristicChanged, Close, Connection, SessionClosed
from hapcore.ip.controller.connection import REQUEST_TIMEOUT
from hapcore.model.remote import AccessoryDescription

from .entropy import system_entropy
from .feed import Feed
from .loop import Loop, thread_loop
from .pump import Pump
from .store import MemoryStore
from .wire import Transport

__all__ = ["Session", "open_connection"]

R = TypeVar("R")


class Session(Requests, Blocking):
    """A connection to an accessory, from `open_connection()`. Commands of `hapcore.ip.controller` go into `do()`."""

    def __init__(self, transport: Transport, engine: Connection, loop: Loop) -> None:
        self.closed = False
        #: Why it is closed; None as long as it is open, and when we closed it.
        self.reason: HapError | None = None
        self.engine = engine
        self._loop = loop
        self._subscriptions = Subscriptions[Feed[CharacteristicChanged]]()
        self._pump = Pump(engine, loop, self._report, MemoryStore())
        self._pump.adopt(transport, ConnectionId(0), engine.receive_data, engine.receive_eof)

    def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the `HapError` it failed with.

        Ctrl-C in the wait drops the interest in the result only: the connection stays usable.
        """
        if self.closed:
            raise Disconnected("the connection is closed") from self.reason
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
            unsubscribe = self._subscriptions.remove(feed)
            if unsubscribe is not None and not self.closed:
                self._pump.post(unsubscribe)

    def close(self) -> None:
        """End the connection; whoever waits for a command gets `Disconnected`. Harmless when it is closed."""
        if not self.closed:
            self._pump.post(Close())

    def _report(self, event: Output) -> None:
        if isinstance(event, CharacteristicChanged):
            self._subscriptions.tell(event)
        elif isinstance(event, SessionClosed):
            self.closed, self.reason = True, event.reason
            self._subscriptions.end(event.reason)
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
