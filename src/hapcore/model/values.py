"""Values on their way in and out: JSON to Python and back, checked against the metadata (HAP 8.8, 10.5).

Three readers of different temper: `from_wire` is strict (a controller writes to us), `coerce` is friendly (the
application sets its own value), `from_remote` takes what real accessories send.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from math import floor, isfinite
from struct import Struct

from hapcore.codec import json, tlv8
from hapcore.errors import ValueRefused
from hapcore.ids import Value
from hapcore.model.metadata import DATA_LENGTH, STRING_LENGTH, Format, Metadata, Permission, Unit

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

_SINGLE = Struct("<f")
#: A written float may lie this far off the step grid, as a part of a step (HAP 10.5).
_GRID_SLACK = 0.1
#: Relative error of a number in single precision: what a controller computing with it cannot avoid.
_SINGLE_EPSILON = 2.0**-23
#: Significant digits of a float a controller sends; some accessories refuse 22.200001 (HAP 10.5).
_SENT_DIGITS = 6


# --- what all readers share ---------------------------------------------------------------------------------------


def _whole(meta: Metadata, number: int) -> int:
    """Check a whole number against format, range, step and valid values."""
    if not meta.low <= number <= meta.high:
        raise ValueRefused(f"{number} is not within {meta.low} to {meta.high}")
    if meta.step and (number - (meta.min or 0)) % meta.step:
        raise ValueRefused(f"{number} is not on the grid of steps of {meta.step} from {meta.min or 0}")
    if meta.valid_values is not None and number not in meta.valid_values:
        raise ValueRefused(f"{number} is not one of the valid values {', '.join(map(str, meta.valid_values))}")
    if meta.valid_ranges is not None and not any(first <= number <= last for first, last in meta.valid_ranges):
        raise ValueRefused(f"{number} is in none of the valid ranges")
    return number


def _single(number: float) -> float:
    """The nearest single-precision number: what the other side calculates with."""
    try:
        rounded: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    except OverflowError:
        raise ValueRefused("the number is too large for single precision") from None
    return rounded


def _real(meta: Metadata, number: float, slack: float) -> float:
    """Check a float against the range and move it onto the step grid, from at most `slack` steps away."""
    low, high, step = meta.low, meta.high, meta.step
    # Equal in single precision is equal: 1.50000001 is not above 1.5.
    if not low <= number <= high and not _single(low) <= _single(number) <= _single(high):
        raise ValueRefused(f"{number} is not within {low} to {high}")
    if not step:
        return number
    base = meta.min or 0.0
    nearest = base + floor((number - base) / step + 0.5) * step
    if abs(number - nearest) > slack * step + 2 * _SINGLE_EPSILON * (abs(number) + abs(base)):
        raise ValueRefused(f"{number} is not on the grid of steps of {step} from {base}")
    return round(min(nearest, high), meta.decimals)


def _text(meta: Metadata, text: str) -> str:
    limit = STRING_LENGTH if meta.max_len is None else meta.max_len
    if len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit):
        raise ValueRefused(f"the text is longer than {limit} bytes")
    return text


def _bytes(meta: Metadata, data: bytes) -> bytes:
    limit = DATA_LENGTH if meta.max_data_len is None else meta.max_data_len
    if len(data) > limit:
        raise ValueRefused(f"the value is longer than {limit} bytes")
    return data


# --- strict: a controller writes ----------------------------------------------------------------------------------


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
    return _whole(meta, int(value))


def _real_from_wire(meta: Metadata, value: object) -> float:
    if not isinstance(value, int | float):
        raise ValueRefused("wanted a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueRefused("the number is too large") from None
    return _real(meta, number, _GRID_SLACK)


def _text_from_wire(meta: Metadata, value: object) -> str:
    if not isinstance(value, str):
        raise ValueRefused("wanted a string")
    text = value.partition("\0")[0] if "\0" in value else value
    return _text(meta, text)


def _bytes_from_wire(meta: Metadata, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueRefused("wanted a string of base64")
    try:
        data = a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError):
        raise ValueRefused("wanted base64 with padding and nothing else") from None
    return _bytes(meta, data)


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


# --- out ----------------------------------------------------------------------------------------------------------


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


# --- friendly: the application sets its own value -----------------------------------------------------------------


def coerce(meta: Metadata, value: object) -> Value:
    """The application's own value, checked and in the Python type of its format.

    Floats move onto the step grid; whole floats are fine for integers; a string that is too long is refused. Raises
    `ValueRefused` where the value does not fit. None (no value) passes.
    """
    kind = meta.format
    if value is None:
        return None
    if kind is Format.BOOL:
        if isinstance(value, int) and 0 <= value <= 1:
            return bool(value)
        raise ValueRefused("wanted True or False")
    if kind.integer:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int):
            raise ValueRefused(f"wanted a whole number, got {type(value).__name__}")
        return _whole(meta, int(value))
    if kind is Format.FLOAT:
        if not isinstance(value, int | float):
            raise ValueRefused(f"wanted a number, got {type(value).__name__}")
        return _real(meta, _float(value), 0.5)
    if kind is Format.STRING:
        if not isinstance(value, str):
            raise ValueRefused(f"wanted a string, got {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueRefused("the text holds a lone surrogate") from None
        return _text(meta, value)
    if not isinstance(value, bytes | bytearray):
        raise ValueRefused(f"wanted bytes, got {type(value).__name__}")
    return _bytes(meta, bytes(value))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueRefused("the number is too large") from None


def default(meta: Metadata) -> Value:
    """What a characteristic holds before anybody set it: false, the legal number nearest to 0, empty text or bytes."""
    kind = meta.format
    if kind is Format.BOOL:
        return False
    if kind is Format.STRING:
        return ""
    if kind is Format.TLV8 or kind is Format.DATA:
        return b""
    candidates: list[float] = [0]
    if meta.valid_values:
        candidates = list(meta.valid_values)
    elif meta.valid_ranges:
        candidates = [number for pair in meta.valid_ranges for number in pair]
    low, high = meta.min, meta.max
    clamped = [
        low if low is not None and one < low else high if high is not None and one > high else one for one in candidates
    ]
    nearest = min(clamped, key=abs)
    if kind is Format.FLOAT:
        return float(nearest)
    if meta.step and (nearest - (low or 0)) % meta.step:
        nearest -= (nearest - (low or 0)) % meta.step
    return int(nearest)


# --- the controller's side ----------------------------------------------------------------------------------------


def for_write(meta: Metadata, value: object) -> bool | int | float | str:
    """What a controller puts into a request for `value` (HAP 8.8, 10.5).

    Numbers are rounded half up to the step grid that starts at the minimum, floats to at most six significant digits;
    booleans become 1 or 0, bytes become base64. Raises `ValueRefused` for a wrong type or a number out of range.
    """
    kind = meta.format
    if kind.integer or kind is Format.FLOAT:
        if not isinstance(value, int | float):
            raise ValueRefused(f"wanted a number, got {type(value).__name__}")
        return _number_for_write(meta, value)
    checked = coerce(meta, value)
    if isinstance(checked, bool):
        return int(checked)
    if isinstance(checked, bytes):
        return b2a_base64(checked, newline=False).decode("ascii")
    if isinstance(checked, str):
        return checked
    raise ValueRefused("there is no way to write no value")


def _number_for_write(meta: Metadata, value: float) -> int | float:
    if meta.format.integer:
        if not isinstance(value, int):
            if not isfinite(value):
                raise ValueRefused("the number is not finite")
            value = floor(value + 0.5)
        base, step = int(meta.min or 0), int(meta.step or 1)
        return _whole(meta, base + (2 * (int(value) - base) + step) // (2 * step) * step)
    number = _real(meta, _float(value), 0.5)
    return float(f"{number:.{_SENT_DIGITS}g}")


def from_remote(meta: Metadata | None, value: object) -> Value:
    """The Python value of what an accessory sent, as good as it can be understood; None where it cannot.

    1 and 0 are fine for booleans, 21.0 for integers, "21" for numbers, base64 without padding for bytes. Ranges are not
    checked: accessories exceed their own.
    """
    if value is None or isinstance(value, list | dict):
        return None
    if meta is None:
        return value if isinstance(value, bool | int | float | str) else None
    kind = meta.format
    if kind is Format.STRING:
        return value if isinstance(value, str) else str(value)
    if kind is Format.TLV8 or kind is Format.DATA:
        return _lenient_base64(value) if isinstance(value, str) else None
    if isinstance(value, str):
        value = _lenient_number(value)
        if value is None:
            return None
    if not isinstance(value, int | float):
        return None
    if kind is Format.BOOL:
        return bool(value)
    if kind is Format.FLOAT:
        return _lenient_float(value)
    if isinstance(value, float):
        return floor(value + 0.5) if isfinite(value) else None
    return int(value)


def _lenient_float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _lenient_number(text: str) -> float | None:
    words = {"true": True, "false": False}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _lenient_base64(text: str) -> bytes | None:
    cleaned = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return a2b_base64(cleaned + "=" * (-len(cleaned) % 4), strict_mode=True)
    except (Base64Error, ValueError):
        return None


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
        raise ValueRefused(f"{text!r} is neither true nor false")
    try:
        number: float = _WORDS[word] if word in _WORDS else int(word) if kind.integer else float(word)
    except ValueError:
        raise ValueRefused(f"{text!r} is no {'whole number' if kind.integer else 'number'}") from None
    return coerce(meta, number)


_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})
_WORDS = {"true": 1, "false": 0}
