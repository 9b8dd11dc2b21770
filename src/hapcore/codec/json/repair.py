"""Making JSON of what some accessories send instead (HAP 8.7, 8.8)."""

from __future__ import annotations

import re

from hapcore.codec.json.value import JsonError

__all__ = ["repair"]

_TOKEN = re.compile(
    r"""
      [\s\ufeff\x00]+
    | //[^\n\r]*
    | /\*.*?\*/
    | (?P<token> "(?:[^"\\]|\\.)*+" | [{}\[\]:,] | [^\s{}\[\]:,"/]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def repair(text: str) -> str:
    """Rewrite `text` without comments and surplus commas, and with early-closed objects closed late.

    An early-closed object is an array element followed by more of its members, `[{"iid":1},"ev":true,{"iid":2}]`: a
    string and a colon cannot stand in an array, so that the brace before them was one too early. Such an object ends
    where the next one begins, at a brace of its own, or with the array. Raises `JsonError` for what is not even tokens.
    """
    out: list[str] = []
    nesting: list[str] = []  # "[", "{", or "+": an object that was closed early and opened again
    comma = False
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise JsonError("not JSON")
        position = match.end()
        token = match["token"]
        if token is None:
            continue
        if token == ",":
            comma = bool(out) and out[-1] not in ("{", "[", ":")
            continue
        if token in ("}", "]"):
            comma = False
            if token == "]" and nesting and nesting[-1] == "+":
                out.append("}")
                nesting.pop()
            if nesting:
                nesting.pop()
        elif token == ":":
            if nesting and nesting[-1] == "[" and out[-3:-1] == ["}", ","]:
                del out[-3 if out[-4] != "{" else slice(-3, -1)]
                nesting.append("+")
        elif token in ("{", "["):
            if comma and nesting and nesting[-1] == "+":
                out.append("}")
                nesting.pop()
            nesting.append(token)
            if comma:
                out.append(",")
                comma = False
        elif comma:
            out.append(",")
            comma = False
        out.append(token)
    return "".join(out)
