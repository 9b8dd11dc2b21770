"""The engine of a controller's connection to an accessory over IP (HAP 4 to 9).

One request is in flight, later commands wait their turn; events are taken at any time. A command is allowed or not by
the state the connection will be in when its turn comes, so `VerifyPairing` and `Read` may be submitted together; if the
first fails, what depended on it fails with the same error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from hapcore.codec.http import HttpError, Response, ResponseReader
from hapcore.controller import commands, typed
from hapcore.controller.events import EventUnreadable, SessionClosed
from hapcore.crypto.frames import FrameError, FrameOpener, FrameSealer, SessionKeys
from hapcore.engine import CloseConnection, Command, CommandId, Done, Engine, Failed, SendBytes
from hapcore.entropy import Entropy
from hapcore.errors import (
    AccessoryChanged,
    DesynchronisedError,
    Disconnected,
    HapError,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from hapcore.ip.controller import access, handshakes, pictures
from hapcore.ip.controller.handshakes import Procedure
from hapcore.ip.controller.reading import NOT_AUTHORISED, changes
from hapcore.ip.controller.requests import Outgoing
from hapcore.ip.controller.session import CONNECTION, Session
from hapcore.ip.controller.states import ADVICE, TRANSITIONS, Kind, State, Transition
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.keylog import SessionKeysMade

__all__ = ["MAX_WAITING", "PAIRING_TIMEOUT", "REQUEST_TIMEOUT", "Connection"]

#: Seconds an accessory may take to answer; it must within 9 (HAP 8.1).
REQUEST_TIMEOUT: Final = 10.0
#: Seconds a step of a pairing, or the whole database, may take: small devices compute long, bridges collect long.
PAIRING_TIMEOUT: Final = 30.0
#: Commands that may wait behind the one in flight. Enough to touch every accessory of the largest bridge at once.
MAX_WAITING: Final = 256

_Build = Callable[[Session, Any], Procedure]

_PROCEDURES: Final[Mapping[type[Command[Any]], tuple[Kind, _Build]]] = MappingProxyType(
    {
        commands.StartPairSetup: (Kind.START_SETUP, handshakes.start_setup),
        commands.FinishPairSetup: (Kind.FINISH_SETUP, handshakes.finish_setup),
        commands.VerifyPairing: (Kind.VERIFY, handshakes.verify),
        commands.Identify: (Kind.IDENTIFY, access.identify),
        commands.GetAccessories: (Kind.SESSION_REQUEST, access.get_accessories),
        typed.Describe: (Kind.SESSION_REQUEST, access.describe),
        commands.Read: (Kind.SESSION_REQUEST, access.read),
        commands.Write: (Kind.SESSION_REQUEST, access.write),
        typed.GetValue: (Kind.SESSION_REQUEST, access.get_value),
        typed.SetValue: (Kind.SESSION_REQUEST, access.set_value),
        commands.Subscribe: (Kind.SESSION_REQUEST, access.subscribe),
        commands.Unsubscribe: (Kind.SESSION_REQUEST, access.subscribe),
        commands.Snapshot: (Kind.SESSION_REQUEST, pictures.snapshot),
        commands.ListPairings: (Kind.SESSION_REQUEST, handshakes.list_pairings),
        commands.AddPairing: (Kind.SESSION_REQUEST, handshakes.add_pairing),
        commands.RemovePairing: (Kind.SESSION_REQUEST, handshakes.remove_pairing),
    }
)


class _Job:
    """One accepted command."""

    __slots__ = ("command", "kind", "procedure", "transition")

    def __init__(self, command: CommandId, kind: Kind, procedure: Procedure, transition: Transition) -> None:
        self.command = command
        self.kind = kind
        self.procedure = procedure
        self.transition = transition


class Connection(Engine):
    """One connection to one accessory, from the first byte to the last. Never re-used: a new connection, a new engine.

    `host` is the accessory's address as the Host header shows it, without a port. `database` is what was read from the
    accessory before, if it did not change since: values are converted and checked by it. Timeouts are in seconds, for
    one request each; nothing limits how long a person looks for the setup code.
    """

    def __init__(
        self,
        host: str,
        *,
        entropy: Entropy,
        database: Iterable[AccessoryDescription] = (),
        request_timeout: float = REQUEST_TIMEOUT,
        pairing_timeout: float = PAIRING_TIMEOUT,
    ) -> None:
        super().__init__()
        self._session = Session(host, entropy, database)
        self._request_timeout = request_timeout
        self._pairing_timeout = pairing_timeout
        self._state = State.PLAIN
        self._planned = State.PLAIN
        self._job: _Job | None = None
        self._asked = ""
        self._deadline: float | None = None
        self._waiting: deque[_Job] = deque()
        self._reader = ResponseReader()
        self._opener: FrameOpener | None = None
        self._sealer: FrameSealer | None = None

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    @property
    def accessories(self) -> tuple[AccessoryDescription, ...]:
        """The database as read last on this connection, or as given; empty if neither."""
        return self._session.accessories

    # --- inputs ---------------------------------------------------------------------------------------------------

    def submit(self, command: Command[Any], now: float) -> CommandId:
        """Accept a command; exactly one `Done` or `Failed` with the returned id will follow.

        Raises `LocalProtocolError` for what the state does not allow or the arguments make impossible, `ValueRefused`
        for a value that does not fit, and nothing is changed then. On a closed connection every command is accepted
        and fails at once as `Disconnected`, because the caller cannot have known.
        """
        self._advance(now)
        if type(command) is commands.Close:
            return self._close()
        row = _PROCEDURES.get(type(command))
        if row is None:
            raise LocalProtocolError(f"{type(command).__name__} is not for this engine", argument="command")
        if self._closed():
            number = self._next_command()
            self._emit(Failed(number, Disconnected("the connection is closed")))
            return number
        kind, build = row
        transition = TRANSITIONS.get((self._planned, kind))
        if transition is None:
            raise LocalProtocolError(f"not possible in state {self._planned.value!r}: {ADVICE[kind]}")
        if len(self._waiting) >= MAX_WAITING:
            raise LocalProtocolError(f"{MAX_WAITING} commands are waiting already")
        procedure = build(self._session, command)
        number = self._next_command()
        job = _Job(number, kind, procedure, transition)
        self._planned = transition.done
        if self._job is None:
            self._start(job)
        else:
            self._waiting.append(job)
        return number

    def receive_data(self, data: bytes | memoryview, now: float) -> None:
        """Bytes from the accessory, in any portions."""
        self._advance(now)
        if self._closed():
            return
        fault: FrameError | None = None
        if self._opener is not None:
            try:
                data = self._opener.feed(data)
            except FrameError as error:
                # What came whole before the bad frame counts, however the network cut it.
                data, fault = error.plaintext, error
        if data:
            self._read(data)
        if fault is not None and not self._closed():
            self._desynchronised(fault)

    def receive_eof(self, now: float) -> None:
        """The accessory closed the connection, or it broke."""
        self._advance(now)
        if self._closed():
            return
        what = f" before it answered {self._asked}" if self._job is not None else ""
        try:
            self._reader.receive_eof()
        except HttpError:
            what = " in the middle of a message"
        self._end(Disconnected(f"the accessory closed the connection{what}"))

    def next_timeout(self) -> float | None:
        """The deadline of the request in flight."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Give up if the request in flight is overdue: everything fails with `TimedOut`, the connection closes."""
        now = self._advance(now)
        if self._deadline is not None and now >= self._deadline:
            self._end(TimedOut(f"no answer to {self._asked} in time"))

    # --- bytes ----------------------------------------------------------------------------------------------------

    def _read(self, data: bytes | memoryview) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (response := reader.next()) is not None:
                plain = not self._secured()
                self._take(response)
                if self._closed():
                    return
                if plain and self._secured():
                    # The byte after M4 is the first of a frame, also if it came together with M4 (HAP 5.2). The rest
                    # is all of this portion: had M4 ended in an earlier one, it had been taken then.
                    self._reader = self._make_reader()
                    self.receive_data(data[len(data) - reader.buffered :], self._now)
                    return
        except HttpError as error:
            self._end(RemoteProtocolError("an HTTP answer or an event", str(error)))

    def _take(self, response: Response) -> None:
        if response.event:
            self._event(response)
        elif self._job is None:
            self._end(RemoteProtocolError("nothing, because nothing was asked", f"an answer, {response.status}"))
        else:
            self._deadline = None
            self._resume(self._job, response)
            if self._waiting:
                self._start_waiting()

    def _event(self, response: Response) -> None:
        # Outside a session anybody could have written it.
        if self._opener is None or not response.body:
            return
        try:
            found = changes(response.body, self._session)
        except RemoteProtocolError as error:
            self._emit(EventUnreadable(error))
            return
        self._outputs.extend(found)

    def _desynchronised(self, fault: FrameError) -> None:
        advice = "connect again and verify the pairing"
        self._end(DesynchronisedError("an encrypted frame that follows the one before", str(fault), advice))

    # --- commands -------------------------------------------------------------------------------------------------

    def _start(self, job: _Job) -> None:
        self._job = job
        self._state = job.transition.during
        self._resume(job, None)

    def _start_waiting(self) -> None:
        while self._job is None and self._waiting:
            self._start(self._waiting.popleft())

    def _resume(self, job: _Job, response: Response | None) -> None:
        try:
            outgoing: Outgoing = next(job.procedure) if response is None else job.procedure.send(response)
        except StopIteration as stop:
            self._done(job, stop.value)
        except HapError as error:
            self._failed(job, error)
        else:
            data, self._asked, slow = outgoing
            self._deadline = self._now + (self._pairing_timeout if slow else self._request_timeout)
            if self._sealer is not None:
                data = self._sealer.seal(data)
            self._emit(SendBytes(CONNECTION, data))

    def _done(self, job: _Job, result: object) -> None:
        self._job = None
        self._state = job.transition.done
        session = self._session
        if session.keys is not None:
            verified, session.keys = session.keys, None
            self._opener, self._sealer = self._make_frames(verified.keys)
            if self.tells_keys:
                own, other = session.own_id or b"", session.accessory_id
                self._emit(SessionKeysMade(CONNECTION, verified.public, other, own, verified.keys))
        self._emit(Done(job.command, result))
        if session.finished:
            self._end(None)

    def _failed(self, job: _Job, error: HapError) -> None:
        self._job = None
        self._state = job.transition.failed
        self._session.confess(error)
        self._emit(Failed(job.command, error))
        refused = isinstance(error, Refused) and error.status in NOT_AUTHORISED and self._state is State.SECURED
        if refused or isinstance(error, AccessoryChanged):
            self._end(error)
        elif self._state is not job.transition.done:
            self._replan(error)

    def _replan(self, error: HapError) -> None:
        """A command failed that others counted on: those fail too, the rest keeps its turn."""
        state = self._state
        kept: deque[_Job] = deque()
        for job in self._waiting:
            transition = TRANSITIONS.get((state, job.kind))
            if transition is None:
                job.procedure.close()
                self._emit(Failed(job.command, error))
            else:
                job.transition = transition
                state = transition.done
                kept.append(job)
        self._waiting = kept
        self._planned = state

    # What a recorder replaces by parts that note what passes.

    def _make_frames(self, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        return FrameOpener(keys.read), FrameSealer(keys.write)

    def _make_reader(self) -> ResponseReader:
        return ResponseReader()

    def _secured(self) -> bool:
        return self._opener is not None

    def _closed(self) -> bool:
        return self._state is State.CLOSED

    def _close(self) -> CommandId:
        number = self._next_command()
        if not self._closed():
            self._end(None)
        self._emit(Done(number))
        return number

    def _end(self, reason: HapError | None) -> None:
        """Everything unanswered fails, the connection is over."""
        error = Disconnected("the connection was closed") if reason is None else reason
        self._session.confess(error)
        jobs = [] if self._job is None else [self._job]
        jobs += self._waiting
        self._job = None
        self._waiting.clear()
        self._state = self._planned = State.CLOSED
        self._deadline = None
        self._opener = self._sealer = None
        self._session.setup = None
        self._reader = ResponseReader()
        for job in jobs:
            job.procedure.close()
            self._emit(Failed(job.command, error))
        self._emit(CloseConnection(CONNECTION))
        self._emit(SessionClosed(reason))
