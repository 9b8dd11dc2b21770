"""Virtual time for blocking code."""

from __future__ import annotations

import selectors
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace

from hap_sync import loop
from hapcore.testing import VirtualClock, substituted

__all__ = ["virtual_time"]


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: where no file is ready at once, the time of the wait is skipped."""

    def __init__(self, clock: VirtualClock, patience: float) -> None:
        super().__init__()
        self._clock = clock
        self._patience = patience

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(self._patience)
        if not ready:
            self._clock.pass_time(timeout)
        return ready


@contextmanager
def virtual_time(*, patience: float = 0.0) -> Generator[VirtualClock, None, None]:
    """A block in which hap_sync goes by the clock that it gives: what would wait skips the time instead.

    Open controllers and servers in the block, and in one thread. Connections in memory take the clock:
    `Network(weather, clock=clock)`. `patience` is how many real seconds nothing must have happened before time is
    skipped: 0 for programs in memory, a little more where sockets take part.
    """
    clock = VirtualClock()

    class Jump(_Jump):
        def __init__(self) -> None:
            super().__init__(clock, patience)

    skipping = SimpleNamespace(**{**vars(selectors), "DefaultSelector": Jump})
    turned = SimpleNamespace(**{**vars(time), "monotonic": clock})
    with (
        substituted(sys.modules, loop.__name__, "selectors", selectors, skipping),
        substituted(sys.modules, "hap_sync", "time", time, turned),
    ):
        yield clock
