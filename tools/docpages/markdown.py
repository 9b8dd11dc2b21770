"""Small pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; whatever the cells hold, it stays one."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |" for row in lines]


def first(documented: object) -> str:
    """The first paragraph of a docstring, on one line."""
    text = getattr(documented, "__doc__", None)
    if not text:
        raise SystemExit(f"{documented!r} has no docstring")
    return " ".join(text.strip().split("\n\n")[0].split())


def page(*blocks: Sequence[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def anchor(heading: str) -> str:
    """The name under which a heading can be linked."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
