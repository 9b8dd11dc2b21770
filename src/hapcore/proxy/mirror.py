"""The database of a foreign accessory as one of ours: same numbers, types, formats, permissions, limits (HAP 8.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from hapcore.catalogue.lookup import characteristic_type, service_type
from hapcore.errors import LocalProtocolError, RemoteProtocolError, ValueRefused
from hapcore.ids import CharacteristicId, Value
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.foreign import from_remote
from hapcore.model.information import FIRMWARE_REVISION
from hapcore.model.metadata import Format
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE, short_uuid

__all__ = ["Mirrored", "category_of", "mirror", "revision"]

T = TypeVar("T")
#: Hears of a value that a controller wrote and that does not fit the characteristic.
Refused: TypeAlias = Callable[[CharacteristicId, ValueRefused], object]
_IDENTIFY = "00000014" + BASE
_PYTHON: dict[Format, type[Any]] = {
    Format.BOOL: bool,
    Format.FLOAT: float,
    Format.STRING: str,
    Format.TLV8: bytes,
    Format.DATA: bytes,
}


class Mirrored(Characteristic[Any]):
    """A characteristic that holds whatever its accessory says, as far as the format can carry it.

    Accessories exceed their own limits; what they do must reach the controller as it is. Controllers may not: `refused`
    hears of each value of theirs that does not fit.
    """

    __slots__ = ("refused",)

    refused: Refused

    def from_wire(self, value: object) -> Any:
        """As that of every characteristic."""
        try:
            return super().from_wire(value)
        except ValueRefused as refusal:
            self.refused(self.id, refusal)
            raise

    def coerce(self, value: object) -> Any:
        """`value` in the Python type of the format. None is for buttons only; raises `ValueRefused`."""
        found: Value
        if isinstance(value, bytes):
            found = value if self.metadata.format in (Format.TLV8, Format.DATA) else None
        else:
            found = from_remote(self.metadata, value)
        if found is None and not self.immediate:
            raise ValueRefused(f"wanted {self.metadata.format.value}", argument=self.type.name)
        return found


class _MirroredService(Service):
    """A service that may have several characteristics of a type, and shows on IP what its accessory shows there."""

    __slots__ = ()

    @property
    def on_ip(self) -> bool:
        return True

    def add(self, characteristic: Characteristic[T]) -> Characteristic[T]:
        self._by_type.setdefault(characteristic.type.uuid, characteristic)
        self.characteristics.append(characteristic)
        return characteristic


def _characteristic(found: CharacteristicDescription) -> Mirrored:
    known = characteristic_type(found.type)
    kind = CharacteristicType[Any](
        short_uuid(found.type) if known is None else known.name,
        found.type,
        found.metadata,
        _PYTHON.get(found.metadata.format, int),
        known is not None and known.admin_only_read,
        known is not None and known.admin_only_write,
    )
    # What the accessory shows in its database we may show: its control points are those it leaves empty.
    control_point = False if found.value else None
    made = Mirrored(kind, found.value, key=str(found.iid), iid=found.iid, control_point=control_point)
    made.on_ip = True
    return made


def _service(found: ServiceDescription) -> Service:
    known = service_type(found.type)
    return _MirroredService(
        ServiceType(short_uuid(found.type) if known is None else known.name, found.type),
        map(_characteristic, found.characteristics),
        key=str(found.iid),
        primary=found.primary,
        hidden=found.hidden,
        iid=found.iid,
    )


def _accessory(found: AccessoryDescription, category: int | None) -> Accessory:
    services = [_service(one) for one in found.services]
    by_iid = {one.fixed_iid: one for one in services}
    for made, described in zip(services, found.services, strict=True):
        made.linked += [by_iid[iid] for iid in described.linked]
    information = next((one for one in found.services if one.type == ACCESSORY_INFORMATION), None)
    if information is None or information.find(_IDENTIFY) is None:
        # Nobody could be served it either: controllers refuse such an accessory.
        raise RemoteProtocolError(f"Accessory Information with Identify in accessory {found.aid}", "none")
    name = found.name or f"Accessory {found.aid}"
    return Accessory(name, services=services, category=category, key=f"aid {found.aid}", aid=found.aid)


def category_of(accessories: Sequence[AccessoryDescription]) -> int | None:
    """The category that goes with what is described; only the announcement of an accessory says it for certain."""
    if len(accessories) > 1:
        return 2
    services = sorted(accessories[0].services, key=lambda one: not one.primary) if accessories else []
    known = (service_type(one.type) for one in services if one.type != ACCESSORY_INFORMATION)
    return next((one.category for one in known if one is not None and one.category is not None), None)


def _nobody(number: CharacteristicId, refusal: ValueRefused) -> None:
    """Hear of nothing."""


def mirror(
    accessories: Iterable[AccessoryDescription], *, category: int | None = None, refused: Refused = _nobody
) -> Database:
    """A database of ours with the very numbers, types, formats, permissions, limits and values of a foreign one.

    `category` is that of the first accessory; without it the services decide. `refused` hears of what controllers write
    and what does not fit. Raises `RemoteProtocolError` where it cannot be served: no accessory 1, an accessory without
    Accessory Information, more than 150 accessories.
    """
    described = sorted(accessories, key=lambda one: one.aid)
    if not described or described[0].aid != 1:
        raise RemoteProtocolError("an accessory with the id 1", f"{[one.aid for one in described[:5]]}")
    first = category or category_of(described)
    try:
        found = Database([_accessory(one, first if one.aid == 1 else None) for one in described], strict=False)
    except LocalProtocolError as error:
        raise RemoteProtocolError("an accessory database that can be served", str(error)) from None
    for one in found.characteristics:
        if isinstance(one, Mirrored):
            one.refused = refused
    return found


def revision(database: Database) -> tuple[object, ...]:
    """Differs when, and only when, controllers have to read the database again: structure or firmware (HAP 11.2)."""
    firmware = FIRMWARE_REVISION.uuid
    return database.fingerprint(), *[one.value for one in database.characteristics if one.type.uuid == firmware]
