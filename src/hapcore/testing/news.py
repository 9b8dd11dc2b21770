"""What has come so far, as an iterator that passes virtual time only when asked to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from hapcore.feed import Backlog
from hapcore.testing.stage import Stage

__all__ = ["News"]

T = TypeVar("T")


class News(Backlog[T], Iterator[T]):
    """Iterating gives what has come so far, and ends there; iterate again for what comes later."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def __next__(self) -> T:
        """The next item. Raises what it was closed with, such as `Disconnected`."""
        if not self.ready:
            raise StopIteration
        return self.take(StopIteration)

    def wait(self, timeout: float = 10.0) -> T:
        """The next item; time passes until it comes. Raises `TimeoutError` after `timeout` virtual seconds.

        Raises what it was closed with, or `EOFError` if it was just closed.
        """
        end = self._stage.now + timeout
        while not self.ready:
            if not self._stage.advance(end):
                self._stage.pass_time(end - self._stage.now)
                raise TimeoutError(f"nothing came within {timeout:g} s")
        return self.take(EOFError)
