"""The application's getters and setters: asked, their answers collected, their errors kept.

The getters of a request are asked all at once. The setters of one accessory are called in the order of the request, one
after the other; those of different accessories do not wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias, cast

from attrs import evolve, frozen

from hapcore.accessory.commands import AnswerRead, AnswerWrite
from hapcore.accessory.events import CharacteristicWrite, IdentifyRequested, ReadRequested, WriteRequested
from hapcore.engine import Command
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError
from hapcore.model.database import Database

__all__ = ["Consultation", "Inquiry", "Question", "Results", "Together", "consult", "together"]

_Handler: TypeAlias = Callable[..., object]
_Results: TypeAlias = dict[CharacteristicId, object]
#: What a reader leaves out it could not read.
_NO_VALUE = HapStatus.UNABLE_TO_COMMUNICATE
#: Handlers of one characteristic that may be waited for at a time; more are -70403. One that hangs is asked again with
#: every poll, and would fill the memory.
MAX_RUNNING = 8
#: What is known of each characteristic that was asked about: a value, or the status of a failure.
Results: TypeAlias = Mapping[CharacteristicId, Value | HapStatus]


@frozen
class Question:
    """Whom to ask about these characteristics (None: nobody, it is fine), and what to tell him.

    Who answers for them `together` gives a mapping; `missing` stands for what it leaves out.
    """

    ids: tuple[CharacteristicId, ...]
    handler: _Handler | None
    arguments: tuple[object, ...]
    together: bool = False
    missing: object = None


class Together:
    """In place of a getter or a setter: `fn` is called once for all characteristics of a request that have it."""

    __slots__ = ("fn",)

    def __init__(self, fn: _Handler) -> None:
        self.fn = fn


def together(
    characteristics: Iterable[AnyCharacteristic],
    *,
    read: Callable[[tuple[CharacteristicId, ...], Caller], Awaitable[Results] | Results] | None = None,
    write: Callable[[tuple[CharacteristicWrite, ...], Caller], Awaitable[Results] | Results] | None = None,
) -> None:
    """Have one function answer for several characteristics: one call for each request, whatever it names of them.

    `read(ids, caller)` returns values, or a `HapStatus` where there is none; what it leaves out is -70402.
    `write(writes, caller)` returns a `HapStatus` where a write failed, or what the characteristic holds now, and what a
    write-response reads, where that is not what was written; what it leaves out is done. `HapStatusError` is for all.
    """
    reading, writing = read and Together(read), write and Together(write)
    for one in characteristics:
        if reading and one.readable:
            one.getter(cast("Callable[[Caller], object]", reading))
        if writing and one.writable:
            one.setter(cast("Callable[[object, Caller], object]", writing))


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
        answer: Callable[[_Results, bool], Command[object] | None],
        submit: Callable[[Command[object]], object],
        complain: Callable[[CharacteristicId, Exception], object],
        running: dict[CharacteristicId, int],
    ) -> None:
        self._consultations = [Consultation(line, self._take, running) for line in lines]
        self._open = len(self._consultations)
        self._results: _Results = {}
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
        if question.together and not isinstance(result, Mapping | Exception):
            result = TypeError(f"wanted a mapping by characteristic, got {type(result).__name__}")
        if isinstance(result, HapStatusError):
            self._results.update(dict.fromkeys(question.ids, result.status))
        elif isinstance(result, Exception):
            self._results.update(dict.fromkeys(question.ids, HapStatus.UNABLE_TO_COMMUNICATE))
            self._complain(question.ids[0], result)
        elif question.together:
            given = cast("Mapping[CharacteristicId, object]", result)
            self._results.update((one, given.get(one, question.missing)) for one in question.ids)
        else:
            self._results[question.ids[0]] = result
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


def _caller(caller: Caller, write: CharacteristicWrite) -> Caller:
    if not (write.remote or write.timed or write.auth_data is not None):
        return caller
    return evolve(caller, remote=write.remote, timed=write.timed, auth_data=write.auth_data)


def consult(
    event: object,
    database: Database,
    submit: Callable[[Command[object]], object],
    complain: Callable[[CharacteristicId, Exception], object],
    running: dict[CharacteristicId, int],
) -> Inquiry | None:
    """The inquiry that an event of the engine asks for, if any.

    `running` is kept from one to the next: how many handlers of each characteristic are waited for.
    """

    def find(number: CharacteristicId) -> AnyCharacteristic | None:
        return database.find(*number)

    if isinstance(event, WriteRequested):
        return Inquiry(*_about_writes(event, find), submit, complain, running)
    if isinstance(event, ReadRequested):
        several: dict[Together, list[CharacteristicId]] = {}
        questions: list[Question] = []
        for number in event.ids:
            handler = getattr(find(number), "getter_fn", None)
            if isinstance(handler, Together):
                several.setdefault(handler, []).append(number)
            else:
                questions.append(Question((number,), handler, (event.caller,)))
        questions += [
            Question(tuple(ids), asked.fn, (tuple(ids), event.caller), together=True, missing=_NO_VALUE)
            for asked, ids in several.items()
        ]
        return Inquiry(
            ([question] for question in questions),
            lambda results, last: AnswerRead(event.request, cast("Results", results), last),
            submit,
            complain,
            running,
        )
    if isinstance(event, IdentifyRequested):
        head = database.accessories[0]
        questions = [Question((head.identify_characteristic.id,), head.identify_fn, ())]
        return Inquiry([questions], lambda _, __: None, submit, complain, running)
    return None


def _about_writes(
    event: WriteRequested, find: Callable[[CharacteristicId], AnyCharacteristic | None]
) -> tuple[Iterable[list[Question]], Callable[[_Results, bool], AnswerWrite]]:
    """What to ask about a write request, and how the answers become one."""
    several: dict[Together, list[CharacteristicWrite]] = {}
    lines: dict[int, list[Question]] = {}
    # What a setter returns is what a controller that asked for a write-response reads.
    reported = {one.id for one in event.writes if one.response}
    for one in event.writes:
        handler = getattr(find(one.id), "setter_fn", None)
        if isinstance(handler, Together):
            several.setdefault(handler, []).append(one)
            reported.add(one.id)
        else:
            question = Question((one.id,), handler, (one.value, _caller(event.caller, one)))
            lines.setdefault(one.id.aid, []).append(question)
    for asked, writes in several.items():
        ids = tuple(one.id for one in writes)
        question = Question(ids, asked.fn, (tuple(writes), event.caller), together=True)
        lines.setdefault(ids[0].aid, []).append(question)

    def written(results: _Results, last: bool) -> AnswerWrite:
        statuses = {
            one: result if isinstance(result, HapStatus) else HapStatus.SUCCESS for one, result in results.items()
        }
        values = {
            one: cast("Value", result)
            for one, result in results.items()
            if one in reported and not isinstance(result, HapStatus) and result is not None
        }
        return AnswerWrite(event.request, statuses, values, last)

    return lines.values(), written
