"""The bridge over which blocking code runs what is asyncio by nature: a loop in a thread of its own.

The import costs nothing; opening one costs that of asyncio.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from hapcore.errors import LocalProtocolError

from .loop import Loop

__all__ = ["Bridge"]

P = ParamSpec("P")
T = TypeVar("T")


class Bridge:
    """An asyncio loop in a thread of its own; `what` it is for is said in errors. For the thread that opened it."""

    def __init__(self, loop: Loop, what: str) -> None:
        import asyncio

        self._loop, self._what = loop, what
        self._await = asyncio.run_coroutine_threadsafe
        self.closed = False
        opened: Future[asyncio.AbstractEventLoop] = Future()

        def live() -> None:
            # Not asyncio.new_event_loop(): once trio-asyncio has been imported, that makes one of its own loops.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                opened.set_result(runner.get_loop())
                runner.get_loop().run_forever()

        self._thread = threading.Thread(target=live, name=f"hap {what}", daemon=True)
        self._thread.start()
        self._inner = opened.result()

    def start(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it awaited there. Raises `LocalProtocolError` once it is closed."""
        if self.closed:
            raise LocalProtocolError(f"the {self._what} is closed")
        return self._await(function(*args, **kwargs), self._inner)

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await it there, and serve everything of this thread meanwhile. Ctrl-C cancels it."""
        future = self.start(function, *args, **kwargs)
        future.add_done_callback(lambda _: self._loop.wake())
        try:
            self._loop.wait(future.done)
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def post(self, function: Callable[[], object]) -> None:
        """Have it called there, after everything posted before."""
        with suppress(RuntimeError):  # closed
            self._inner.call_soon_threadsafe(function)

    def report(self, function: Callable[[], object]) -> None:
        """From there: have the thread that waits here call it."""
        with suppress(LocalProtocolError):
            self._loop.call_soon(function)

    def close(self) -> None:
        """End the thread."""
        self.closed = True
        self.post(self._inner.stop)
        self._thread.join()
