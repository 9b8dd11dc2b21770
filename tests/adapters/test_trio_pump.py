"""The loop around an engine: order, storing, time, one writer, slow peers; with a toy engine that only echoes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from tests.adapters.echo import ONE, Do, Echo, Heard, Threaded

from hap_sync.store import MemoryStore
from hap_trio.pump import FLUSH_LIMIT, HIGH_WATER, STALL_LIMIT, Pump, Store
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import Disconnected, LocalProtocolError


class Running:
    def __init__(self, nursery: trio.Nursery, store: Store | None = None) -> None:
        self.engine = Echo()
        self.events: list[Output] = []
        self.nursery = nursery
        self.pump = Pump(self.engine, nursery, self.events.append, store or MemoryStore())

    def connect(self, stream: trio.abc.Stream, number: ConnectionId = ONE) -> None:
        inputs = partial(self.engine.receive_data, number), partial(self.engine.receive_eof, number)
        self.nursery.start_soon(self.pump.attend, self.pump.adopt(stream, number, *inputs))


@asynccontextmanager
async def running(store: Store | None = None) -> AsyncGenerator[tuple[Running, trio.testing.MemoryStream], None]:
    """A pump and the far end of its connection."""
    async with trio.open_nursery() as nursery:
        run = Running(nursery, store)
        near, far = trio.testing.memory_stream_pair()
        run.connect(near)
        yield run, far
        nursery.cancel_scope.cancel()


async def read(stream: trio.abc.Stream, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := await stream.receive_some()):
        data += more
    return data


async def test_echoes_in_order_and_reports_events() -> None:
    async with running() as (run, far):
        for word in (b"one", b"two", b"three"):
            await far.send_all(word)
            assert await read(far, len(word)) == word
        assert run.events == [Heard(b"one"), Heard(b"two"), Heard(b"three")]


async def test_closes_after_the_last_bytes() -> None:
    async with running() as (run, far):
        await far.send_all(b"bye")
        assert await read(far, 100) == b"goodbye"
        await trio.testing.wait_all_tasks_blocked()
        assert run.engine.log == []  # the engine closed it: no news to it


async def test_tells_the_engine_once_that_a_connection_is_gone() -> None:
    async with running() as (run, far):
        await far.aclose()
        await trio.testing.wait_all_tasks_blocked()
        run.pump.post(Do((SendBytes(ONE, b"too late"), CloseConnection(ONE))))
        await trio.testing.wait_all_tasks_blocked()
        assert run.engine.log == ["eof 1"]


async def test_two_connections_do_not_mix() -> None:
    async with running() as (run, far):
        near, other = trio.testing.memory_stream_pair()
        run.connect(near, ConnectionId(2))
        run.pump.post(Do((SendBytes(ConnectionId(2), b"second"), SendBytes(ONE, b"first"))))
        assert await read(other, 6) == b"second"
        assert await read(far, 5) == b"first"
        await far.aclose()
        await other.send_all(b"still here")
        assert await read(other, 10) == b"still here"


async def test_a_command_returns_its_result_or_raises_its_error() -> None:
    async with running() as (run, _):
        assert await run.pump.do(Do(result=7)) == 7
        with pytest.raises(Disconnected, match="gone"):
            await run.pump.do(Do(result=Disconnected("gone")))
        with pytest.raises(LocalProtocolError):
            await run.pump.do(Do(result=LocalProtocolError))


async def test_a_cancelled_caller_only_loses_its_result() -> None:
    async with running() as (run, far):
        with trio.CancelScope() as scope:
            scope.cancel()
            await run.pump.do(Do((SendBytes(ONE, b"never"),), result=...))
        assert scope.cancelled_caught  # before it began: nothing happens at all
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.pump.do, Do((SendBytes(ONE, b"sent"),), result=...))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert await read(far, 4) == b"sent"
        assert await run.pump.do(Do(result="fine")) == "fine"
        # Nothing is kept about any of them.
        assert not run.pump._waiting
        assert not run.pump._replies


async def test_a_cancelled_caller_never_cuts_a_message() -> None:
    near, far = trio.testing.lockstep_stream_pair()  # takes nothing until it is read
    async with trio.open_nursery() as nursery:
        run = Running(nursery)
        run.connect(near)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as callers:
                callers.start_soon(run.pump.do, Do((SendBytes(ONE, b"0123456789"),), result=...))
                await trio.testing.wait_all_tasks_blocked()
                assert await far.receive_some(3) == b"012"
                scope.cancel()
        run.pump.post(Do((SendBytes(ONE, b"next"),)))
        assert await read(far, 11) == b"3456789next"
        nursery.cancel_scope.cancel()


async def test_wakes_the_engine_in_time(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as (run, _far):
        start = trio.current_time()
        run.engine.due = start + 100
        run.pump.drain()
        await trio.sleep(1)
        run.engine.due = start + 10  # sooner than what the timer sleeps for
        run.pump.drain()
        await trio.sleep(20)
        assert run.engine.log == [f"timeout {start + 10:g}"]
        run.engine.due = start + 30
        run.pump.drain()
        run.engine.due = start + 40  # later: an early wake-up is not passed on
        await trio.sleep(15)
        assert len(run.engine.log) == 1
        await trio.sleep(10)
        assert run.engine.log[1:] == [f"timeout {start + 40:g}"]


async def test_nothing_leaves_before_what_it_acknowledges_is_stored() -> None:
    store = Threaded()
    async with running(store) as (_run, far):
        await far.send_all(b"keep")
        await trio.testing.wait_all_tasks_blocked()
        await far.send_all(b"more")  # inputs still go in, outputs wait
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0):
            await far.receive_some()
            pytest.fail("something left too soon")
        assert store.load() == {}
        store.go.set()
        assert await read(far, 8) == b"keptmore"
        assert store.load() == {"key": b"value"}


async def test_a_store_that_fails_is_told_to_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    store = Threaded(OSError(28, "No space left on device"))
    store.go.set()
    async with running(store) as (run, far):
        await far.send_all(b"keep")
        assert await read(far, 4) == b"kept"  # this engine does not mind
        assert run.engine.log == ["failed OSError: [Errno 28] No space left on device"]
        assert "could not store key" in caplog.text


async def test_storing_is_not_cut_short_by_the_end() -> None:
    store = Threaded()
    async with running(store) as (run, _far):
        run.pump.post(Do((Persist("a", b"1"), Forget("b"), Persist("c", b"2"))))
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.spawn_system_task(trio.to_thread.run_sync, store.go.set)
    assert store.load() == {"a": b"1", "c": b"2"}


async def test_memory_needs_no_thread() -> None:
    store = MemoryStore()
    async with running(store) as (run, _):
        run.pump.post(Do((Persist("a", b"1"), Persist("b", b"2"), Forget("a"))))
        assert store.load() == {"b": b"2"}


class Stuck(trio.abc.Stream):
    """A peer that takes nothing until `flow` is set, and says nothing."""

    def __init__(self) -> None:
        self.flow = trio.Event()
        self.taken = 0
        self.closed = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.flow.wait()
        self.taken += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.flow.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await self.closed.wait()
        raise trio.ClosedResourceError

    async def aclose(self) -> None:
        self.closed.set()
        await trio.lowlevel.checkpoint()


async def test_a_slow_peer_pauses_the_engine_until_everything_is_out() -> None:
    async with running() as (run, _):
        stuck = Stuck()
        run.connect(stuck, ConnectionId(2))
        part = bytes(HIGH_WATER // 2)
        for _ in range(2):
            run.pump.post(Do((SendBytes(ConnectionId(2), part),)))
        assert run.engine.log == []
        run.pump.post(Do((SendBytes(ConnectionId(2), b"!"),)))
        assert run.engine.log == ["pause"]
        stuck.flow.set()
        await trio.testing.wait_all_tasks_blocked()
        assert run.engine.log == ["pause", "resume"]
        assert stuck.taken == HIGH_WATER + 1


async def test_nothing_is_read_from_a_peer_that_does_not_read() -> None:
    async with running() as (run, _):
        inbox, said = trio.testing.memory_stream_one_way_pair()
        stuck = Stuck()
        run.connect(trio.StapledStream(stuck, said), ConnectionId(2))
        run.pump.post(Do((SendBytes(ConnectionId(2), bytes(2 * HIGH_WATER)),)))
        for word in (b"one", b"two"):  # the first is waited for already
            await inbox.send_all(word)
            await trio.testing.wait_all_tasks_blocked()
        assert run.events == [Heard(b"one")]
        stuck.flow.set()
        await trio.testing.wait_all_tasks_blocked()
        assert run.events == [Heard(b"one"), Heard(b"two")]


async def test_a_peer_that_takes_nothing_is_cut_off(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as (run, _):
        stuck = Stuck()
        run.connect(stuck, ConnectionId(2))
        start = trio.current_time()
        run.pump.post(Do((SendBytes(ConnectionId(2), bytes(2 * HIGH_WATER)),)))
        await stuck.closed.wait()
        assert trio.current_time() - start == pytest.approx(STALL_LIMIT)
        assert run.engine.log == ["pause", "eof 2"]


async def test_the_last_bytes_have_their_limit(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as (run, _):
        stuck = Stuck()
        run.connect(stuck, ConnectionId(2))
        start = trio.current_time()
        run.pump.post(Do((SendBytes(ConnectionId(2), b"bye"), CloseConnection(ConnectionId(2)))))
        await stuck.closed.wait()
        assert trio.current_time() - start == pytest.approx(FLUSH_LIMIT)
        assert run.engine.log == []


async def test_the_end_closes_every_stream() -> None:
    async with trio.open_nursery() as nursery:
        run = Running(nursery)
        streams = [Stuck(), Stuck()]
        for number, stream in enumerate(streams):
            run.connect(stream, ConnectionId(number))
        run.pump.post(Do((SendBytes(ConnectionId(1), b"stuck"),)))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert all(stream.closed.is_set() for stream in streams)
    assert sorted(run.engine.log) == ["eof 0", "eof 1"]
