"""One connection of an engine: its stream, and what waits to be written to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import trio

from hapcore.engine import ConnectionId

from .stream import SocketStream

__all__ = ["End", "Take", "Wire"]

#: Inputs of one connection of an engine: bytes, or nothing more, and the time.
Take: TypeAlias = Callable[[bytes, float], None]
End: TypeAlias = Callable[[float], None]


class Wire:
    """The state of a connection; `Pump` does the work."""

    __slots__ = ("backlog", "end", "ended", "limit", "number", "quick", "resumed", "stream", "take", "unsent")

    def __init__(self, stream: trio.abc.Stream, number: ConnectionId, take: Take, end: End) -> None:
        self.stream = stream
        self.quick = stream if isinstance(stream, SocketStream) else None
        self.number = number
        self.take = take
        self.end = end
        #: What the writer task has not taken yet; `unsent` counts what it has not got rid of.
        self.backlog: deque[bytes | memoryview] = deque()
        self.unsent = 0
        #: The time limit of the writer task while there is one; then only that task may touch the sending side.
        self.limit: trio.CancelScope | None = None
        #: The engine and the connection have parted: nothing more goes in.
        self.ended = False
        #: Set when a paused connection may read on; None while it is not paused.
        self.resumed: trio.Event | None = None

    def part(self) -> None:
        """Nothing goes into the engine any more; a reader that was held up goes on, to find the end."""
        self.ended = True
        if self.resumed is not None:
            self.resumed.set()
