"""For the tests of blocking programs and transports: a conformance suite and a network in memory.

Time is passed in: what is in memory takes a clock, `time.monotonic` or a `VirtualClock` that a test turns by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

from hapcore.testing import (
    CALM,
    CHECKS,
    Action,
    Close,
    ConnectionLost,
    Damage,
    End,
    Examiner,
    Line,
    Link,
    Receive,
    Send,
    Spoiler,
    TransportFault,
    VirtualClock,
    Weather,
)
from hapcore.testing import Network as CoreNetwork

from .wire import READ_LIMIT, READ_SIZE, Transport

__all__ = [
    "Damage",
    "DamagedTransport",
    "MakePair",
    "MemoryTransport",
    "Network",
    "TransportFault",
    "VirtualClock",
    "Weather",
    "check_transport",
    "memory_transports",
]

#: Makes the two connected ends of a new connection.
MakePair: TypeAlias = Callable[[], tuple[Transport, Transport]]
#: What a lost connection may raise; the adapter logs any other exception as a fault of the transport.
LOST: Final = (OSError, EOFError)
#: Seconds until a transport that had nothing is asked again.
PAUSE: Final = 0.001
#: The same for a virtual clock; no finer delays are told apart.
TICK: Final = 0.01


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


class DamagedTransport:
    """A transport that is broken on purpose, see `Damage`."""

    def __init__(self, transport: Transport, damage: Damage) -> None:
        self._transport = transport
        self._damage = damage
        self._spoiler = Spoiler(damage)
        self._ended = False
        self._closed = False

    def recv(self, size: int, /) -> bytes:
        """Receive, with damage."""
        if late := self._spoiler.before_read():
            self._transport.sendall(late)
        wanted = self._spoiler.ask(size)
        try:
            data = self._transport.recv(wanted) if wanted else b""
        except (BlockingIOError, TimeoutError):
            raise
        except LOST as error:
            raise self._spoiler.lost(error) from error
        if not data and self._damage is Damage.SWALLOWS_END:
            raise BlockingIOError("nothing has arrived yet")
        return self._spoiler.read(data)

    def sendall(self, data: bytes, /) -> None:
        """Send, with damage."""
        try:
            self._transport.sendall(self._spoiler.write(data))
        except LOST as error:
            raise self._spoiler.lost(error) from error

    def settimeout(self, seconds: float) -> None:
        """As the transport does it."""
        _set_timeout(self._transport, seconds)

    def close(self) -> None:
        """Close, with damage."""
        if self._closed or self._damage is Damage.NEVER_CLOSES:
            return
        self._closed = True
        if late := self._spoiler.close():
            self._transport.sendall(late)
        _shut(self._transport)


def check_transport(make_pair: MakePair, *, limit: float = 5.0, clock: VirtualClock | None = None) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is called for a new connection, again for each check, and gives its two ends. Each end is used by a
    thread of its own; with a `clock`, for transports in memory that go by it, all is done in this thread and in virtual
    time. `limit` is how many seconds a step of a check may take.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in CHECKS:
        for here, there in ((0, 1), (1, 0)):
            ends = make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    if clock is None:
                        _in_threads(ends, lines, limit)
                    else:
                        _in_turn(ends, lines, limit, clock)
            finally:
                for end in ends:
                    with suppress(Exception):
                        _shut(end)


def _in_threads(ends: tuple[Transport, Transport], lines: tuple[Line, ...], limit: float) -> None:
    stop = threading.Event()

    def work(sides: list[_Side]) -> None:
        while not stop.is_set() and (busy := [side for side in sides if side.move(limit)]):
            if not any(side.moved for side in busy):
                stop.wait(PAUSE)

    threads = [threading.Thread(target=work, args=(sides,), daemon=True) for sides in _sides(ends, lines) if sides]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    stop.set()
    for thread in threads:
        thread.join(READ_LIMIT * 10)


def _in_turn(ends: tuple[Transport, Transport], lines: tuple[Line, ...], limit: float, clock: VirtualClock) -> None:
    sides = [side for own in _sides(ends, lines) for side in own]
    deadline = clock() + limit
    while clock() < deadline and (busy := [side for side in sides if side.move(limit)]):
        if not any(side.moved for side in busy):
            clock.pass_time(TICK)


def _sides(ends: tuple[Transport, Transport], lines: tuple[Line, ...]) -> list[list[_Side]]:
    """The lines of each end; those that begin with sending first, for transports that just wait in `recv`."""
    found: list[list[_Side]] = [[], []]
    for line in sorted(lines, key=lambda one: isinstance(one[0], Receive)):
        found[line[0].end].append(_Side(ends[line[0].end], line))
    return found


class _Side:
    """One line of actions at one end, done bit by bit."""

    def __init__(self, transport: Transport, line: Line) -> None:
        self.moved = False
        self._transport = transport
        self._actions = list(line)
        self._sent = 0

    def move(self, limit: float) -> bool:
        """Do a bit; whether there is more to do."""
        self.moved = False
        if self._actions:
            action = self._actions[0]
            try:
                self._act(action, limit)
            except (BlockingIOError, TimeoutError) as error:
                if not isinstance(action, Receive):
                    action.failed(error)
            except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
                action.failed(error)
            else:
                self.moved = True
            if action.error is not None:
                self._actions.clear()
            elif action.over:
                del self._actions[0]
        return bool(self._actions)

    def _act(self, action: Action, limit: float) -> None:
        transport = self._transport
        if isinstance(action, Send):
            if self._sent < len(action.pieces):
                _set_timeout(transport, limit)
                transport.sendall(action.pieces[self._sent])
                self._sent += 1
            if self._sent == len(action.pieces):
                self._sent, action.over = 0, True
        elif isinstance(action, Receive):
            _set_timeout(transport, READ_LIMIT)
            data: object = transport.recv(action.wanted or READ_SIZE)
            action.take(None if isinstance(data, bytearray) else data)  # the adapter wants bytes, nothing like it
        elif isinstance(action, Close):
            _shut(transport)
            action.over = True


def _set_timeout(transport: Transport, seconds: float) -> None:
    settimeout: Callable[[float], object] | None = getattr(transport, "settimeout", None)
    if settimeout is not None:
        settimeout(seconds)


def _shut(transport: Transport) -> None:
    close: Callable[[], object] | None = getattr(transport, "close", None)
    if close is not None:
        close()
