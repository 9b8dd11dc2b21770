"""A bounded queue of news for one reader, as an async iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

import trio

from hapcore.feed import FEED_LIMIT, Backlog

__all__ = ["Feed"]

T = TypeVar("T")


class Feed(Backlog[T], AsyncIterator[T]):
    """Iterate over it to get what was put in, in order. It never holds up who puts in.

    A reader that is more than 1000 items behind loses the oldest; `lost` counts them. After `close()` the rest is
    still delivered, then the iteration ends, or raises the error it was closed with.
    """

    def __init__(self, limit: int = FEED_LIMIT) -> None:
        super().__init__(limit)
        self._readers = trio.lowlevel.ParkingLot()

    def wake(self) -> None:
        self._readers.unpark_all()

    async def __anext__(self) -> T:
        """The next item. Raises what the feed was closed with."""
        await trio.lowlevel.checkpoint()
        while not self.ready:
            await self._readers.park()
        return self.take(StopAsyncIteration)
