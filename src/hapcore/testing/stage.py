"""Engines back to back in virtual time: what one sends travels over a network in memory to the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar, cast

from hapcore.engine import Command, CommandId, ConnectionId, Done, Failed, Forget, Output, Persist
from hapcore.ip.accessory import Server
from hapcore.ip.controller import Connection
from hapcore.ip.drive import Drive
from hapcore.testing.network import ConnectionLost, End, Network, Weather

if TYPE_CHECKING:
    from hapcore.testing.network import Link

__all__ = ["Plug", "Runner", "Stage"]

R = TypeVar("R")
#: Bytes of one read.
READ_SIZE: Final = 16 * 1024


class Plug:
    """One connection of an engine: the end of a link, what waits to be sent, and the engine's inputs."""

    def __init__(
        self, end: End, number: ConnectionId, take: Callable[[bytes, float], None], over: Callable[[float], None]
    ) -> None:
        self.end = end
        self.number = number
        self.take = take
        self.over = over
        self.unsent = bytearray()
        #: The engine has parted from it: it is closed when everything is sent.
        self.leaving = False


class Runner(Drive[Plug]):
    """Runs one engine on a stage."""

    def __init__(self, engine: Server | Connection, report: Callable[[Output], None], stage: Stage) -> None:
        super().__init__(engine, report, stage)
        self.engine = engine
        self._stage = stage
        self._leaving: list[Plug] = []
        self._replies: dict[CommandId, Done | Failed | None] = {}
        stage.runners.append(self)

    def adopt(self, plug: Plug) -> None:
        """Carry this connection."""
        self._wires[plug.number] = plug
        self.drain()

    def post(self, command: Command[object]) -> None:
        """Submit a command that nobody waits for."""
        self.engine.submit(command, self._stage.now)
        self._stage.settle()

    def do(self, command: Command[R]) -> R:
        """Submit a command; time passes until it is done. Raises the error it failed with."""
        number = self.engine.submit(command, self._stage.now)
        self._replies[number] = None
        self._stage.settle()
        while (reply := self._replies[number]) is None:
            if not self._stage.advance(None):
                raise RuntimeError(f"nothing will ever end {type(command).__name__}: called from within a handler?")
        del self._replies[number]
        if isinstance(reply, Failed):
            raise reply.error
        return cast("R", reply.result)

    def leave(self) -> None:
        """Take no part in the play any more."""
        if self in self._stage.runners:
            self._stage.runners.remove(self)

    def dues(self) -> list[float | None]:
        """When something is to happen here."""
        arrivals = [plug.end.next_time() for plug in self._wires.values() if not plug.unsent]
        return [self.engine.next_timeout(), *arrivals]

    def move(self, now: float) -> bool:
        """Do what can be done now; whether there was anything."""
        due = self.engine.next_timeout()
        moved = due is not None and due <= now
        if moved:
            self.engine.handle_timeout(now)
            self.drain()
        for plug in [*self._wires.values(), *self._leaving]:
            moved = self._flush(plug) or moved
            if plug.unsent or plug.leaving:
                continue
            try:
                data = plug.end.receive(READ_SIZE, now)
            except ConnectionLost:
                data = b""
            if data:
                plug.take(data, now)
            elif data is not None:
                self._lose(plug)
            moved = moved or data is not None
            self.drain()
        return moved

    def _flush(self, plug: Plug) -> bool:
        if not plug.unsent and not plug.leaving:
            return False
        try:
            taken = plug.end.send(plug.unsent, self._stage.now) if plug.unsent else 0
        except ConnectionLost:
            taken = len(plug.unsent)
            self._lose(plug)
        del plug.unsent[:taken]
        if isinstance(self.engine, Server) and not plug.leaving:
            hold_or_go_on = self.engine.pause_sending if plug.unsent else self.engine.resume_sending
            hold_or_go_on(plug.number, self._stage.now)
            self.drain()
        if plug.leaving and not plug.unsent:
            if plug in self._leaving:
                self._leaving.remove(plug)
            plug.leaving = False
            plug.end.close(self._stage.now)
            return True
        return bool(taken)

    def _lose(self, plug: Plug) -> None:
        plug.end.close(self._stage.now)
        if self._wires.pop(plug.number, None) is not None:
            plug.over(self._stage.now)
            self.drain()

    def _send(self, wire: Plug, data: bytes) -> None:
        wire.unsent += data

    def _end(self, wire: Plug) -> None:
        wire.leaving = True
        self._leaving.append(wire)

    def _answer(self, reply: Done | Failed) -> None:
        if reply.command in self._replies:
            self._replies[reply.command] = reply

    def _keep_later(self, effect: Persist | Forget) -> bool:
        del effect
        return False

    def _wake_by(self, due: float) -> None:
        del due  # the stage asks


class Stage:
    """A clock that is turned by hand, a network, a table, and the engines that meet here."""

    def __init__(self, weather: Weather) -> None:
        self.now = 0.0
        self.network = Network(weather)
        #: What the accessory has stored.
        self.stored: dict[str, bytes] = {}
        self.runners: list[Runner] = []
        self._settling = False

    def link(self) -> Link:
        """A new connection."""
        return self.network.link()

    def persist(self, key: str, value: bytes) -> None:
        """Keep `value` under `key`."""
        self.stored[key] = value

    def forget(self, key: str) -> None:
        """Drop `key`."""
        self.stored.pop(key, None)

    def settle(self) -> None:
        """Have everything happen that can happen now."""
        if self._settling:
            return  # whoever called from within gets to it
        self._settling = True
        try:
            moving = True
            while moving:
                for runner in self.runners:
                    runner.drain()
                moving = any(runner.move(self.now) for runner in tuple(self.runners))
        finally:
            self._settling = False

    def advance(self, until: float | None) -> bool:
        """Turn the clock to the next thing that happens; False if there is none before `until` (None: at all)."""
        self.settle()
        dues = [due for runner in self.runners for due in runner.dues() if due is not None and due > self.now]
        if self._settling or not dues or (until is not None and min(dues) > until):
            return False
        self.now = min(dues)
        self.settle()
        return True

    def pass_time(self, seconds: float) -> None:
        """Turn the clock on, stopping at everything that happens on the way."""
        if seconds < 0:
            raise ValueError("time does not run back")
        end = self.now + seconds
        while self.advance(end):
            pass
        self.now = end
        self.settle()
