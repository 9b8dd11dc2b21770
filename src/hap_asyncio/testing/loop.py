"""Virtual time on asyncio."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Jump(selectors.DefaultSelector):
    """Waits for files as long as there are any ready; where time is all there is to wait for, it is skipped."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience = patience
        self.skipped = 0.0
        #: How many calls in threads are not over yet.
        self.working = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.working:
            return super().select(None)  # the end of a thread's work wakes it
        ready = super().select(self.patience)
        if not ready:
            self.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything happens, and jumps to the next timer when nothing does.

    It stands still, too, while a call of `asyncio.to_thread()` or `run_in_executor()` is under way.

    `patience` is how many real seconds nothing must have happened before it jumps: 0 for programs in memory, a little
    more where sockets or threads of your own take part, since the clock knows nothing of what they are about to do.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._jump = _Jump(patience)
        super().__init__(self._jump)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.skipped

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Have a thread do it; no time passes meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._jump.working += 1
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _: object) -> None:
        self._jump.working -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the name is given
        """Wait for the threads without a limit: virtual time would be over before they have ended."""
        del timeout
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T], *, patience: float = 0.0) -> T:
    """`asyncio.run()` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience)) as runner:
        return runner.run(main)
