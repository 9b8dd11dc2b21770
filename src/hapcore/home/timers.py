"""What must not be waited for without end."""

from __future__ import annotations

from typing import Any, TypeVar

from hapcore.errors import HapError
from hapcore.home.procedure import Procedure, Promise

__all__ = ["Timers"]

T = TypeVar("T")


class Timers:
    """Promises that fail when their time is over."""

    __slots__ = ("_entries", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._entries: dict[Promise[Any], tuple[float, HapError]] = {}

    def within(self, limit: float, promise: Promise[T], error: HapError) -> Procedure[T]:
        """Within a procedure: the result of `promise`. Raises `error` when it is not there within `limit` seconds."""
        self._entries[promise] = (self.now + limit, error)
        try:
            return (yield from promise.wait())
        finally:
            del self._entries[promise]

    def next_due(self) -> float | None:
        """When the first of them is over."""
        return min([due for due, _ in self._entries.values()]) if self._entries else None

    def expire(self) -> None:
        """Fail those whose time is over."""
        for promise, (due, error) in self._entries.items():
            if due <= self.now:
                promise.fail(error)
