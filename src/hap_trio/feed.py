"""A bounded queue of news for one reader: an async iterator that never holds up the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

import trio

__all__ = ["Feed"]

T = TypeVar("T")

#: What a reader may be behind. The oldest is dropped first: with characteristics, the latest value is what counts.
FEED_LIMIT = 1000


class Feed(AsyncIterator[T], Generic[T]):
    """Iterate over it to get what was put in, in order.

    A reader that is more than 1000 items behind loses the oldest; `lost` counts them. After `close()` the rest is
    still delivered, then the iteration ends, or raises the error it was closed with.
    """

    def __init__(self, limit: int = FEED_LIMIT) -> None:
        self.lost = 0
        self._items: deque[T] = deque()
        self._limit = limit
        self._closed = False
        self._error: Exception | None = None
        self._readers = trio.lowlevel.ParkingLot()

    def put(self, item: T) -> None:
        """Add one item; never blocks. Ignored after `close()`."""
        if self._closed:
            return
        if len(self._items) >= self._limit:
            self._items.popleft()
            self.lost += 1
        self._items.append(item)
        self._readers.unpark()

    def close(self, error: Exception | None = None) -> None:
        """No more will come, because of `error` if given. Closing twice is harmless, the first reason stays."""
        if not self._closed:
            self._closed, self._error = True, error
            self._readers.unpark_all()

    async def __anext__(self) -> T:
        """The next item. Raises what the feed was closed with."""
        await trio.lowlevel.checkpoint()
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            await self._readers.park()
        return self._items.popleft()
