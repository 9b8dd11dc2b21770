"""The loop around an engine on asyncio: order, storing, time, slow peers, any reader and writer; with a toy engine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from tests.adapters.asyncio_home import CODE, in_virtual_time, on_asyncio, open_lamp, settled
from tests.adapters.echo import ONE, Do, Echo, Heard, Threaded

import hap_asyncio
from hap_asyncio.pipe import Pipe
from hap_asyncio.pump import Pump, Store
from hap_asyncio.wire import FLUSH_LIMIT, HIGH_WATER, STALL_LIMIT, Link, Wire
from hap_sync.store import MemoryStore
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import Disconnected, LocalProtocolError, TimedOut
from hapcore.ip.controller import FinishPairSetup, GetAccessories, Identify, Read, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

TWO = ConnectionId(2)


class Running:
    def __init__(self, store: Store | None = None) -> None:
        self.engine = Echo()
        self.events: list[Output] = []
        self.pump = Pump(self.engine, self.events.append, store or MemoryStore())

    def carry(self, wire: Wire, number: ConnectionId = ONE) -> None:
        inputs = partial(self.engine.receive_data, number), partial(self.engine.receive_eof, number)
        self.pump.adopt(wire, number, *inputs)

    async def connect(self, kind: str, number: ConnectionId = ONE) -> socket.socket:
        """A connection of the engine; the far end, non-blocking."""
        near, far = socket.socketpair()
        far.setblocking(False)
        if kind == "link":
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Link(lambda link: self.carry(link, number)), sock=near)
        else:
            self.carry(Pipe(*await asyncio.open_connection(sock=near)), number)
        return far


@asynccontextmanager
async def running(kind: str, store: Store | None = None) -> AsyncGenerator[tuple[Running, socket.socket], None]:
    """A pump and the far end of its connection."""
    run = Running(store)
    with await run.connect(kind) as far:
        try:
            yield run, far
        finally:
            await run.pump.aclose()


async def read(far: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := await asyncio.get_running_loop().sock_recv(far, length - len(data))):
        data += more
    return data


async def closed(run: Running, number: ConnectionId) -> None:
    (over,) = (over for wire, over in run.pump._open.items() if wire.number == number)
    await over


async def a_little_waits(run: Running) -> Wire:
    """Write to the second connection until its kernel takes no more; the wire."""
    (wire,) = (wire for wire in run.pump._open if wire.number == TWO)
    assert isinstance(wire, Link | Pipe)
    transport = wire._transport
    assert isinstance(transport, asyncio.WriteTransport)
    while not transport.get_write_buffer_size():
        run.pump.post(Do((SendBytes(TWO, bytes(4096)),)))
        await settled()
    run.pump.post(Do((SendBytes(TWO, b"last"),)))
    return wire


kinds = pytest.mark.parametrize("kind", ["link", "pipe"])


@kinds
@on_asyncio
async def test_echoes_in_order_and_reports_events(kind: str) -> None:
    async with running(kind) as (run, far):
        for word in (b"one", b"two", b"three"):
            far.send(word)
            assert await read(far, len(word)) == word
        assert run.events == [Heard(b"one"), Heard(b"two"), Heard(b"three")]


@kinds
@on_asyncio
async def test_closes_after_the_last_bytes(kind: str) -> None:
    async with running(kind) as (run, far):
        far.send(b"bye")
        assert await read(far, 100) == b"goodbye"
        await settled()
        assert run.engine.log == []  # the engine closed it: no news to it
        assert not run.pump._open


@kinds
@on_asyncio
async def test_tells_the_engine_once_that_a_connection_is_gone(kind: str) -> None:
    async with running(kind) as (run, far):
        far.close()
        await settled()
        run.pump.post(Do((SendBytes(ONE, b"too late"), CloseConnection(ONE))))
        await settled()
        assert run.engine.log == ["eof 1"]
        assert not run.pump._open


@kinds
@on_asyncio
async def test_two_connections_do_not_mix(kind: str) -> None:
    async with running(kind) as (run, far):
        with await run.connect(kind, TWO) as other:
            run.pump.post(Do((SendBytes(TWO, b"second"), SendBytes(ONE, b"first"))))
            assert await read(other, 6) == b"second"
            assert await read(far, 5) == b"first"
            far.close()
            other.send(b"still here")
            assert await read(other, 10) == b"still here"


@on_asyncio
async def test_a_command_returns_its_result_or_raises_its_error() -> None:
    async with running("link") as (run, far):
        assert await run.pump.submit(Do(result=7)) == 7
        with pytest.raises(Disconnected, match="gone"):
            await run.pump.submit(Do(result=Disconnected("gone")))
        with pytest.raises(LocalProtocolError):
            run.pump.submit(Do(result=LocalProtocolError))
        cancelled = run.pump.submit(Do((SendBytes(ONE, b"sent"), Persist("key", b"value")), result=...))
        cancelled.cancel()
        assert await read(far, 4) == b"sent"
        assert await run.pump.submit(Do(result="fine")) == "fine"


@kinds
@on_asyncio
async def test_a_cancelled_caller_never_cuts_a_message(kind: str) -> None:
    message = bytes(range(256)) * 8192  # more than the kernel takes at once
    async with running(kind) as (run, far):

        async def call() -> None:
            await run.pump.submit(Do((SendBytes(ONE, message),), result=...))

        caller = asyncio.create_task(call())
        await settled()
        caller.cancel()
        await settled()
        assert caller.cancelled()
        run.pump.post(Do((SendBytes(ONE, b"next"),)))
        assert await read(far, len(message) + 4) == message + b"next"


@in_virtual_time
async def test_wakes_the_engine_in_time() -> None:
    async with running("link") as (run, _):
        now = asyncio.get_running_loop().time
        start = now()
        run.engine.due = start + 100
        run.pump.drain()
        await asyncio.sleep(1)
        run.engine.due = start + 10  # sooner than what the alarm is set for
        run.pump.drain()
        await asyncio.sleep(20)
        (entry,) = run.engine.log
        assert float(entry.removeprefix("timeout ")) == pytest.approx(start + 10, abs=0.5)
        run.engine.due = start + 30
        run.pump.drain()
        run.engine.due = start + 40  # later: an early wake-up is not passed on
        await asyncio.sleep(15)
        assert len(run.engine.log) == 1
        await asyncio.sleep(10)
        assert len(run.engine.log) == 2


@kinds
@on_asyncio
async def test_nothing_leaves_before_what_it_acknowledges_is_stored(kind: str) -> None:
    store = Threaded()
    async with running(kind, store) as (_, far):
        far.send(b"keep")
        await settled()
        far.send(b"more")  # inputs still go in, outputs wait
        await settled()
        with pytest.raises(BlockingIOError):
            far.recv(1)
        assert store.load() == {}
        store.go.set()
        assert await read(far, 8) == b"keptmore"
        assert store.load() == {"key": b"value"}


@on_asyncio
async def test_a_store_that_fails_is_told_to_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    store = Threaded(OSError(28, "No space left on device"))
    store.go.set()
    async with running("link", store) as (run, far):
        far.send(b"keep")
        assert await read(far, 4) == b"kept"  # this engine does not mind
        assert run.engine.log == ["failed OSError: [Errno 28] No space left on device"]
        assert "could not store key" in caplog.text


@on_asyncio
async def test_storing_is_not_cut_short_by_the_end() -> None:
    store = Threaded()
    async with running("link", store) as (run, _):
        run.pump.post(Do((Persist("a", b"1"), Forget("b"), Persist("c", b"2"))))
        closing = asyncio.create_task(run.pump.aclose())
        await settled()
        closing.cancel()
        await settled()
        assert not closing.done()
        store.go.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
    assert store.load() == {"a": b"1", "c": b"2"}


@kinds
@on_asyncio
async def test_a_slow_peer_pauses_the_engine_until_everything_is_out(kind: str) -> None:
    async with running(kind) as (run, far):
        with await run.connect(kind, TWO) as slow:
            sent = 0
            while run.engine.log == []:
                run.pump.post(Do((SendBytes(TWO, bytes(HIGH_WATER // 2)),)))
                sent += HIGH_WATER // 2
                await settled()
            assert run.engine.log == ["pause"]
            slow.send(b"one")  # nothing is read from a peer that does not read
            far.send(b"other")
            assert await read(far, 5) == b"other"
            assert run.events in ([Heard(b"other")], [Heard(b"one"), Heard(b"other")])  # one may be on its way already
            slow.send(b"two")
            await settled()
            assert Heard(b"two") not in run.events
            assert len(await read(slow, sent)) == sent
            await settled()
            assert run.engine.log == ["pause", "resume"]
            assert b"".join(event.data for event in run.events).replace(b"other", b"") == b"onetwo"


@kinds
@in_virtual_time
async def test_a_peer_that_takes_nothing_is_cut_off(kind: str) -> None:
    async with running(kind) as (run, _):
        now = asyncio.get_running_loop().time
        with await run.connect(kind, TWO):
            start = now()
            run.pump.post(Do((SendBytes(TWO, bytes(100 * HIGH_WATER)),)))
            await closed(run, TWO)
            assert run.engine.log == ["pause", "eof 2"]
            assert now() - start == pytest.approx(STALL_LIMIT, abs=1)


@kinds
@in_virtual_time
async def test_a_peer_that_takes_nothing_is_cut_off_however_little_waits(kind: str) -> None:
    async with running(kind) as (run, _):
        now = asyncio.get_running_loop().time
        with await run.connect(kind, TWO):
            wire = await a_little_waits(run)
            start = now()
            for _ in range(3):
                await asyncio.sleep(STALL_LIMIT / 4)
                if kind == "link":
                    run.pump.post(Do((SendBytes(TWO, b"more"),)))  # what is written is not what is taken
            await run.pump._open[wire]
            assert run.engine.log == ["eof 2"]
            assert now() - start == pytest.approx(STALL_LIMIT, abs=1)


@kinds
@on_asyncio
async def test_who_stops_to_send_still_gets_the_answers(kind: str) -> None:
    async with running(kind) as (run, _):
        with await run.connect(kind, TWO) as slow:
            wire = await a_little_waits(run)
            slow.shutdown(socket.SHUT_WR)
            await settled()
            assert run.engine.log == ["eof 2"]
            data = b""
            while more := await read(slow, 1 << 20):
                data += more
            assert data == bytes(len(data) - 4) + b"last"
            await settled()
            assert wire not in run.pump._open


@kinds
@in_virtual_time
async def test_who_stops_to_send_and_takes_nothing_is_soon_cut_off(kind: str) -> None:
    async with running(kind) as (run, _):
        now = asyncio.get_running_loop().time
        with await run.connect(kind, TWO) as slow:
            wire = await a_little_waits(run)
            start = now()
            slow.shutdown(socket.SHUT_WR)
            await run.pump._open[wire]
            assert now() - start == pytest.approx(FLUSH_LIMIT, abs=1)


@on_asyncio
async def test_nothing_is_heard_after_the_engine_has_closed() -> None:
    async with running("pipe") as (run, _):  # asyncio's transports do not read while they close
        with await run.connect("pipe", TWO) as slow:
            wire = await a_little_waits(run)
            run.pump.post(Do((CloseConnection(TWO),)))
            slow.send(b"late")
            await settled()
            assert run.events == []
            assert (await read(slow, 1 << 20)).endswith(b"last")
            await settled()
            assert wire not in run.pump._open


@in_virtual_time
async def test_a_peer_that_takes_little_by_little_is_not() -> None:
    async with running("link") as (run, _):
        with await run.connect("link", TWO) as slow:
            run.pump.post(Do((SendBytes(TWO, bytes(100 * HIGH_WATER)),)))
            for _ in range(20):
                await asyncio.sleep(STALL_LIMIT / 4)
                await read(slow, 4 * HIGH_WATER)
            assert run.engine.log == ["pause"]


@kinds
@in_virtual_time
async def test_the_last_bytes_have_their_limit(kind: str) -> None:
    async with running(kind) as (run, _):
        now = asyncio.get_running_loop().time
        with await run.connect(kind, TWO):
            start = now()
            last = SendBytes(TWO, bytes(100 * HIGH_WATER))
            run.pump.post(Do((last, CloseConnection(TWO))))
            assert len(run.pump._open) == 2
            await closed(run, TWO)
            assert now() - start == pytest.approx(FLUSH_LIMIT, abs=1)
        with await run.connect(kind, TWO) as slow:
            run.pump.post(Do((last, CloseConnection(TWO))))
            assert len(await read(slow, 200 * HIGH_WATER)) == 100 * HIGH_WATER  # who takes them gets them all
        with await run.connect(kind, TWO):
            start = now()
            run.pump.post(Do((last,)))
            await asyncio.sleep(1)
            run.pump.post(Do((CloseConnection(TWO),)))  # the limit of who was slow before
            await closed(run, TWO)
            assert now() - start == pytest.approx(1 + FLUSH_LIMIT, abs=1)
        assert run.engine.log[-1] != "eof 2"


@kinds
@on_asyncio
async def test_the_end_closes_every_connection(kind: str) -> None:
    run = Running()
    with await run.connect(kind) as far, await run.connect(kind, TWO) as slow:
        run.pump.post(Do((SendBytes(TWO, bytes(100 * HIGH_WATER)),)))
        await settled()
        await run.pump.aclose()
        assert far.recv(1) == b""
        assert not run.pump._open
        with contextlib.suppress(ConnectionResetError):
            assert len(await read(slow, 200 * HIGH_WATER)) < 100 * HIGH_WATER
        with await run.connect(kind, ConnectionId(3)) as late:  # nobody looks after it any more
            assert await read(late, 1) == b""
    assert sorted(run.engine.log) == ["eof 1", "eof 2", "eof 3", "pause"]


# --- any reader and writer --------------------------------------------------------------------------------------------


class Pair:
    """The least that is a reader and a writer: two queues, no transport."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.far: Pair
        self.closed = False
        self.fails: Exception | None = None

    @classmethod
    def make(cls) -> tuple[Pair, Pair]:
        one, two = cls(), cls()
        one.far, two.far = two, one
        return one, two

    async def read(self, n: int) -> bytes:
        data = await self.inbox.get()
        if self.fails is not None:
            raise self.fails
        return data

    def write(self, data: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.far.inbox.put_nowait(bytes(data))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.far.inbox.put_nowait(b"")

    async def wait_closed(self) -> None:
        assert self.closed


async def story(server: hap_asyncio.AccessoryServer, session: hap_asyncio.Session, on: tuple[int, int]) -> None:
    await session.do(StartPairSetup())
    pairing = await session.do(FinishPairSetup(SetupCode(CODE)))
    await session.do(VerifyPairing(pairing))
    await session.do(GetAccessories())
    (result,) = (await session.do(Read([on]))).values()
    assert result.value is False
    async with session.subscribe([on]) as changes:
        server.database.find(*on).value = True
        assert (await anext(changes)).value is True


@in_virtual_time
async def test_over_anything_that_reads_and_writes() -> None:
    async with open_lamp() as (light, server):
        near, far = Pair.make()
        ended = server.attach(near, near)
        async with hap_asyncio.open_connection(far, far, "lamp") as session:
            await story(server, session, light.on.id)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ended, 0.01)  # and giving up waiting is harmless
            ended = server._pump.closing(next(iter(server._pump._open)))
        assert far.closed
        with pytest.raises(Disconnected):
            await session.do(GetAccessories())
        await settled()
        assert near.closed
        await ended
        assert not server._pump._open


