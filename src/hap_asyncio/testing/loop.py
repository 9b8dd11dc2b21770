"""Virtual time on asyncio."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Waits for files as long as there are any ready; where time is all there is to wait for, it is skipped."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience = patience
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(self.patience)
        if not ready:
            self.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything happens, and jumps to the next timer when nothing does.

    `patience` is how many real seconds nothing must have happened before it jumps: 0 for programs in memory, a little
    more where sockets or threads take part, since the clock knows nothing of what they are about to do.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._jump = _Jump(patience)
        super().__init__(self._jump)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.skipped

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the name is given
        """Wait for the threads without a limit: virtual time would be over before they have ended."""
        del timeout
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T], *, patience: float = 0.0) -> T:
    """`asyncio.run()` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience)) as runner:
        return runner.run(main)
