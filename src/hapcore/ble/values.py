"""Values as bytes: in parameter 01, in ranges and in broadcasts (HAP-BLE A.6)."""

from __future__ import annotations

from math import isfinite
from struct import Struct
from typing import cast

from hapcore.errors import ValueRefused
from hapcore.ids import Value
from hapcore.model.metadata import Format

__all__ = ["WIDTHS", "read_strict", "read_value", "write_value"]

#: Bytes of the numbers; the other formats have any length.
WIDTHS: dict[Format, int] = {
    Format.BOOL: 1,
    Format.UINT8: 1,
    Format.UINT16: 2,
    Format.UINT32: 4,
    Format.UINT64: 8,
    Format.INT: 4,
    Format.FLOAT: 4,
}

_SINGLE = Struct("<f")
#: Six digits are always exact in single precision, nine always tell two numbers apart.
_DIGITS = (6, 7, 8, 9)


def write_value(value: Value, form: Format) -> bytes:
    """The bytes of a value that fits its format; None is no bytes. Raises `ValueRefused` where it does not fit."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        if form is Format.FLOAT:
            return _SINGLE.pack(value)
        return int(value).to_bytes(WIDTHS[form], "little", signed=form is Format.INT)
    except (OverflowError, KeyError):
        raise ValueRefused(f"{value} does not fit the format {form.value}") from None


def read_strict(data: bytes, form: Format) -> Value:
    """The value of exactly as many bytes as the format has; `ValueError` for everything else (HAP-BLE A.3.8)."""
    width = WIDTHS.get(form)
    if width is not None and len(data) != width:
        raise ValueError(f"{len(data)} bytes for {form.value}, not {width}")
    if form is Format.BOOL:
        if data[0] > 1:
            raise ValueError(f"{data[0]} for a bool")
        return data[0] == 1
    if form is Format.FLOAT:
        number = _read_float(data)
        if not isfinite(number):
            raise ValueError("no finite number")
        return number
    if form is Format.STRING:
        text = data.decode()
        if "\0" in text:
            raise ValueError("a NUL in a string")
        return text
    return _read_other(data, form)


def read_value(data: bytes, form: Format) -> Value:
    """What real accessories send (HAP-BLE A.6): short numbers are filled up, long ones cut where the rest is zero.

    Raises `ValueError` where that does not help.
    """
    width = WIDTHS.get(form)
    if width is not None:
        if any(data[width:]):
            raise ValueError(f"{len(data)} bytes for {form.value}")
        if form is Format.FLOAT and len(data) < width:
            raise ValueError(f"{len(data)} bytes for a float")
        data = data[:width].ljust(width, b"\0")
    if form is Format.BOOL:
        return data[0] != 0
    if form is Format.FLOAT:
        return _read_float(data)
    if form is Format.STRING:
        return data.decode(errors="replace")
    return _read_other(data, form)


def _read_other(data: bytes, form: Format) -> Value:
    if form in (Format.DATA, Format.TLV8):
        return data
    return int.from_bytes(data, "little", signed=form is Format.INT)


def _read_float(data: bytes) -> float:
    """The shortest decimal number that is this one in single precision: 3.141, not 3.1410000324249268."""
    number = cast("float", _SINGLE.unpack(data)[0])
    if not isfinite(number):
        return number
    for digits in _DIGITS:
        short = float(f"{number:.{digits}g}")
        try:
            if _SINGLE.pack(short) == data:
                return short
        except OverflowError:  # the greatest one, rounded up
            continue
    return number
