"""The pages of the documentation and the fenced blocks in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """One fenced block: its page, the line it begins on, its language, its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.stem}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page, of some languages or of all."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text[: one.start()].count("\n") + 1, one[1], one[2])
        for one in _FENCE.finditer(text)
        if not languages or one[1] in languages
    ]
    assert text.count("\n```") == 2 * len(_FENCE.findall(text)), f"{page.name} has a fence that does not end"
    return found


def listings() -> dict[str, str]:
    """Text of an example -> its path."""
    return {path.read_text(encoding="utf-8"): path.name for path in (ROOT / "examples").glob("*.py")}
