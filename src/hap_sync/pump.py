"""What surrounds an engine: bytes and time go in, effects come out and are carried out in order."""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, cast

from hapcore import engine as hap
from hapcore.ip.drive import Drive, outcome

from .keylog import watch
from .loop import Loop
from .store import Store
from .wire import End, Take, Transport, Wire

__all__ = ["Pump", "Store"]

R = TypeVar("R")
_log = logging.getLogger("hap_sync")

#: A peer that lets this much pile up is told apart from a quick one: the engine pauses its answers and events.
HIGH_WATER: Final = 64 * 1024
#: Seconds a peer may take none of the bytes waiting for it before its connection is cut.
STALL_LIMIT: Final = 60.0
#: Seconds to get the last bytes out before a connection is closed.
FLUSH_LIMIT: Final = 5.0


class Pump(Drive[Wire]):
    """Runs one engine in `loop`. After every input given to the engine, `drain()` must be called.

    Everything is carried out at once, in order; storing too, so what acknowledges a fact leaves after the fact is on
    disk. The application's functions are never called from within: `report` may only take note.
    """

    def __init__(self, engine: hap.Driven, loop: Loop, report: Callable[[hap.Output], None], store: Store) -> None:
        super().__init__(engine, watch(engine, report), store)
        self.engine = engine
        self.loop = loop
        #: Those with a backlog, of which the engine may have parted already.
        self._slow: set[Wire] = set()
        self._replies: dict[hap.CommandId, hap.Done | hap.Failed | None] = {}
        loop.members.add(self)

    def post(self, command: hap.Command[object]) -> None:
        """Submit a command nobody waits for. Raises what the engine raises: the caller's own mistake."""
        with self.loop:
            self.engine.submit(command, time.monotonic())
            self.drain()

    def do(self, command: hap.Command[R]) -> R:
        """Submit a command and wait for its result. Raises the error it failed with.

        Ctrl-C in the wait drops the interest in the result; the engine still finishes the command.
        """
        replies = self._replies
        with self.loop:
            number = self.engine.submit(command, time.monotonic())
            replies[number] = None
            try:
                self.drain()
                self.loop.wait(lambda: replies[number] is not None)
                reply = cast("hap.Done | hap.Failed", replies[number])
            finally:
                del replies[number]
        if (error := outcome(reply)) is not None:
            raise error
        return cast("R", cast("hap.Done", reply).result)

    def adopt(self, transport: Transport, number: hap.ConnectionId, take: Take, end: End) -> Wire:
        """Connect `transport` with the engine's connection `number` and its inputs. It is closed when that ends."""
        wire = self._wires[number] = Wire(transport, self.loop, number, take, end)
        wire.start(partial(self._ready, wire))
        self.drain()
        return wire

    def close(self) -> None:
        """Close all connections and take no part in the loop any more."""
        self.loop.members.discard(self)
        for wire in [*self._wires.values(), *self._slow]:
            wire.close()
        self._wires.clear()
        self._slow.clear()

    def next_due(self) -> float | None:
        """When the engine, or a connection that does not get rid of its bytes, wants attention."""
        due = self.engine.next_timeout()
        for wire in self._slow:
            due = wire.deadline if due is None else min(due, wire.deadline)
        return due

    def on_time(self, now: float) -> None:
        """Cut what stalls, and tell the engine when it is due."""
        for wire in [one for one in self._slow if one.deadline <= now]:
            self._lose(wire)
        due = self.engine.next_timeout()
        if due is not None and due <= now:
            self.engine.handle_timeout(now)
        self.drain()

    def _ready(self, wire: Wire, events: int) -> None:
        """The loop's call: a transport can be written to, or read from."""
        if events & selectors.EVENT_WRITE and wire.backlog:
            self._flush(wire)
        while events & selectors.EVENT_READ and not (wire.ended or wire.paused):
            try:
                data = wire.receive()
            except Exception as error:  # noqa: BLE001 - a transport may fail in its own way
                self._lose(wire, error)
                break
            if data is None:
                break
            wire.take(data, time.monotonic())
            self.drain()
            if not wire.more:
                break
        self.drain()

    def _send(self, wire: Wire, data: bytes) -> None:
        wire.backlog.append(data)
        wire.unsent += len(data)
        if len(wire.backlog) == 1:
            self._flush(wire)
        if wire.unsent > HIGH_WATER and not (wire.paused or wire.ended):
            wire.paused = True
            wire.watch()
            self._choke(wire.number, True, time.monotonic())

    def _flush(self, wire: Wire) -> None:
        """Hand the transport as much of the backlog as it takes now."""
        backlog = wire.backlog
        try:
            while backlog:
                data = backlog[0]
                taken = wire.push(data)
                wire.unsent -= taken
                if taken < len(data):
                    backlog[0] = memoryview(data)[taken:]
                    if taken or wire not in self._slow:
                        wire.deadline = time.monotonic() + (FLUSH_LIMIT if wire.ended else STALL_LIMIT)
                        self._slow.add(wire)
                        wire.watch()
                    return
                backlog.popleft()
        except Exception as error:  # noqa: BLE001 - as above
            self._lose(wire, error)
            return
        if wire in self._slow:
            self._slow.discard(wire)
            if wire.ended:
                wire.close()
                return
            if wire.paused:
                wire.paused = False
                self._choke(wire.number, False, time.monotonic())
            wire.watch()

    def _lose(self, wire: Wire, error: Exception | None = None) -> None:
        """The transport ended the connection."""
        if error is not None and not isinstance(error, OSError | EOFError):
            _log.error("the transport of connection %d failed", wire.number, exc_info=error)
        if isinstance(error, EOFError) and wire.backlog:
            self._end(wire)  # it may have stopped sending only, and still want its answers
        else:
            self._slow.discard(wire)
            wire.close()
        if self._wires.pop(wire.number, None) is not None:
            wire.end(time.monotonic())

    def _end(self, wire: Wire) -> None:
        """The engine ended the connection: what it sent before still goes out."""
        wire.ended = True
        if wire.backlog:
            wire.deadline = min(wire.deadline, time.monotonic() + FLUSH_LIMIT)
            wire.watch()
        else:
            wire.close()

    def _answer(self, reply: hap.Done | hap.Failed) -> None:
        if reply.command in self._replies:
            self._replies[reply.command] = reply

    def _keep_later(self, effect: hap.Persist | hap.Forget) -> bool:
        """Nothing is: this is the thread that may block."""
        del effect
        return False

    def _keep(self, effect: hap.Persist | hap.Forget) -> None:
        try:
            super()._keep(effect)
        except Exception as error:  # noqa: BLE001 - a store may fail in its own way; the engine knows what follows
            _log.error("could not store %s: %s", effect.key, error)
            self._unkept(effect, error, time.monotonic())

    def _wake_by(self, due: float) -> None:
        """The loop asks every member before it waits."""
