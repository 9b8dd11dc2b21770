"""The bridge over which trio runs code that is asyncio by nature (zeroconf; later bleak).

Two ways across with the same few calls: trio-asyncio, where it can be imported, runs an asyncio loop inside trio's own
thread; elsewhere (Python 3.14, to begin with) a plain asyncio loop runs in one thread beside it. Import this module
only when asyncio code has to run: it costs the import of asyncio.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from enum import Enum
from types import ModuleType
from typing import Any, NoReturn, ParamSpec, TypeVar

import trio

from .background import background

__all__ = ["Bridge", "Way", "open_bridge"]

P = ParamSpec("P")
T = TypeVar("T")


class Way(Enum):
    """How to get across. Users need not choose; tests do."""

    BEST = "best"
    TRIO_ASYNCIO = "trio-asyncio"
    THREAD = "thread"


class Bridge:
    """What is needed from asyncio: await something there, start something there, be told something from there.

    Calls that were posted before the end of the loop run before it, and so end with it: nobody waits for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._token = trio.lowlevel.current_trio_token()
        # trio-asyncio finds "the running loop" in the context, and passes contexts on to the readers of sockets. In the
        # context of a caller within another bridge, code of this loop would find the other one.
        self._context = contextvars.copy_context()
        self.closed = False

    def _check_open(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError(_CLOSED)

    async def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `function(...)` on the asyncio side; its result or exception is this call's.

        Cancelling this call cancels the asyncio task and waits until that is over. Raises `trio.ClosedResourceError`
        where the bridge is, or gets, closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        waiter = trio.lowlevel.current_task()
        tasks: list[asyncio.Task[T]] = []  # the one, once it has started
        cancel_waiter: Callable[[], NoReturn] | None = None

        async def call() -> T:
            return await function(*args, **kwargs)

        def start() -> None:
            tasks.append(self._loop.create_task(call()))
            tasks[0].add_done_callback(lambda _: self.report(trio.lowlevel.reschedule, waiter))

        def abort(raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
            nonlocal cancel_waiter
            cancel_waiter = raise_cancel
            with suppress(trio.ClosedResourceError):  # then the end of the call is on its way
                self.post(lambda: tasks[0].cancel())
            return trio.lowlevel.Abort.FAILED  # it is over when the asyncio side says so

        self.post(start)
        try:
            await trio.lowlevel.wait_task_rescheduled(abort)
            return tasks[0].result()
        except asyncio.CancelledError:
            if cancel_waiter is not None:
                cancel_waiter()
            raise trio.ClosedResourceError(_CLOSED) from None

    def post(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """From trio: call `function` on the asyncio side soon, after everything posted before. It must not raise."""
        self._check_open()
        try:
            self._loop.call_soon_threadsafe(lambda: function(*args, **kwargs), context=self._context.copy())
        except RuntimeError:
            raise trio.ClosedResourceError(_CLOSED) from None

    def report(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """From asyncio: call `function` in trio's thread soon, after everything reported before. It must not raise."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(lambda: function(*args, **kwargs))


def open_bridge(way: Way = Way.BEST) -> AbstractAsyncContextManager[Bridge]:
    """Open a bridge for as long as the `async with` block lasts. Tasks left on the asyncio side are cancelled then.

    With `Way.TRIO_ASYNCIO`, raises `ImportError` where trio-asyncio cannot be imported.
    """
    if way is Way.THREAD:
        return _open_thread()
    try:
        return _open_trio_asyncio(_import_trio_asyncio())
    except ImportError:
        if way is Way.TRIO_ASYNCIO:
            raise
        return _open_thread()


_CLOSED = "the bridge to asyncio is closed"


# --- trio-asyncio -----------------------------------------------------------------------------------------------------


def _import_trio_asyncio() -> ModuleType:
    with warnings.catch_warnings():
        # On Python 3.12 and 3.13 it subclasses what asyncio has deprecated (child watchers, policies). Nobody who
        # uses this library can do anything about that, and the way through a thread is ready for when they are gone.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"trio_asyncio\b")
        try:
            return importlib.import_module("trio_asyncio")
        except AttributeError as error:  # Python 3.14 removed the classes that trio-asyncio 0.16 inherits from
            raise ImportError(f"trio-asyncio does not fit this Python: {error}") from error


@asynccontextmanager
async def _open_trio_asyncio(module: ModuleType) -> AsyncGenerator[Bridge, None]:
    ready, done = trio.Event(), trio.Event()
    opened: list[Bridge] = []

    async def live() -> None:
        # In a task of its own, so in a context of its own: it is there that trio-asyncio notes which loop it is, and
        # the caller's context may be shared with others who open a bridge just now (pytest-trio's fixtures do).
        with trio.CancelScope(shield=True):  # until the block has tidied up, whoever cancels it
            try:
                async with module.open_loop() as loop:
                    opened.append(Bridge(loop))
                    ready.set()
                    await done.wait()
            finally:
                ready.set()

    async with background() as nursery:
        nursery.start_soon(live)
        with trio.CancelScope(shield=True):
            await ready.wait()
        if not opened:
            await trio.sleep_forever()  # until the error of live() ends it
        try:
            yield opened[0]
        finally:
            opened[0].closed = True
            done.set()


# --- a thread ---------------------------------------------------------------------------------------------------------


async def _stay(started: Callable[[asyncio.AbstractEventLoop, asyncio.Event], None]) -> None:
    stop = asyncio.Event()
    started(asyncio.get_running_loop(), stop)
    await stop.wait()


#: Not asyncio.new_event_loop(): once trio-asyncio has been imported, that makes one of its own loops.
_new_loop = asyncio.SelectorEventLoop


@asynccontextmanager
async def _open_thread() -> AsyncGenerator[Bridge, None]:
    token = trio.lowlevel.current_trio_token()
    ready, over = trio.Event(), trio.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    failure: list[BaseException] = []

    def started(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        running.append((loop, stop))
        token.run_sync_soon(ready.set)

    def live() -> None:
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(_stay(started))
        except BaseException as error:  # noqa: BLE001 - it is raised again in trio's thread
            failure.append(error)
        finally:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(ready.set)
                token.run_sync_soon(over.set)

    thread = threading.Thread(target=live, name="hap asyncio", daemon=True)
    thread.start()
    with trio.CancelScope(shield=True):  # the thread starts within a millisecond; left alone it would never end
        await ready.wait()
    if not running:
        raise failure[0]
    ((loop, stop),) = running
    bridge = Bridge(loop)
    try:
        yield bridge
    finally:
        bridge.closed = True
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        with trio.CancelScope(shield=True):
            await over.wait()
            thread.join()  # it has nothing left to do but to return
    if failure:
        raise failure[0]
