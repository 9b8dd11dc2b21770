"""One connection of an engine over any pair of an asyncio reader and writer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from hapcore.engine import ConnectionId

from .wire import FLUSH_LIMIT, HIGH_WATER, READ_SIZE, STALL_LIMIT, End, Take, Wire

if TYPE_CHECKING:
    from .pump import Pump

__all__ = ["Pipe", "Reader", "Writer"]

_log = logging.getLogger("hap_asyncio")


class Reader(Protocol):
    """What is needed of an `asyncio.StreamReader`."""

    async def read(self, n: int, /) -> bytes:
        """At most `n` bytes; none at the end. Raises when the connection is lost."""
        ...


class Writer(Protocol):
    """What is needed of an `asyncio.StreamWriter`. A `transport` is used for its limits, and to close at once."""

    def write(self, data: bytes, /) -> object:
        """Take it all, to be written."""

    async def drain(self) -> None:
        """Return when more can be taken. Raises when the connection is lost."""

    def close(self) -> object:
        """Close when everything is written."""

    async def wait_closed(self) -> None:
        """Return when it is closed."""


class Pipe(Wire):
    """One task reads, and lives as long as the connection; another writes while there is something to be written."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._transport: asyncio.WriteTransport | None = getattr(writer, "transport", None)
        self._backlog: deque[bytes] = deque()
        #: How many bytes wait to be written.
        self.unsent = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._reading: asyncio.Task[None]
        self._writing: asyncio.Task[None] | None = None
        #: Nothing is read any more.
        self._leaving = False
        #: The time limit of the writing task while it waits.
        self._limit: asyncio.Timeout | None = None
        if self._transport is not None:
            self._transport.set_write_buffer_limits(0)  # drain() then returns when everything is out

    def begin(self, owner: Pump, number: ConnectionId, take: Take, end: End) -> None:
        super().begin(owner, number, take, end)
        self._reading = owner.tasks.start(self._read())
        self._reading.add_done_callback(self._over)

    def put(self, data: bytes) -> None:
        self._backlog.append(data)
        self.unsent += len(data)
        if self._writing is None:
            self._writing = self._owner.tasks.start(self._write())
        if self.unsent > HIGH_WATER and not self.choked:
            self._flowing.clear()
            self._choke(True)

    def close(self) -> None:
        if self._limit is not None:
            self._limit.reschedule(self._loop.time() + FLUSH_LIMIT)
        elif self._writing is None:
            self._reading.cancel()

    def abort(self) -> None:
        self._backlog.clear()
        if self._writing is not None:
            self._writing.cancel()
        self._reading.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(READ_SIZE):
                self._hear(bytes(data))
                await self._flowing.wait()
        except Exception as error:  # noqa: BLE001 - whatever the transport does, the others are served
            self._complain(error)
        finally:
            await self._hang_up()

    async def _write(self) -> None:
        """Write the backlog; nothing else writes while this task lives."""
        try:
            while self._backlog:
                data = self._backlog.popleft()
                async with asyncio.timeout(FLUSH_LIMIT if self.ended else STALL_LIMIT) as self._limit:
                    self._writer.write(data)
                    await self._writer.drain()
                self._limit = None
                self.unsent -= len(data)
                if not self._backlog:
                    self._flowing.set()
                    self._choke(False)
        except Exception as error:  # noqa: BLE001 - as above; a peer that takes nothing is one of them
            self._complain(error)
            self.abort()
        finally:
            self._limit = self._writing = None
        if self.ended and not self._leaving:
            self._reading.cancel()

    async def _hang_up(self) -> None:
        """Nothing more is read: let the last bytes out, then close."""
        self._leaving = True
        self._owner.lose(self)
        if self._writing is not None:
            self.close()
            await asyncio.wait([self._writing])
        try:
            self._writer.close()
            async with asyncio.timeout(FLUSH_LIMIT):
                await self._writer.wait_closed()
        except Exception:  # noqa: BLE001 - closed or not, it is over
            if self._transport is not None:
                self._transport.abort()

    def _over(self, _: object) -> None:
        self._owner.lose(self)  # here for a task that was cancelled before it began
        self._owner.gone(self)
        with suppress(Exception):
            self._writer.close()

    def _complain(self, error: Exception) -> None:
        if not isinstance(error, OSError | EOFError):  # these are how connections end
            _log.error("the transport of connection %s failed", self.number, exc_info=error)
