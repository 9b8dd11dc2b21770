"""What the watch over an accessory asks of it: one request at a time, with pauses, behind those of the application."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hapcore.controller.commands import Read
from hapcore.controller.results import ReadResult
from hapcore.engine import Command
from hapcore.errors import HapError, LocalProtocolError, PairingRefused, Refused, RemoteProtocolError, TimedOut
from hapcore.home.commands import Supervise
from hapcore.home.link import Link, LinkState, Stopped
from hapcore.home.procedure import Procedure, Promise, Task
from hapcore.home.supervision.happenings import Source
from hapcore.home.supervision.ledger import Ledger
from hapcore.ids import CharacteristicId

if TYPE_CHECKING:
    from hapcore.home.supervision.supervision import Supervision

__all__ = ["Asking", "is_end"]

R = TypeVar("R")

#: Seconds until a request of ours is tried again that found too many of the application's waiting.
_CROWDED: Final = 1.0


def is_end(link: Link, error: HapError) -> bool:
    """Whether nothing more can be asked."""
    return link.state is not LinkState.OPEN or isinstance(error, PairingRefused)


class Asking:
    """The half of a watch that waits and asks. `due` is when it wants to be rung."""

    def __init__(self, alias: str, office: Supervision) -> None:
        self.alias = alias
        self.ledger = Ledger(alias, office.emit)
        self.due: float | None = None
        self._office = office
        self._commands: dict[object, Supervise] = {}
        self._bell: Promise[None] | None = None
        self._over = False
        #: Why the connection is of no use any more.
        self._fault: HapError | None = None
        #: What our last request is answered with.
        self._answer = Promise[Any](office.agenda)
        self._answer.keep(None)
        #: What it has told of by itself since our last request was sent.
        self._overtaken: set[CharacteristicId] = set()
        #: When our last request ended; when the accessory was heard last.
        self._asked = self._heard = -inf
        #: When the last question was put that was answered. The accessory was with us then: what it says by itself may
        #: have been under way for as long as a network can be away.
        self._proved = -inf

    def ring(self) -> None:
        """There may be something to do."""
        if self._bell is not None:
            self._bell.keep(None)

    @property
    def _now(self) -> float:
        return self._office.timers.now

    def _ended(self) -> bool:
        return self._over

    def _sleep(self, until: float) -> Procedure[None]:
        self._office.schedule(self, until)
        self._bell = Promise[None](self._office.agenda)
        yield from self._bell.wait()
        if self._ended():
            raise Stopped

    def _read(
        self, link: Link, ids: tuple[CharacteristicId, ...], source: Source, limit: float | None = None
    ) -> Procedure[None]:
        """Read these, a batch at a time, and tell what differs."""
        size = min(one.batch for one in self._commands.values())
        for start in range(0, len(ids), size):
            try:
                results = yield from self._ask(link, Read(ids[start : start + size]), limit)
            except (Refused, RemoteProtocolError) as error:
                # Some accessories cannot answer a certain question, and are well otherwise.
                if is_end(link, error) or (source is Source.READ and not isinstance(error, Refused)):
                    raise
                if source is Source.READ:
                    self.ledger.missed.update(ids[start : start + size])
                continue
            for one, result in results.items():
                self._take(one, result, source)

    def _take(self, one: CharacteristicId, result: ReadResult, source: Source) -> None:
        ledger = self.ledger
        if result.status:
            if source is Source.READ:
                ledger.missed.add(one)
            return
        ledger.missed.discard(one)
        # An event that came after the question is newer than the answer may be. What nobody follows is a sign of life.
        if one not in self._overtaken and (ledger.reads or ledger.polls or one not in ledger.sign):
            ledger.note(one, result.value, source)

    def _ask(self, link: Link, command: Command[R], limit: float | None = None) -> Procedure[R]:
        """A request of ours: one at a time, with a pause in between, behind those of the application."""
        if self._ended():
            raise Stopped
        pace = max(one.pace for one in self._commands.values())
        while self._now < (free := self._asked + pace) and self._fault is None:
            yield from self._sleep(free)
        while True:
            if self._fault is not None:
                raise self._fault
            try:
                result = yield from self._put(link, command, limit)
            except LocalProtocolError:
                if link.state is not LinkState.OPEN or not link.waiting:
                    raise  # it is not because of the others
                free = self._now + _CROWDED
                while self._now < free and self._fault is None:
                    yield from self._sleep(free)
            else:
                return result
            finally:
                self._asked = self._now

    def _put(self, link: Link, command: Command[R], limit: float | None) -> Procedure[R]:
        if link.waiting:
            limit = None  # it is asked by others, whose questions come first and have a limit of their own
        self._overtaken.clear()
        begun = self._now
        task: Task[R] = self._office.agenda.start(self._office.links.ask(link, command))
        self._answer = task.outcome
        result = yield from (task.outcome.wait() if limit is None else self._within(limit, task.outcome))
        self._heard, self._proved = self._now, begun
        return result

    def _within(self, limit: float, answer: Promise[R]) -> Procedure[R]:
        late = TimedOut(f"no answer within {limit:g} s, and it is said to be elsewhere")
        return (yield from self._office.timers.within(limit, answer, late))

    def _hurry(self, link: Link, limit: float) -> None:
        """An answer that is on its way comes within so many seconds, or not at all."""
        if len(link.waiting) == 1:
            self._office.agenda.start(self._hasten(limit, self._answer))

    def _hasten(self, limit: float, answer: Promise[Any]) -> Procedure[None]:
        if not answer.settled and answer not in self._office.timers.entries:
            yield from self._within(limit, answer)
