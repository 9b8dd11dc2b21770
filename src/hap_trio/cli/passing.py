"""What passes through a proxy, as it comes: lines for people, or an object for machines."""

from __future__ import annotations

from attrs import evolve

from hapcore.decode import Entry, render, to_json

__all__ = ["record", "sentences"]

#: Characteristics of one message that are shown, unless all are wanted.
SHORT = 8


def record(entry: Entry) -> dict[str, object]:
    """The entry for machines."""
    found = to_json(entry, details=True)
    # It is told from what the engines say, not from bytes.
    return {"event": "message"} | {name: one for name, one in found.items() if name not in ("data", "size")}


def sentences(entry: Entry, *, everything: bool = False) -> str:
    """The entry for people: of long messages only how long they are, unless `everything` is wanted."""
    if len(entry.touched) > SHORT and not everything:
        entry = evolve(entry, title=f"{entry.title}: {len(entry.touched)} characteristics", touched=())
    return render(entry, details=True)
