"""The application's getters and setters: who of them is asked about a request, and how.

The getters of a request are asked all at once. The setters of one accessory are called in the order of the request, one
after the other; those of different accessories do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias, cast

from attrs import evolve

from hapcore.accessory.commands import AnswerRead, AnswerSnapshot, AnswerWrite
from hapcore.accessory.events import (
    CharacteristicWrite,
    IdentifyRequested,
    ReadRequested,
    SnapshotRequested,
    WriteRequested,
)
from hapcore.accessory.inquiry import MAX_RUNNING, Answers, Consultation, Handler, Inquiry, Question
from hapcore.engine import Command
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError
from hapcore.model.database import Database
from hapcore.model.group import Group, Reads, Writes
from hapcore.model.snapshot import check_image

__all__ = ["MAX_RUNNING", "Consultation", "Inquiry", "Question", "Results", "Together", "consult", "together"]

#: What a reader leaves out it could not read.
_NO_VALUE = HapStatus.UNABLE_TO_COMMUNICATE
#: What is known of each characteristic that was asked about: a value, or the status of a failure.
Results: TypeAlias = Mapping[CharacteristicId, Value | HapStatus]
_Find: TypeAlias = Callable[[CharacteristicId], AnyCharacteristic | None]


class Together:
    """In place of a getter or a setter: `fn` is called once for all characteristics of a request that have it."""

    __slots__ = ("fn",)

    def __init__(self, fn: Handler) -> None:
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

    For a service or an accessory of one's own, their decorators `getter` and `setter` are nicer.
    """
    reading, writing = read and Together(read), write and Together(write)
    for one in characteristics:
        if reading and one.readable:
            one.getter(cast("Callable[[Caller], object]", reading))
        if writing and one.writable:
            one.setter(cast("Callable[[object, Caller], object]", writing))


def consult(
    event: object,
    database: Database,
    submit: Callable[[Command[object]], object],
    complain: Callable[[CharacteristicId, Exception], object],
    running: dict[CharacteristicId, int],
) -> Inquiry | None:
    """The inquiry that an event of the engine asks for, if any.

    `running` is kept from one to the next: how many handlers of each characteristic are waited for. A complaint about
    a picture comes with the instance id 0.
    """

    def find(number: CharacteristicId) -> AnyCharacteristic | None:
        return database.find(*number)

    if isinstance(event, WriteRequested):
        return Inquiry(*_about_writes(event, find), submit, complain, running)
    if isinstance(event, ReadRequested):
        return Inquiry(*_about_reads(event, find), submit, complain, running)
    if isinstance(event, IdentifyRequested):
        head = database.accessories[0]
        questions = [Question((head.identify_characteristic.id,), head.identify_fn, ())]
        return Inquiry([questions], lambda _, __: None, submit, complain, running)
    if isinstance(event, SnapshotRequested):
        return Inquiry(*_about_snapshot(event, database), submit, complain, running)
    return None


def _about_reads(
    event: ReadRequested, find: _Find
) -> tuple[Iterable[list[Question]], Callable[[dict[CharacteristicId, object], bool], AnswerRead]]:
    """What to ask about a read request, and how the answers become one."""
    several: dict[Together | Group, list[CharacteristicId]] = {}
    questions: list[Question] = []
    for number in event.ids:
        one = find(number)
        handler = getattr(one, "getter_fn", None)
        if isinstance(handler, Together | Group):
            several.setdefault(handler, []).append(number)
        elif one is None or handler is None:
            questions.append(Question((number,), None, ()))
        else:
            questions.append(Question((number,), handler, (event.caller,), partial(_value_of, one)))
    for asked, found in several.items():
        ids = tuple(found)
        if isinstance(asked, Together):
            collect = partial(_collect, ids, _NO_VALUE)
            questions.append(Question(ids, asked.fn, (ids, event.caller), collect))
        else:
            reads = Reads(one for number in ids if (one := find(number)) is not None)
            questions.append(Question(ids, asked.fn, (reads, event.caller), _outcome_of(reads)))
    return (
        ([question] for question in questions),
        lambda results, last: AnswerRead(event.request, cast("Results", results), last),
    )


