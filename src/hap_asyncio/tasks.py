"""Tasks that end with what they belong to, and waiting that a cancellation does not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Tasks", "Uncancelled", "settle"]

T = TypeVar("T")


class Tasks:
    """The tasks behind a server or a connection.

    No `asyncio.TaskGroup`: that one belongs to the task that opened it, and programs open servers and connections in
    one task and close them in another. A task that fails is reported as asyncio reports it, the others go on.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it until it ends by itself, is cancelled, or `aclose()` cancels it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def aclose(self) -> None:
        """Cancel all and wait until they are over."""
        for task in self._running:
            task.cancel()
        with Uncancelled() as patient:
            while running := [task for task in self._running if not task.done()]:
                await patient.over(running)


class Uncancelled:
    """`with Uncancelled() as patient: await patient.wait(...)`: a cancellation is held back until the end of the block.

    It is raised there, unless the block raises something else: an error must not get lost.
    """

    def __init__(self) -> None:
        self._cancelled: asyncio.CancelledError | None = None

    async def wait(self, what: Awaitable[T]) -> T:
        """Wait until it is done, for its result or error."""
        future = asyncio.ensure_future(what)
        await self.over([future])
        return future.result()

    async def over(self, futures: Iterable[asyncio.Future[Any]]) -> None:
        """Wait until all are over, whatever comes of them."""
        while pending := [future for future in futures if not future.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                self._cancelled = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._cancelled is not None:
            raise self._cancelled


async def settle(what: Awaitable[T]) -> T:
    """Wait to the end. A cancellation that comes meanwhile is raised then."""
    with Uncancelled() as patient:
        return await patient.wait(what)
