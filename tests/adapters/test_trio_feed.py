"""News for a slow reader: bounded, counted, ended."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from hap_trio.feed import Feed
from hapcore.errors import Disconnected


async def test_gives_what_was_put_in_then_ends() -> None:
    feed = Feed[int]()
    feed.put(1)
    feed.put(2)
    feed.close()
    feed.put(3)
    feed.close(Disconnected("too late"))
    assert [item async for item in feed] == [1, 2]
    assert feed.lost == 0


async def test_a_slow_reader_loses_the_oldest() -> None:
    feed = Feed[int](limit=3)
    for item in range(10):
        feed.put(item)
    feed.close()
    assert [item async for item in feed] == [7, 8, 9]
    assert feed.lost == 7


async def test_raises_what_it_was_closed_with() -> None:
    feed = Feed[int]()
    feed.put(1)
    feed.close(Disconnected("gone"))
    assert await anext(feed) == 1
    for _ in range(2):
        with pytest.raises(Disconnected, match="gone"):
            await anext(feed)


async def test_wakes_a_waiting_reader() -> None:
    feed = Feed[int]()
    read: list[int] = []

    async def reader() -> None:
        async for item in feed:
            read.append(item)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        feed.put(1)
        await trio.testing.wait_all_tasks_blocked()
        assert read == [1]
        feed.close()


async def test_every_step_is_a_checkpoint() -> None:
    feed = Feed[int]()
    feed.put(1)
    with trio.testing.assert_checkpoints():
        await anext(feed)
