"""The loop around an engine: bytes and time go in, effects come out and are carried out in order."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import trio

from hapcore.engine import (
    CloseConnection,
    Command,
    CommandId,
    ConnectionId,
    Done,
    Effect,
    Failed,
    Forget,
    Output,
    Persist,
    SendBytes,
)

from .store import MemoryStore
from .stream import SocketStream

__all__ = ["Machine", "Pump", "Store", "Wire"]

R = TypeVar("R")
_log = logging.getLogger("hap_trio")

#: A peer that lets this much pile up is told apart from a quick one: the engine pauses its answers and events.
HIGH_WATER = 64 * 1024
#: Seconds a peer may take none of the bytes waiting for it before its connection is cut.
STALL_LIMIT = 60.0
#: Seconds to get the last bytes out before a connection is closed.
FLUSH_LIMIT = 5.0


class Store(Protocol):
    """Where an engine's table is kept. Every call may block, it runs in a thread; any exception means "not stored"."""

    def load(self) -> dict[str, bytes]: ...
    def persist(self, key: str, value: bytes) -> None: ...
    def forget(self, key: str) -> None: ...


class Machine(Protocol):
    """What the pump needs of an engine: the common contract, and the inputs of its byte streams by number."""

    def submit(self, command: Command[Any], now: float) -> CommandId: ...
    def receive_data(self, connection: ConnectionId, data: bytes, now: float) -> None: ...
    def receive_eof(self, connection: ConnectionId, now: float) -> None: ...
    def pause_sending(self, connection: ConnectionId, now: float) -> None: ...
    def resume_sending(self, connection: ConnectionId, now: float) -> None: ...
    def handle_timeout(self, now: float) -> None: ...
    def effect_failed(self, effect: Effect, reason: str, now: float) -> None: ...
    def poll(self) -> Output | None: ...
    def next_timeout(self) -> float | None: ...


class _Answer:
    """Where a task waits for the reply to its command."""

    __slots__ = ("arrived", "reply")

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.reply: Done | Failed


class Wire:
    """One connection: its stream and the bytes that could not be written yet."""

    __slots__ = ("backlog", "ended", "limit", "number", "quick", "resumed", "stream", "unsent")

    def __init__(self, stream: trio.abc.Stream, number: ConnectionId) -> None:
        self.stream = stream
        self.quick = stream if isinstance(stream, SocketStream) else None
        self.number = number
        #: What the writer task has not taken yet; `unsent` counts what it has not got rid of.
        self.backlog: deque[bytes | memoryview] = deque()
        self.unsent = 0
        #: The time limit of the writer task while there is one; then only that task may touch the sending side.
        self.limit: trio.CancelScope | None = None
        #: The engine and the connection have parted: nothing more goes in.
        self.ended = False
        #: Set when a paused connection may read on; None while it is not paused.
        self.resumed: trio.Event | None = None


