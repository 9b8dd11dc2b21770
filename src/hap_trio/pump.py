"""The loop around an engine: bytes and time go in, effects come out and are carried out in order."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import trio

from hap_sync.keylog import watch
from hap_sync.store import MemoryStore, Store
from hapcore import engine as hap
from hapcore.ip.drive import Drive, outcome

from .wire import End, Take, Wire

__all__ = ["Pump", "Store"]

R = TypeVar("R")
_log = logging.getLogger("hap_trio")
_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)

#: A peer that lets this much pile up is told apart from a quick one: the engine pauses its answers and events.
HIGH_WATER = 64 * 1024
#: Seconds a peer may take none of the bytes waiting for it before its connection is cut.
STALL_LIMIT = 60.0
#: Seconds to get the last bytes out before a connection is closed.
FLUSH_LIMIT = 5.0


class Pump(Drive[Wire]):
    """Runs one engine in `nursery`. After every input given to the engine, `drain()` must be called.

    Everything but storing is carried out at once, in the task that drains. Storing takes a thread, and the engine is
    not polled meanwhile: what acknowledges a fact leaves after the fact is on disk.
    """

    def __init__(
        self, engine: hap.Driven, nursery: trio.Nursery, report: Callable[[hap.Output], None], store: Store
    ) -> None:
        super().__init__(engine, watch(engine, report), store)
        self.engine = engine
        self._nursery = nursery
        #: Storing in memory needs no thread, and a virtual clock would run away while one works.
        self._instant = type(store) is MemoryStore
        self._waiting: dict[hap.CommandId, trio.Event] = {}
        self._replies: dict[hap.CommandId, hap.Done | hap.Failed] = {}
        self._alarm = trio.CancelScope()
        nursery.start_soon(self._keep_time)

    def post(self, command: hap.Command[object]) -> None:
        """Submit a command nobody waits for. Raises what the engine raises: the caller's own mistake."""
        self.engine.submit(command, trio.current_time())
        self.drain()

    async def do(self, command: hap.Command[R]) -> R:
        """Submit a command and wait for its result. Raises the error it failed with.

        Cancelling the wait drops the interest in the result; the engine still finishes the command.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        number = self.engine.submit(command, trio.current_time())
        answered = self._waiting[number] = trio.Event()
        try:
            self.drain()
            await answered.wait()
            reply = self._replies[number]
        finally:
            del self._waiting[number]
            self._replies.pop(number, None)
        if isinstance(reply, hap.Failed) and (error := outcome(reply)) is not None:
            raise error
        return cast("R", cast("hap.Done", reply).result)

    def adopt(self, stream: trio.abc.Stream, number: hap.ConnectionId, take: Take, end: End) -> Wire:
        """Connect `stream` with the engine's connection `number` and its inputs; `attend()` must follow."""
        wire = self._wires[number] = Wire(stream, number, take, end)
        self.drain()
        return wire

    async def attend(self, wire: Wire) -> None:
        """Carry one connection until either side ends it. The stream is closed afterwards, whatever happens."""
        receive, take = partial(self._receive, wire) if wire.quick is None else wire.quick.receive_some, wire.take
        try:
            while data := await receive():
                if not wire.ended:
                    take(data, trio.current_time())
                    self.drain()
                    if wire.resumed is not None:
                        await wire.resumed.wait()
        except _LOST:
            pass  # to the engine the same as a proper end
        finally:
            flushing = wire.ended and wire.limit is not None
            self._lose(wire)
            self.drain()
            if wire.quick is not None and not flushing:
                wire.quick.close()  # what aclose() does, for less
            elif not flushing:
                await self._close(wire)

    async def _receive(self, wire: Wire) -> bytes:
        """Read from a stream of somebody's: whatever is wrong with it ends that connection, and no other."""
        try:
            return bytes(await wire.stream.receive_some())
        except _LOST:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self._blame(wire, error)
            return b""

    async def _close(self, wire: Wire) -> None:
        try:
            await trio.aclose_forcefully(wire.stream)
        except Exception as error:  # noqa: BLE001 - as in _receive
            self._blame(wire, error)

    def _blame(self, wire: Wire, error: Exception) -> None:
        _log.error("the transport of connection %d failed: %r", wire.number, error)

    def _send(self, wire: Wire, data: bytes) -> None:
        rest: bytes | memoryview = data
        if wire.limit is None and wire.quick is not None:
            try:
                taken = wire.quick.send_nowait(data)
            except _LOST:
                self._lose(wire)
                wire.quick.close()
                return
            if taken == len(data):
                return
            rest = memoryview(data)[taken:]
        wire.backlog.append(rest)
        wire.unsent += len(rest)
        self._start_writing(wire)
        if wire.unsent > HIGH_WATER and wire.resumed is None:
            wire.resumed = trio.Event()
            self._choke(wire.number, True, trio.current_time())

    def _start_writing(self, wire: Wire) -> None:
        if wire.limit is None:
            wire.limit = trio.CancelScope()
            self._nursery.start_soon(self._write, wire, wire.limit)

    async def _write(self, wire: Wire, limit: trio.CancelScope) -> None:
        """Write the backlog, and close the stream if it has ended; nothing else sends while this task lives."""
        try:
            with limit:
                while wire.backlog:
                    limit.deadline = trio.current_time() + (FLUSH_LIMIT if wire.ended else STALL_LIMIT)
                    data = wire.backlog.popleft()
                    await wire.stream.send_all(data)
                    wire.unsent -= len(data)
                    if not wire.backlog and wire.resumed is not None and not wire.ended:
                        wire.resumed.set()
                        wire.resumed = None
                        self._choke(wire.number, False, trio.current_time())
                        self.drain()
                if wire.ended:
                    await wire.stream.aclose()
            if limit.cancelled_caught:
                self._lose(wire)  # the peer takes nothing
        except _LOST:
            self._lose(wire)
        except Exception as error:  # noqa: BLE001 - as in _receive
            self._blame(wire, error)
            self._lose(wire)
        finally:
            wire.limit = None
            if wire.ended:
                await self._close(wire)
        self.drain()

    def _lose(self, wire: Wire) -> None:
        """The transport ended the connection."""
        if self._wires.pop(wire.number, None) is not None:
            wire.part()
            wire.backlog.clear()
            wire.end(trio.current_time())

    def _end(self, wire: Wire) -> None:
        """The engine ended the connection: what it sent before still goes out."""
        wire.part()
        if wire.limit is not None:
            wire.limit.deadline = trio.current_time() + FLUSH_LIMIT
        elif wire.quick is not None:
            wire.quick.close()
        else:
            self._start_writing(wire)

    def _answer(self, reply: hap.Done | hap.Failed) -> None:
        if (answered := self._waiting.get(reply.command)) is not None:
            self._replies[reply.command] = reply
            answered.set()

    def _keep_later(self, effect: hap.Persist | hap.Forget) -> bool:
        if not self._instant:
            self._nursery.start_soon(self._keep_in_thread, effect)
        return not self._instant

    async def _keep_in_thread(self, effect: hap.Persist | hap.Forget) -> None:
        """Carry out a storing effect, cancelled or not."""
        failure: Exception | None = None
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(self._keep, effect)
            except Exception as error:  # noqa: BLE001 - a store may fail in its own way
                _log.error("could not store %s: %s", effect.key, error)
                failure = error
        self._kept(effect, failure, trio.current_time())

    def _wake_by(self, due: float) -> None:
        if due < self._alarm.deadline:
            self._alarm.deadline = due

    async def _keep_time(self) -> None:
        """Tell the engine when it is due."""
        while True:
            due = self.engine.next_timeout()
            with trio.CancelScope(deadline=math.inf if due is None else due) as self._alarm:
                await trio.sleep_forever()
            due, now = self.engine.next_timeout(), trio.current_time()
            if due is not None and due <= now:
                self.engine.handle_timeout(now)
                self.drain()
