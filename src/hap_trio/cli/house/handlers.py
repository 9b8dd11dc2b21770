"""Setters and getters that carry out what a house file says."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import partial

import trio

from hap_trio.cli.house.command import run
from hap_trio.cli.house.request import send
from hap_trio.cli.house.trouble import Trouble
from hapcore.errors import ValueRefused
from hapcore.house import Call, House, Place, Poll, Run, Write
from hapcore.ids import Caller, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError

__all__ = ["Question", "connect", "keep_asking"]

Complain = Callable[[str], object]


def connect(house: House, complain: Complain) -> list[Question]:
    """Give the characteristics of a house their handlers; `complain(text)` is told of what goes wrong."""
    questions = {poll.place.characteristic: Question(poll, complain) for poll in house.polls}
    for question in questions.values():
        question.poll.place.characteristic.getter(question.read)
    follows: dict[AnyCharacteristic, AnyCharacteristic] = {one.target: one.current for one in house.follows}
    # A device is told one thing after the other: two commands at a time could end in the wrong order.
    turns: defaultdict[str, trio.Lock] = defaultdict(trio.Lock)
    for write in house.writes:
        one = write.place.characteristic
        turn = turns[write.place.accessory]
        one.setter(Order(write, turn, follows.pop(one, None), questions.get(one), complain).carry_out)
    for target, current in follows.items():
        target.setter(partial(_followed, current))
    return list(questions.values())


def follow(current: AnyCharacteristic, value: Value) -> None:
    """What is, is what was told; unless that has no meaning there (a thermostat is never in the state "auto")."""
    with suppress(ValueRefused):
        current.value = value


def _followed(current: AnyCharacteristic, value: Value, _caller: Caller) -> None:
    follow(current, value)


async def perform(
    action: Run | Call, place: Place, value: Value = None, caller: Caller | None = None, *, answers: bool = False
) -> bytes:
    """Run the command, or send the request."""
    if isinstance(action, Call):
        return await send(action.message(value), action.timeout)
    environment = place.environment(caller)
    if answers:
        return await run(action.command, environment, answers=True)
    arguments = action.arguments(value)
    return await run(arguments, {**environment, **action.environment(value)}, data=action.input(value))


class Order:
    """What a write sets off."""

    def __init__(
        self,
        write: Write,
        turn: trio.Lock,
        current: AnyCharacteristic | None,
        question: Question | None,
        complain: Complain,
    ) -> None:
        self._write = write
        self._turn = turn
        self._current = current
        self._question = question
        self._complain = complain

    async def carry_out(self, value: Value, caller: Caller) -> None:
        """The setter: `HapStatusError` where it could not be done, or not in time."""
        place, action = self._write.place, self._write.action
        with outcome(place, action, self._complain):
            with trio.fail_after(action.timeout):
                async with self._turn:
                    await perform(action, place, value, caller)
        if self._question is not None:
            self._question.forget()
        if self._current is not None:
            follow(self._current, value)


class Question:
    """A value that is asked for; those who ask at the same time share one answer."""

    def __init__(self, poll: Poll, complain: Complain) -> None:
        self.poll = poll
        self._complain = complain
        self._lock = trio.Lock()
        self._known: Value = None
        self._failure: HapStatusError | None = None
        self._since = -math.inf
        self._writes = 0

    async def read(self, caller: Caller | None = None) -> Value:
        """The getter: `HapStatusError` where there is no answer, or none in time."""
        del caller
        asked = trio.current_time()
        async with self._lock:
            # A failure counts for those who waited for it; a value for some time.
            good_until = self._since + (self.poll.max_age if self._failure is None else 0)
            if self._since < asked and trio.current_time() >= good_until:
                await self._ask()
            if self._failure is not None:
                raise HapStatusError(self._failure.status)
            return self._known

    async def _ask(self) -> None:
        poll, before = self.poll, self._writes
        try:
            with outcome(poll.place, poll.action, self._complain), trio.fail_after(poll.action.timeout):
                self._known, self._failure = poll.value(await perform(poll.action, poll.place, answers=True)), None
        except HapStatusError as failure:
            self._failure = failure
        # What was asked before a write and answered after it may be either.
        self._since = trio.current_time() if before == self._writes else -math.inf

    def forget(self) -> None:
        """It has been changed: ask again."""
        self._writes += 1
        self._since = -math.inf

    async def keep_asking(self, every: float) -> None:
        """Ask every so many seconds, so that what changes becomes an event."""
        while True:
            with suppress(HapStatusError):
                self.poll.place.characteristic.value = await self.read()
            await trio.sleep(every)


async def keep_asking(questions: Iterable[Question]) -> None:
    """Ask what is to be asked though nobody reads it."""
    async with trio.open_nursery() as nursery:
        for question in questions:
            if question.poll.every is not None:
                nursery.start_soon(question.keep_asking, question.poll.every)


@contextmanager
def outcome(place: Place, action: Run | Call, complain: Complain) -> Generator[None]:
    """Turn what can go wrong into the status that a controller is told, and a line for the owner of the house."""
    try:
        yield
    except (trio.TooSlowError, TimeoutError):
        status, text = HapStatus.TIMED_OUT, f"not done within {action.timeout:g} seconds"
    except ValueRefused as refusal:
        status, text = HapStatus.UNABLE_TO_COMMUNICATE, str(refusal).removeprefix("value: ")
    except Trouble as trouble:
        status, text = HapStatus.UNABLE_TO_COMMUNICATE, str(trouble)
    else:
        return
    complain(f"{place}: {' '.join(text.split())}")
    raise HapStatusError(status)