class Pump:
    """Runs one engine in `nursery`. After every input given to the engine, `drain()` must be called.

    Everything but storing is carried out at once, in the task that drains. Storing takes a thread, and the engine is
    not polled meanwhile: what acknowledges a fact leaves after the fact is on disk.
    """

    def __init__(self, engine: Machine, nursery: trio.Nursery, report: Callable[[Output], None], store: Store) -> None:
        self.engine = engine
        self._nursery = nursery
        self._report = report
        self._store = store
        #: Storing in memory needs no thread, and a virtual clock would run away while one works.
        self._instant = type(store) is MemoryStore
        self._wires: dict[ConnectionId, Wire] = {}
        self._waiting: dict[CommandId, _Answer] = {}
        self._draining = False
        self._alarm = trio.CancelScope()
        nursery.start_soon(self._keep_time)

    def drain(self) -> None:
        """Carry out what the engine wants done. Harmless to call at any time."""
        if self._draining:
            return  # the loop below, further up the stack or waiting for the store, gets to it
        self._draining = True
        poll = self.engine.poll
        while (output := poll()) is not None:
            if isinstance(output, SendBytes):
                if (wire := self._wires.get(output.connection)) is not None:
                    self._send(wire, output.data)
            elif isinstance(output, Done | Failed):
                if (answer := self._waiting.get(output.command)) is not None:
                    answer.reply = output
                    answer.arrived.set()
            elif isinstance(output, CloseConnection):
                if (wire := self._wires.pop(output.connection, None)) is not None:
                    self._end(wire)
            elif isinstance(output, Persist | Forget):
                if not self._instant:
                    self._nursery.start_soon(self._keep_in_thread, output)
                    return
                self._keep(output)
            else:
                self._report(output)
        self._draining = False
        due = self.engine.next_timeout()
        if due is not None and due < self._alarm.deadline:
            self._alarm.deadline = due

    def post(self, command: Command[object]) -> None:
        """Submit a command nobody waits for. Raises what the engine raises: the caller's own mistake."""
        self.engine.submit(command, trio.current_time())
        self.drain()

    async def do(self, command: Command[R]) -> R:
        """Submit a command and wait for its result. Raises the error it failed with.

        Cancelling the wait drops the interest in the result; the engine still finishes the command.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        number = self.engine.submit(command, trio.current_time())
        answer = self._waiting[number] = _Answer()
        try:
            self.drain()
            await answer.arrived.wait()
        finally:
            del self._waiting[number]
        if isinstance(answer.reply, Failed):
            raise answer.reply.error
        return cast("R", answer.reply.result)

    def adopt(self, stream: trio.abc.Stream, number: ConnectionId) -> Wire:
        """Connect `stream` with the engine's connection `number`; `attend()` must follow, it owns the stream then."""
        wire = self._wires[number] = Wire(stream, number)
        self.drain()
        return wire

    async def attend(self, wire: Wire) -> None:
        """Carry one connection until either side ends it. The stream is closed afterwards, whatever happens."""
        receive, take, number = wire.stream.receive_some, self.engine.receive_data, wire.number
        try:
            while data := await receive():
                if not wire.ended:
                    take(number, bytes(data), trio.current_time())
                    self.drain()
                    if wire.resumed is not None:
                        await wire.resumed.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # to the engine the same as a proper end
        finally:
            flushing = wire.ended and wire.limit is not None
            self._lose(wire)
            self.drain()
            if wire.quick is not None and not flushing:
                wire.quick.close()  # what aclose() does, for less
            elif not flushing:
                await trio.aclose_forcefully(wire.stream)

    def _send(self, wire: Wire, data: bytes) -> None:
        rest: bytes | memoryview = data
        if wire.limit is None and wire.quick is not None:
            try:
                taken = wire.quick.send_nowait(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._lose(wire)
                wire.quick.close()
                return
            if taken == len(data):
                return
            rest = memoryview(data)[taken:]
        wire.backlog.append(rest)
        wire.unsent += len(rest)
        if wire.limit is None:
            self._start_writing(wire)
        if wire.unsent > HIGH_WATER and wire.resumed is None:
            wire.resumed = trio.Event()
            self.engine.pause_sending(wire.number, trio.current_time())

    def _start_writing(self, wire: Wire) -> None:
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
                        self.engine.resume_sending(wire.number, trio.current_time())
                        self.drain()
                if wire.ended:
                    await wire.stream.aclose()
            if limit.cancelled_caught:
                self._lose(wire)  # the peer takes nothing
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose(wire)
        finally:
            wire.limit = None
            if wire.ended:
                await trio.aclose_forcefully(wire.stream)
        self.drain()

    def _lose(self, wire: Wire) -> None:
        """The transport ended the connection."""
        if self._wires.pop(wire.number, None) is not None:
            wire.ended = True
            wire.backlog.clear()
            if wire.resumed is not None:
                wire.resumed.set()
            self.engine.receive_eof(wire.number, trio.current_time())

    def _end(self, wire: Wire) -> None:
        """The engine ended the connection: what it sent before still goes out."""
        wire.ended = True
        if wire.resumed is not None:
            wire.resumed.set()
        if wire.limit is not None:
            wire.limit.deadline = trio.current_time() + FLUSH_LIMIT
        elif wire.quick is not None:
            wire.quick.close()
        else:
            self._start_writing(wire)

    def _keep(self, effect: Persist | Forget) -> None:
        if isinstance(effect, Persist):
            self._store.persist(effect.key, effect.value)
        else:
            self._store.forget(effect.key)

    async def _keep_in_thread(self, effect: Persist | Forget) -> None:
        """Carry out a storing effect, cancelled or not, then go on draining."""
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(self._keep, effect)
            except Exception as error:  # noqa: BLE001 - a store may fail in its own way; the engine knows what follows
                _log.error("could not store %s: %s", effect.key, error)
                self.engine.effect_failed(effect, f"{type(error).__name__}: {error}", trio.current_time())
        self._draining = False
        self.drain()

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
