"""What a peer does next: its commands in their turn, sessions, the database, what was missed; and how it all ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from hapcore.ble.controller import chores, handshakes
from hapcore.ble.controller.events import DatabaseChanged
from hapcore.ble.controller.exchange import Records
from hapcore.ble.controller.fetching import fetch
from hapcore.ble.controller.jobs import Job
from hapcore.ble.controller.line import Line, Reports
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.states import TRANSITIONS, Kind, Level, Link, State
from hapcore.ble.controller.steps import Answer, Ask, Procedure
from hapcore.ble.controller.telling import MISSED_AFTER, Telling
from hapcore.ble.gatt import GattService
from hapcore.codec.pdu import PduStatus, Response
from hapcore.controller import commands
from hapcore.controller.events import EventUnreadable, SessionClosed
from hapcore.engine import CommandId, ConnectionId, Done, Effect, Failed, Forget
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, HapError, LocalProtocolError, PairingRefused, RemoteProtocolError
from hapcore.pairing.items import TlvErrorCode
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.pairing.records import Pairing

__all__ = ["IDLE_TIMEOUT", "Working"]

#: Seconds without anything to do after which the link is dropped: the accessory drops it after 30 (HAP-BLE A.3.6).
IDLE_TIMEOUT: Final = 20.0
#: Seconds between two attempts to see what was missed, of an accessory that cannot be connected for a long time.
MISSED_AT_MOST: Final = 3600.0


class Working(Telling):
    """The half of a peer that acts."""

    def __init__(
        self,
        *,
        entropy: Entropy,
        pairing: Pairing | None,
        device_id: str,
        cache: bytes | None,
        name: str,
        idle_timeout: float,
        stay: bool,
    ) -> None:
        super().__init__(entropy=entropy, pairing=pairing, device_id=device_id, cache=cache, name=name)
        reports = Reports(self._opened, self._answered, self._link_failed, self._given_up)
        self._line = Line(reports, self.device_id, self._emit_effect, self._next_tid)
        self._idle_timeout = idle_timeout
        self._stay = stay
        self._job: Job | None = None
        self._waiting: deque[Job] = deque()
        #: Characteristics that were indicated and not read since.
        self._indicated: dict[int, None] = {}
        self._chore_turn = False
        #: An instance id was refused that was not asked for on this link.
        self._misnumbered = False
        self._idle_at: float | None = None
        #: Attempts in a row to see what was missed that came to nothing.
        self._failures = 0

    @property
    def link(self) -> Link:
        """How the link is."""
        return self._line.link

    # --- what to do next ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while self._job is None and not self._closed():
            job = self._choose()
            if job is None:
                break
            self._start(job)
        self._line.listening = bool(self._session.subscribed) and not self._closed()
        self._line.scan()
        resting = self._line.up and self._job is None and self._session.setup is None
        if not resting:
            self._idle_at = None
        elif self._idle_at is None:
            self._idle_at = self._now + self._idle_timeout

    def _choose(self) -> Job | None:
        if self._waiting and self._level(self._waiting[0]) is Level.NONE:
            return self._waiting.popleft()
        if not self._line.up:
            if self._waiting or (self._refresh_now and self._session.subscribed):
                self._line.want(self._now)
            return None
        if self._misnumbered:
            self._misnumbered = False
            self._session.forget_numbers()
            self._session.unfinished.clear()
            self._unread_database = True
        chore = self._chore()
        first = None if not self._waiting else self._waiting[0]
        job = chore if first is None or (chore is not None and self._chore_turn) else first
        if job is None:
            return None
        level = self._level(job)
        if level is not Level.CLEAR and self._line.link is Link.CLEAR:
            return self._own(handshakes.verify, self._verified)
        if level is Level.DATABASE and self._unread_database:
            return self._own(fetch, self._fetched)
        self._chore_turn = job is first
        if job is first:
            self._waiting.popleft()
        elif self._indicated and job.command is None and job.then is None:
            del self._indicated[next(iter(self._indicated))]
        return job

    def _chore(self) -> Job | None:
        """The next thing nobody asked for."""
        if self._session.pairing is None:
            return None
        if self._indicated:
            iid = next(iter(self._indicated))
            return self._own(lambda session: chores.read_event(session, iid, self._tell), None)
        if self._session.subscribed and (self._refresh_now or (self._refresh_due and self._line.link is Link.SECURED)):
            doubt = self._doubt
            return self._own(lambda session: chores.refresh(session, self._tell, doubt=doubt), self._refreshed)
        return None

    def _own(self, build: Callable[[Session], Procedure], then: Callable[[], None] | None) -> Job:
        session = self._session
        job = Job(None, lambda: build(session), Level.DATABASE)
        job.then = then
        return job

    def _level(self, job: Job) -> Level:
        if job.kind is Kind.IDENTIFY and self._session.pairing is None:
            return Level.CLEAR
        if job.kind is Kind.FINISH_SETUP and self._session.setup is None:
            return Level.NONE
        return job.level

    # --- jobs -----------------------------------------------------------------------------------------------------

    def _start(self, job: Job) -> None:
        self._job = job
        self._idle_at = None
        if job.transition is not None:
            self._state = job.transition.during
        self._resume(job, None)

    def _answered(self, answer: Answer) -> None:
        if isinstance(answer, Response) and answer.status == PduStatus.INVALID_INSTANCE_ID:
            # What is remembered of this accessory is of another one: said once a link, believed once a link.
            self._misnumbered = self._session.remembered
        if self._job is not None:
            self._resume(self._job, answer)

    def _resume(self, job: Job, answer: Answer) -> None:
        try:
            step = job.procedure.send(answer)
        except StopIteration as stop:
            self._done(job, stop.value)
        except HapError as error:
            self._failed(job, error)
        else:
            if isinstance(step, Ask) and not step.repeatable:
                job.touched = True
            self._line.start(step, self._now)

    def _done(self, job: Job, result: object) -> None:
        self._job = None
        if job.number is None:
            if job.then is not None:
                job.then()
            return
        self._line.succeeded()
        if job.transition is not None:
            self._state = job.transition.done
        self._save()
        self._emit(Done(job.number, result))
        if self._session.finished:
            self._finish_life()

    def _failed(self, job: Job, error: HapError) -> None:
        """A procedure ended badly, the link is as good as before."""
        self._job = None
        if job.number is not None:
            self._refuse(job, error)
            if job.kind in (Kind.START_SETUP, Kind.FINISH_SETUP):
                self._session.setup = None
                self._drop()
        elif job.then in (self._verified, self._fetched):
            # Nothing that waits can be done without it.
            self._drop()
            self._given_up(error)
        elif isinstance(error, RemoteProtocolError) and job.then is None:
            self._emit(EventUnreadable(error))
        elif job.then is not None:
            job.then()

    def _refuse(self, job: Job, error: HapError) -> None:
        if job.number is None:
            return
        self._emit(Failed(job.number, error))
        if job.transition is None:
            return
        self._state = job.transition.failed
        if job.kind is Kind.VERIFY and self._state is State.UNPAIRED:
            self._session.pairing = None
        if self._state is not job.transition.done:
            self._replan(error)

    def _replan(self, error: HapError) -> None:
        """A command failed that others counted on: those fail too, the rest keeps its turn."""
        state = self._state
        kept: deque[Job] = deque()
        for job in self._waiting:
            transition = TRANSITIONS.get((state, job.kind)) if job.kind is not None else None
            if transition is None:
                job.procedure.close()
                if job.number is not None:
                    self._emit(Failed(job.number, error))
            else:
                job.transition = transition
                state = transition.done
                kept.append(job)
        self._waiting = kept
        self._planned = state

    # --- what the engine does by itself ---------------------------------------------------------------------------

    def _verified(self) -> None:
        session = self._session
        verified, session.verified = session.verified, None
        if verified is None:
            return
        self._line.secure(Records(verified.keys))
        session.shared = verified.shared_secret
        self._refresh_due = True
        if self.tells_keys:
            own = session.own_id or b""
            self._emit(SessionKeysMade(ConnectionId(0), verified.public, session.device_id, own, verified.keys))

    def _fetched(self) -> None:
        session = self._session
        self._unread_database = False
        session.knowledge.config_number = self._listener.config_number
        session.knowledge.broadcasting.clear()
        session.knowledge.key = None
        session.values.clear()
        self._refresh_due = True
        self._save()
        self._emit(DatabaseChanged(self.accessories))

    def _refreshed(self) -> None:
        self._refresh_due = self._refresh_now = self._doubt = False
        self._failures = 0
        self._line.succeeded()
        self._save()

    def _leave(self) -> None:
        """Nothing to do: learn the state number, then go."""
        if self._line.link is Link.SECURED and self._session.pairing is not None:
            self._start(self._own(chores.leave, self._left))
        else:
            self._drop()

    def _left(self) -> None:
        self._save()
        if not (self._stay and self._session.subscribed):
            self._drop()

    # --- the link -------------------------------------------------------------------------------------------------

    def _opened(self, table: Sequence[GattService]) -> None:
        session = self._session
        if not session.link_up(table):
            self._unread_database = True
        self._available(None)
        if not (session.has_pairing_service or self._line.fresh):
            # Hosts remember the tables of firmware that is gone (HAP-BLE A.7).
            self._line.fresh = True
            self._line.fail(Disconnected("the host knows no Pairing service of the accessory"), self._now)

    def _link_failed(self, error: HapError) -> None:
        self._down()
        job, self._job = self._job, None
        if job is None:
            return
        job.procedure.close()
        if job.number is None:
            if job.then is None:
                self._missed()
            return
        if job.touched or job.tries or job.kind is Kind.FINISH_SETUP:
            self._refuse(job, error)
            return
        job.tries = 1
        try:
            job.procedure = job.build()
        except LocalProtocolError as problem:
            self._refuse(job, problem)
        else:
            self._waiting.appendleft(job)

    def _given_up(self, error: HapError) -> None:
        """Everything that waits for the accessory fails. What was missed is looked for again, less and less often."""
        if self._refresh_now and self._session.subscribed and not isinstance(error, PairingRefused):
            self._look_at = self._now + min(MISSED_AFTER * 2**self._failures, MISSED_AT_MOST)
            self._failures = min(self._failures + 1, 16)
        self._refresh_now = False
        while self._waiting:
            job = self._waiting.popleft()
            job.procedure.close()
            if self._is_gone(job, error) and job.number is not None:
                self._emit(Done(job.number))
                self._finish_life()
                return
            self._refuse(job, error)
        if not isinstance(error, PairingRefused):
            self._available(error)

    def _is_gone(self, job: Job, error: HapError) -> bool:
        """Whether our pairing was removed by a command whose answer got lost: now nobody knows us any more."""
        command = job.command
        return (
            isinstance(command, commands.RemovePairing)
            and command.identifier == self._session.own_id
            and job.tries > 0
            and isinstance(error, PairingRefused)
            and error.error == TlvErrorCode.AUTHENTICATION
        )

    def _drop(self) -> None:
        self._line.drop(self._now)
        self._down()

    def _down(self) -> None:
        """What belonged to a link that is not there any more."""
        if self._line.up or not self._session.services:
            return
        if self._indicated:
            self._indicated.clear()
            self._missed()
        self._session.link_down()

    # --- the end --------------------------------------------------------------------------------------------------

    def _close(self) -> CommandId:
        number = self._next_command()
        if not self._closed():
            self._end()
        self._emit(Done(number))
        return number

    def _finish_life(self) -> None:
        """We are not paired any more."""
        self._emit(Forget(self.cache_key))
        self._end()

    def _end(self) -> None:
        error = Disconnected("the connection was closed")
        jobs = [] if self._job is None else [self._job]
        jobs += self._waiting
        self._job = None
        self._waiting.clear()
        self._state = self._planned = State.CLOSED
        self._idle_at = self._look_at = None
        self._line.end(self._now)
        self._session.link_down()
        self._session.resume = None
        for job in jobs:
            job.procedure.close()
            if job.number is not None:
                self._emit(Failed(job.number, error))
        self._emit(SessionClosed(None))

    def _emit_effect(self, effect: Effect) -> None:
        self._emit(effect)

    def _next_tid(self) -> int:
        return self._session.next_tid()
