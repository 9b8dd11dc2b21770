"""Connections in memory on trio."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import trio

from hap_trio.stream import dial
from hapcore.testing import CALM, ConnectionLost, End, Link, Weather, substituted
from hapcore.testing import Network as CoreNetwork

__all__ = ["READ_SIZE", "MemoryStream", "Network", "memory_streams"]

#: Bytes of a read that names no number.
READ_SIZE: Final = 16 * 1024


class MemoryStream(trio.abc.Stream):
    """One end of a connection in memory. Times are those of trio's clock."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._news = trio.lowlevel.ParkingLot()
        end.changed = self._news.unpark_all

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Returns when all of it is on its way."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while True:
            self._check_open()
            try:
                rest = rest[self._end.send(rest, trio.current_time()) :]
            except ConnectionLost as error:
                raise trio.BrokenResourceError(str(error)) from None
            if not rest:
                return
            await self._news.park()

    async def wait_send_all_might_not_block(self) -> None:
        """Returns at once."""
        await trio.lowlevel.checkpoint()
        self._check_open()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived; none at the end."""
        await trio.lowlevel.checkpoint()
        while True:
            self._check_open()
            try:
                data = self._end.receive(max_bytes or READ_SIZE, trio.current_time())
            except ConnectionLost as error:
                raise trio.BrokenResourceError(str(error)) from None
            if data is not None:
                return data
            due = self._end.next_time()
            with trio.CancelScope(deadline=math.inf if due is None else due):
                await self._news.park()

    async def aclose(self) -> None:
        """What was sent still arrives."""
        self._end.close(trio.current_time())
        self._news.unpark_all()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._end.closed:
            raise trio.ClosedResourceError("this stream was closed")


def memory_streams(weather: Weather = CALM) -> tuple[MemoryStream, MemoryStream]:
    """The two ends of a new connection in memory."""
    return _streams(Link(weather))


def _streams(link: Link) -> tuple[MemoryStream, MemoryStream]:
    return MemoryStream(link.ends[0]), MemoryStream(link.ends[1])


class Network(CoreNetwork):
    """Connections in memory under one weather; `cut()` breaks them all.

    `hosts` are those that can be dialled: name -> the `attach` of a server, or whatever else takes the far end.
    """

    def __init__(self, weather: Weather = CALM) -> None:
        super().__init__(weather)
        self.hosts: dict[str, Callable[[MemoryStream], object]] = {}

    @contextmanager
    def dialled(self) -> Generator[None, None, None]:
        """Within the block, controllers connect to the hosts of this network, on any port, and to nobody else."""
        with substituted(sys.modules, "hap_trio", "dial", dial, self._dial):
            yield

    async def _dial(self, host: str, port: int) -> MemoryStream:
        await trio.lowlevel.checkpoint()
        if host not in self.hosts:
            raise self.unknown(host, port)
        near, far = self.streams()
        self.hosts[host](far)
        return near

    def streams(self, weather: Weather | None = None) -> tuple[MemoryStream, MemoryStream]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _streams(self.link(weather))

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(trio.current_time())
