"""For the tests of programs and transports on asyncio: a conformance suite, a network in memory, a virtual clock."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

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
    Weather,
)
from hapcore.testing import Network as CoreNetwork

from .pipe import Reader, Writer
from .wire import READ_SIZE

__all__ = [
    "Damage",
    "DamagedReader",
    "DamagedWriter",
    "MakePair",
    "MemoryReader",
    "MemoryWriter",
    "Network",
    "TransportFault",
    "VirtualLoop",
    "Weather",
    "check_transport",
    "damaged",
    "memory_streams",
    "run",
]

T = TypeVar("T")
#: A reader and a writer.
Streams: TypeAlias = tuple[Reader, Writer]
#: Makes the two connected ends of a new connection, each a reader and a writer.
MakePair: TypeAlias = Callable[[], Awaitable[tuple[Streams, Streams]]]
#: What the adapter takes for a lost connection; it logs any other exception as a fault of the transport.
LOST: Final = (OSError, EOFError)


class _Jump(selectors.DefaultSelector):
    """Waits for files as long as there are any ready; where time is all there is to wait for, it is skipped."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience = patience
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(self.patience)
        if not ready:
            self.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything happens, and jumps to the next timer when nothing does.

    `patience` is how many real seconds nothing must have happened before it jumps: 0 for programs in memory, a little
    more where sockets or threads take part, since the clock knows nothing of what they are about to do.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._jump = _Jump(patience)
        super().__init__(self._jump)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.skipped


def run(main: Coroutine[Any, Any, T], *, patience: float = 0.0) -> T:
    """`asyncio.run()` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience)) as runner:
        return runner.run(main)


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
    """Connections in memory under one weather; `cut()` breaks them all."""

    def streams(self, weather: Weather | None = None) -> tuple[_Memory, _Memory]:
        """The two ends of a new connection; `weather` for this one alone."""
        return _streams(self.link(weather))

    def cut_now(self) -> None:
        """Break every connection: what is on its way is lost."""
        self.cut(asyncio.get_running_loop().time())


class _Fault:
    """What the two sides of a damaged end share."""

    def __init__(self, reader: Reader, writer: Writer, damage: Damage) -> None:
        self.reader = reader
        self.writer = writer
        self.damage = damage
        self.spoiler = Spoiler(damage)
        self.one_way = asyncio.Lock()


class DamagedReader:
    """A reader that is broken on purpose, from `damaged()`."""

    def __init__(self, fault: _Fault) -> None:
        self._fault = fault

    async def read(self, n: int, /) -> bytes:
        """Read, with damage."""
        fault = self._fault
        if late := fault.spoiler.before_read():
            fault.writer.write(late)
        wanted = fault.spoiler.ask(n)
        try:
            if fault.damage is Damage.HALF_DUPLEX:
                async with fault.one_way:
                    data = await fault.reader.read(wanted)
            else:
                data = await fault.reader.read(wanted) if wanted else b""
        except LOST as error:
            raise fault.spoiler.lost(error) from error
        if not data and fault.damage is Damage.SWALLOWS_END:
            await asyncio.get_running_loop().create_future()
        return fault.spoiler.read(data)


class DamagedWriter:
    """A writer that is broken on purpose, from `damaged()`."""

    def __init__(self, fault: _Fault) -> None:
        self._fault = fault
        self._waiting: list[bytes] = []
        self._closed = False

    def write(self, data: bytes, /) -> None:
        """Write, with damage."""
        if self._fault.damage is Damage.HALF_DUPLEX:
            self._waiting.append(data)
        else:
            self._fault.writer.write(self._fault.spoiler.write(data))

    async def drain(self) -> None:
        """Wait, with damage."""
        fault = self._fault
        async with fault.one_way:
            while self._waiting:
                fault.writer.write(self._waiting.pop(0))
        try:
            await fault.writer.drain()
        except LOST as error:
            raise fault.spoiler.lost(error) from error

    def close(self) -> None:
        """Close, with damage."""
        if self._closed or self._fault.damage is Damage.NEVER_CLOSES:
            return
        self._closed = True
        self._fault.writer.write(self._fault.spoiler.close())
        self._fault.writer.close()

    async def wait_closed(self) -> None:
        """Wait until what is closed is closed."""
        if self._closed:
            await self._fault.writer.wait_closed()


def damaged(reader: Reader, writer: Writer, damage: Damage) -> tuple[DamagedReader, DamagedWriter]:
    """Break a reader and a writer on purpose, see `Damage`."""
    fault = _Fault(reader, writer, damage)
    return DamagedReader(fault), DamagedWriter(fault)


async def check_transport(make_pair: MakePair, *, limit: float = 5.0) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is awaited for a new connection, again for each check, and gives its two ends, each a reader and a
    writer. `limit` is how many seconds a step of a check may take, by the loop's clock: on a `VirtualLoop` nobody waits
    for it.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in CHECKS:
        for here, there in ((0, 1), (1, 0)):
            ends = await make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    await _carry_out(ends, lines, limit)
            finally:
                for _, writer in ends:
                    await _close(writer, limit)


async def _carry_out(ends: tuple[Streams, Streams], lines: tuple[Line, ...], limit: float) -> None:
    tasks = [asyncio.create_task(_follow(ends, line)) for line in lines]
    if tasks:
        await asyncio.wait(tasks, timeout=limit)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _follow(ends: tuple[Streams, Streams], line: Line) -> None:
    for action in line:
        try:
            await _act(*ends[action.end], action)
        except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
            action.failed(error)
            return


async def _act(reader: Reader, writer: Writer, action: Action) -> None:
    if isinstance(action, Send):
        for piece in action.pieces:
            writer.write(piece)
            await writer.drain()
        action.over = True
    elif isinstance(action, Receive):
        while not action.over:
            action.take(await reader.read(action.wanted or READ_SIZE))
    elif isinstance(action, Close):
        writer.close()
        with suppress(*LOST):  # closed or not, it is over
            await writer.wait_closed()
        action.over = True


async def _close(writer: Writer, limit: float) -> None:
    with suppress(Exception):
        writer.close()
        async with asyncio.timeout(limit):
            await writer.wait_closed()
