"""Things that take several steps, as generators: each waits for promises, and an agenda resumes it, in order.

Nothing is resumed from within what settles a promise: an input of the engine changes what it changes, then the agenda
is worked off. So no step ever finds another one half done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar, cast

from hapcore.errors import HapError

__all__ = ["Agenda", "Procedure", "Promise", "Task"]

T = TypeVar("T")


class Promise(Generic[T]):
    """Something that will be there, or will have failed. It is settled once; what comes later is ignored.

    `sure` marks what settles by itself within moments and must be waited for: a fact that is being stored.
    """

    __slots__ = ("_agenda", "_readers", "error", "result", "settled", "sure")

    def __init__(self, agenda: Agenda, *, sure: bool = False) -> None:
        self._agenda = agenda
        self._readers: list[Task[Any]] = []
        self.result: T | None = None
        self.error: HapError | None = None
        self.settled = False
        self.sure = sure

    def keep(self, result: T) -> None:
        """It is there."""
        self._settle(result, None)

    def fail(self, error: HapError) -> None:
        """It will never be there."""
        self._settle(None, error)

    def wait(self) -> Procedure[T]:
        """Within a procedure: the result. Raises what it failed with."""
        if not self.settled:
            yield self
        if self.error is not None:
            raise self.error
        return cast("T", self.result)

    def add(self, reader: Task[Any]) -> None:
        """Have a task resumed when it is settled."""
        self._readers.append(reader)

    def _settle(self, result: T | None, error: HapError | None) -> None:
        if self.settled:
            return
        self.settled, self.result, self.error = True, result, error
        for reader in self._readers:
            self._agenda.resume(reader, self)
        self._readers.clear()


#: Several steps: yields the promises it waits for, returns its result, raises a `HapError`.
Procedure: TypeAlias = Generator[Promise[Any], None, T]


class Task(Generic[T]):
    """A procedure on its way; `outcome` is what comes of it."""

    __slots__ = ("_agenda", "_awaited", "_procedure", "outcome")

    def __init__(self, procedure: Procedure[T], agenda: Agenda) -> None:
        self._procedure = procedure
        self._agenda = agenda
        self._awaited: Promise[Any] | None = None
        self.outcome = Promise[T](agenda)

    def step(self, promise: Promise[Any] | None, error: HapError | None = None) -> bool:
        """Go on, unless it waits for something else by now. True if that was the last step."""
        if self.outcome.settled or promise is not self._awaited:
            return False
        try:
            waits = next(self._procedure) if error is None else self._procedure.throw(error)
        except StopIteration as stop:
            self.outcome.keep(cast("T", stop.value))
        except HapError as failure:
            self.outcome.fail(failure)
        else:
            self._awaited = waits
            waits.add(self)
            return False
        return True

    def stop(self, error: HapError) -> None:
        """Raise `error` where it waits now, unless it waits for what is sure to come."""
        if self._awaited is None or not self._awaited.sure:
            self._agenda.resume(self, self._awaited, error)


class Agenda:
    """Who is to be resumed, in this order."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: deque[tuple[Task[Any], Promise[Any] | None, HapError | None]] = deque()

    def start(self, procedure: Procedure[T]) -> Task[T]:
        """Begin it when the agenda is worked off."""
        task = Task(procedure, self)
        self.entries.append((task, None, None))
        return task

    def resume(self, task: Task[Any], promise: Promise[Any] | None, error: HapError | None = None) -> None:
        """Note that a task can go on."""
        self.entries.append((task, promise, error))

    def work(self, over: Callable[[Task[Any]], object]) -> None:
        """Resume all, and whoever follows from that; `over` hears of those that are through."""
        entries = self.entries
        while entries:
            task, promise, error = entries.popleft()
            if task.step(promise, error):
                over(task)
