"""Asking the application's functions about one request: their answers collected, their errors kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias, cast

from attrs import frozen

from hapcore.engine import Command
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.model.characteristic import HapStatusError

__all__ = ["MAX_RUNNING", "Answers", "Consultation", "Handler", "Inquiry", "Question"]

Handler: TypeAlias = Callable[..., object]
#: What came of the questions: a value or a status each, None for "done".
Answers: TypeAlias = Mapping[CharacteristicId, object]
#: Handlers of one characteristic that may be waited for at a time; more are -70403. One that hangs is asked again with
#: every poll, and would fill the memory.
MAX_RUNNING = 8


@frozen
class Question:
    """Whom to ask about these characteristics (None: nobody, it is fine), and what to tell him.

    `collect` makes the answers for all of them of what he returns; without it that is the answer for the only one. It
    may raise: then he has made a mistake.
    """

    ids: tuple[CharacteristicId, ...]
    handler: Handler | None
    arguments: tuple[object, ...]
    collect: Callable[[object], Answers] | None = None


class Inquiry:
    """Asks the handlers of one request.

    `begin()` starts all its consultations and gives out those that have to wait, each with what it waits for. What is
    known goes to `submit` as it comes, so that a handler that hangs costs its own characteristic only; the last answer
    says that it is the last.

    A handler that raises `HapStatusError` has chosen its status. Any other exception is -70402 to the controller and is
    handed to `complain` with the characteristic it belongs to.
    """

    def __init__(
        self,
        lines: Iterable[list[Question]],
        answer: Callable[[dict[CharacteristicId, object], bool], Command[object] | None],
        submit: Callable[[Command[object]], object],
        complain: Callable[[CharacteristicId, Exception], object],
        running: dict[CharacteristicId, int],
    ) -> None:
        self._consultations = [Consultation(line, self._take, running) for line in lines]
        self._open = len(self._consultations)
        self._results: dict[CharacteristicId, object] = {}
        self._answer = answer
        self._submit = submit
        self._complain = complain
        self._begun = False

    def begin(self) -> list[tuple[Consultation, Awaitable[object]]]:
        """Ask. Where nobody takes his time, the answer is given at once."""
        waiting: list[tuple[Consultation, Awaitable[object]]] = []
        for consultation in self._consultations:
            if (awaited := consultation.advance()) is not None:
                waiting.append((consultation, awaited))
        self._begun = True
        self._tell()
        return waiting

    def _take(self, question: Question, result: object, *, last: bool) -> None:
        """What came of a question, an exception where it failed; `last` of its line."""
        self._open -= last
        if question.collect is not None and not isinstance(result, Exception):
            try:
                self._results.update(question.collect(result))
            except Exception as error:  # noqa: BLE001 - what the application returned is not to be trusted
                result = error
        elif not isinstance(result, Exception):
            self._results[question.ids[0]] = result
        if isinstance(result, Exception):
            refused = isinstance(result, HapStatusError)
            status = result.status if isinstance(result, HapStatusError) else HapStatus.UNABLE_TO_COMMUNICATE
            self._results.update(dict.fromkeys(question.ids, status))
            if not refused:
                self._complain(question.ids[0], result)
        if self._begun:
            self._tell()

    def _tell(self) -> None:
        """Pass on what is known now."""
        if self._open and not self._results:
            return
        results, self._results = self._results, {}
        command = self._answer(results, not self._open)
        if command is not None:
            self._submit(command)


class Consultation:
    """Handlers that are asked one after the other.

    `advance()` calls them until one returns something to wait for, which is given out; hand its outcome back with
    `returned()` or `raised()`, and go on with what that returns.
    """

    __slots__ = ("_questions", "_running", "_take")

    def __init__(
        self, questions: list[Question], take: Callable[..., None], running: dict[CharacteristicId, int]
    ) -> None:
        self._questions = deque(questions)
        self._take = take
        self._running = running

    def advance(self) -> Awaitable[object] | None:
        """Go on asking; what has to be waited for, or None at the end."""
        running = self._running
        while self._questions:
            question = self._questions[0]
            number = question.ids[0]
            result: object = None
            try:
                if running.get(number, 0) >= MAX_RUNNING:
                    raise HapStatusError(HapStatus.BUSY)
                if question.handler is not None:
                    result = question.handler(*question.arguments)
            except Exception as error:  # noqa: BLE001 - whatever the application does, the others are served
                result = error
            if hasattr(result, "__await__"):
                running[number] = running.get(number, 0) + 1
                return cast("Awaitable[object]", result)
            self._settle(result)
        return None

    def returned(self, result: object) -> Awaitable[object] | None:
        """What was waited for has come."""
        return self._waited(result)

    def raised(self, error: Exception) -> Awaitable[object] | None:
        """What was waited for has failed."""
        return self._waited(error)

    def _waited(self, result: object) -> Awaitable[object] | None:
        number = self._questions[0].ids[0]
        self._running[number] -= 1
        if not self._running[number]:
            del self._running[number]
        self._settle(result)
        return self.advance()

    def _settle(self, result: object) -> None:
        question = self._questions.popleft()
        self._take(question, result, last=not self._questions)
