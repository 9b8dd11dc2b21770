"""The loop around an engine: bytes and time go in, effects come out and are carried out in order."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import TypeVar, cast

from hap_sync.keylog import watch
from hap_sync.store import MemoryStore, Store
from hapcore import engine as hap
from hapcore.ip.drive import Drive, outcome

from .tasks import Tasks, Uncancelled
from .wire import End, Take, Wire

__all__ = ["Pump", "Store"]

R = TypeVar("R")
_log = logging.getLogger("hap_asyncio")


class Pump(Drive[Wire]):
    """Runs one engine. After every input given to the engine, `drain()` must be called.

    Everything but storing is carried out at once, by whoever drains. Storing takes a thread, and the engine is not
    polled meanwhile: what acknowledges a fact leaves after the fact is on disk.
    """

    def __init__(self, engine: hap.Driven, report: Callable[[hap.Output], None], store: Store) -> None:
        super().__init__(engine, watch(engine, report), store)
        self.engine = engine
        self.tasks = Tasks()
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        #: Storing in memory needs no thread.
        self._instant = type(store) is MemoryStore
        #: Those whose transport is not closed yet, among them such as the engine has forgotten.
        self._open: dict[Wire, asyncio.Future[None]] = {}
        self._waiting: dict[hap.CommandId, asyncio.Future[object]] = {}
        self._storing: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._closed = False

    def post(self, command: hap.Command[object]) -> None:
        """Submit a command nobody waits for. Raises what the engine raises: the caller's own mistake."""
        if get_ident() != self._thread:
            raise RuntimeError("this belongs to another thread")
        self.engine.submit(command, self._loop.time())
        self.drain()

    def submit(self, command: hap.Command[R]) -> asyncio.Future[R]:
        """Submit a command, for its result or the error it failed with.

        Cancelling the future drops the interest in the result; the engine still finishes the command.
        """
        number = self.engine.submit(command, self._loop.time())
        answer = self._waiting[number] = self._loop.create_future()
        self.drain()
        return cast("asyncio.Future[R]", answer)

    def adopt(self, wire: Wire, number: hap.ConnectionId, take: Take, end: End) -> None:
        """Connect `wire` with the engine's connection `number` and its inputs. The wire is closed when that ends."""
        self._open[wire] = self._loop.create_future()
        self._wires[number] = wire
        wire.begin(self, number, take, end)
        self.drain()
        if self._closed:
            wire.abort()

    def closing(self, wire: Wire) -> asyncio.Future[None]:
        """Is done when a wire that has been adopted is closed."""
        over = self._open.get(wire)
        if over is None:
            over = self._loop.create_future()
            over.set_result(None)
        return asyncio.shield(over)  # who waits may be cancelled

    def choke(self, wire: Wire, choked: bool) -> None:
        self._choke(wire.number, choked, self._loop.time())
        self.drain()

    def lose(self, wire: Wire) -> None:
        if not wire.ended:
            wire.ended = True
            del self._wires[wire.number]
            wire.end(self._loop.time())
            self.drain()

    def gone(self, wire: Wire) -> None:
        if (over := self._open.pop(wire, None)) is not None:
            over.set_result(None)

    async def aclose(self) -> None:
        """Finish storing, close what is open, and end the tasks."""
        self._closed = True
        with Uncancelled() as patient:
            while self._storing is not None:
                await patient.over([self._storing])
                await patient.wait(asyncio.sleep(0))  # for the call that it causes
            for wire in list(self._open):
                wire.abort()
            await patient.over(list(self._open.values()))
            await patient.wait(self.tasks.aclose())
        if self._alarm is not None:
            self._alarm.cancel()

    def _answer(self, reply: hap.Done | hap.Failed) -> None:
        waiting = self._waiting.pop(reply.command, None)
        if waiting is None or waiting.done():
            return
        if (error := outcome(reply)) is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(cast("hap.Done", reply).result)

    def _send(self, wire: Wire, data: bytes) -> None:
        wire.put(data)

    def _end(self, wire: Wire) -> None:
        wire.ended = True
        wire.close()

    def _keep_later(self, effect: hap.Persist | hap.Forget) -> bool:
        if not self._instant:
            self._storing = self._loop.run_in_executor(None, self._keep, effect)
            self._storing.add_done_callback(partial(self._stored, effect))
        return not self._instant

    def _stored(self, effect: hap.Persist | hap.Forget, storing: asyncio.Future[None]) -> None:
        """The thread is through. No task waited for it, so none could be cancelled."""
        self._storing = None
        error = storing.exception()
        if error is not None:
            _log.error("could not store %s: %s", effect.key, error)
        self._kept(effect, error, self._loop.time())

    def _wake_by(self, due: float) -> None:
        if due < self._due:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm, self._due = self._loop.call_at(due, self._ring), due

    def _ring(self) -> None:
        """Tell the engine when it is due."""
        self._due = math.inf
        due, now = self.engine.next_timeout(), self._loop.time()
        if due is not None and due <= now:
            self.engine.handle_timeout(now)
        self.drain()
