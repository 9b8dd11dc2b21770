"""For the tests of programs and transports on trio: a conformance suite, a network in memory, a virtual clock."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio
import trio.testing

from hapcore.testing import (
    CALM,
    CHECKS,
    OWN_CLOSE,
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
    Weather,
)
from hapcore.testing import Network as CoreNetwork

__all__ = [
    "Damage",
    "DamagedStream",
    "MakePair",
    "MemoryStream",
    "Network",
    "TransportFault",
    "Weather",
    "check_transport",
    "memory_streams",
    "virtual_clock",
]

#: Makes the two connected ends of a new connection.
MakePair: TypeAlias = Callable[[], Awaitable[tuple[trio.abc.Stream, trio.abc.Stream]]]
#: What the adapter takes for a lost connection; any other exception ends the whole server.
LOST: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
#: Bytes of a read that names no number.
READ_SIZE: Final = 16 * 1024


def virtual_clock() -> trio.testing.MockClock:
    """A clock for `trio.run(..., clock=)` that jumps to the next deadline whenever everybody waits."""
    return trio.testing.MockClock(autojump_threshold=0)


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
    """Connections in memory under one weather; `cut()` breaks them all."""

    def streams(self, weather: Weather | None = None) -> tuple[MemoryStream, MemoryStream]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _streams(self.link(weather))

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(trio.current_time())


class DamagedStream(trio.abc.Stream):
    """A stream that is broken on purpose, see `Damage`."""

    def __init__(self, stream: trio.abc.Stream, damage: Damage) -> None:
        self._stream = stream
        self._damage = damage
        self._spoiler = Spoiler(damage)
        self._one_way = trio.Lock()
        self._closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, with damage."""
        if self._damage is Damage.HALF_DUPLEX:
            async with self._one_way:
                return await self._send(data)
        return await self._send(data)

    async def _send(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(self._spoiler.write(bytes(data)))
        except LOST as error:
            raise self._spoiler.lost(error) from error

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream does it."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read, with damage."""
        if self._damage is Damage.HALF_DUPLEX:
            async with self._one_way:
                return await self._receive(max_bytes)
        return await self._receive(max_bytes)

    async def _receive(self, max_bytes: int | None) -> bytes:
        if late := self._spoiler.before_read():
            await self._stream.send_all(late)
        wanted = self._spoiler.ask(max_bytes or READ_SIZE)
        try:
            data = bytes(await self._stream.receive_some(wanted)) if wanted else b""
        except trio.ClosedResourceError:
            if self._damage is Damage.LEAVES_READER_WAITING:
                await trio.sleep_forever()
            raise
        except LOST as error:
            raise self._spoiler.lost(error) from error
        if not data and self._damage is Damage.SWALLOWS_END:
            await trio.sleep_forever()
        return self._spoiler.read(data)

    async def aclose(self) -> None:
        """Close, with damage."""
        if self._closed or self._damage is Damage.NEVER_CLOSES:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        if late := self._spoiler.close():
            await self._stream.send_all(late)
        await self._stream.aclose()


async def check_transport(make_pair: MakePair, *, limit: float = 5.0) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is awaited for a new connection, again for each check, and gives its two ends. `limit` is how many
    seconds a step of a check may take, by trio's clock: under `virtual_clock()` nobody waits for it.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in (*CHECKS, OWN_CLOSE):
        for here, there in ((0, 1), (1, 0)):
            ends = await make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    await _carry_out(ends, lines, limit)
            finally:
                for end in ends:
                    await trio.aclose_forcefully(end)


async def _carry_out(ends: tuple[trio.abc.Stream, trio.abc.Stream], lines: tuple[Line, ...], limit: float) -> None:
    with trio.move_on_after(limit):
        async with trio.open_nursery() as nursery:
            for line in lines:
                nursery.start_soon(_follow, ends, line)
                await trio.lowlevel.checkpoint()  # for a reader to begin to wait before others act


async def _follow(ends: tuple[trio.abc.Stream, trio.abc.Stream], line: Line) -> None:
    for action in line:
        try:
            await _act(ends[action.end], action)
        except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
            action.failed(error)
            return


async def _act(stream: trio.abc.Stream, action: Action) -> None:
    if isinstance(action, Send):
        for piece in action.pieces:
            await stream.send_all(piece)
        action.over = True
    elif isinstance(action, Receive):
        while not action.over:
            action.take(await (stream.receive_some(action.wanted) if action.wanted else stream.receive_some()))
    elif isinstance(action, Close):
        await stream.aclose()
        action.over = True
