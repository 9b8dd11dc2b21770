"""What must not be waited for without end."""

from __future__ import annotations

from typing import Any, TypeVar

from hapcore.errors import HapError
from hapcore.home.procedure import Procedure, Promise

__all__ = ["Timers"]

T = TypeVar("T")


class Timers:
    """Promises that fail when their time is over."""

    __slots__ = ("entries", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self.entries: dict[Promise[Any], tuple[float, HapError]] = {}

    def within(self, limit: float, promise: Promise[T], error: HapError) -> Procedure[T]:
        """Within a procedure: the result of `promise`. Raises `error` when it is not there within `limit` seconds."""
        self.entries[promise] = (self.now + limit, error)
        try:
            return (yield from promise.wait())
        finally:
            del self.entries[promise]

    def expire(self) -> None:
        """Fail those whose time is over."""
        for promise, (due, error) in self.entries.items():
            if due <= self.now:
                promise.fail(error)
