"""The loop around an engine, written once: what comes out of it is carried out in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from hapcore.engine import (
    CloseConnection,
    ConnectionId,
    Done,
    Driven,
    Effect,
    Failed,
    Forget,
    Output,
    Persist,
    SendBytes,
)
from hapcore.errors import EffectFailed

__all__ = ["Drive", "Table", "outcome"]

W = TypeVar("W")


def outcome(reply: Done | Failed) -> Exception | None:
    """What to raise for a reply. The exception of the adapter's own store or network says more than our word for it."""
    if isinstance(reply, Done):
        return None
    error = reply.error
    return error.cause if isinstance(error, EffectFailed) and error.cause is not None else error


@runtime_checkable
class _Paced(Protocol):
    """An engine that sends more than anybody asked for at the moment; a controller sends one request at a time."""

    def pause_sending(self, connection: ConnectionId, now: float) -> None: ...

    def resume_sending(self, connection: ConnectionId, now: float) -> None: ...


class Table(Protocol):
    """Where an engine's state is kept."""

    def persist(self, key: str, value: bytes) -> None:
        """Keep `value` under `key`."""

    def forget(self, key: str) -> None:
        """Drop `key`."""


class Drive(ABC, Generic[W]):
    """Drains one engine. Its connections are of the adapter's kind `W`; the adapter adds the underscored calls.

    After every input given to the engine, `drain()` must be called.
    """

    def __init__(self, engine: Driven, report: Callable[[Output], None], table: Table) -> None:
        self._polled = engine
        self._report = report
        self._table = table
        self._wires: dict[ConnectionId, W] = {}
        self._draining = False

    def drain(self) -> None:
        """Carry out what the engine wants done. Harmless to call at any time."""
        if self._draining:
            return  # the loop below, further up the stack or held up by the store, gets to it
        self._draining, held = True, False
        poll = self._polled.poll
        try:
            while (output := poll()) is not None:
                if isinstance(output, SendBytes):
                    if (wire := self._wires.get(output.connection)) is not None:
                        self._send(wire, output.data)
                elif isinstance(output, (Done, Failed)):
                    self._answer(output)
                elif isinstance(output, CloseConnection):
                    if (wire := self._wires.pop(output.connection, None)) is not None:
                        self._end(wire)
                elif isinstance(output, (Persist, Forget)):
                    if held := self._keep_later(output):
                        return
                    self._keep(output)
                else:
                    self._report(output)
        finally:
            self._draining = held
        due = self._polled.next_timeout()
        if due is not None:
            self._wake_by(due)

    def give(self, put: Callable[[Any, float], object], clock: Callable[[], float]) -> None:
        """An input from elsewhere: `put` is called with the engine and the time."""
        put(self._polled, clock())
        self.drain()

    def _keep(self, effect: Persist | Forget) -> None:
        """Store, in whatever thread. Raises what the store raises."""
        if isinstance(effect, Persist):
            self._table.persist(effect.key, effect.value)
        else:
            self._table.forget(effect.key)

    def _kept(self, effect: Persist | Forget, error: BaseException | None, now: float) -> None:
        """What `_keep_later()` put off is done, or failed; go on draining."""
        if error is not None:
            self._unkept(effect, error, now)
        self._draining = False
        self.drain()

    def _unkept(self, effect: Persist | Forget, error: BaseException, now: float) -> None:
        """A store may fail in its own way; the engine knows what follows."""
        cause = error if isinstance(error, Exception) else None
        self._polled.effect_failed(effect, f"{type(error).__name__}: {error}", now, cause=cause)

    def _choke(self, number: ConnectionId, choked: bool, now: float) -> None:
        """So much waits to be written to a connection that no more is wanted, or it has all gone out."""
        engine = self._polled
        if isinstance(engine, _Paced):
            (engine.pause_sending if choked else engine.resume_sending)(number, now)

    def fail(self, effect: Effect, error: Exception, now: float) -> None:
        """Something other than storing could not be done."""
        self._polled.effect_failed(effect, str(error), now, cause=error)
        self.drain()

    @abstractmethod
    def _send(self, wire: W, data: bytes) -> None:
        """Write to a connection, after everything written before."""

    @abstractmethod
    def _end(self, wire: W) -> None:
        """Close a connection when everything is written; the engine has forgotten it."""

    @abstractmethod
    def _answer(self, reply: Done | Failed) -> None:
        """Tell who waits for a command."""

    @abstractmethod
    def _keep_later(self, effect: Persist | Forget) -> bool:
        """Have `_keep()` done in a thread, and `_kept()` called then; False where it can be done at once."""

    @abstractmethod
    def _wake_by(self, due: float) -> None:
        """The engine wants `handle_timeout()` by then."""
