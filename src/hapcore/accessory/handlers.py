"""The application's getters and setters: called one after the other, their answers collected, their errors kept."""

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

__all__ = ["Consultation", "Question", "Results", "Together", "consult", "together"]

_Handler: TypeAlias = Callable[..., object]
_Results: TypeAlias = dict[CharacteristicId, object]
#: What is known of each characteristic that was asked about: a value, or the status of a failure.
Results: TypeAlias = Mapping[CharacteristicId, Value | HapStatus]


@frozen
class Question:
    """Whom to ask about these characteristics (None: nobody, it is fine), and what to tell him.

    Who answers for them `together` gives a mapping.
    """

    ids: tuple[CharacteristicId, ...]
    handler: _Handler | None
    arguments: tuple[object, ...]
    together: bool = False


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


class Consultation:
    """Asks the handlers of one request.

    Drive it with `advance()`: it calls handlers until one returns something to wait for, which is given out; hand its
    outcome back with `returned()` or `raised()`. When all are through, `submit` gets the answer for the engine.

    A handler that raises `HapStatusError` has chosen its status. Any other exception is -70402 to the controller and is
    handed to `complain` with the characteristic it belongs to.
    """

    def __init__(
        self,
        questions: list[Question],
        answer: Callable[[_Results], Command[object] | None],
        submit: Callable[[Command[object]], object],
        complain: Callable[[CharacteristicId, Exception], object],
    ) -> None:
        self._questions = deque(questions)
        self._results: _Results = {}
        self._answer = answer
        self._submit = submit
        self._complain = complain

    def advance(self) -> Awaitable[object] | None:
        """Go on asking; what has to be waited for, or None at the end."""
        while self._questions:
            question = self._questions[0]
            try:
                result = None if question.handler is None else question.handler(*question.arguments)
            except Exception as error:  # noqa: BLE001 - whatever the application does, the others are served
                self._fail(error)
                continue
            if hasattr(result, "__await__"):
                return cast("Awaitable[object]", result)
            self._take(result)
        command = self._answer(self._results)
        if command is not None:
            self._submit(command)
        return None

    def returned(self, result: object) -> Awaitable[object] | None:
        """What was waited for has come."""
        self._take(result)
        return self.advance()

    def raised(self, error: Exception) -> Awaitable[object] | None:
        """What was waited for has failed."""
        self._fail(error)
        return self.advance()

    def _take(self, result: object) -> None:
        question = self._questions[0]
        if question.together and not isinstance(result, Mapping):
            self._fail(TypeError(f"wanted a mapping by characteristic, got {type(result).__name__}"))
            return
        self._questions.popleft()
        if question.together:
            given = cast("Mapping[CharacteristicId, object]", result)
            self._results.update((one, given[one]) for one in question.ids if one in given)
        else:
            self._results[question.ids[0]] = result

    def _fail(self, error: Exception) -> None:
        ids = self._questions.popleft().ids
        if isinstance(error, HapStatusError):
            self._results.update(dict.fromkeys(ids, error.status))
            return
        self._results.update(dict.fromkeys(ids, HapStatus.UNABLE_TO_COMMUNICATE))
        self._complain(ids[0], error)


def _caller(caller: Caller, write: CharacteristicWrite) -> Caller:
    if not (write.remote or write.timed or write.auth_data is not None):
        return caller
    return evolve(caller, remote=write.remote, timed=write.timed, auth_data=write.auth_data)


def consult(
    event: object,
    database: Database,
    submit: Callable[[Command[object]], object],
    complain: Callable[[CharacteristicId, Exception], object],
) -> Consultation | None:
    """The consultation that an event of the engine asks for, if any."""

    def find(number: CharacteristicId) -> AnyCharacteristic | None:
        return database.find(*number)

    if isinstance(event, WriteRequested):
        return Consultation(*_about_writes(event, find), submit, complain)
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
            Question(tuple(ids), asked.fn, (tuple(ids), event.caller), together=True) for asked, ids in several.items()
        ]
        return Consultation(
            questions,
            lambda results: AnswerRead(event.request, cast("Results", results)),
            submit,
            complain,
        )
    if isinstance(event, IdentifyRequested):
        head = database.accessories[0]
        questions = [Question((head.identify_characteristic.id,), head.identify_fn, ())]
        return Consultation(questions, lambda _: None, submit, complain)
    return None


def _about_writes(
    event: WriteRequested, find: Callable[[CharacteristicId], AnyCharacteristic | None]
) -> tuple[list[Question], Callable[[_Results], AnswerWrite]]:
    """What to ask about a write request, and how the answers become one."""
    several: dict[Together, list[CharacteristicWrite]] = {}
    questions: list[Question] = []
    # What a setter returns is what a controller that asked for a write-response reads.
    reported = {one.id for one in event.writes if one.response}
    for one in event.writes:
        handler = getattr(find(one.id), "setter_fn", None)
        if isinstance(handler, Together):
            several.setdefault(handler, []).append(one)
            reported.add(one.id)
        else:
            questions.append(Question((one.id,), handler, (one.value, _caller(event.caller, one))))
    for asked, writes in several.items():
        ids = tuple(one.id for one in writes)
        questions.append(Question(ids, asked.fn, (tuple(writes), event.caller), together=True))

    def written(results: _Results) -> AnswerWrite:
        statuses = {one: result for one, result in results.items() if isinstance(result, HapStatus)}
        values = {
            one: cast("Value", result)
            for one, result in results.items()
            if one in reported and one not in statuses and result is not None
        }
        return AnswerWrite(event.request, statuses, values)

    return questions, written
