"""News for one reader who may be slow: bounded, and never in the engine's way."""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

from hapcore.errors import LocalProtocolError

__all__ = ["FEED_LIMIT", "Backlog"]

T = TypeVar("T")

#: What a reader may be behind. The oldest is dropped first: with characteristics, the latest value is what counts.
FEED_LIMIT: Final = 1000


class Backlog(Generic[T]):
    """A queue that adapters make an iterator of: `take()` when `ready`, else wait until `wake()` is called.

    A reader that is more than `limit` items behind loses the oldest; `lost` counts them. After `close()` the rest is
    still delivered, then the iteration ends, or raises the error it was closed with.
    """

    #: To be set where every item counts: a reader that is too far behind gets what is there, then an error.
    complete = False

    def __init__(self, limit: int = FEED_LIMIT) -> None:
        self.lost = 0
        self._items: deque[T] = deque()
        self._limit = limit
        self._closed = False
        self._error: Exception | None = None

    def put(self, item: T) -> None:
        """Add one item. Ignored after `close()`."""
        if self._closed:
            return
        if len(self._items) >= self._limit:
            if self.complete:
                self.close(LocalProtocolError(f"the reader is {self._limit} items behind, what came then is lost"))
                return
            self._items.popleft()
            self.lost += 1
        self._items.append(item)
        self.wake()

    def close(self, error: Exception | None = None) -> None:
        """No more will come, because of `error` if given. Closing twice is harmless, the first reason stays."""
        if not self._closed:
            self._closed, self._error = True, error
            self.wake()

    @property
    def ready(self) -> bool:
        """Whether `take()` has something to return or to raise."""
        return bool(self._items) or self._closed

    def take(self, end: type[Exception]) -> T:
        """The next item. After the last raises what the feed was closed with, or `end` (such as StopIteration)."""
        if self._items:
            return self._items.popleft()
        raise self._error or end

    def wake(self) -> None:
        """For the adapter: something has become ready."""
