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

__all__ = ["characteristic_name", "characteristic_type", "service_name", "service_type"]


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
