"""What a characteristic can hold and what may be done with it: format, permissions, unit, limits (HAP 10.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from attrs import Factory, evolve, field, frozen

from hapcore.errors import LocalProtocolError

__all__ = ["DATA_LENGTH", "STRING_LENGTH", "Format", "Metadata", "Permission", "Unit"]

#: Longest string, in bytes of UTF-8, where the metadata names no other length.
STRING_LENGTH = 64
#: Longest data value, in bytes, where the metadata names no other length.
DATA_LENGTH = 2_097_152


class Format(StrEnum):
    """The kind of value; the text is what stands in JSON."""

    BOOL = "bool"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    TLV8 = "tlv8"
    DATA = "data"

    @property
    def integer(self) -> bool:
        """Whether values are whole numbers."""
        return self in _INTEGERS

    @property
    def limits(self) -> tuple[int, int] | None:
        """Least and greatest whole number of the format, None where that has no meaning."""
        return _INTEGERS.get(self)


_INTEGERS: dict[Format, tuple[int, int]] = {
    Format.UINT8: (0, 2**8 - 1),
    Format.UINT16: (0, 2**16 - 1),
    Format.UINT32: (0, 2**32 - 1),
    Format.UINT64: (0, 2**64 - 1),
    Format.INT: (-(2**31), 2**31 - 1),
}

#: Range of a single-precision number.
_REAL = (-3.4028234663852886e38, 3.4028234663852886e38)


class Permission(StrEnum):
    """What a paired controller may do; the text is what stands in JSON. `BROADCAST` exists over Bluetooth LE only."""

    READ = "pr"
    WRITE = "pw"
    EVENTS = "ev"
    ADDITIONAL_AUTHORIZATION = "aa"
    TIMED_WRITE = "tw"
    WRITE_RESPONSE = "wr"
    HIDDEN = "hd"
    BROADCAST = "bn"


class Unit(StrEnum):
    """The unit of a number; the text is what stands in JSON. No unit at all is None."""

    CELSIUS = "celsius"
    PERCENTAGE = "percentage"
    ARCDEGREES = "arcdegrees"
    LUX = "lux"
    SECONDS = "seconds"


def _decimals(number: float | None) -> int:
    """How many digits after the point it takes to write `number`."""
    if number is None or isinstance(number, int):
        return 0
    mantissa, _, exponent = repr(number).partition("e")
    digits = mantissa.partition(".")[2]
    return max(0, (0 if digits == "0" else len(digits)) - int(exponent or 0))


def _permissions(given: Iterable[Permission | str]) -> frozenset[Permission]:
    return frozenset(Permission(one) for one in given)


def _grid_decimals(meta: Metadata) -> int:
    return max(_decimals(meta.step), _decimals(meta.min))


def _low(meta: Metadata) -> float:
    return meta.min if meta.min is not None else (meta.format.limits or _REAL)[0]


def _high(meta: Metadata) -> float:
    return meta.max if meta.max is not None else (meta.format.limits or _REAL)[1]


@frozen
class Metadata:
    """The description of a value (HAP 10.3, 10.5). None means "not stated".

    `min`, `max` and `step` are in `unit`; `max_len` and `max_data_len` in bytes; `valid_ranges` are inclusive pairs.
    """

    format: Format
    perms: frozenset[Permission] = field(converter=_permissions)
    unit: Unit | None = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    max_len: int | None = None
    max_data_len: int | None = None
    valid_values: tuple[int, ...] | None = None
    valid_ranges: tuple[tuple[int, int], ...] | None = None
    description: str | None = None
    #: Digits after the point of every value on the step grid.
    decimals: int = field(init=False, eq=False, repr=False, default=Factory(_grid_decimals, takes_self=True))
    #: The bounds that hold: those stated, else those of the format.
    low: float = field(init=False, eq=False, repr=False, default=Factory(_low, takes_self=True))
    high: float = field(init=False, eq=False, repr=False, default=Factory(_high, takes_self=True))

    def but(
        self,
        *,
        perms: Iterable[Permission | str] | None = None,
        unit: Unit | None = None,
        min: float | None = None,  # noqa: A002 - the names of the fields
        max: float | None = None,  # noqa: A002
        step: float | None = None,
        max_len: int | None = None,
        max_data_len: int | None = None,
        valid_values: tuple[int, ...] | None = None,
        valid_ranges: tuple[tuple[int, int], ...] | None = None,
        description: str | None = None,
    ) -> Metadata:
        """A copy with the given fields replaced. Raises `LocalProtocolError` where the result contradicts itself."""
        given: dict[str, object] = {
            "perms": perms,
            "unit": unit,
            "min": min,
            "max": max,
            "step": step,
            "max_len": max_len,
            "max_data_len": max_data_len,
            "valid_values": valid_values,
            "valid_ranges": valid_ranges,
            "description": description,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return self
        changed: Metadata = evolve(self, **changes)  # type: ignore[arg-type]
        changed.check()
        return changed

    def permitting(
        self, perms: Iterable[Permission | str] | None, wanted: Mapping[Permission, bool | None]
    ) -> frozenset[Permission] | None:
        """`perms`, or those it has, with and without what is `wanted` so; None where they stay what they are."""
        found = self.perms if perms is None else _permissions(perms)
        for one, there in wanted.items():
            if there is not None:
                found = found | {one} if there else found - {one}
        return None if found == self.perms else found

    def check(self) -> None:
        """Raise `LocalProtocolError` where the fields contradict the format or each other."""
        limits = self.format.limits
        for name, bound in (("min", self.min), ("max", self.max), ("step", self.step)):
            if bound is None:
                continue
            if limits is None and self.format is not Format.FLOAT:
                raise LocalProtocolError(f"means nothing for the format {self.format.value}", argument=name)
            if limits is not None and (bound != int(bound) or (name != "step" and not limits[0] <= bound <= limits[1])):
                raise LocalProtocolError(f"{bound} is no {self.format.value}", argument=name)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise LocalProtocolError(f"{self.min} is above the maximum {self.max}", argument="min")
        if self.step is not None and self.step < 0:
            raise LocalProtocolError("cannot be negative", argument="step")
        if self.valid_values is not None and (
            limits is None or list(self.valid_values) != sorted(set(self.valid_values))
        ):
            raise LocalProtocolError("must be ascending whole numbers", argument="valid_values")
        if self.valid_ranges is not None and (limits is None or any(low > high for low, high in self.valid_ranges)):
            raise LocalProtocolError("must be pairs of whole numbers, the lower one first", argument="valid_ranges")
