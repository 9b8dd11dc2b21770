"""The picture of a decoded conversation: one HTML file that loads nothing and runs nothing but its own script.

Everything a peer said (titles, names, values, headers, bytes) is carried as JSON in elements that no browser runs, and
shown as text by the page's script, which is named by its hash in the Content-Security-Policy. How the page looks is
handed in, because it stands in files and hapcore reads none: `hap_trio.cli.page` has ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping

from attrs import define, field, frozen

from hapcore.decode.model import Direction, Entry, Kind, Touched
from hapcore.ids import HapStatus

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "MAX_PAGE", "MAX_TEXT", "SLOW", "Look", "report"]

#: An answer that took longer, in seconds, is marked.
SLOW = 1.0
#: Entries in one page. A browser draws only what is in sight, but reads the rest: so many short ones are 40 MB, open in
#: about a second and are searched in another.
MAX_ENTRIES = 200_000
#: Characters in one page; browsers have no text longer than about 512 Mi, and nobody sends such a file.
MAX_PAGE = 256 * 1024 * 1024
#: Bytes kept of one message; more is nothing that anyone reads as a hex dump.
MAX_BYTES = 64 * 1024
#: Characters kept of one text of the details, or of one value.
MAX_TEXT = 64 * 1024
#: Characters of a value in the diagram; the whole one is shown with the bytes.
SHORT_VALUE = 160
#: Characters of a title in the diagram. Requests that name many characteristics are longer.
SHORT_TITLE = 2000
#: Entries in one element: what the page reads at once when someone opens a message.
BLOCK = 256

_HANDSHAKE = re.compile(r"(pair-(?:setup|verify|resume)) M(\d{1,2})\b")
_REFUSED = re.compile(r"[45]\d\d\b")
_REFUSED_PAIRING = re.compile(r"[\w -]{1,40}: [45]\d\d\b")
_DIRECTIONS = {Direction.TO_ACCESSORY: "a", Direction.TO_CONTROLLER: "c", Direction.NEITHER: ""}
#: What would end the element early, or mean something to a reader of HTML or of old JavaScript.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>HAP conversation</title>
<style>{style}</style>
</head>
<body>
"""


@frozen
class Look:
    """How the page looks and behaves: the markup of the body, the style sheet and the script, as one text each."""

    body: str = field(repr=False)
    style: str = field(repr=False)
    script: str = field(repr=False)


@define
class _Names:
    """Numbers for texts that are repeated in every row: connections and accessories."""

    known: dict[str, int] = field(factory=dict[str, int])

    def number(self, text: str) -> int:
        return self.known.setdefault(text, len(self.known))


@define
class _Handshakes:
    """Which messages of a connection are one handshake: their numbers rise, and nothing else is between."""

    running: dict[str, tuple[str, int, int]] = field(factory=dict[str, tuple[str, int, int]])

    def place(self, entry: Entry) -> dict[str, object]:
        """Name, step and the number of the first message, for a message of a handshake; nothing for all else."""
        found = _HANDSHAKE.match(entry.title) if entry.kind is Kind.PAIRING else None
        if found is None:
            if entry.kind not in (Kind.GAP, Kind.NOTE):  # what is missing or remarked does not end a handshake
                self.running.pop(entry.connection, None)
            return {}
        name, step = found[1], int(found[2])
        before, last, first = self.running.get(entry.connection, ("", 0, 0))
        if before != name or step <= last:
            first = entry.number
        self.running[entry.connection] = (name, step, first)
        return {"fold": first, "handshake": name, "step": step}


