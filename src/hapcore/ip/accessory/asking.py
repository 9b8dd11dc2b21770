"""Requests that wait for the application's answer, and what happens when it takes too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from hapcore.accessory.commands import AnswerRead, AnswerSnapshot, AnswerWrite, RequestId
from hapcore.accessory.events import CharacteristicWrite, ReadRequested, SnapshotRequested, WriteRequested
from hapcore.engine import ConnectionId
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.ip.accessory.session import Session
from hapcore.model.snapshot import SnapshotWanted

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["Asked", "AskedRead", "AskedSnapshot", "AskedWrite", "Desk"]

_NOBODY: frozenset[ConnectionId] = frozenset()
#: Writes whose controller waits no more, but whose end still counts. The oldest go first: handlers may hang for ever.
MAX_LATE = 256


class AskedRead:
    """A request that waits for values; `results` has those that came already."""

    __slots__ = ("answered", "deadline", "ids", "results", "session")

    def __init__(
        self, session: Session, ids: tuple[CharacteristicId, ...], answered: Callable[[AnswerRead], None]
    ) -> None:
        self.session = session
        self.ids = ids
        self.answered = answered
        self.deadline = 0.0
        self.results: dict[CharacteristicId, Value | HapStatus] = {}


class AskedWrite:
    """A request that waits for the fate of its writes; `partly` takes each answer that is not the last, and `late` one
    that the controller does not get.

    `statuses` and `values` have what is settled already, `untold` what the application has set to the very value
    meanwhile, and the writer was not told of.
    """

    __slots__ = ("answered", "deadline", "late", "partly", "session", "statuses", "untold", "values", "writes")

    def __init__(
        self,
        session: Session,
        writes: tuple[CharacteristicWrite, ...],
        answered: Callable[[AnswerWrite], None],
        partly: Callable[[AnswerWrite], None],
        late: Callable[[AnswerWrite], None],
    ) -> None:
        self.session = session
        self.writes = writes
        self.answered = answered
        self.partly = partly
        self.late = late
        self.deadline = 0.0
        self.statuses: dict[CharacteristicId, HapStatus] = {}
        self.values: dict[CharacteristicId, Value] = {}
        self.untold: set[CharacteristicId] = set()

    def answer(self, answer: AnswerWrite, server: Server) -> None:
        """End the request. Who is told that a write failed has to hear that the value is there all the same."""
        for number in self.untold:
            if answer.statuses.get(number):
                server.notifier.remind(self.session, number)
        self.answered(answer)

    def settle(self, answer: AnswerWrite) -> None:
        """Take an answer that is not the last: what is done counts from now on, whatever becomes of the rest."""
        self.statuses.update(answer.statuses)
        self.values.update(answer.values)
        self.partly(answer)

    def join(self, answer: AnswerWrite) -> AnswerWrite:
        """The answer together with what was settled before it."""
        if not self.statuses:
            return answer
        return AnswerWrite(answer.request, {**answer.statuses, **self.statuses}, {**answer.values, **self.values})

    def too_late(self, request: RequestId) -> AnswerWrite:
        """What the controller is told at the deadline."""
        statuses = dict.fromkeys([write.id for write in self.writes], HapStatus.TIMED_OUT)
        return AnswerWrite(request, {**statuses, **self.statuses}, self.values)

    def afterwards(self, answer: AnswerWrite) -> None:
        """Take what came after the deadline. What was settled before has been stored, what is still open is not."""
        fresh: dict[CharacteristicId, HapStatus] = {}
        for write in self.writes:
            if write.id not in self.statuses and (answer.last or write.id in answer.statuses):
                fresh[write.id] = answer.statuses.get(write.id, HapStatus.SUCCESS)
        others = dict.fromkeys([write.id for write in self.writes], HapStatus.TIMED_OUT)
        self.late(AnswerWrite(answer.request, {**others, **fresh}, answer.values))
        self.statuses.update(fresh)


class AskedSnapshot:
    """A request that waits for a picture."""

    __slots__ = ("aid", "answered", "deadline", "session", "wanted")

    def __init__(
        self, session: Session, aid: int, wanted: SnapshotWanted, answered: Callable[[AnswerSnapshot], None]
    ) -> None:
        self.session = session
        self.aid = aid
        self.wanted = wanted
        self.answered = answered
        self.deadline = 0.0


Asked: TypeAlias = AskedRead | AskedWrite | AskedSnapshot


class Desk:
    """All open questions, in the order they were asked: since all have the same time, also that of their deadlines."""

    def __init__(self, server: Server, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._asked: dict[RequestId, Asked] = {}
        self._late: dict[RequestId, AskedWrite] = {}
        self._count = 0

    def ask(self, asked: Asked) -> None:
        """Ask the application; the session answers nothing else meanwhile."""
        asked.session.busy = True
        self._count += 1
        request = RequestId(self._count)
        asked.deadline = self._server.now + self._patience
        self._asked[request] = asked
        caller = self._server.caller(asked.session)
        if isinstance(asked, AskedWrite):
            self._server.emit(WriteRequested(request, caller, asked.writes))
        elif isinstance(asked, AskedRead):
            self._server.emit(ReadRequested(request, caller, asked.ids))
        else:
            self._server.emit(SnapshotRequested(request, caller, asked.aid, asked.wanted))

    def answer(self, answer: AnswerRead | AnswerWrite | AnswerSnapshot) -> bool:
        """Go on with a request; False when nobody waits for this answer (any more).

        What was written late, or for a controller that has gone, was written all the same: the values are stored.
        """
        asked = self._asked.get(answer.request)
        if isinstance(asked, AskedWrite) and isinstance(answer, AnswerWrite):
            if not answer.last:
                asked.settle(answer)
                return True
            del self._asked[answer.request]
            asked.answer(asked.join(answer), self._server)
            return True
        if isinstance(asked, AskedRead) and isinstance(answer, AnswerRead):
            if not answer.last:
                asked.results.update(answer.results)
                return True
            del self._asked[answer.request]
            if asked.results:
                answer = AnswerRead(answer.request, {**asked.results, **answer.results})
            asked.answered(answer)
            return True
        if isinstance(asked, AskedSnapshot) and isinstance(answer, AnswerSnapshot):
            del self._asked[answer.request]
            asked.answered(answer)
            return True
        if isinstance(answer, AnswerWrite) and (written := self._late.get(answer.request)) is not None:
            if answer.last:
                del self._late[answer.request]
            written.afterwards(answer)
        return False

    def next_deadline(self) -> float | None:
        """When the oldest open question times out."""
        for asked in self._asked.values():
            return asked.deadline
        return None

    def expire(self, now: float) -> None:
        """Answer for an application that was too slow: -70408 (HAP 9.1)."""
        while self._asked:
            request, asked = next(iter(self._asked.items()))
            if asked.deadline > now:
                return
            del self._asked[request]
            if isinstance(asked, AskedWrite):
                self._keep(request, asked)
                asked.answer(asked.too_late(request), self._server)
            elif isinstance(asked, AskedSnapshot):
                asked.answered(AnswerSnapshot(request, HapStatus.TIMED_OUT))
            else:
                missing: dict[CharacteristicId, Value | HapStatus] = dict.fromkeys(asked.ids, HapStatus.TIMED_OUT)
                asked.answered(AnswerRead(request, {**missing, **asked.results}))

    def forget(self, session: Session) -> None:
        """The connection is gone; answers find nobody."""
        if session.busy:
            for request in [r for r, asked in self._asked.items() if asked.session is session]:
                asked = self._asked.pop(request)
                if isinstance(asked, AskedWrite):
                    self._keep(request, asked)

    def _keep(self, request: RequestId, asked: AskedWrite) -> None:
        if len(self._late) >= MAX_LATE:
            del self._late[next(iter(self._late))]
        self._late[request] = asked

    def writers_of(self, number: CharacteristicId, value: Value) -> frozenset[ConnectionId]:
        """The connections that are just writing this very value, so that they are not told what they said."""
        if not self._asked:
            return _NOBODY
        writers: set[ConnectionId] = set()
        for asked in self._asked.values():
            if isinstance(asked, AskedWrite) and any(one.id == number and one.value == value for one in asked.writes):
                asked.untold.add(number)
                writers.add(asked.session.connection)
        return frozenset(writers)
