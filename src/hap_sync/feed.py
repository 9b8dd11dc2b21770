"""A bounded queue of news for one reader, as an iterator that waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from hapcore.feed import FEED_LIMIT, Backlog

from .loop import Loop

__all__ = ["Feed"]

T = TypeVar("T")


class Feed(Backlog[T], Iterator[T]):
    """Iterate over it to get what was put in, in order. While it waits, everything of this thread is served.

    A reader that is more than 1000 items behind loses the oldest; `lost` counts them. After `close()` the rest is
    still delivered, then the iteration ends, or raises the error it was closed with. It also ends when `timeout`
    seconds from its making are over, if given.
    """

    def __init__(self, loop: Loop, limit: int = FEED_LIMIT, timeout: float | None = None) -> None:
        super().__init__(limit)
        self._loop = loop
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def __next__(self) -> T:
        """The next item. Raises what the feed was closed with."""
        try:
            return self._next(self._deadline)
        except TimeoutError:
            raise StopIteration from None

    def wait(self, timeout: float | None = None) -> T:
        """The next item. Raises `TimeoutError` when there is none within `timeout` seconds (0: what is there now).

        Raises what the feed was closed with, or `EOFError` when it was just closed.
        """
        try:
            return self._next(None if timeout is None else time.monotonic() + timeout)
        except StopIteration:
            raise EOFError("there is no more to come") from None

    def events(self, timeout: float | None = None) -> Iterator[T]:
        """Iterate over what comes within `timeout` seconds (None: without end); nothing is lost between two of them."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with suppress(TimeoutError, StopIteration):
            while True:
                yield self._next(deadline)

    def _next(self, deadline: float | None) -> T:
        if not self.ready:
            rest = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            if not self._loop.wait(lambda: self.ready, rest):
                raise TimeoutError(f"nothing came within {rest:g} s")
        return self.take(StopIteration)
