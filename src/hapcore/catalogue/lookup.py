"""From a UUID to what is known about it. Everything is loaded at the first question for a type."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from hapcore.catalogue import names
from hapcore.errors import LocalProtocolError
from hapcore.ids import Value
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.service import ServiceType
from hapcore.model.uuid import normalise_uuid, short_uuid

__all__ = [
    "characteristic_label",
    "characteristic_name",
    "characteristic_type",
    "physical_unit",
    "service_label",
    "service_name",
    "service_type",
]

#: Characters of what an accessory calls a characteristic that are shown.
_LONGEST = 60


def characteristic_type(uuid: str) -> CharacteristicType[Value] | None:
    """The type of that UUID (short or full, any case), those of manufacturers included; None if unknown."""
    return _characteristics().get(_full(uuid))


def service_type(uuid: str) -> ServiceType | None:
    """The type of that UUID (short or full, any case); None if unknown."""
    return _services().get(_full(uuid))


def characteristic_name(uuid: str) -> str | None:
    """What people call the characteristic type; None if unknown."""
    return names.CHARACTERISTICS.get(short_uuid(_full(uuid)))


def service_name(uuid: str) -> str | None:
    """What people call the service type; None if unknown."""
    return names.SERVICES.get(short_uuid(_full(uuid)))


def characteristic_label(uuid: str, said: str | None = None) -> str:
    """A name for any characteristic type: from the catalogue, else what the accessory said, else vendor or UUID."""
    known = characteristic_name(uuid)
    if known is not None:
        return known
    shown = "".join(one if one.isprintable() else "?" for one in (said or "")[:_LONGEST]).strip()
    return shown or _unknown(uuid, "characteristic")


def service_label(uuid: str) -> str:
    """A name for any service type: from the catalogue, else "Eve service E863F007", else its UUID."""
    return service_name(uuid) or _unknown(uuid, "service")


def physical_unit(uuid: str) -> str | None:
    """What the numbers of a manufacturer's characteristic are in, "watt" or such, where HAP has no unit for it."""
    return names.PHYSICAL_UNITS.get(short_uuid(_full(uuid)))


def _unknown(uuid: str, what: str) -> str:
    full = _full(uuid)
    vendor = names.VENDORS.get(full[8:])
    return f"{what} {short_uuid(full)}" if vendor is None else f"{vendor} {what} {full[:8]}"


def _full(uuid: str) -> str:
    try:
        return normalise_uuid(uuid)
    except LocalProtocolError:
        return ""


@lru_cache(1)
def _characteristics() -> dict[str, CharacteristicType[Value]]:
    package = import_module("hapcore.catalogue.characteristics")
    found = (getattr(package, name) for name in dir(package))
    return {one.uuid: one for one in found if isinstance(one, CharacteristicType)}


@lru_cache(1)
def _services() -> dict[str, ServiceType]:
    from hapcore.catalogue import service_types

    return {one.uuid: one for one in vars(service_types).values() if isinstance(one, ServiceType)}
