"""A network in memory: connections with delay, splitting, slow peers and loss, all drawn from a seed.

It holds no clock: every call is told the time, virtual or real. The adapters' `testing` modules make streams of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from attrs import evolve, field, frozen, validators

from hapcore.errors import Disconnected
from hapcore.testing.chance import Dice

__all__ = ["CALM", "ConnectionLost", "End", "Link", "Network", "VirtualClock", "Weather"]


class ConnectionLost(Exception):
    """The connection was cut, or the other end is closed and takes nothing any more."""


class VirtualClock:
    """A clock that is turned by hand: `clock()` says the time in seconds, `pass_time()` turns it."""

    def __init__(self, start: float = 0.0) -> None:
        self._time = start

    def __call__(self) -> float:
        return self._time

    def pass_time(self, seconds: float) -> None:
        """Turn it on. Raises `ValueError` for less than nothing."""
        if seconds < 0:
            raise ValueError("time does not run back")
        self._time += seconds


@frozen(kw_only=True)
class Weather:
    """How a connection behaves. The same weather does the same in every run.

    - `seed`: another seed, another fate.
    - `delay`: seconds that each piece is on its way, at least and at most. Pieces never overtake one another.
    - `piece`: no read returns more bytes than a number drawn up to this; 0 merges what has arrived, as TCP does.
    - `rate`: bytes per second, for a slow peer.
    - `room`: how many bytes may be on their way before the sender has to wait.
    - `lost_after`: the connection breaks when so many bytes, counted in both directions, were sent; None: never.
    """

    seed: int = 0
    delay: tuple[float, float] = (0.0, 0.0)
    piece: int = field(default=0, validator=validators.ge(0))
    rate: float = field(default=math.inf, validator=validators.gt(0))
    room: int = field(default=64 * 1024, validator=validators.ge(1))
    lost_after: int | None = None


#: Nothing is delayed, split or lost.
CALM = Weather()


class _Pipe:
    """One direction: pieces with the time of their arrival."""

    __slots__ = ("_dice", "_last", "_pieces", "_weather", "ended", "flying")

    def __init__(self, weather: Weather, dice: Dice) -> None:
        self._weather = weather
        self._dice = dice
        self._pieces: deque[tuple[float, memoryview]] = deque()
        self._last = 0.0
        self.flying = 0
        #: When the end arrives; None while it was not sent.
        self.ended: float | None = None

    def put(self, data: memoryview, now: float) -> None:
        """Send it off in pieces."""
        size = self._weather.piece
        while data:
            piece = data[: self._dice.up_to(size)] if size else data
            data = data[len(piece) :]
            self._pieces.append((self._arrival(len(piece), now), piece))
            self.flying += len(piece)

    def end(self, now: float) -> None:
        if self.ended is None:
            self.ended = self._arrival(0, now)

    def drop(self) -> None:
        self._pieces.clear()
        self.flying = 0

    def next_time(self) -> float | None:
        """When there is something to be received, be it the end."""
        return self._pieces[0][0] if self._pieces else self.ended

    def take(self, most: int, now: float) -> bytes | None:
        """What has arrived, empty at the end; None for nothing yet."""
        pieces = self._pieces
        found = bytearray()
        while pieces and pieces[0][0] <= now and len(found) < most:
            arrived, piece = pieces.popleft()
            rest = piece[most - len(found) :]
            found += piece[: most - len(found)]
            if rest:
                pieces.appendleft((arrived, rest))
            if self._weather.piece:
                break
        self.flying -= len(found)
        if found:
            return bytes(found)
        return b"" if not pieces and self.ended is not None and self.ended <= now else None

    def _arrival(self, length: int, now: float) -> float:
        weather = self._weather
        delay = self._dice.between(*weather.delay) if weather.delay[1] else 0.0
        self._last = max(self._last, now) + length / weather.rate
        self._last = max(self._last, now + delay)
        return self._last


class End:
    """One end of a connection. `changed` is called when the other end did something: sent, took, closed, broke."""

    def __init__(self, link: Link, outgoing: _Pipe, incoming: _Pipe) -> None:
        self.changed: Callable[[], object] = lambda: None
        self.closed = False
        self._link = link
        self._out = outgoing
        self._in = incoming

    def send(self, data: bytes | bytearray | memoryview, now: float) -> int:
        """Send as much of it as there is room for; the number of bytes taken. Raises `ConnectionLost`."""
        other = self._link.other(self)
        if self._link.broken or other.closed:
            raise ConnectionLost("the connection is lost")
        taken = bytes(data[: self._link.weather.room - self._out.flying])
        allowed = self._link.spend(len(taken))
        self._out.put(memoryview(taken[:allowed]), now)
        if allowed < len(taken):
            self._link.break_off(now)
        elif taken:
            other.changed()
        return len(taken)

    def receive(self, most: int, now: float) -> bytes | None:
        """At most `most` bytes of what has arrived; none at the end; None for nothing yet. Raises `ConnectionLost`."""
        data = self._in.take(most, now)
        if data:
            self._link.other(self).changed()
        elif self._link.broken and (data is not None or self._in.next_time() is None):
            raise ConnectionLost("the connection is lost")
        return data

    def next_time(self) -> float | None:
        """When `receive()` has something to say; None when that is up to the other end."""
        return self._in.next_time()

    def close(self, now: float) -> None:
        """Close it: what was sent still arrives, what has not been received is dropped."""
        if not self.closed:
            self.closed = True
            self._out.end(now)
            self._in.drop()
            self._link.other(self).changed()


class Link:
    """A connection with two `ends`."""

    def __init__(self, weather: Weather = CALM) -> None:
        self.weather = weather
        self.broken = False
        self._left = weather.lost_after
        there, back = (_Pipe(weather, Dice(2 * weather.seed + way)) for way in (0, 1))
        self._pipes = there, back
        self.ends = End(self, there, back), End(self, back, there)

    def other(self, end: End) -> End:
        """The end at the far side of this one."""
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    def cut(self, now: float) -> None:
        """Break the connection: what is on its way is lost, both ends get an error."""
        for pipe in self._pipes:
            pipe.drop()
            pipe.ended = now
        self.break_off(now)

    def break_off(self, now: float) -> None:
        """Break the connection after what is on its way."""
        self.broken = True
        for pipe in self._pipes:
            pipe.end(now)
        for end in self.ends:
            end.changed()

    def spend(self, amount: int) -> int:
        """How many of these bytes the connection still carries."""
        if self._left is None:
            return amount
        amount = min(amount, self._left)
        self._left -= amount
        return amount


class Network:
    """Connections under one weather, each with a fate of its own."""

    def __init__(self, weather: Weather = CALM) -> None:
        self.weather = weather
        self.links: list[Link] = []

    @staticmethod
    def unknown(host: str, port: int) -> Disconnected:
        """What dialling a host raises that is not in this network."""
        return Disconnected(f"cannot connect to {host}, port {port}: this network in memory has no such host")

    def link(self, weather: Weather | None = None) -> Link:
        """A new connection; `weather` for this one alone."""
        chosen = weather or evolve(self.weather, seed=self.weather.seed * 1009 + len(self.links))
        self.links.append(Link(chosen))
        return self.links[-1]

    def cut(self, now: float) -> None:
        """Cut every connection."""
        for link in self.links:
            link.cut(now)
