"""The application's getters and setters: called one after the other, their answers collected, their errors kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from attrs import evolve

from hapcore.accessory.commands import AnswerRead, AnswerWrite
from hapcore.accessory.events import CharacteristicWrite, IdentifyRequested, ReadRequested, WriteRequested
from hapcore.engine import Command
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError
from hapcore.model.database import Database

__all__ = ["Consultation", "Question", "consult"]

#: Whom to ask (None: nobody, it is fine), and what to tell him.
_Handler: TypeAlias = Callable[..., object]
Question: TypeAlias = tuple[CharacteristicId, _Handler | None, tuple[object, ...]]
_Results: TypeAlias = dict[CharacteristicId, object]


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
            _, handler, arguments = self._questions[0]
            try:
                result = None if handler is None else handler(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever the application does, the others are served
                self._fail(error)
                continue
            if hasattr(result, "__await__"):
                return cast("Awaitable[object]", result)
            self._results[self._questions.popleft()[0]] = result
        command = self._answer(self._results)
        if command is not None:
            self._submit(command)
        return None

    def returned(self, result: object) -> Awaitable[object] | None:
        """What was waited for has come."""
        self._results[self._questions.popleft()[0]] = result
        return self.advance()

    def raised(self, error: Exception) -> Awaitable[object] | None:
        """What was waited for has failed."""
        self._fail(error)
        return self.advance()

    def _fail(self, error: Exception) -> None:
        number = self._questions.popleft()[0]
        if isinstance(error, HapStatusError):
            self._results[number] = error.status
            return
        self._results[number] = HapStatus.UNABLE_TO_COMMUNICATE
        self._complain(number, error)


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
        writes = event.writes
        questions: list[Question] = [
            (one.id, getattr(find(one.id), "setter_fn", None), (one.value, _caller(event.caller, one)))
            for one in writes
        ]

        def written(results: _Results) -> AnswerWrite:
            statuses = {one: result for one, result in results.items() if isinstance(result, HapStatus)}
            # What a setter returns is what a controller that asked for a write-response reads.
            values = {
                one.id: cast("Value", results[one.id])
                for one in writes
                if one.response and one.id not in statuses and results[one.id] is not None
            }
            return AnswerWrite(event.request, statuses, values)

        return Consultation(questions, written, submit, complain)
    if isinstance(event, ReadRequested):
        questions = [(one, getattr(find(one), "getter_fn", None), (event.caller,)) for one in event.ids]
        return Consultation(
            questions,
            lambda results: AnswerRead(event.request, cast("dict[CharacteristicId, Value | HapStatus]", results)),
            submit,
            complain,
        )
    if isinstance(event, IdentifyRequested):
        head = database.accessories[0]
        questions = [(head.identify_characteristic.id, head.identify_fn, ())]
        return Consultation(questions, lambda _: None, submit, complain)
    return None