def report(entries: Iterable[Entry], title: str, look: Look, remarks: Iterable[str] = ()) -> Iterator[str]:
    """The page, piece by piece; no more than one block of entries is kept. Only ASCII comes from the entries.

    `remarks` are said at the top, one line each, as "the capture was cut off"; they are asked for after the last entry,
    when they are known. Beyond `MAX_ENTRIES` or `MAX_PAGE` the page says how many entries are not in it.

    It shows the conversation with all values and bytes that the entries carry: who sends it to somebody shows him what
    was said.
    """
    style, script = f"\n{look.style}\n", f"\n{look.script}\n"
    yield _HEAD.format(policy=_policy(style, script), style=style)
    yield look.body
    connections, accessories, handshakes = _Names(), _Names(), _Handshakes()
    rows: list[str] = []
    details: list[str] = []
    shown = left_out = size = 0
    for entry in entries:
        if shown == MAX_ENTRIES or size > MAX_PAGE:
            left_out += 1
            continue
        row = _row(entry) | handshakes.place(entry)
        row["c"] = connections.number(entry.connection)
        row["a"] = accessories.number(entry.accessory)
        rows.append(_json(row))
        details.append(_json(_details(entry)))
        size += len(rows[-1]) + len(details[-1])
        shown += 1
        if len(rows) == BLOCK:
            yield from _block(rows, details)
            rows, details = [], []
    if rows:
        yield from _block(rows, details)
    tables = {
        "title": title,
        "connections": list(connections.known),
        "accessories": list(accessories.known),
        "leftOut": left_out,
        "remarks": [_cut(remark, SHORT_TITLE) for remark in remarks],
        "block": BLOCK,
        "statuses": {int(status): status.text for status in HapStatus},
    }
    yield f'<script type="application/json" id="tables">{_json(tables)}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and only this style and this script are used, whatever else the page may come to hold."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    parts = f"script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; {parts}"


def _block(rows: list[str], details: list[str]) -> Iterator[str]:
    for name, items in (("rows", rows), ("details", details)):
        lines = ",\n".join(items)
        yield f'<script type="application/json" class="{name}">[\n{lines}\n]</script>\n'


def _json(value: object) -> str:
    """JSON in ASCII that stands in a script element: also no lone surrogate, U+2028 or U+2029."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def _row(entry: Entry) -> dict[str, object]:
    """What the diagram needs of an entry; what is empty is left out."""
    row: dict[str, object] = {
        "n": entry.number,
        "t": _seconds(entry.time),
        "kind": entry.kind.value,
        "title": _cut(entry.title, SHORT_TITLE),
    }
    if direction := _DIRECTIONS[entry.direction]:
        row["to"] = direction
    if entry.took is not None:
        row["took"] = _seconds(entry.took)
    if entry.answers is not None:
        row["answers"] = entry.answers
    if entry.touched:
        row["touched"] = [_touched(one, SHORT_VALUE) for one in entry.touched]
    if marks := _marks(entry):
        row["marks"] = marks
    return row


def _marks(entry: Entry) -> list[str]:
    """What somebody who looks for a fault wants to see first."""
    marks: list[str] = []
    if entry.took is not None and entry.took > SLOW:
        marks.append("slow")
    if entry.kind is Kind.GAP:
        marks.append("gap")
    refused = any(one.status for one in entry.touched)
    if entry.kind is Kind.RESPONSE:
        refused = refused or _REFUSED.match(entry.title) is not None
    elif entry.kind is Kind.PAIRING:
        refused = refused or _REFUSED_PAIRING.match(entry.title) is not None
        refused = refused or any(name == "Error" for name, _ in entry.details)
    if refused:
        marks.append("refused")
    return marks


def _touched(one: Touched, limit: int) -> Mapping[str, object]:
    item: dict[str, object] = {"aid": one.aid, "iid": one.iid, "name": _cut(one.name, SHORT_VALUE)}
    if one.value is not None:
        item["value"] = _cut(one.value, limit)
    if one.status is not None:
        item["status"] = one.status
    return item


def _details(entry: Entry) -> dict[str, object]:
    """What is shown when an entry is opened."""
    found: dict[str, object] = {}
    if entry.details:
        found["details"] = [[_cut(name, SHORT_VALUE), _cut(text, MAX_TEXT)] for name, text in entry.details]
    if entry.data:
        found["size"] = len(entry.data)
        found["data"] = base64.b64encode(entry.data[:MAX_BYTES]).decode()
    if len(entry.title) > SHORT_TITLE:
        found["title"] = _cut(entry.title, MAX_TEXT)
    if any(one.value is not None and len(one.value) > SHORT_VALUE for one in entry.touched):
        found["touched"] = [_touched(one, MAX_TEXT) for one in entry.touched]
    return found


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\u2026 ({len(text) - limit} more characters)"


def _seconds(value: float) -> float | None:
    """To the microsecond, as captures have it; None for what is no time, which JSON has no form for."""
    return round(value, 6) if math.isfinite(value) else None
