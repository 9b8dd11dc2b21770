"""A foreign accessory with its services by name: what the typed classes of `hapcore.catalogue.remote` are made of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import ClassVar, Generic, TypeVar, overload

from hapcore.catalogue.lookup import service_label, service_type
from hapcore.errors import LocalProtocolError
from hapcore.ids import Value
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.handle import Handle, handle
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription
from hapcore.model.service import ServiceType
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE

__all__ = ["NAMES", "AccessoryView", "First", "May", "Missing", "Must", "ServiceView"]

T = TypeVar("T")
V = TypeVar("V", bound="ServiceView")

#: What people call a service, the better name first: Configured Name and Name.
NAMES = ("000000E3" + BASE, "00000023" + BASE)
#: Names that a message lists.
_LISTED = 12
#: Types remembered with their class: more than the catalogue has.
_REMEMBERED = 256
_TYPED = "hapcore.catalogue.remote"


class Missing(LocalProtocolError, AttributeError):
    """The accessory has no such service or characteristic; the text says which it has."""


class ServiceView:
    """A service of a foreign accessory. The typed ones have an attribute for each characteristic (HAP 10.3)."""

    __slots__ = ("accessory", "description")

    #: What a typed service is; None for those of unknown types.
    TYPE: ClassVar[ServiceType | None] = None

    def __init__(self, accessory: AccessoryView, description: ServiceDescription) -> None:
        self.accessory = accessory
        self.description = description

    def __repr__(self) -> str:
        return f"<{self.kind} {self.accessory.aid}.{self.iid}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ServiceView):
            return NotImplemented
        return (self.accessory.aid, self.description) == (other.accessory.aid, other.description)

    def __hash__(self) -> int:
        return hash((self.accessory.aid, self.iid))

    @property
    def iid(self) -> int:
        """Its number."""
        return self.description.iid

    @property
    def kind(self) -> str:
        """What people call services of this type: "Lightbulb"; "Eve service E863F007" where no more is known."""
        return service_label(self.description.type)

    @property
    def label(self) -> str:
        """What people call this one: the name it was given, else its own, else its kind."""
        # The name in the Accessory Information is that of the accessory.
        for uuid in NAMES if self.description.type != ACCESSORY_INFORMATION else ():
            found = self.description.find(uuid)
            if found is not None and isinstance(found.value, str) and found.value:
                return found.value
        return self.kind

    @property
    def primary(self) -> bool:
        """Whether it is the one the accessory is about."""
        return self.description.primary

    @property
    def hidden(self) -> bool:
        """Whether people are not meant to see it."""
        return self.description.hidden

    @property
    def linked(self) -> tuple[ServiceView, ...]:
        """The services it is linked to: the inputs of a television, the battery of a lock."""
        wanted = self.description.linked
        return tuple(one for one in self.accessory.services if one.iid in wanted)

    @property
    def characteristics(self) -> tuple[Handle[Value], ...]:
        """Everything it has, in the accessory's order."""
        return tuple(handle(one) for one in self.description.characteristics)

    def get(self, type: CharacteristicType[T]) -> Handle[T] | None:  # noqa: A002 - what it is
        """The characteristic of that type (of `hapcore.catalogue.characteristics`), or None."""
        uuid = type.uuid
        for one in self.description.characteristics:
            if one.type == uuid:
                return Handle(one, type)
        return None

    def __getitem__(self, type: CharacteristicType[T]) -> Handle[T]:  # noqa: A002
        found = self.get(type)
        if found is None:
            listed = _list(one.name for one in self.characteristics)
            raise Missing(f"{self.label!r} of accessory {self.accessory.aid} has no {type.name}, but {listed}")
        return found

    def __contains__(self, type: CharacteristicType[Value]) -> bool:  # noqa: A002
        return self.get(type) is not None


class Must(Generic[T]):
    """Attribute of a typed service: a characteristic that every service of the type has. `Missing` where it has not."""

    __slots__ = ("_type",)

    def __init__(self, type: CharacteristicType[T]) -> None:  # noqa: A002
        self._type = type

    @overload
    def __get__(self, instance: None, owner: type[ServiceView]) -> CharacteristicType[T]: ...
    @overload
    def __get__(self, instance: ServiceView, owner: type[ServiceView]) -> Handle[T]: ...
    def __get__(self, instance: ServiceView | None, owner: type[ServiceView]) -> CharacteristicType[T] | Handle[T]:
        return self._type if instance is None else instance[self._type]


