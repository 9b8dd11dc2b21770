"""Making JSON of what some accessories send instead (HAP 8.7, 8.8)."""

from __future__ import annotations

import re

from hapcore.codec.json.value import JsonError

__all__ = ["repair"]

_PART = re.compile(
    r"""
      [\s\ufeff\x00]+
    | //[^\n\r]*
    | /\*.*?\*/
    | (?P<part> "(?:[^"\\]|\\.)*+" | [{}\[\]:,] | [^\s{}\[\]:,"/]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def repair(text: str) -> str:
    """Rewrite `text` without comments and surplus commas, and with early-closed objects closed late.

    An early-closed object is an array element followed by more of its members, `[{"iid":1},"ev":true,{"iid":2}]`: a
    string and a colon cannot stand in an array, so that the brace before them was one too early. Such an object ends
    where the next one begins, at a brace of its own, or with the array. Raises `JsonError` for what has no such parts.
    """
    out: list[str] = []
    nesting: list[str] = []  # "[", "{", or "+": an object that was closed early and opened again
    comma = False
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise JsonError("not JSON")
        position = match.end()
        part = match["part"]
        if part is None:
            continue
        if part == ",":
            comma = bool(out) and out[-1] not in ("{", "[", ":")
            continue
        if part in ("}", "]"):
            comma = False
            if part == "]" and nesting and nesting[-1] == "+":
                out.append("}")
                nesting.pop()
            if nesting:
                nesting.pop()
        elif part == ":":
            if nesting and nesting[-1] == "[" and out[-3:-1] == ["}", ","]:
                del out[-3]
                if out[-3] == "{":
                    del out[-2]
                nesting.append("+")
        elif part in ("{", "["):
            if comma and nesting and nesting[-1] == "+":
                out.append("}")
                nesting.pop()
            nesting.append(part)
            if comma:
                out.append(",")
                comma = False
        elif comma:
            out.append(",")
            comma = False
        out.append(part)
    # Not joined without anything: two numbers side by side must not become one.
    return " ".join(out)
