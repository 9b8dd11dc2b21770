"""Make docs/demo.svg, the picture of a real run of `hap demo`: `python tools/record_demo.py`. Needs the extra `cli`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from hap_trio.cli import common  # noqa: E402 - found by the line above
from hap_trio.cli.group import hap  # noqa: E402

PICTURE = ROOT / "docs" / "demo.svg"
#: Columns of the picture: the longest line of the demonstration, and no more.
WIDTH = 104


def record() -> str:
    """Run the demonstration and return its picture."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print("[bold green]$[/bold green] hap demo")
    common.console = console
    hap(["demo"], prog_name="hap", standalone_mode=False)
    picture = console.export_svg(title="hap demo", theme=MONOKAI, unique_id="demo")
    # A picture loads nothing from elsewhere; the reader's own monospaced font is fine.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(record(), encoding="utf-8")
