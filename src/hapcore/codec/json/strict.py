"""The accessory's reader: takes what Apple's accessory takes and refuses what it refuses (HAP 8.8)."""

from __future__ import annotations

import json
from collections import Counter
from typing import NoReturn

from hapcore.codec.json.value import MAX_NUMBER, JsonError, JsonValue, too_deep

__all__ = ["Object", "read_strict"]

_WHITESPACE = " \t\n\r"
_NONE: frozenset[str] = frozenset()


class Object(dict[str, JsonValue]):
    """A JSON object that remembers which keys stood in it more than once; `self[key]` is the last of them."""

    duplicates: frozenset[str] = _NONE


def read_strict(body: bytes) -> JsonValue:
    """Parse `body`, one JSON text in UTF-8. Objects come as `Object`; raises `JsonError`.

    Refused, as Apple's accessory refuses it: an exponent without a point, leading zeros, integers above 2^64-1 or below
    -2^63, NaN and infinities, a byte order mark, trailing commas and text, lone surrogates, invalid UTF-8; and nesting
    deeper than `MAX_DEPTH`. Taken: raw control characters in strings, escaped NUL, repeated keys, null.
    """
    if too_deep(body):
        raise JsonError("nested too deeply")
    try:
        text = body.decode().strip(_WHITESPACE)
        value: JsonValue
        value, end = _decode(text)
    except JsonError:
        raise
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise JsonError("not JSON") from None
    if end != len(text):
        raise JsonError("text after the end")
    # JSON knows the lower-case u only, and every surrogate starts with d.
    if ("\\ud" in text or "\\uD" in text) and _has_surrogate(value):
        raise JsonError("lone surrogate")
    return value


def _integer(text: str) -> int:
    if len(text) < 19:
        return int(text)
    if len(text) <= 20:
        value = int(text)
        if -0x8000_0000_0000_0000 <= value <= 0xFFFF_FFFF_FFFF_FFFF:
            return value
    raise JsonError("integer out of range")


def _real(text: str) -> float:
    if "." not in text:
        raise JsonError("exponent without a point")
    if len(text) > MAX_NUMBER:
        raise JsonError("number too long")
    value = float(text)
    if value - value != 0.0:
        raise JsonError("number out of range")
    return value


def _constant(_text: str) -> NoReturn:
    raise JsonError("not a number")


def _object(pairs: list[tuple[str, JsonValue]]) -> Object:
    result = Object(pairs)
    if len(result) != len(pairs):
        count = Counter(key for key, _ in pairs)
        result.duplicates = frozenset(key for key in count if count[key] > 1)
    return result


def _has_surrogate(value: JsonValue) -> bool:
    waiting: list[JsonValue] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if any("\ud800" <= letter <= "\udfff" for letter in item):
                return True
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


_decode = json.JSONDecoder(
    strict=False, parse_int=_integer, parse_float=_real, parse_constant=_constant, object_pairs_hook=_object
).raw_decode
