"""Connections in memory for blocking code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hapcore.testing import CALM, ConnectionLost, End, Link, Weather
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
    """Connections in memory under one weather; `cut()` breaks them all."""

    def __init__(self, weather: Weather = CALM, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(weather)
        self._clock = clock

    def transports(self, weather: Weather | None = None) -> tuple[MemoryTransport, MemoryTransport]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _transports(self.link(weather), self._clock)

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(self._clock())