class May(Generic[T]):
    """Attribute of a typed service: a characteristic that some have; None on those that have not."""

    __slots__ = ("_type",)

    def __init__(self, type: CharacteristicType[T]) -> None:  # noqa: A002
        self._type = type

    @overload
    def __get__(self, instance: None, owner: type[ServiceView]) -> CharacteristicType[T]: ...
    @overload
    def __get__(self, instance: ServiceView, owner: type[ServiceView]) -> Handle[T] | None: ...
    def __get__(
        self, instance: ServiceView | None, owner: type[ServiceView]
    ) -> CharacteristicType[T] | Handle[T] | None:
        return self._type if instance is None else instance.get(self._type)


class AccessoryView:
    """A foreign accessory. `hapcore.catalogue.remote.Accessory` has an attribute for each type of service."""

    __slots__ = ("_by_iid", "_services", "description")

    def __init__(self, description: AccessoryDescription) -> None:
        self.description = description
        self._by_iid: dict[int, CharacteristicDescription] | None = None
        self._services: tuple[ServiceView, ...] | None = None

    def __repr__(self) -> str:
        return f"<Accessory {self.aid} {self.name!r}>"

    @property
    def aid(self) -> int:
        """Its number: 1, or another behind a bridge."""
        return self.description.aid

    @property
    def name(self) -> str:
        """What its Accessory Information says; "accessory 2" where it says nothing."""
        return self.description.name or f"accessory {self.aid}"

    @property
    def services(self) -> tuple[ServiceView, ...]:
        """All its services in the accessory's order, those of known types typed."""
        if self._services is None:
            self._services = tuple(_typed(one.type)(self, one) for one in self.description.services)
        return self._services

    def all(self, kind: type[V]) -> tuple[V, ...]:
        """The services of a type: `strip.all(Outlet)`."""
        return tuple(one for one in self.services if isinstance(one, kind))

    def find(self, kind: type[V]) -> V | None:
        """The service of a type: the primary one, else the first; None where there is none."""
        found = self.all(kind)
        return next((one for one in found if one.primary), found[0] if found else None)

    def service(self, kind: type[V]) -> V:
        """The same; raises `Missing` where there is none. `lamp.lightbulb` is `lamp.service(Lightbulb)`."""
        found = self.find(kind)
        if found is None:
            wanted = kind.TYPE.name if kind.TYPE is not None else kind.__name__
            raise Missing(f"{self.name!r} has no {wanted}, but {_list(one.kind for one in self.services)}")
        return found

    def handle(self, iid: int) -> Handle[Value] | None:
        """The characteristic of that number, or None."""
        if self._by_iid is None:
            listed = self.description.services
            self._by_iid = {one.iid: one for service in listed for one in service.characteristics}
        found = self._by_iid.get(iid)
        return None if found is None else handle(found)


class First(Generic[V]):
    """Attribute of an accessory: its service of the type with that name, see `AccessoryView.service`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[AccessoryView]) -> First[V]: ...
    @overload
    def __get__(self, instance: AccessoryView, owner: type[AccessoryView]) -> V: ...
    def __get__(self, instance: AccessoryView | None, owner: type[AccessoryView]) -> First[V] | V:
        if instance is None:
            return self
        kind: type[V] = getattr(import_module(_TYPED), self._name)
        return instance.service(kind)


def _list(names: Iterable[str]) -> str:
    """As many as a message can hold."""
    found = list(dict.fromkeys(names))
    return ", ".join(found[:_LISTED]) + (", ..." if len(found) > _LISTED else "") or "nothing"


@lru_cache(_REMEMBERED)
def _typed(uuid: str) -> type[ServiceView]:
    known = service_type(uuid)
    if known is None:
        return ServiceView
    found: type[ServiceView] = getattr(import_module(_TYPED), known.name)
    return found
