"""Writing JSON: compact, and with numbers in the one form every peer reads (HAP 8.2, 8.8)."""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring

from hapcore.codec.json.value import JsonInput
from hapcore.errors import LocalProtocolError

__all__ = ["number", "string", "write"]


def write(value: JsonInput) -> bytes:
    """`value` as JSON without spaces, in UTF-8, members in their order. Booleans stay true and false.

    Raises `LocalProtocolError` for integers beyond 64 bits.
    """
    out: list[bytes] = []
    _write(value, out)
    return b"".join(out)


def number(value: float) -> bytes:
    """An integer as it is (a bool as 1 or 0); a float with a point, without exponent, and never `-0.0`.

    Floats have at most 8 significant digits, what a 32-bit float holds; `null` stands for NaN and infinities. Apple's
    accessory refuses a whole request for `1e-07`. Raises `LocalProtocolError` for integers beyond 64 bits.
    """
    if isinstance(value, int):
        if not -0x8000_0000_0000_0000 <= value <= 0xFFFF_FFFF_FFFF_FFFF:
            raise LocalProtocolError("integer beyond 64 bits", argument="value")
        return b"%d" % value
    if value - value != 0.0:
        return b"null"
    if not value:
        return b"0.0"
    text = f"{value:.8g}"
    if "e" in text:
        text = _write_out(text)
    elif "." not in text:
        text += ".0"
    return text.encode("ascii")


def string(value: str) -> bytes:
    """A JSON string with its quotes, in UTF-8. Lone surrogates, which UTF-8 cannot carry, become U+FFFD."""
    quoted = encode_basestring(value)
    try:
        return quoted.encode()
    except UnicodeEncodeError:
        return quoted.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _write(value: JsonInput, out: list[bytes]) -> None:
    if isinstance(value, str):
        out.append(string(value))
    elif value is None:
        out.append(b"null")
    elif isinstance(value, bool):
        out.append(b"true" if value else b"false")
    elif isinstance(value, (int, float)):
        out.append(number(value))
    elif isinstance(value, Mapping):
        mark = b"{"
        for key, item in value.items():
            out += (mark, string(key), b":")
            _write(item, out)
            mark = b","
        out.append(b"}" if value else b"{}")
    else:
        mark = b"["
        for item in value:
            out.append(mark)
            _write(item, out)
            mark = b","
        out.append(b"]" if value else b"[]")


def _write_out(text: str) -> str:
    """Scientific notation as plain digits with a point: `1.5e-07` is `0.00000015`."""
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
