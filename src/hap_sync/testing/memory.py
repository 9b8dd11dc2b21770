"""Connections in memory for blocking code."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

from hap_sync.loop import Loop
from hap_sync.stream import Dialling
from hapcore.testing import CALM, ConnectionLost, End, Link, Weather, substituted
from hapcore.testing import Network as CoreNetwork

__all__ = ["MemoryTransport", "Network", "memory_transports"]


class MemoryTransport:
    """One end of a connection in memory. `recv` never waits: where there is nothing yet it raises `BlockingIOError`."""

    def __init__(self, end: End, clock: Callable[[], float], lock: threading.RLock) -> None:
        self._end = end
        self._clock = clock
        self._lock = lock
        self._unsent = bytearray()
        self._closing = False
        end.changed = self._flush

    def recv(self, size: int, /) -> bytes:
        """What has arrived, at most `size` bytes; none at the end."""
        with self._lock:
            self._check_open()
            try:
                data = self._end.receive(size, self._clock())
            except ConnectionLost as error:
                raise ConnectionResetError(str(error)) from None
        if data is None:
            raise BlockingIOError("nothing has arrived yet")
        return data

    def sendall(self, data: bytes, /) -> None:
        """Take it all; what there is no room for is sent when there is."""
        with self._lock:
            self._check_open()
            self._unsent += data
            try:
                self._send()
            except ConnectionLost as error:
                raise ConnectionResetError(str(error)) from None

    def close(self) -> None:
        """What was sent still arrives."""
        with self._lock:
            self._closing = True
            self._flush()

    def _send(self) -> None:
        if self._unsent:
            del self._unsent[: self._end.send(self._unsent, self._clock())]

    def _flush(self) -> None:
        """The other end did something, or this one closes."""
        try:
            self._send()
        except ConnectionLost:
            self._unsent.clear()
        if self._closing and not self._unsent:
            self._end.close(self._clock())

    def _check_open(self) -> None:
        if self._closing:
            raise OSError("this transport was closed")


def memory_transports(
    weather: Weather = CALM, *, clock: Callable[[], float] = time.monotonic
) -> tuple[MemoryTransport, MemoryTransport]:
    """The two ends of a new connection in memory."""
    return _transports(Link(weather), clock)


def _transports(link: Link, clock: Callable[[], float]) -> tuple[MemoryTransport, MemoryTransport]:
    lock = threading.RLock()
    return MemoryTransport(link.ends[0], clock, lock), MemoryTransport(link.ends[1], clock, lock)


class Network(CoreNetwork):
    """Connections in memory under one weather; `cut()` breaks them all.

    `hosts` are those that can be dialled: name -> the `attach` of a server, or whatever else takes the far end. A
    server that is to answer must be open in the thread that dials, for nobody else carries it.
    """

    def __init__(self, weather: Weather = CALM, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(weather)
        self._clock = clock
        self.hosts: dict[str, Callable[[MemoryTransport], object]] = {}

    @contextmanager
    def dialled(self) -> Generator[None, None, None]:
        """Within the block, controllers connect to the hosts of this network, on any port, and to nobody else."""
        with substituted(sys.modules, "hap_sync", "Dialling", Dialling, self._dial):
            yield

    def _dial(self, loop: Loop, made: Callable[[MemoryTransport], object], host: str, port: int) -> MemoryTransport:
        if host not in self.hosts:
            raise self.unknown(host, port)
        near, far = self.transports()
        self.hosts[host](far)
        loop.later(partial(made, near))
        return near

    def transports(self, weather: Weather | None = None) -> tuple[MemoryTransport, MemoryTransport]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _transports(self.link(weather), self._clock)

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(self._clock())
