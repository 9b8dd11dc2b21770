"""The bridge to asyncio, both ways across: the same calls, the same results."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import trio

from hap_trio.bridge import Bridge, Way, open_bridge

LIMIT = 10


def _available() -> list[Way]:
    try:
        open_bridge(Way.TRIO_ASYNCIO)
    except ImportError:
        return [Way.THREAD]
    return [Way.TRIO_ASYNCIO, Way.THREAD]


@pytest.fixture(params=_available(), ids=lambda way: way.value)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


async def _double(number: int, *, by: int = 2) -> int:
    await asyncio.sleep(0)
    return number * by


async def test_a_result_comes_back(way: Way) -> None:
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            assert await bridge.run(_double, 21) == 42
            assert await bridge.run(_double, 3, by=3) == 9


async def test_an_exception_comes_back(way: Way) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("there")

    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            with pytest.raises(KeyError, match="there"):
                await bridge.run(fail)
            assert await bridge.run(_double, 1) == 2


async def test_calls_overlap(way: Way) -> None:
    results: dict[int, int] = {}
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            gate = await bridge.run(_make_event)

            async def one(number: int) -> None:
                async def wait() -> int:
                    await gate.wait()
                    return number

                results[number] = await bridge.run(wait)

            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(one, number)
                await bridge.run(_double, 0)
                assert results == {}
                bridge.post(gate.set)
    assert results == {number: number for number in range(20)}


async def _make_event() -> asyncio.Event:
    return asyncio.Event()


async def test_cancelling_cancels_there_and_waits_for_the_end(way: Way) -> None:
    seen: list[str] = []

    async def stubborn(begun: Callable[[], None]) -> None:
        begun()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("tidied")
            raise

    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            begun = trio.Event()
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(bridge.run, stubborn, lambda: bridge.report(begun.set))
                    await begun.wait()
                    scope.cancel()
            assert scope.cancelled_caught
            assert seen == ["cancelled", "tidied"]
            assert await bridge.run(_double, 2) == 4


async def test_a_call_in_a_cancelled_scope_leaves_nothing_behind(way: Way) -> None:
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            with trio.CancelScope() as scope:
                scope.cancel()
                await bridge.run(asyncio.sleep, 3600)
            assert scope.cancelled_caught
            assert await bridge.run(_tasks) == 1  # itself


async def _tasks() -> int:
    return sum(1 for task in asyncio.all_tasks() if "_stay" not in repr(task.get_coro()))


async def test_posts_and_reports_keep_their_order(way: Way) -> None:
    there: list[int] = []
    here: list[int] = []
    done = trio.Event()
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:

            def hear(number: int) -> None:
                there.append(number)
                bridge.report(here.append, number)
                if number == 99:
                    bridge.report(done.set)

            for number in range(100):
                bridge.post(hear, number)
            await done.wait()
    assert there == here == list(range(100))


async def test_reports_run_in_trios_thread_and_loop_is_where_it_should_be(way: Way) -> None:
    async def where() -> int:
        return threading.get_ident()

    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            there = await bridge.run(where)
            reported = trio.Event()
            idents: list[int] = []

            def report() -> None:
                idents.append(threading.get_ident())
                reported.set()

            bridge.post(lambda: bridge.report(report))
            await reported.wait()
    assert idents == [threading.get_ident()]
    assert (there == threading.get_ident()) is (way is Way.TRIO_ASYNCIO)


async def test_closing_ends_what_still_runs(way: Way) -> None:
    cancelled: list[bool] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def outlives(bridge: Bridge, begun: trio.Event) -> None:
        async def there() -> None:
            bridge.report(begun.set)
            await forever()

        with pytest.raises(trio.ClosedResourceError):
            await bridge.run(there)

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery, open_bridge(way) as bridge:
            begun = trio.Event()
            nursery.start_soon(outlives, bridge, begun)
            await begun.wait()
        with pytest.raises(trio.ClosedResourceError):
            await bridge.run(_double, 1)
        with pytest.raises(trio.ClosedResourceError):
            bridge.post(print)
    assert cancelled == [True]


async def test_a_task_nobody_waits_for_ends_with_the_bridge(way: Way) -> None:
    ended: list[bool] = []
    kept: list[asyncio.Task[None]] = []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def spawn() -> None:
        kept.append(asyncio.get_running_loop().create_task(background()))
        await asyncio.sleep(0)

    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            await bridge.run(spawn)
    assert ended == [True]


async def test_an_error_in_the_block_passes_and_the_thread_is_gone(way: Way) -> None:
    async def fail() -> None:
        async with open_bridge(way) as bridge:
            await bridge.run(_double, 1)
            raise ValueError("mine")

    with trio.fail_after(LIMIT), pytest.raises(ValueError, match="mine"):
        await fail()
    assert "hap asyncio" not in {thread.name for thread in threading.enumerate()}


async def test_cancelling_the_block_still_lets_it_tidy_up_over_the_bridge(way: Way) -> None:
    tidied: list[int] = []
    with trio.fail_after(LIMIT), trio.CancelScope() as scope:
        async with open_bridge(way) as bridge:
            try:
                scope.cancel()
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    tidied.append(await bridge.run(_double, 4))
    assert scope.cancelled_caught
    assert tidied == [8]


async def test_two_bridges_nest(way: Way) -> None:
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as outer, open_bridge(way) as inner:
            assert await outer.run(_double, 1) == 2
            assert await inner.run(_double, 2) == 4
            assert await outer.run(_loop_id) != await inner.run(_loop_id)


async def _reader_finds_its_loop(bridge: Bridge) -> bool:
    found: list[bool] = []
    done = trio.Event()

    async def watch(receiver: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def readable() -> None:
            loop.remove_reader(receiver)
            found.append(asyncio.get_running_loop() is loop)
            bridge.report(done.set)

        loop.add_reader(receiver, readable)

    sender, receiver = socket.socketpair()
    receiver.setblocking(False)
    with sender, receiver:
        await bridge.run(watch, receiver)
        sender.send(b"!")
        await done.wait()
    return found == [True]


async def test_callbacks_of_sockets_find_their_own_loop_from_within_another_bridge(way: Way) -> None:
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as outer, open_bridge(way) as inner:
            assert await _reader_finds_its_loop(outer)
            assert await _reader_finds_its_loop(inner)


@pytest.fixture
async def one(way: Way) -> AsyncIterator[Bridge]:
    async with open_bridge(way) as bridge:
        yield bridge


@pytest.fixture
async def other(way: Way) -> AsyncIterator[Bridge]:
    async with open_bridge(way) as bridge:
        yield bridge


@pytest.mark.parametrize("_again", range(5))
async def test_bridges_opened_at_the_same_time_in_one_context_are_not_mixed_up(
    one: Bridge, other: Bridge, _again: int
) -> None:
    """pytest-trio sets up fixtures side by side and lets them share their context variables."""
    with trio.fail_after(LIMIT):
        assert await _reader_finds_its_loop(one)
        assert await _reader_finds_its_loop(other)


async def test_the_callers_context_is_left_alone(way: Way) -> None:
    before = dict(contextvars.copy_context())
    with trio.fail_after(LIMIT):
        async with open_bridge(way) as bridge:
            await bridge.run(_double, 1)
            assert dict(contextvars.copy_context()) == before


async def _loop_id() -> int:
    return id(asyncio.get_running_loop())


def test_without_trio_asyncio_the_best_way_is_the_thread() -> None:
    program = (
        "import sys; sys.modules['trio_asyncio'] = None\n"
        "import threading, trio\n"
        "from hap_trio.bridge import Way, open_bridge\n"
        "async def main():\n"
        "    async def one(): return 1\n"
        "    async with open_bridge() as bridge:\n"
        "        print('hap asyncio' in [one.name for one in threading.enumerate()], await bridge.run(one))\n"
        "    try: open_bridge(Way.TRIO_ASYNCIO)\n"
        "    except ImportError: print('refused')\n"
        "trio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["True", "1", "refused"], "")


def test_opening_the_best_bridge_warns_about_nothing() -> None:
    program = (
        "import threading, trio\n"
        "from hap_trio.bridge import open_bridge\n"
        "async def main():\n"
        "    async with open_bridge(): pass\n"
        "trio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
