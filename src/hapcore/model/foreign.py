"""The controller's side of values: what to send to an accessory, and what its answers mean (HAP 8.8, 10.5)."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from math import floor, isfinite

from hapcore.errors import ValueRefused
from hapcore.ids import Value
from hapcore.model.checks import check_float, check_whole, coerce, half_up, to_float
from hapcore.model.metadata import Format, Metadata

__all__ = ["for_write", "from_remote"]

#: Significant digits of a float a controller sends; some accessories refuse 22.200001 (HAP 10.5).
_SENT_DIGITS = 6


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
        base, step = int(meta.min or 0), int(meta.step or 1)
        if isinstance(value, int):
            steps = (2 * (int(value) - base) + step) // (2 * step)
        elif isfinite(value):
            steps = half_up((value - base) / step)
        else:
            raise ValueRefused("the number is not finite")
        number = base + steps * step
        # The grid may end below the maximum: the maximum is then rounded down.
        return check_whole(meta, number - step if value <= meta.high < number else number)
    return float(f"{check_float(meta, to_float(value), 0.5):.{_SENT_DIGITS}g}")


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
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None  # what is no number is never equal to itself, and no JSON


def _lenient_number(text: str) -> float | None:
    words = {"true": True, "false": False}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return _lenient_float(float(text))
    except ValueError:
        return None


def _lenient_base64(text: str) -> bytes | None:
    cleaned = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return a2b_base64(cleaned + "=" * (-len(cleaned) % 4), strict_mode=True)
    except (Base64Error, ValueError):
        return None
