"""What every reader of values checks, and the friendly reader: the application sets its own value (HAP 10.5)."""

from __future__ import annotations

from math import floor
from struct import Struct

from hapcore.errors import ValueRefused
from hapcore.ids import Value
from hapcore.model.metadata import DATA_LENGTH, STRING_LENGTH, Format, Metadata

__all__ = ["check_bytes", "check_float", "check_text", "check_whole", "coerce", "default", "half_up", "to_float"]

_SINGLE = Struct("<f")
#: Relative error of a number in single precision: what a controller computing with it cannot avoid.
_SINGLE_EPSILON = 2.0**-23
#: Relative error of a few operations with floats: 0.15 / 0.1 is a little less than 1.5, and is meant to be that.
_HALF_SLACK = 2.0**-48


def check_whole(meta: Metadata, number: int) -> int:
    """Check a whole number against format, range, step and valid values."""
    if not meta.low <= number <= meta.high:
        if number.bit_length() > 64:  # the text of a very long number is an error of its own
            raise ValueRefused("the number does not fit 64 bits")
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


def check_float(meta: Metadata, number: float, slack: float) -> float:
    """Check a float against the range and move it onto the step grid, from at most `slack` steps away."""
    low, high, step = meta.low, meta.high, meta.step
    # Equal in single precision is equal: 1.50000001 is not above 1.5.
    if not low <= number <= high and not _single(low) <= _single(number) <= _single(high):
        raise ValueRefused(f"{number} is not within {low} to {high}")
    if not step:
        return number
    base = meta.min or 0.0
    nearest = base + half_up((number - base) / step) * step
    if abs(number - nearest) > slack * step + 2 * _SINGLE_EPSILON * (abs(number) + abs(base)):
        raise ValueRefused(f"{number} is not on the grid of steps of {step} from {base}")
    return round(min(nearest, high), meta.decimals)


def half_up(number: float) -> int:
    """The nearest whole number, the upper of two: 3 for 2.5, -2 for -2.5; also where floats fall short of a half."""
    return floor(number + 0.5 + abs(number) * _HALF_SLACK)


def check_text(meta: Metadata, text: str) -> str:
    limit = STRING_LENGTH if meta.max_len is None else meta.max_len
    if len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit):
        raise ValueRefused(f"the text is longer than {limit} bytes")
    return text


def check_bytes(meta: Metadata, data: bytes) -> bytes:
    limit = DATA_LENGTH if meta.max_data_len is None else meta.max_data_len
    if len(data) > limit:
        raise ValueRefused(f"the value is longer than {limit} bytes")
    return data


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
        return check_whole(meta, int(value))
    if kind is Format.FLOAT:
        if not isinstance(value, int | float):
            raise ValueRefused(f"wanted a number, got {type(value).__name__}")
        return check_float(meta, to_float(value), 0.5)
    if kind is Format.STRING:
        if not isinstance(value, str):
            raise ValueRefused(f"wanted a string, got {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueRefused("the text holds a lone surrogate") from None
        return check_text(meta, value)
    if not isinstance(value, bytes | bytearray):
        raise ValueRefused(f"wanted bytes, got {type(value).__name__}")
    return check_bytes(meta, bytes(value))


def to_float(value: float) -> float:
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
