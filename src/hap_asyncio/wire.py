"""One connection of an engine over one of asyncio's own transports."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from hapcore.engine import ConnectionId

if TYPE_CHECKING:
    from .pump import Pump

__all__ = ["End", "Link", "Take", "Wire"]

#: Inputs of one connection of an engine: bytes, or nothing more, and the time.
Take: TypeAlias = Callable[[bytes, float], None]
End: TypeAlias = Callable[[float], None]

#: Most requests and events fit; a longer message takes another turn. Small enough that malloc keeps the block.
READ_SIZE: Final = 16 * 1024
#: A peer that lets this much pile up is told apart from a quick one: the engine pauses its answers and events.
HIGH_WATER: Final = 64 * 1024
#: Seconds a peer may take none of the bytes waiting for it before its connection is cut.
STALL_LIMIT: Final = 60.0
#: Seconds to get the last bytes out before a connection is closed.
FLUSH_LIMIT: Final = 5.0


class Wire(ABC):
    """What the pump knows of a connection. It says nothing to the engine once it has `ended`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner: Pump
        self.number: ConnectionId
        self._take: Take
        self.end: End
        #: The engine and the connection have parted: nothing more goes in.
        self.ended = False
        #: So much waits to be written that nothing is read.
        self.choked = False

    def begin(self, owner: Pump, number: ConnectionId, take: Take, end: End) -> None:
        """Belong to an engine from now on."""
        self._owner, self.number, self._take, self.end = owner, number, take, end

    def _hear(self, data: bytes) -> None:
        if not self.ended:
            self._take(data, self._loop.time())
            self._owner.drain()

    def _choke(self, choked: bool) -> None:
        if choked is not self.choked and not self.ended:
            self.choked = choked
            self._owner.choke(self, choked)

    @abstractmethod
    def put(self, data: bytes) -> None:
        """Write it, after everything written before."""

    @abstractmethod
    def close(self) -> None:
        """Close when everything is written."""

    @abstractmethod
    def abort(self) -> None:
        """Close now."""


class Link(Wire, asyncio.BufferedProtocol):
    """asyncio's own transport, without streams: it reads into one buffer that is kept, and writes at once."""

    def __init__(self, made: Callable[[Link], None]) -> None:
        super().__init__()
        self._made = made
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._transport: asyncio.Transport
        #: While bytes wait: when to look whether the peer took any, how many have had to wait, and how many it took.
        self._alarm: asyncio.TimerHandle | None = None
        self._waited = 0
        self._taken = 0

    @property
    def unsent(self) -> int:
        """How many bytes wait to be written."""
        return self._transport.get_write_buffer_size()

    def put(self, data: bytes) -> None:
        waiting = self._alarm is not None
        self._transport.write(data)
        if self._alarm is not None:
            if waiting:
                self._waited += len(data)
            if self.unsent > HIGH_WATER and not self.choked:
                self._choke(True)
                self._transport.pause_reading()

    def close(self) -> None:
        self._transport.close()
        if self._alarm is not None:  # bytes wait
            self._alarm.cancel()
            self._alarm = self._loop.call_later(FLUSH_LIMIT, self.abort)

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)  # tell of the first byte that waits, and of the last
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - what fits is enough
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._hear(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        self._owner.lose(self)
        self.close()  # what was answered before still goes out
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - to the engine as good as a proper end
        if self._alarm is not None:
            self._alarm.cancel()
        self._owner.lose(self)
        self._owner.gone(self)

    def pause_writing(self) -> None:
        self._waited, self._taken = self.unsent, 0
        self._alarm = self._loop.call_later(STALL_LIMIT, self._look)

    def resume_writing(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.choked and not self.ended:
            self._transport.resume_reading()
            self._choke(False)

    def _look(self) -> None:
        taken = self._waited - self.unsent
        if taken == self._taken:
            self.abort()  # the peer takes nothing
        else:
            self._taken = taken
            self._alarm = self._loop.call_later(STALL_LIMIT, self._look)
