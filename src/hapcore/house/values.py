"""Values between a file, commands, devices and characteristics."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Sequence
from enum import IntEnum
from typing import cast

from hapcore.errors import ValueRefused
from hapcore.house.table import simple
from hapcore.ids import Value
from hapcore.model.characteristic import AnyCharacteristic, CharacteristicType
from hapcore.model.metadata import Format
from hapcore.model.values import parse_text

__all__ = ["as_json", "as_text", "from_answer", "from_file"]


def as_text(value: Value) -> str:
    """A value for a command: true, false, a number, the text itself, base64 for bytes; nothing for None."""
    plain = as_json(value)
    return "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain)


def as_json(value: Value) -> bool | int | float | str | None:
    """A value as JSON has it: bytes as base64, a named number as a number."""
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode()
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _named(kind: CharacteristicType[object], text: str) -> int | None:
    """The number of a named value."""
    if not issubclass(kind.python, IntEnum):
        return None
    return next((int(one) for name, one in kind.python.__members__.items() if simple(name) == simple(text)), None)


def from_file(kind: CharacteristicType[object], value: object) -> object:
    """What a file gives for a characteristic: named values may be given by name, bytes are base64.

    It may still not fit the characteristic. Raises `ValueRefused` where it is no value at all.
    """
    if not isinstance(value, bool | int | float | str):
        raise ValueRefused(f"wanted a value, got {type(value).__name__}")
    if not isinstance(value, str) or kind.metadata.format is Format.STRING:
        return value
    named = _named(kind, value)
    if named is not None:
        return named
    if kind.metadata.format in (Format.DATA, Format.TLV8):
        return parse_text(kind.metadata, value)
    if issubclass(kind.python, IntEnum):
        raise ValueRefused(f"{value[:40]!r} is none of {', '.join(map(str.lower, kind.python.__members__))}")
    return value


def from_answer(characteristic: AnyCharacteristic, answer: bytes, path: Sequence[str]) -> Value:
    """The value that a command printed or a server sent: text, or what JSON has at `path`.

    Raises `ValueRefused` where there is none, or one that does not fit.
    """
    try:
        text = answer.decode()
    except UnicodeDecodeError:
        raise ValueRefused("wanted text in UTF-8") from None
    if not path:
        return _from_text(characteristic, text.strip())
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueRefused("wanted JSON") from None
    for step in path:
        found = _below(found, step)
    if isinstance(found, str):
        return _from_text(characteristic, found)
    if not isinstance(found, bool | int | float):
        raise ValueRefused(f"{'.'.join(path)} of the answer is no value")
    return cast("Value", characteristic.coerce(found))


def _below(found: object, step: str) -> object:
    if isinstance(found, dict) and step in found:
        return cast("dict[str, object]", found)[step]
    if isinstance(found, list) and step.isdecimal() and step.isascii() and len(step) < _DIGITS:
        items = cast("list[object]", found)
        if int(step) < len(items):
            return items[int(step)]
    raise ValueRefused(f"the answer has no {step!r}")


#: Of a position in a list.
_DIGITS = 9


def _from_text(characteristic: AnyCharacteristic, text: str) -> Value:
    named = _named(characteristic.type, text)
    value = parse_text(characteristic.metadata, text) if named is None else named
    return cast("Value", characteristic.coerce(value))
