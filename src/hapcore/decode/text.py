"""Entries for terminals, and for machines as JSON. What peers sent is escaped: no control character of theirs acts."""

from __future__ import annotations

from hapcore.decode.model import Direction, Entry, Kind, Touched

__all__ = ["escape", "render", "to_json"]

_ARROWS = {Direction.TO_ACCESSORY: "-->", Direction.TO_CONTROLLER: "<--", Direction.NEITHER: "---"}
#: Seconds after which an answer is remarkably late.
_SLOW = 1.0


def escape(text: str) -> str:
    """The same with everything that does not print, line ends too, written as \\n, \\x1b or \\u202e."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def clock(time: float) -> str:
    """Time of day in UTC, to the millisecond."""
    thousandths = round(time * 1000)
    seconds, rest = divmod(thousandths, 1000)
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def render(entry: Entry, *, details: bool = False, connection: bool = True) -> str:
    """An entry as one line for each thing it says, without a line end behind the last.

    With `details` also headers, items and bodies; without `connection` the name of the connection is left out.
    """
    title = escape(entry.title)
    if entry.kind is Kind.GAP:
        title = f"!! {title}"
    elif entry.kind is Kind.EVENT:
        title = f"* {title}"
    if entry.took is not None:
        title += f"  ({_duration(entry.took)}{', late' if entry.took > _SLOW else ''})"
    place = f"  [{escape(entry.connection)}]" if connection else ""
    lines = [f"{clock(entry.time)} {_ARROWS[entry.direction]} {title}{place}"]
    lines += [f"      {_touched(one)}" for one in entry.touched]
    if details:
        for name, text in entry.details:
            first, *more = text.split("\n")
            lines.append(f"      {escape(name)}: {escape(first)}")
            lines += [f"        {escape(one)}" for one in more]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _touched(one: Touched) -> str:
    number = f"{one.aid}.{one.iid}"
    text = escape(one.name) if one.name == number else f"{number} {escape(one.name)}"
    if one.value is not None:
        text += f" = {escape(one.value)}"
    if one.status:
        text += f"  (status {one.status})"
    return text


def to_json(entry: Entry, *, details: bool = False) -> dict[str, object]:
    """An entry as JSON can say it. With `details` also headers, items and bodies, and the message in hexadecimal."""
    found: dict[str, object] = {
        "number": entry.number,
        "time": entry.time,
        "connection": entry.connection,
        "accessory": entry.accessory,
        "kind": entry.kind.value,
        "direction": entry.direction.value,
        "title": entry.title,
        "size": len(entry.data),
    }
    if entry.took is not None:
        found["took"] = entry.took
    if entry.answers is not None:
        found["answers"] = entry.answers
    if entry.touched:
        found["touched"] = [
            {"aid": one.aid, "iid": one.iid, "name": one.name}
            | ({} if one.value is None else {"value": one.value})
            | ({} if one.status is None else {"status": one.status})
            for one in entry.touched
        ]
    if details:
        found["details"] = [list(one) for one in entry.details]
        found["data"] = entry.data.hex()
    return found
