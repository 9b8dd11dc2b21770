"""The controller's reader: takes what real accessories send (HAP 8.8, pitfalls 42, 43 and 49)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, cast

from hapcore.codec.json.repair import repair
from hapcore.codec.json.value import MAX_NUMBER, JsonError, JsonValue, too_deep

_fast: Callable[[bytes], Any] | None
try:
    from orjson import loads as _loads
except ImportError:
    _fast = None
else:
    _fast = _loads

__all__ = ["MAX_REPAIR", "read_tolerant"]

#: Largest text that is repaired; larger ones must be proper JSON. Repairing holds every token in memory at once.
MAX_REPAIR: Final = 2 * 1024 * 1024

_SAME_DIGITS = bytes.maketrans(b"123456789", b"000000000")
# 19 digits may be more than 64 bits: orjson would make a float of it.
_LONG_NUMBER = b"0" * 19
_TOO_LONG_NUMBER = b"0" * (MAX_NUMBER + 1)
_SURROGATES = re.compile("[\ud800-\udfff]")
_AROUND = " \t\n\r\ufeff\x00"


def read_tolerant(body: bytes) -> JsonValue:
    """Parse `body` as well as it can be done; raises `JsonError` when it is hopeless.

    Beyond JSON: trailing and doubled commas, comments, a byte order mark, NULs around the text, raw control characters,
    invalid UTF-8 and lone surrogates (replaced by U+FFFD), objects closed before their last keys (what Apple's
    accessory sends for meta=1); NaN, infinities and numbers too large for a float are None. Of repeated keys the last
    wins. Integers of up to `MAX_NUMBER` digits stay integers.

    The result is the same with and without orjson, which only makes it faster.
    """
    if too_deep(body):
        raise JsonError("nested too deeply")
    zeros = body.translate(_SAME_DIGITS)
    if _LONG_NUMBER not in zeros:
        if _fast is not None:
            try:
                return cast("JsonValue", _fast(body))
            except ValueError:
                pass
    elif _TOO_LONG_NUMBER in zeros:
        raise JsonError("number too long")
    text = body.decode("utf-8", "replace").strip(_AROUND)
    try:
        value = _read(text)
    except (ValueError, RecursionError):
        value = _read_repaired(text)
    return _replace_surrogates(value) if ("\\ud" in text or "\\uD" in text) else value


def _read(text: str) -> JsonValue:
    value: JsonValue = _decode(text)
    return value


def _read_repaired(text: str) -> JsonValue:
    if len(text) > MAX_REPAIR:
        raise JsonError("not JSON, and too large to repair")
    try:
        return _read(repair(text))
    except (ValueError, RecursionError):
        raise JsonError("not JSON") from None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if value - value == 0.0 else None


def _constant(_text: str) -> None:
    return None


def _replace_surrogates(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_SURROGATES.sub("\ufffd", key): _replace_surrogates(item) for key, item in value.items()}
    return value


_decode = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_constant).decode
