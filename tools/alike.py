"""How alike the three adapters are, and how large: `python tools/alike.py`.

Compares the non-blank lines of modules of the same name, two packages at a time, with difflib, once as they are and
once with `async` and `await` struck out; then counts the lines of code of each file. The command line of hap_trio
and the test kits stand on top of the adapters and are left out.
"""

from __future__ import annotations

import re
import sys
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.laws.source import ADAPTERS, code_lines, files

#: Modules and packages that use the adapter and are no part of it.
ON_TOP = ("cli", "testing")
#: What a line has in one adapter and lacks in the other, for no other reason than that calls block there.
COLOUR = re.compile(r"\b(async|await) |(?<=\b)a(?=(close|next)\b)")


def modules(folder: Path) -> dict[str, Path]:
    """The files of an adapter by their names."""
    found = {str(path.relative_to(folder)): path for path in files(folder)}
    return {name: path for name, path in found.items() if not name.startswith(ON_TOP)}


def lines(path: Path | None, *, plain: bool = False) -> list[str]:
    """The non-blank lines of a file; `plain` is without their colour."""
    if path is None:
        return []
    found = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [COLOUR.sub("", line) for line in found] if plain else found


def alike(one: list[str], other: list[str]) -> int:
    """How many lines the two have in common, in order."""
    return sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as they need to be, numbers to the right."""
    every = [head, *rows]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in every
    )


def likeness() -> str:
    """One row for each two packages."""
    rows = []
    for one, other in combinations(ADAPTERS, 2):
        mine, theirs = modules(one), modules(other)
        row = [f"{one.name}, {other.name}"]
        row += [str(sum(len(lines(path)) for path in each.values())) for each in (mine, theirs)]
        for plain in (False, True):
            same = sum(
                alike(lines(path, plain=plain), lines(theirs.get(name), plain=plain)) for name, path in mine.items()
            )
            smaller = min(int(row[1]), int(row[2]))
            row.append(f"{same} ({same / smaller:.0%})")
        rows.append(row)
    return table(["non-blank lines", "first", "second", "alike (of the shorter)", "without async, await"], rows)


def sizes() -> str:
    """Lines of code by file, a column for each package."""
    found = [{name: code_lines(path) for name, path in modules(folder).items()} for folder in ADAPTERS]
    rows = [
        [name, *(str(each.get(name, "-")) for each in found)]
        for name in sorted({name for each in found for name in each})
    ]
    rows.append(["all", *(str(sum(each.values())) for each in found)])
    return table(["lines of code", *(folder.name for folder in ADAPTERS)], rows)


if __name__ == "__main__":
    print(likeness(), sizes(), sep="\n\n")
