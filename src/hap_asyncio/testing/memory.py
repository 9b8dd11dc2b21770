"""Connections in memory on asyncio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

from hap_asyncio.pipe import Pipe
from hap_asyncio.stream import dial
from hap_asyncio.wire import READ_SIZE, Wire
from hapcore.testing import CALM, ConnectionLost, End, Link, Weather, substituted
from hapcore.testing import Network as CoreNetwork

__all__ = ["MemoryReader", "MemoryWriter", "Network", "memory_streams"]


class _Plug:
    """One end of a connection in memory, shared by its reader and its writer."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.unsent = bytearray()
        self.closing = False
        self.lost: ConnectionLost | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        end.changed = self._changed

    def now(self) -> float:
        return self._loop.time()

    def flush(self) -> None:
        """Send as much as there is room for."""
        try:
            if self.unsent:
                del self.unsent[: self.end.send(self.unsent, self.now())]
        except ConnectionLost as error:
            self.lost = error
            self.unsent.clear()
        if self.closing and not self.unsent and not self.end.closed:
            self.end.close(self.now())
            self._wake()

    async def news(self, due: float | None = None) -> None:
        """Wait until something happens, or until it is due."""
        future = self._loop.create_future()
        self._waiting.add(future)
        alarm = None if due is None else self._loop.call_at(due, self._wake)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if alarm is not None:
                alarm.cancel()

    def _changed(self) -> None:
        self.flush()
        self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


class MemoryReader:
    """The reading side of a connection in memory."""

    def __init__(self, plug: _Plug) -> None:
        self._plug = plug

    async def read(self, n: int = -1, /) -> bytes:
        """What has arrived, at most `n` bytes; none at the end."""
        plug = self._plug
        while not plug.end.closed:
            try:
                data = plug.end.receive(n if n > 0 else READ_SIZE, plug.now())
            except ConnectionLost as error:
                raise ConnectionResetError(str(error)) from None
            if data is not None:
                return data
            await plug.news(plug.end.next_time())
        return b""


class MemoryWriter:
    """The writing side of a connection in memory."""

    def __init__(self, plug: _Plug) -> None:
        self._plug = plug

    def write(self, data: bytes, /) -> None:
        """Take it all, to be sent."""
        if not self._plug.closing:
            self._plug.unsent += data
            self._plug.flush()

    async def drain(self) -> None:
        """Return when everything is on its way. Raises `ConnectionResetError`."""
        while self._plug.unsent:
            await self._plug.news()
        if self._plug.lost is not None:
            raise ConnectionResetError(str(self._plug.lost)) from None

    def close(self) -> None:
        """Close when everything is sent."""
        self._plug.closing = True
        self._plug.flush()

    async def wait_closed(self) -> None:
        """Return when it is closed."""
        while not self._plug.end.closed:
            await self._plug.news()


_Memory: TypeAlias = tuple[MemoryReader, MemoryWriter]


def memory_streams(weather: Weather = CALM) -> tuple[_Memory, _Memory]:
    """The two ends of a new connection in memory, each a reader and a writer."""
    return _streams(Link(weather))


def _streams(link: Link) -> tuple[_Memory, _Memory]:
    one, other = (_Plug(end) for end in link.ends)
    return (MemoryReader(one), MemoryWriter(one)), (MemoryReader(other), MemoryWriter(other))


class Network(CoreNetwork):
    """Connections in memory under one weather; `cut()` breaks them all.

    `hosts` are those that can be dialled: name -> the `attach` of a server, or whatever else takes the far end.
    """

    def __init__(self, weather: Weather = CALM) -> None:
        super().__init__(weather)
        self.hosts: dict[str, Callable[[MemoryReader, MemoryWriter], object]] = {}

    @contextmanager
    def dialled(self) -> Generator[None, None, None]:
        """Within the block, controllers connect to the hosts of this network, on any port, and to nobody else."""
        with substituted(sys.modules, "hap_asyncio", "dial", dial, self._dial):
            yield

    async def _dial(self, made: Callable[[Wire], object], host: str, port: int) -> None:
        await asyncio.sleep(0)
        if host not in self.hosts:
            raise self.unknown(host, port)
        near, far = self.streams()
        self.hosts[host](*far)
        made(Pipe(*near))

    def streams(self, weather: Weather | None = None) -> tuple[_Memory, _Memory]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _streams(self.link(weather))

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(asyncio.get_running_loop().time())
