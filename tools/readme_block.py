"""Print the n-th fenced `sh` block of the README, so that what it promises is what runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def block(number: int) -> str:
    """The text of block `number`, counted from 1."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return found[number - 1]


if __name__ == "__main__":
    sys.stdout.write(block(int(sys.argv[1])))
