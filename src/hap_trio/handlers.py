"""The application's getters and setters: called, awaited, and kept from doing harm."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import trio

from hapcore.ids import CharacteristicId, HapStatus
from hapcore.model.characteristic import HapStatusError

__all__ = ["Consultation"]

_log = logging.getLogger("hap_trio")

#: What is asked, of whom: the characteristic, its handler (None: nobody to ask, it is fine), the handler's arguments.
Question = tuple[CharacteristicId, Callable[..., object] | None, tuple[object, ...]]
#: For each characteristic what its handler returned, or the `HapStatus` it failed with.
Results = dict[CharacteristicId, object]


class Consultation:
    """Asks the handlers of one request, one after the other, and hands the results to `answer`.

    A handler that raises `HapStatusError` has chosen its status. Any other exception is -70402 to the controller, and a
    line in the log that says whose it is.
    """

    def __init__(self, questions: Iterable[Question], answer: Callable[[Results], None]) -> None:
        self._questions = deque(questions)
        self._results: Results = {}
        self._answer = answer

    def start(self, nursery: trio.Nursery) -> None:
        """Ask. Handlers that need no waiting are through on return; the first that does takes the rest into a task."""
        awaited = self._advance()
        if awaited is not None:
            nursery.start_soon(self._finish, awaited)

    def _advance(self) -> Awaitable[object] | None:
        while self._questions:
            one, handler, arguments = self._questions[0]
            try:
                result = None if handler is None else handler(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever the application does, the others are served
                result = _failure(one, error)
            if hasattr(result, "__await__"):
                return cast("Awaitable[object]", result)
            self._results[one] = result
            self._questions.popleft()
        self._answer(self._results)
        return None

    async def _finish(self, awaited: Awaitable[object] | None) -> None:
        while awaited is not None:
            one = self._questions.popleft()[0]
            try:
                self._results[one] = await awaited
            except Exception as error:  # noqa: BLE001 - as above
                self._results[one] = _failure(one, error)
            awaited = self._advance()


def _failure(one: CharacteristicId, error: Exception) -> HapStatus:
    if isinstance(error, HapStatusError):
        return error.status
    _log.error("the handler of characteristic %s failed", one, exc_info=error)
    return HapStatus.UNABLE_TO_COMMUNICATE
