"""Virtual time on trio."""

from __future__ import annotations

import trio.testing

__all__ = ["virtual_clock"]


def virtual_clock() -> trio.testing.MockClock:
    """A clock for `trio.run(..., clock=)` that jumps to the next deadline whenever everybody waits."""
    return trio.testing.MockClock(autojump_threshold=0)
