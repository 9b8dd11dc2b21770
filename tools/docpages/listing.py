"""Parts of an example, as they stand there."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _find(body: Iterable[ast.stmt], name: str) -> _Definition:
    first, _, rest = name.partition(".")
    for node in body:
        if isinstance(node, _Definition) and node.name == first:
            return _find(node.body, rest) if rest else node
    raise SystemExit(f"there is no {name} in the example")


def parts(text: str, names: Iterable[str]) -> list[str]:
    """The lines of functions, methods ("Class.method") and classes, in the order asked, with empty lines between."""
    lines, found = text.splitlines(), list[str]()
    for name in names:
        node = _find(ast.parse(text).body, name)
        begin = min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1
        part = textwrap.dedent("\n".join(lines[begin : node.end_lineno])).splitlines()
        found += [*[""] * (bool(found) * (1 if "." in name else 2)), *part]
    return found
