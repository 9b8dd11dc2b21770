"""From the names that people write to the types of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from hapcore.catalogue import characteristics, services
from hapcore.house.table import Table, simple, suggestion
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.service import Has, Service

__all__ = ["characteristic_types", "service_class"]

#: What `hap serve` and people call some services.
_ALIASES = {"lock": "LockMechanism", "button": "StatelessProgrammableSwitch", "light": "Lightbulb"}

#: What the library puts into every accessory by itself.
_OURS = {"AccessoryInformation", "Pairing"}


@lru_cache(1)
def _services() -> Mapping[str, str]:
    """The classes of the catalogue by their simple names."""
    return {simple(name): name for name in dir(services) if name not in _OURS} | _ALIASES


def service_class(table: Table, name: str) -> type[Service]:
    """The typed service that `table` calls `name`."""
    known = _services()
    found = known.get(simple(name))
    if found is None:
        raise table.error(f"there is no service {name!r}{suggestion(name, [*known.values(), *_ALIASES])}", "service")
    return cast("type[Service]", getattr(services, found))


def characteristic_types(service: type[Service]) -> Mapping[str, CharacteristicType[object]]:
    """What a service may have, by the keyword of its class; its name is given as such."""
    names = [name for name, one in vars(service).items() if isinstance(one, Has) and name != "name"]
    return {name: cast("CharacteristicType[object]", getattr(characteristics, name.upper())) for name in names}
