"""One connection: a transport, its place in the loop, and what waits to be written to it."""

from __future__ import annotations

import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, TypeAlias, cast

from hapcore.engine import ConnectionId

from .loop import Loop

__all__ = ["End", "Take", "Transport", "Wire"]

#: Inputs of one connection of an engine: bytes, or nothing more, and the time.
Take: TypeAlias = Callable[[bytes, float], None]
End: TypeAlias = Callable[[float], None]

#: Most requests and events fit; a longer message takes another turn. Small enough that malloc keeps the block.
READ_SIZE: Final = 16 * 1024
#: Seconds that a transport without a file descriptor may wait for bytes while others wait for their turn.
READ_LIMIT: Final = 0.01
#: Seconds that a transport which only has `sendall` may take to get rid of one message.
SEND_LIMIT: Final = 60.0


class Transport(Protocol):
    """What carries the bytes: a socket, or an object with these two. What else it has is used:

    `fileno()` to wait until there is something to `recv`, `pending()` for what was received already (as TLS has it),
    `settimeout(seconds)` before each call, `close()`. Where there is nothing to receive, `recv` may raise
    `BlockingIOError` or `TimeoutError`; one that just waits holds up everything else in its thread.
    """

    def recv(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end. Raises when the connection is lost."""
        ...

    def sendall(self, data: bytes, /) -> object:
        """Send all of it. Raises when the connection is lost."""
        ...


class Wire:
    """The state of a connection and the two calls that touch its transport; `Pump` decides when."""

    def __init__(self, transport: Transport, loop: Loop, number: ConnectionId, take: Take, end: End) -> None:
        self.number = number
        self.take = take
        self.end = end
        #: What the transport has not taken yet, in order; `unsent` counts its bytes.
        self.backlog: deque[bytes | memoryview] = deque()
        self.unsent = 0
        #: When the connection is given up if the transport takes nothing.
        self.deadline = 0.0
        #: Nothing more is read: for now, because the peer does not read; for ever, because the engine is through.
        self.paused = self.ended = False
        #: A transport without a file descriptor that waits in `recv` by itself.
        self.patient = True
        self._loop = loop
        self._transport = transport
        self._socket = transport if isinstance(transport, socket.socket) else None
        self._pending: Callable[[], int] | None = getattr(transport, "pending", None)
        self._settimeout: Callable[[float], object] | None = getattr(transport, "settimeout", None)
        self._ready: Callable[[int], object] = lambda _: None
        self._nothing: tuple[type[Exception], ...] = (BlockingIOError, TimeoutError)
        if self._socket is not None:
            self._socket.setblocking(False)
            if self._socket.family in (socket.AF_INET, socket.AF_INET6):
                with suppress(OSError):  # reset already, on some systems; reading will tell
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if (ssl := sys.modules.get("ssl")) is not None:  # who gave us a TLS socket has imported it
                self._nothing += (ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def start(self, ready: Callable[[int], object]) -> None:
        """Have `ready` called with what the transport is ready for."""
        self._ready = ready
        try:
            self._loop.watch(self._transport, selectors.EVENT_READ, ready)
        except (ValueError, OSError):  # no file descriptor, or one that cannot be waited for
            self._loop.polled.add(self)

    def poll(self) -> None:
        """The loop's call where there is nothing to wait for."""
        if not self.paused:
            self._ready(selectors.EVENT_READ)

    def watch(self) -> None:
        """Wait for what makes sense now: to read unless paused or ended, to write if there is something."""
        if self not in self._loop.polled:
            reading = 0 if self.paused or self.ended else selectors.EVENT_READ
            writing = selectors.EVENT_WRITE if self.backlog else 0
            self._loop.watch(self._transport, reading | writing, self._ready)

    @property
    def more(self) -> bool:
        """Whether the transport holds bytes that no selector knows of."""
        return self._pending is not None and self._pending() > 0

    def receive(self) -> bytes | None:
        """What there is, None for nothing yet. Raises `EOFError` at the end, others when the connection is lost."""
        if self._socket is None and self._settimeout is not None:
            self._settimeout(READ_LIMIT)
        try:
            data = cast("object", self._transport.recv(READ_SIZE))
        except self._nothing as nothing:
            self.patient = isinstance(nothing, TimeoutError)
            return None
        if not isinstance(data, bytes):
            raise TypeError(f"recv() returned {type(data).__name__}, not bytes")
        if not data:
            raise EOFError
        return data

    def push(self, data: bytes | memoryview) -> int:
        """How many bytes the transport took, all or fewer. Raises when the connection is lost."""
        if self._socket is None:
            if self._settimeout is not None:
                self._settimeout(SEND_LIMIT)
            self._transport.sendall(bytes(data))
            return len(data)
        try:
            return self._socket.send(data)
        except self._nothing:
            return 0

    def close(self) -> None:
        """Close the transport; what waits to be written is dropped."""
        self.ended = True
        self.backlog.clear()
        self._loop.polled.discard(self)
        self._loop.watch(self._transport, 0)
        close: Callable[[], object] | None = getattr(self._transport, "close", None)
        if close is not None:
            with suppress(Exception):  # whatever it has to say, it is over
                close()
