"""The contract every engine fulfils, whatever its role and transport.

Inputs mutate the engine; `poll()` is then called until it returns None; `next_timeout()` says when `handle_timeout()`
is due. `submit()` is the only input that may raise, and only for the caller's own mistake. All outputs (effects to
carry out, replies to commands, events to report) leave through ONE ordered queue, so that "persist", "send", "tell the
application" happen in the order the engine means.

An effect that must have happened before anything later leaves (`Persist`, `Forget`) is carried out by the adapter
*before* it polls again: polling on is the confirmation, `effect_failed()` called instead is the refusal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NewType, Protocol, TypeVar

from attrs import field, frozen

from hapcore.errors import HapError

__all__ = [
    "CloseConnection",
    "Command",
    "CommandId",
    "ConnectionId",
    "Done",
    "Driven",
    "Effect",
    "Engine",
    "Event",
    "Failed",
    "Forget",
    "Output",
    "Persist",
    "Reply",
    "SendBytes",
]

R_co = TypeVar("R_co", covariant=True)

#: Names one submitted command; exactly one `Done` or `Failed` carries it back.
CommandId = NewType("CommandId", int)
#: Names one byte-stream connection of an engine. Controller engines serve one connection, number 0.
ConnectionId = NewType("ConnectionId", int)


class Output:
    """Anything `poll()` returns."""

    __slots__ = ()


class Effect(Output):
    """Something the adapter must carry out."""

    __slots__ = ()


class Reply(Output):
    """The end of a command."""

    __slots__ = ()


class Event(Output):
    """Something the application may want to know."""

    __slots__ = ()


class Command(Generic[R_co]):
    """A request of the application, as data. `R_co` is the type of `Done.result`."""

    __slots__ = ()


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class SendBytes(Effect):
    """Write `data` to the connection, after everything sent to it before."""

    connection: ConnectionId
    data: bytes = field(repr=_size)


@frozen
class CloseConnection(Effect):
    """Close the connection once everything sent to it before is written. The engine has forgotten it already."""

    connection: ConnectionId


@frozen
class Persist(Effect):
    """Store `value` under `key`, durably, before polling again."""

    key: str
    value: bytes = field(repr=_size)


@frozen
class Forget(Effect):
    """Remove `key` from the store, durably, before polling again. A missing key is no error."""

    key: str


@frozen
class Done(Reply):
    """The command was carried out; `result` has the type its class names."""

    command: CommandId
    result: object = None


@frozen
class Failed(Reply):
    """The command was not carried out, or not known to be."""

    command: CommandId
    error: HapError


class Driven(Protocol):
    """What an adapter drives: any `Engine` that takes commands and has to be told the time."""

    tells_keys: bool

    def poll(self) -> Output | None:
        """As in `Engine`."""

    def next_timeout(self) -> float | None:
        """As in `Engine`."""

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        """As in `Engine`."""

    def handle_timeout(self, now: float) -> None:
        """It is due, by `next_timeout()`."""

    def submit(self, command: Command[Any], now: float) -> CommandId:
        """Take a command; its end is told with this number. Raises for the caller's own mistakes."""
        ...


_Continuation = Callable[[], None]


class Engine:
    """The output queue, the clock and the command numbers: what all engines share."""

    #: Whether every session's keys are put out as `hapcore.pairing.keylog.SessionKeysMade`. To be set on one engine,
    #: before its first connection, by who writes a key log.
    tells_keys: bool = False

    def __init__(self) -> None:
        self._outputs: deque[Output] = deque()
        self._now = 0.0
        self._commands = 0
        self._confirmations: dict[int, tuple[Effect, _Continuation, _Continuation]] = {}
        self._unconfirmed: tuple[Effect, _Continuation, _Continuation] | None = None

    def poll(self) -> Output | None:
        """Take the next output, or None when there is nothing (more) to do until the next input.

        Calling it confirms that the `Persist` or `Forget` returned before it has been carried out.
        """
        if self._unconfirmed is not None:
            confirmed, self._unconfirmed = self._unconfirmed, None
            confirmed[1]()
        outputs = self._outputs
        if not outputs:
            return self._produce()
        output = outputs.popleft()
        if self._confirmations:
            self._unconfirmed = self._confirmations.pop(id(output), None)
        return output

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due, in the caller's monotonic seconds; None when nothing is waiting."""
        return None

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        """The adapter could not carry out `effect`, the output that `poll()` returned last. `reason` is for people.

        `cause` is the adapter's exception, for who waits for the command that needed the effect.
        """
        del reason, cause  # engines that report failures say it; most only need to know that it failed
        self._advance(now)
        if self._unconfirmed is not None and self._unconfirmed[0] is effect:
            refused, self._unconfirmed = self._unconfirmed, None
            refused[2]()

    def _produce(self) -> Output | None:
        """Make one more output on demand (a piece of a long response) when the queue is empty."""
        return None

    def _advance(self, now: float) -> float:
        """Clamp: time never runs back, whatever the caller's clock does."""
        if now > self._now:
            self._now = now
        return self._now

    def _next_command(self) -> CommandId:
        self._commands += 1
        return CommandId(self._commands)

    def _emit(self, output: Output) -> None:
        self._outputs.append(output)

    def _emit_confirmed(self, effect: Effect, done: _Continuation, failed: _Continuation) -> None:
        """Emit an effect whose success or failure decides how to go on; nothing later leaves before it is known."""
        self._outputs.append(effect)
        self._confirmations[id(effect)] = (effect, done, failed)