def _about_writes(
    event: WriteRequested, find: _Find
) -> tuple[Iterable[list[Question]], Callable[[dict[CharacteristicId, object], bool], AnswerWrite]]:
    """What to ask about a write request, and how the answers become one."""
    several: dict[Together | Group, list[CharacteristicWrite]] = {}
    lines: dict[int, list[Question]] = {}
    reported: set[CharacteristicId] = set()
    for one in event.writes:
        characteristic = find(one.id)
        handler = getattr(characteristic, "setter_fn", _gone)
        # What a setter returns is what a controller reads that asked for a write-response, where there is one.
        if one.response and characteristic is not None and characteristic.write_response:
            reported.add(one.id)
        if isinstance(handler, Together | Group):
            several.setdefault(handler, []).append(one)
            reported.add(one.id)
        else:
            question = Question((one.id,), handler, (one.value, _caller(event.caller, one)))
            lines.setdefault(one.id.aid, []).append(question)
    for asked, written in several.items():
        ids = tuple(one.id for one in written)
        if isinstance(asked, Together):
            question = Question(ids, asked.fn, (tuple(written), event.caller), partial(_collect, ids, None))
        else:
            writes = Writes(
                (target, each.value, _caller(event.caller, each))
                for each in written
                if (target := find(each.id)) is not None
            )
            question = Question(ids, asked.fn, (writes, writes.together), _outcome_of(writes))
        lines.setdefault(ids[0].aid, []).append(question)

    def answer(results: dict[CharacteristicId, object], last: bool) -> AnswerWrite:
        statuses = {
            one: result if isinstance(result, HapStatus) else HapStatus.SUCCESS for one, result in results.items()
        }
        values = {
            one: cast("Value", result)
            for one, result in results.items()
            if one in reported and not isinstance(result, HapStatus) and result is not None
        }
        return AnswerWrite(event.request, statuses, values, last)

    return lines.values(), answer


def _about_snapshot(
    event: SnapshotRequested, database: Database
) -> tuple[Iterable[list[Question]], Callable[[dict[CharacteristicId, object], bool], AnswerSnapshot]]:
    """Whom to ask for a picture. Where the camera has just gone, there is none."""
    number = CharacteristicId(event.aid, 0)
    found = (one.snapshot_fn for one in database.accessories if one.aid == event.aid)
    handler = next((one for one in found if one is not None), _gone)
    question = Question((number,), handler, (event.wanted, event.caller), lambda found: {number: check_image(found)})
    return [[question]], lambda results, _last: AnswerSnapshot(
        event.request, cast("bytes | HapStatus", results[number])
    )


def _value_of(one: AnyCharacteristic, found: object) -> Answers:
    """What a getter answers; where that is no value, its author hears of it."""
    return {one.id: found if isinstance(found, HapStatus) else one.coerce(found)}


def _gone(_value: object, _caller: Caller) -> None:
    """In place of the setter of what is not served any more: nobody has done what was asked."""
    raise HapStatusError(HapStatus.DOES_NOT_EXIST)


def _caller(caller: Caller, write: CharacteristicWrite) -> Caller:
    if not (write.remote or write.timed or write.auth_data is not None):
        return caller
    return evolve(caller, remote=write.remote, timed=write.timed, auth_data=write.auth_data)


def _collect(ids: tuple[CharacteristicId, ...], missing: object, result: object) -> Answers:
    """What a function of `together` answers, with `missing` for what it leaves out."""
    if not isinstance(result, Mapping):
        raise TypeError(f"wanted a mapping by characteristic, got {type(result).__name__}")
    given = cast("Mapping[CharacteristicId, object]", result)
    return {one: given.get(one, missing) for one in ids}


def _outcome_of(asked: Reads | Writes) -> Callable[[object], Answers]:
    return lambda _returned: asked.outcome()
