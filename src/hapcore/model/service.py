"""A function of an accessory: a light, a lock, a sensor; some characteristics that belong together (HAP 10.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar, cast, overload

from attrs import frozen

from hapcore.errors import LocalProtocolError
from hapcore.ids import Value
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType
from hapcore.model.group import Group, ReadsFn, WritesFn
from hapcore.model.uuid import PAIRING, short_uuid

__all__ = ["Given", "Has", "Service", "ServiceType"]

T = TypeVar("T")

#: What a typed service takes for a characteristic: its first value, or a characteristic with limits of its own.
Given: TypeAlias = T | Characteristic[T]


#: A service's handlers go before those of its accessory.
_BREADTH = 1


@frozen
class ServiceType:
    """A kind of service: name, full upper-case UUID, the UUIDs of what it must and what it may have.

    `category` is the number of the accessory category that usually goes with it, or None.
    """

    name: str
    uuid: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    category: int | None = None

    @property
    def short(self) -> str:
        """The UUID as it is sent."""
        return short_uuid(self.uuid)


class Service:
    """A service of our own accessory.

    `label` is the name people gave it, used for an accessory made of this one service. `key` names it for its stable
    number, is its type unless given, and must be given where an accessory has two services of a type. `linked` are
    other services of the same accessory. `iid` fixes the number.
    """

    __slots__ = (
        "_by_type",
        "characteristics",
        "fixed_iid",
        "hidden",
        "iid",
        "key",
        "label",
        "linked",
        "primary",
        "reading",
        "type",
        "writing",
    )

    def __init__(
        self,
        type: ServiceType,  # noqa: A002 - what it is
        characteristics: Iterable[AnyCharacteristic] = (),
        *,
        label: str | None = None,
        key: str | None = None,
        primary: bool = False,
        hidden: bool = False,
        linked: Iterable[Service] = (),
        iid: int | None = None,
    ) -> None:
        self.type = type
        self.label = label
        self.key = type.short if key is None else key
        self.primary = primary
        self.hidden = hidden
        self.linked: list[Service] = list(linked)
        self.fixed_iid = iid
        self.iid = 0
        self.characteristics: list[AnyCharacteristic] = []
        self._by_type: dict[str, AnyCharacteristic] = {}
        #: What answers for all characteristics that have no handler of their own.
        self.reading: Group | None = None
        self.writing: Group | None = None
        for one in characteristics:
            self.add(one)

    def __repr__(self) -> str:
        return f"<Service {self.iid} {self.type.name}>"

    @property
    def on_ip(self) -> bool:
        """The pairing service exists over Bluetooth LE only."""
        return self.type.uuid != PAIRING

    def add(self, characteristic: Characteristic[T]) -> Characteristic[T]:
        """Append a characteristic; a second one of the same type is a `LocalProtocolError`."""
        uuid = characteristic.type.uuid
        if uuid in self._by_type:
            raise LocalProtocolError(f"{self.type.name} has a {characteristic.type.name} already")
        self._by_type[uuid] = characteristic
        self.characteristics.append(characteristic)
        self.spread([characteristic])
        return characteristic

    def get(self, type: CharacteristicType[T]) -> Characteristic[T] | None:  # noqa: A002
        """The characteristic of that type, or None."""
        return self._by_type.get(type.uuid)

    def __getitem__(self, type: CharacteristicType[T]) -> Characteristic[T]:  # noqa: A002
        found = self._by_type.get(type.uuid)
        if found is None:
            raise LocalProtocolError(f"this {self.type.name} has no {type.name}")
        return found

    def __contains__(self, type: CharacteristicType[Value]) -> bool:  # noqa: A002
        return type.uuid in self._by_type

    def getter(self, fn: ReadsFn) -> ReadsFn:
        """Decorator: `fn(reads, caller)` is asked once for all that a request reads of this service, see `Reads`.

        A function or a coroutine function. Characteristics with a getter of their own are left to that.
        """
        self.reading = Group(fn, _BREADTH)
        self.spread(self.characteristics)
        return fn

    def setter(self, fn: WritesFn) -> WritesFn:
        """Decorator: `fn(writes, caller)` is asked once for all that a request writes to this service, see `Writes`.

        A function or a coroutine function. Characteristics with a setter of their own are left to that.
        """
        self.writing = Group(fn, _BREADTH)
        self.spread(self.characteristics)
        return fn

    def spread(self, characteristics: Iterable[AnyCharacteristic]) -> None:
        """Let these have what answers for the whole service."""
        if self.reading is not None:
            self.reading.read(characteristics)
        if self.writing is not None:
            self.writing.write(characteristics)

    def put(self, type: CharacteristicType[T], value: T | Characteristic[T] | None) -> None:  # noqa: A002
        """Add a characteristic of that type holding `value`, or the characteristic given; nothing for None."""
        if value is None:
            return
        if isinstance(value, Characteristic):
            made = cast("Characteristic[T]", value)
            if made.type.uuid != type.uuid:
                raise LocalProtocolError(f"wanted a {type.name}, got a {made.type.name}", argument=type.name)
            self.add(made)
        else:
            self.add(Characteristic(type, value))


class Has(Generic[T]):
    """Class attribute of a typed service: `light.on` is the service's characteristic of that type."""

    __slots__ = ("_name", "_type")

    def __init__(self, type: CharacteristicType[T]) -> None:  # noqa: A002
        self._type = type
        self._name = type.name

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[Service]) -> Has[T]: ...
    @overload
    def __get__(self, instance: Service, owner: type[Service]) -> Characteristic[T]: ...
    def __get__(self, instance: Service | None, owner: type[Service]) -> Has[T] | Characteristic[T]:
        if instance is None:
            return self
        found = instance.get(self._type)
        if found is None:
            raise AttributeError(f"this {owner.__name__} has no {self._name}: give {self._name}= when making it")
        return found
