"""Virtual time on trio."""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
import trio.testing

from hapcore.testing import substituted

__all__ = ["run", "virtual_clock"]

T = TypeVar("T")


def virtual_clock() -> trio.testing.MockClock:
    """A clock for `trio.run(..., clock=)` that jumps to the next deadline whenever everybody waits."""
    return trio.testing.MockClock(autojump_threshold=0)


def run(main: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """`trio.run()` in virtual time. Time stands still while a thread works, as one does that stores a state file."""
    clock = virtual_clock()
    in_thread = trio.to_thread.run_sync
    working = 0

    async def patient(*arguments: Any, **options: Any) -> Any:
        nonlocal working
        working += 1
        clock.autojump_threshold = math.inf
        try:
            return await in_thread(*arguments, **options)
        finally:
            working -= 1
            if not working:
                clock.autojump_threshold = 0

    with substituted(sys.modules, "trio", "run_sync", in_thread, patient):
        return trio.run(main, *arguments, clock=clock)