@on_asyncio
async def test_over_asyncio_streams() -> None:
    async with open_lamp() as (light, server):
        near, far = socket.socketpair()
        server.attach(*await asyncio.open_connection(sock=near))
        async with hap_asyncio.open_connection(*await asyncio.open_connection(sock=far)) as session:
            await story(server, session, light.on.id)


@pytest.mark.parametrize("error", [RuntimeError("the modem is on fire"), ConnectionResetError("gone"), EOFError()])
@pytest.mark.parametrize("side", ["reader", "writer"])
@on_asyncio
async def test_a_transport_that_raises_ends_its_connection_only(
    error: Exception, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running("link") as (run, other):
        near, far = Pair.make()
        run.carry(Pipe(near, near), TWO)
        await settled()
        near.fails = error
        if side == "reader":
            far.write(b"never read")
        else:
            run.pump.post(Do((SendBytes(TWO, b"never sent"),)))
        await settled()
        assert run.engine.log == ["eof 2"]
        assert near.closed
        assert ("transport of connection 2 failed" in caplog.text) == isinstance(error, RuntimeError)
        other.send(b"fine")
        assert await read(other, 4) == b"fine"


@in_virtual_time
async def test_an_accessory_that_never_answers_times_out() -> None:
    _, far = Pair.make()
    now = asyncio.get_running_loop().time
    async with hap_asyncio.open_connection(far, far, request_timeout=3) as session:
        start = now()
        with pytest.raises(TimedOut):
            await session.do(Identify())
        assert now() - start == pytest.approx(3, abs=0.5)
        assert session.closed
        with pytest.raises(Disconnected, match="is closed"):
            await session.do(Identify())


# --- news for a slow reader -------------------------------------------------------------------------------------------


@on_asyncio
async def test_a_feed_gives_what_was_put_in_then_ends() -> None:
    feed = hap_asyncio.Feed[int](limit=3)
    reading = asyncio.create_task(collect(feed))
    await settled()
    feed.put(0)
    await settled()  # wakes a reader that waits
    for item in range(1, 10):
        feed.put(item)
    feed.close()
    feed.put(10)
    assert await reading == [0, 7, 8, 9]
    assert feed.lost == 6


@on_asyncio
async def test_a_feed_raises_what_it_was_closed_with() -> None:
    feed = hap_asyncio.Feed[int]()
    waiting = [asyncio.create_task(collect(feed)) for _ in range(2)]
    await settled()
    feed.close(Disconnected("gone"))
    for one in waiting:
        with pytest.raises(Disconnected, match="gone"):
            await one


async def collect(feed: hap_asyncio.Feed[int]) -> list[int]:
    return [item async for item in feed]
