"""What the generated modules are written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from importlib import import_module
from typing import TypedDict, TypeVar

from hapcore.model.characteristic import CharacteristicType
from hapcore.model.metadata import Format, Metadata, Unit
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import BASE

__all__ = ["ServiceOptions", "ValueEnum", "characteristic", "lazily", "service"]

T = TypeVar("T")


class ValueEnum(IntEnum):
    """The named values of a characteristic. A number without a name is legal too, and prints as `VALUE_n`."""

    @classmethod
    def _missing_(cls, value: object) -> ValueEnum | None:
        if not isinstance(value, int):
            return None
        unnamed = int.__new__(cls, value)
        unnamed._name_ = f"VALUE_{int(value)}"
        unnamed._value_ = int(value)
        return unnamed


class ServiceOptions(TypedDict, total=False):
    """What every typed service takes besides its values: see `hapcore.model.service.Service`."""

    key: str
    primary: bool
    hidden: bool
    linked: tuple[Service, ...] | list[Service]
    iid: int


def _full(uuid: str) -> str:
    return uuid if "-" in uuid else uuid.rjust(8, "0") + BASE


def characteristic(
    name: str,
    uuid: str,
    python: type[T],
    format: Format,  # noqa: A002 - the names of the fields of Metadata
    perms: str,
    unit: Unit | None = None,
    min: float | None = None,  # noqa: A002
    max: float | None = None,  # noqa: A002
    step: float | None = None,
    *,
    valid_values: tuple[int, ...] | None = None,
    max_len: int | None = None,
    admin: str = "",
) -> CharacteristicType[T]:
    """A characteristic type; `uuid` short or full, `perms` and `admin` (read, write) as words."""
    metadata = Metadata(format, perms.split(), unit, min, max, step, max_len, valid_values=valid_values)
    return CharacteristicType(name, _full(uuid), metadata, python, "read" in admin, "write" in admin)


def service(name: str, uuid: str, required: str, optional: str = "", category: int | None = None) -> ServiceType:
    """A service type; `uuid` short, `required` and `optional` short UUIDs as words."""
    return ServiceType(
        name, _full(uuid), tuple(map(_full, required.split())), tuple(map(_full, optional.split())), category
    )


def lazily(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose names are spread over modules, imported when first asked for."""
    places = {name: module for module, names in modules.items() for name in names.split()}

    def getattr_(name: str) -> object:
        module = places.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module}"), name)

    def dir_() -> list[str]:
        return sorted(places)

    return getattr_, dir_
