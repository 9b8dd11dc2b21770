"""What a controller holds of a characteristic: its number, and how its values are read and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag
from math import isfinite
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

from hapcore.catalogue.lookup import characteristic_label, characteristic_type, physical_unit
from hapcore.errors import ValueRefused
from hapcore.ids import CharacteristicId, Value
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.checks import coerce, half_up
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.model.remote import CharacteristicDescription
from hapcore.model.uuid import short_uuid
from hapcore.model.values import parse_text

if TYPE_CHECKING:
    from hapcore.catalogue.structures import Field

__all__ = ["Handle", "Readable", "handle"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Bits of the widest number there is.
_WIDEST: Final = 64
#: Characters of a text that `Handle.text` shows.
_LONGEST: Final = 200
_SYMBOLS: Final[Mapping[str, str]] = {
    Unit.CELSIUS: "°C",
    Unit.PERCENTAGE: "%",
    Unit.ARCDEGREES: "°",
    Unit.LUX: "lx",
    Unit.SECONDS: "s",
    "ampere": "A",
    "decibel": "dB",
    "kilowatt-hour": "kWh",
    "percent": "%",
    "second": "s",
    "volt": "V",
    "watt": "W",
}


class Readable(CharacteristicId, Generic[T_co]):
    """What a `Handle` is to who reads: a characteristic with a bool is one with an int, and with any object."""

    description: CharacteristicDescription
    kind: CharacteristicType[T_co] | None

    def __new__(cls, description: CharacteristicDescription, kind: CharacteristicType[T_co] | None) -> Self:
        """Use `hapcore.controller.device.Device`, which has one for each characteristic."""
        self = super().__new__(cls, description.aid, description.iid)
        self.description = description
        #: What the catalogue knows of the type; None for types it does not know.
        self.kind = kind
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.description, self.kind)

    def __repr__(self) -> str:
        return f"<Handle {self} {self.name}>"

    @property
    def id(self) -> CharacteristicId:
        """The bare number."""
        return self.description.id

    @property
    def name(self) -> str:
        """What people call it: "Brightness", "Eve Energy Watt"; of an unknown type what the accessory calls it."""
        return characteristic_label(self.description.type, self.description.metadata.description)

    @property
    def metadata(self) -> Metadata:
        """Format, permissions and limits, as the accessory says; writes are checked against them."""
        return self.description.metadata

    @property
    def value(self) -> T_co | None:
        """What it was when the database was read; None where it was not told."""
        return self.typed(self.description.value)

    @property
    def readable(self) -> bool:
        """Whether it can be read."""
        return Permission.READ in self.metadata.perms

    @property
    def writable(self) -> bool:
        """Whether it can be written."""
        return Permission.WRITE in self.metadata.perms

    @property
    def notifies(self) -> bool:
        """Whether it has events."""
        return Permission.EVENTS in self.metadata.perms

    @property
    def unit(self) -> str:
        """The unit of its numbers as people write it: "°C", "%", "W"; "" where there is none."""
        unit = self.metadata.unit or physical_unit(self.description.type) or ""
        return _SYMBOLS.get(unit, unit)

    def typed(self, value: Value) -> T_co | None:
        """A value from a result or an event in its own type: a named value, a whole number; None where it has none.

        Accessories may declare another format than the type has: a brightness of 40.0 is 40.
        """
        if self.kind is None or value is None:
            return cast("T_co | None", value)
        python = self.kind.python
        read = _READERS.get(python)
        if read is None:
            read = _READERS[python] = _reader(python)
        return cast("T_co | None", read(value))

    def text(self, value: Value) -> str:
        """A value for people, in one line: "21.5 °C", "secured", "true". Bytes without a known layout do not show."""
        if value is None:
            return "no value"
        if isinstance(value, bytes):
            if self.metadata.format is Format.TLV8 or (self.kind and self.kind.metadata.format is Format.TLV8):
                from hapcore.catalogue.structures import describe_tlv  # few accessories have any

                return _printable(describe_tlv(short_uuid(self.description.type), value, answer=True))
            return f"<{len(value)} bytes>"
        typed = self.typed(value)
        shown = value if typed is None else typed
        if isinstance(shown, IntEnum | IntFlag):
            return (shown.name or str(int(shown))).lower().replace("_", " ")
        if isinstance(shown, bool):
            return "true" if shown else "false"
        if isinstance(shown, str):
            return _printable(shown)
        if isinstance(shown, int) and shown.bit_length() > _WIDEST:
            return f"<number of {shown.bit_length()} bits>"
        number = f"{shown:.6g}" if isinstance(shown, float) else str(shown)
        return f"{number} {self.unit}" if self.unit else number

    def from_text(self, text: str) -> Value:
        """What a person writes for a value: "secured", "on", "21.5"; bytes are base64. The other way round is `text`.

        Raises `ValueRefused` where it does not fit.
        """
        python = None if self.kind is None else self.kind.python
        if python is not None and self.metadata.format.integer and issubclass(python, IntEnum):
            names = {_plain(name): int(one) for name, one in python.__members__.items()}
            named = names.get(_plain(text))
            if named is not None:
                return coerce(self.metadata, named)
            try:
                return parse_text(self.metadata, text)
            except ValueRefused as refusal:
                hint = f"{refusal}; it may be {', '.join(names)}"
                raise ValueRefused(hint.removeprefix("value: "), argument=self.name) from None
        return parse_text(self.metadata, text)

    def fields(self, value: Value) -> Mapping[str, Field] | None:
        """A TLV8 value by name, see `hapcore.catalogue.structures.read_tlv`; None for any other value."""
        if not isinstance(value, bytes):
            return None
        from hapcore.catalogue.structures import read_tlv  # as above

        return read_tlv(short_uuid(self.description.type), value, answer=True)


class Handle(Readable[T]):
    """A characteristic of a foreign accessory; `T` is the Python type of its values.

    It is its number: it goes wherever an `(aid, iid)` goes, finds its own results and events, and equals the handle of
    the same characteristic in a database read later. `description` is what the accessory said of it.
    """


def handle(description: CharacteristicDescription) -> Handle[Value]:
    """The handle of a characteristic of any type."""
    return Handle(description, characteristic_type(description.type))


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ").replace("-", " ")


def _printable(text: str) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(one if one.isprintable() else "?" for one in shown)


def _whole(value: Value) -> int | None:
    if isinstance(value, float):
        value = half_up(value) if isfinite(value) else None
    # The text of a longer number, and a float of it, would be errors of their own.
    return int(value) if isinstance(value, int) and value.bit_length() <= _WIDEST else None


def _real(value: Value) -> float | None:
    if isinstance(value, int):
        value = _whole(value)
    return None if value is None or isinstance(value, str | bytes) else float(value)


def _flag(value: Value) -> bool | None:
    return bool(value) if isinstance(value, int | float) else None


#: For each Python type of the catalogue: how a value becomes one.
_READERS: dict[type, Callable[[Value], object]] = {}


def _reader(python: type) -> Callable[[Value], object]:
    if python is bool:
        return _flag
    if python is int:
        return _whole
    if python is float:
        return _real
    if issubclass(python, int):

        def named(value: Value) -> object:
            number = _whole(value)
            return None if number is None else python(number)

        return named
    return lambda value: value if isinstance(value, python) else None
