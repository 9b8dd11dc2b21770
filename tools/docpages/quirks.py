"""docs/quirks.md, from the two tables of quirks."""

from __future__ import annotations

from tools.docpages.markdown import page, table

from hapcore.ip.quirks import WIRE_QUIRKS
from hapcore.model.quirks import DATABASE_QUIRKS

_HEADS = ("Quirk", "Seen in", "Known from", "What we do")


def render() -> str:
    """The page."""
    return page(
        ["# Quirks of real accessories"],
        [
            "Real accessories differ from the book. This is what the controller knows about, and what it does about",
            "it. Each row has a test that carries its name. The tables stand in `hapcore.model.quirks` and",
            "`hapcore.ip.quirks`; this page is written from them by `tools/generate_docs.py`.",
        ],
        ["## In the database"],
        ["What an accessory says about itself in the answer to `GET /accessories`."],
        table(_HEADS, ((f"`{row.id}`", row.device, row.source, row.what) for row in DATABASE_QUIRKS)),
        ["## On the wire"],
        ["HTTP messages, answers to reads and writes, events; and what we send, where devices are picky."],
        table(_HEADS, ((f"`{row.id}`", row.device, row.source, row.what) for row in WIRE_QUIRKS)),
        [
            "A device that still cannot be read deserves a bug report; `hap accessories -a NAME --json` shows what was",
            "understood of it.",
        ],
    )
