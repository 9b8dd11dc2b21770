"""One getter or setter for a whole service or a whole accessory: what it is given, and how it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar, cast

from attrs import evolve

from hapcore.ids import Caller, CharacteristicId, HapStatus
from hapcore.model.characteristic import AnyCharacteristic, Characteristic
from hapcore.model.uuid import NAME

__all__ = ["Group", "Reads", "ReadsFn", "Writes", "WritesFn"]

T = TypeVar("T")


class Reads:
    """The characteristics of a service or an accessory that one request reads.

    `reads[light.hue] = 12.0` gives a value, `reads[light.hue] = HapStatus.BUSY` says why there is none. What is given
    nothing is answered with the value it holds; what was not asked for may be given and does no harm.
    """

    __slots__ = ("_given", "_wanted")

    def __init__(self, wanted: Iterable[AnyCharacteristic]) -> None:
        self._wanted = dict.fromkeys(wanted)
        self._given: dict[CharacteristicId, object] = {}

    def __iter__(self) -> Iterator[AnyCharacteristic]:
        return iter(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, one: object) -> bool:
        return one in self._wanted

    def __setitem__(self, one: Characteristic[T], value: T | HapStatus) -> None:
        self._given[one.id] = value

    def outcome(self) -> Mapping[CharacteristicId, object]:
        """A value, or the status of a failure, for each characteristic of the request."""
        given = self._given
        return {one.id: given.get(one.id, one.value) for one in self._wanted}


class Writes:
    """The characteristics of a service or an accessory that one request writes, with their values, checked already.

    `light.hue in writes` tells whether it is one of them, `writes[light.hue]` is the new value. Those that are not
    refused have been written when the function returns.
    """

    __slots__ = ("_callers", "_outcome", "_values")

    def __init__(self, written: Iterable[tuple[AnyCharacteristic, object, Caller]]) -> None:
        self._values: dict[AnyCharacteristic, object] = {}
        self._callers: dict[AnyCharacteristic, Caller] = {}
        self._outcome: dict[CharacteristicId, object] = {}
        for one, value, caller in written:
            self._values[one] = value
            self._callers[one] = caller
            self._outcome[one.id] = None

    def __iter__(self) -> Iterator[AnyCharacteristic]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, one: object) -> bool:
        return one in self._values

    def __getitem__(self, one: Characteristic[T]) -> T:
        return cast("T", self._values[one])

    def get(self, one: Characteristic[T]) -> T | None:
        """The new value, or None where it is not written."""
        return cast("T | None", self._values.get(one))

    def caller(self, one: Characteristic[T]) -> Caller:
        """Who writes this value and how: with its own `remote`, `timed` and `auth_data`."""
        return self._callers[one]

    @property
    def together(self) -> Caller:
        """Who writes: `remote` if any of it came through a hub, `timed` and `auth_data` if that holds for all of it."""
        callers = list(self._callers.values())
        first = callers[0]
        if all(one == first for one in callers):
            return first
        data = first.auth_data if all(one.auth_data == first.auth_data for one in callers) else None
        return evolve(
            first,
            remote=any(one.remote for one in callers),
            timed=all(one.timed for one in callers),
            auth_data=data,
        )

    def refuse(self, one: Characteristic[T], status: HapStatus) -> None:
        """Have the controller told `status` for this one; its value stays as it was. All of it: `HapStatusError`."""
        if one in self._values:
            self._outcome[one.id] = status

    def answer(self, one: Characteristic[T], value: T) -> None:
        """What a write-response reads; the value that was written is not stored then."""
        if one in self._values:
            self._outcome[one.id] = value

    def outcome(self) -> Mapping[CharacteristicId, object]:
        """None, the status of a failure or the answer, for each characteristic of the request."""
        return dict(self._outcome)


#: Answers for all that one request reads.
ReadsFn: TypeAlias = Callable[[Reads, Caller], Awaitable[object] | object]
#: Carries out all that one request writes.
WritesFn: TypeAlias = Callable[[Writes, Caller], Awaitable[object] | object]


class Group:
    """In place of the getters or setters of many characteristics: `fn` is called once for all that a request names.

    `breadth`: of a service 1, of an accessory 2. The narrower one goes first, and a characteristic's own before all.
    """

    __slots__ = ("breadth", "fn")

    def __init__(self, fn: ReadsFn | WritesFn, breadth: int) -> None:
        self.fn = fn
        self.breadth = breadth

    def read(self, characteristics: Iterable[AnyCharacteristic]) -> None:
        """Be the getter of those that have none, or only one of a broader group. A name is nothing to fetch."""
        for one in characteristics:
            if one.readable and one.type.uuid != NAME and self._precedes(one.getter_fn):
                one.getter(cast("Callable[[Caller], object]", self))

    def write(self, characteristics: Iterable[AnyCharacteristic]) -> None:
        """Be the setter of those that have none, or only one of a broader group."""
        for one in characteristics:
            if one.writable and self._precedes(one.setter_fn):
                one.setter(cast("Callable[[object, Caller], object]", self))

    def _precedes(self, handler: object) -> bool:
        return handler is None or (isinstance(handler, Group) and handler.breadth >= self.breadth)
