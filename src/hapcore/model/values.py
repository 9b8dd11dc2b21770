"""Values on their way in and out: JSON to Python and back, checked against the metadata (HAP 8.8, 10.5).

Three readers of different temper: `from_wire` is strict (a controller writes to us), `coerce` is friendly (the
application sets its own value), `from_remote` takes what real accessories send.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable

from hapcore.codec import json, tlv8
from hapcore.errors import ValueRefused
from hapcore.ids import Value
from hapcore.model.checks import check_bytes, check_float, check_text, check_whole, coerce, default, to_float
from hapcore.model.foreign import for_write, from_remote
from hapcore.model.metadata import Format, Metadata, Permission, Unit

__all__ = [
    "Format",
    "Metadata",
    "Permission",
    "Unit",
    "coerce",
    "default",
    "for_write",
    "from_remote",
    "from_wire",
    "parse_text",
    "to_wire",
]

#: A written float may lie this far off the step grid, as a part of a step (HAP 10.5).
_GRID_SLACK = 0.1


def _bool_from_wire(_: Metadata, value: object) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and 0 <= value <= 1:
        return value == 1
    raise ValueRefused("wanted true or false")


def _whole_from_wire(meta: Metadata, value: object) -> int:
    # A number written with a point is a float, even 1.0 (HAP 8.8); true and false count as 1 and 0.
    if not isinstance(value, int):
        raise ValueRefused("wanted a whole number")
    return check_whole(meta, int(value))


def _real_from_wire(meta: Metadata, value: object) -> float:
    if not isinstance(value, int | float):
        raise ValueRefused("wanted a number")
    return check_float(meta, to_float(value), _GRID_SLACK)


def _text_from_wire(meta: Metadata, value: object) -> str:
    if not isinstance(value, str):
        raise ValueRefused("wanted a string")
    text = value.partition("\0")[0] if "\0" in value else value
    return check_text(meta, text)


def _bytes_from_wire(meta: Metadata, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueRefused("wanted a string of base64")
    try:
        data = a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError):
        raise ValueRefused("wanted base64 with padding and nothing else") from None
    return check_bytes(meta, data)


def _tlv8_from_wire(meta: Metadata, value: object) -> bytes:
    data = _bytes_from_wire(meta, value)
    try:
        tlv8.decode(data)
    except tlv8.TlvError as error:
        raise ValueRefused(f"wanted TLV8: {error}") from None
    return data


_FROM_WIRE: dict[Format, Callable[[Metadata, object], Value]] = {
    Format.BOOL: _bool_from_wire,
    Format.UINT8: _whole_from_wire,
    Format.UINT16: _whole_from_wire,
    Format.UINT32: _whole_from_wire,
    Format.UINT64: _whole_from_wire,
    Format.INT: _whole_from_wire,
    Format.FLOAT: _real_from_wire,
    Format.STRING: _text_from_wire,
    Format.TLV8: _tlv8_from_wire,
    Format.DATA: _bytes_from_wire,
}


def from_wire(meta: Metadata, value: object) -> Value:
    """The Python value of a JSON value that a controller writes (HAP 8.8, 10.5).

    true and false count as 1 and 0 for numbers, whole numbers are fine for floats, 1.0 is no whole number; a float up
    to a tenth of a step beside the grid is moved onto it; a string ends at its first NUL; data and tlv8 are padded
    base64, tlv8 well-formed inside. Raises `ValueRefused` for everything else, null included.
    """
    return _FROM_WIRE[meta.format](meta, value)


def to_wire(meta: Metadata, value: Value) -> bytes:
    """The JSON text of `value`: true and false as 1 and 0, bytes as base64, None as null."""
    if value is True:
        return b"1"
    if value is False:
        return b"0"
    if isinstance(value, int):
        # A float characteristic may hold a whole number; int() frees enumerations of their own formatting.
        return json.number(float(value)) if meta.format is Format.FLOAT else b"%d" % int(value)
    if isinstance(value, float):
        return json.number(value)
    if isinstance(value, str):
        return json.string(value)
    if value is None:
        return b"null"
    return b'"' + b2a_base64(value, newline=False) + b'"'


def parse_text(meta: Metadata, text: str) -> Value:
    """The value a person typed: "true", "on", "12", "1.5", a text, or base64 for data and tlv8.

    Raises `ValueRefused` where the text does not fit the format, the range or the length.
    """
    kind = meta.format
    if kind is Format.STRING:
        return coerce(meta, text)
    if kind is Format.TLV8 or kind is Format.DATA:
        return _bytes_from_wire(meta, text)
    word = text.strip().lower()
    if kind is Format.BOOL:
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueRefused(f"{_short(text)} is neither true nor false")
    try:
        number: float = _WORDS[word] if word in _WORDS else int(word) if kind.integer else float(word)
    except ValueError:
        raise ValueRefused(f"{_short(text)} is no {'whole number' if kind.integer else 'number'}") from None
    return coerce(meta, number)


def _short(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")


#: As much of a wrong value as a message quotes.
_QUOTED = 60
_TRUE = frozenset({"true", "on", "yes", "t", "y", "1"})
_FALSE = frozenset({"false", "off", "no", "f", "n", "0"})
_WORDS = {"true": 1, "false": 0}
