"""The JSON value type, the error and the depth limit both readers share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, TypeAlias, Union

__all__ = ["MAX_DEPTH", "MAX_NUMBER", "JsonError", "JsonInput", "JsonValue", "too_deep"]

#: What the readers return. Integers and floats are kept apart by their text: `1` is an int, `1.0` a float.
JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]

#: What `write` takes.
JsonInput: TypeAlias = Union[bool, int, float, str, "Sequence[JsonInput]", "Mapping[str, JsonInput]", None]

#: Deepest nesting read. /accessories needs 7 levels; the limit keeps the readers far from the interpreter's own.
MAX_DEPTH: Final = 128

#: Longest number read, in characters. A 32-bit float written out in full has 150; conversion takes quadratic time.
MAX_NUMBER: Final = 512

_NOT_MARKS = bytes(sorted(set(range(256)) - set(b'[]{}"\\')))
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_STEPS = [0] * 256
for _opener, _closer in (b"[]", b"{}"):
    _STEPS[_opener], _STEPS[_closer] = 1, -1
# Removing innermost pairs is quick, counting one by one is not. A round takes off a level or two; real bodies have 7.
_ROUNDS = 8


class JsonError(ValueError):
    """The text is not JSON that this reader takes. The message never quotes the text."""


def too_deep(body: bytes) -> bool:
    """Whether `body` nests deeper than `MAX_DEPTH`, found without parsing it (and without recursion)."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    # Before the first bracket or backslash inside a string stands an odd number of quotes: pairs of neighbours cannot
    # all vanish then, and the strings are taken out one by one.
    marks = body.translate(None, _NOT_MARKS).replace(b'""', b"")
    if b'"' in marks:
        marks = _STRING.sub(b"", body)
    rest = marks = marks.translate(None, _NOT_BRACKETS)
    for _ in range(_ROUNDS):
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
        if not rest:
            return False
    return any(depth > MAX_DEPTH for depth in accumulate(map(_STEPS.__getitem__, marks)))
