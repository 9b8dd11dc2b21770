"""Requests that wait for the application's answer, and what happens when it takes too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hapcore.accessory.commands import AnswerRead, AnswerWrite, RequestId
from hapcore.accessory.events import CharacteristicWrite, ReadRequested, WriteRequested
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["Questions"]

#: Seconds that an answer needs at most to be read before its procedure ends.
ANSWER_MARGIN: Final = 0.5
#: Writes whose central waits no more, but whose end still counts. The oldest go first: handlers may hang for ever.
MAX_LATE: Final = 256


class _Read:
    __slots__ = ("answered", "deadline", "id")

    def __init__(self, number: CharacteristicId, answered: Callable[[AnswerRead], None], deadline: float) -> None:
        self.id = number
        self.answered = answered
        self.deadline = deadline


class _Write:
    __slots__ = ("answered", "deadline", "late", "untold", "write")

    def __init__(
        self,
        write: CharacteristicWrite,
        answered: Callable[[AnswerWrite], None],
        late: Callable[[AnswerWrite], None],
        deadline: float,
    ) -> None:
        self.write = write
        self.answered = answered
        self.late = late
        self.deadline = deadline
        #: The application has set the very value meanwhile, which the writer was not told.
        self.untold = False


class Questions:
    """All open questions, in the order they were asked, and of their deadlines: there is one procedure at a time."""

    def __init__(self, peripheral: Peripheral, patience: float) -> None:
        self._peripheral = peripheral
        self._patience = patience
        self._asked: dict[RequestId, _Read | _Write] = {}
        self._late: dict[RequestId, _Write] = {}
        self._count = 0

    def read(self, caller: Caller, number: CharacteristicId, answered: Callable[[AnswerRead], None]) -> None:
        """Ask for a value."""
        request = self._next()
        self._asked[request] = _Read(number, answered, self._deadline())
        self._peripheral.emit(ReadRequested(request, caller, (number,)))

    def write(
        self,
        caller: Caller,
        write: CharacteristicWrite,
        answered: Callable[[AnswerWrite], None],
        late: Callable[[AnswerWrite], None],
    ) -> None:
        """Ask whether a write is carried out; `late` takes an answer that the central does not get."""
        request = self._next()
        self._asked[request] = _Write(write, answered, late, self._deadline())
        self._peripheral.emit(WriteRequested(request, caller, (write,)))

    def _deadline(self) -> float:
        """As long as the application is given, but not so long that the central is dropped over it."""
        peripheral = self._peripheral
        patience, ends = peripheral.now + self._patience, peripheral.procedure_ends
        return patience if ends is None else min(patience, ends - ANSWER_MARGIN)

    def _next(self) -> RequestId:
        self._count += 1
        return RequestId(self._count)

    def answer(self, answer: AnswerRead | AnswerWrite) -> bool:
        """Go on with a request; False when nobody waits for this answer (any more).

        What was written late, or for a central that has gone, was written all the same: the values are stored. An
        answer that is not the last one, and says nothing of the characteristic that was asked about, is none yet.
        """
        asked = self._asked.get(answer.request)
        if isinstance(asked, _Write) and isinstance(answer, AnswerWrite):
            if answer.last or asked.write.id in answer.statuses:
                del self._asked[answer.request]
                self._end(asked, answer)
            return True
        if isinstance(asked, _Read) and isinstance(answer, AnswerRead):
            if answer.last or asked.id in answer.results:
                del self._asked[answer.request]
                asked.answered(answer)
            return True
        if isinstance(answer, AnswerWrite) and (written := self._late.pop(answer.request, None)) is not None:
            written.late(answer)
        return False

    def _end(self, asked: _Write, answer: AnswerWrite) -> None:
        """Who is told that a write failed has to hear that the value is there all the same."""
        if asked.untold and answer.statuses.get(asked.write.id):
            self._peripheral.remind(asked.write.id)
        asked.answered(answer)

    def next_deadline(self) -> float | None:
        """When the oldest open question times out."""
        for asked in self._asked.values():
            return asked.deadline
        return None

    def expire(self, now: float) -> None:
        """Answer for an application that was too slow."""
        while self._asked:
            request, asked = next(iter(self._asked.items()))
            if asked.deadline > now:
                return
            del self._asked[request]
            late = HapStatus.TIMED_OUT
            if isinstance(asked, _Write):
                self._keep(request, asked)
                self._end(asked, AnswerWrite(request, {asked.write.id: late}))
            else:
                asked.answered(AnswerRead(request, {asked.id: late}))

    def forget(self) -> None:
        """The central has gone, or will: answers find nobody."""
        for request, asked in self._asked.items():
            if isinstance(asked, _Write):
                self._keep(request, asked)
        self._asked.clear()

    def _keep(self, request: RequestId, asked: _Write) -> None:
        if len(self._late) >= MAX_LATE:
            del self._late[next(iter(self._late))]
        self._late[request] = asked

    def writing(self, number: CharacteristicId, value: Value) -> bool:
        """Whether the central is just writing this very value, so that it is not told what it said."""
        found = [
            asked
            for asked in self._asked.values()
            if isinstance(asked, _Write) and asked.write.id == number and asked.write.value == value
        ]
        for asked in found:
            asked.untold = True
        return bool(found)
