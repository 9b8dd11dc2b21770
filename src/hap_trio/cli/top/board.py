"""What `hap top` shows: the paired accessories as they are known at the moment. Free of any terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from statistics import median
from typing import Final

from attrs import define, field

from hapcore.catalogue import characteristic_name, service_name
from hapcore.ids import CharacteristicId, Value
from hapcore.model.metadata import Metadata, Permission, Unit
from hapcore.model.remote import AccessoryDescription
from hapcore.model.uuid import ACCESSORY_INFORMATION

__all__ = ["Board", "Lane", "Presence", "Row", "one_line"]

#: Seconds that events are counted over.
MINUTE: Final = 60.0
#: Times of events kept of each accessory: one that sends more than this in a minute is shown with this many.
MAX_EVENTS: Final = 6000
#: Round trips of which the median is shown.
ROUND_TRIPS: Final = 15

_SYMBOLS: Final = {
    Unit.CELSIUS: " °C",
    Unit.PERCENTAGE: " %",
    Unit.ARCDEGREES: "°",
    Unit.LUX: " lx",
    Unit.SECONDS: " s",
}


class Presence(Enum):
    """How it stands with an accessory."""

    SOUGHT = "sought"
    HERE = "here"
    AWAY = "away"


def one_line(text: str) -> str:
    """A text of a peer, fit for a terminal: control characters and line ends are shown as what they are."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


@define
class Row:
    """One characteristic."""

    id: CharacteristicId
    service: str
    name: str
    metadata: Metadata
    value: Value
    #: When it changed last, in the clock of whoever tells.
    changed: float | None = None

    @property
    def writable(self) -> bool:
        """Whether it can be set."""
        return Permission.WRITE in self.metadata.perms

    @property
    def text(self) -> str:
        """The value for people, with its unit."""
        value = self.value
        if value is None:
            return "-"
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, bytes):
            return f"{len(value)} bytes"
        if isinstance(value, str):
            return one_line(value)
        unit = self.metadata.unit
        return f"{value:g}{'' if unit is None else _SYMBOLS[unit]}"

    def stepped(self, up: bool) -> Value:
        """The value one step further, within its limits; None where that means nothing."""
        meta, value = self.metadata, self.value
        if isinstance(value, bool):
            return up
        if not isinstance(value, int | float):
            return None
        if meta.valid_values is not None:
            further = [one for one in meta.valid_values if (one > value if up else one < value)]
            return (min(further) if up else max(further)) if further else value
        low, high = meta.min, meta.max
        step = meta.step or 1
        if unit_wide(meta) and step < 5:
            step = 5  # a per cent a key press is too little
        after = value + step if up else value - step
        after = after if low is None else max(low, after)
        after = after if high is None else min(high, after)
        return int(after) if meta.format.integer else round(after, 6)


def unit_wide(meta: Metadata) -> bool:
    """Whether it is a whole scale of per cent."""
    return meta.unit is Unit.PERCENTAGE and meta.format.integer


@define
class Lane:
    """One paired accessory, with all that is behind it."""

    alias: str
    presence: Presence = Presence.SOUGHT
    #: Why it is away, in a line.
    reason: str = ""
    rows: dict[CharacteristicId, Row] = field(factory=dict[CharacteristicId, Row])
    #: How often something may have been missed.
    gaps: int = 0
    _events: deque[float] = field(factory=lambda: deque[float](maxlen=MAX_EVENTS))
    _trips: deque[float] = field(factory=lambda: deque[float](maxlen=ROUND_TRIPS))

    def describe(self, accessories: tuple[AccessoryDescription, ...]) -> None:
        """Take over a database; what was known of a characteristic that is still there stays."""
        self.rows = {row.id: row for row in _rows(accessories, self.rows)}

    def change(self, number: CharacteristicId, value: Value, now: float, *, counted: bool = True) -> None:
        """A value is another now. What was only read is no event and not counted."""
        if counted:
            self._events.append(now)
        if (row := self.rows.get(number)) is not None:
            row.value, row.changed = value, now

    def took(self, seconds: float) -> None:
        """A question was answered after so many seconds."""
        self._trips.append(seconds)

    def events(self, now: float) -> int:
        """How many changes came within the last minute."""
        while self._events and self._events[0] <= now - MINUTE:
            self._events.popleft()
        return len(self._events)

    @property
    def round_trip(self) -> float | None:
        """The median of the last questions, in seconds."""
        return median(self._trips) if self._trips else None

    @property
    def probe(self) -> CharacteristicId | None:
        """What can be asked for to measure a round trip: the first that can be read."""
        return next((one.id for one in self.rows.values() if Permission.READ in one.metadata.perms), None)


def _rows(accessories: tuple[AccessoryDescription, ...], known: dict[CharacteristicId, Row]) -> Iterator[Row]:
    several = len(accessories) > 1
    for accessory in accessories:
        prefix = f"{one_line(accessory.name or str(accessory.aid))}: " if several else ""
        for service in accessory.services:
            if service.type == ACCESSORY_INFORMATION or service.hidden:
                continue
            title = prefix + (service_name(service.type) or service.type)
            for one in service.characteristics:
                if not one.metadata.perms & {Permission.READ, Permission.EVENTS}:
                    continue
                before = known.get(one.id)
                value = one.value if before is None or one.value is not None else before.value
                name = characteristic_name(one.type) or one_line(one.metadata.description or one.type)
                changed = None if before is None else before.changed
                yield Row(one.id, title, name, one.metadata, value, changed)


class Board:
    """All accessories, in the order of their names."""

    def __init__(self, aliases: tuple[str, ...]) -> None:
        self.lanes = {alias: Lane(alias) for alias in sorted(aliases)}

    def lane(self, alias: str) -> Lane:
        """That of an accessory; one that is new gets one."""
        if alias not in self.lanes:
            self.lanes[alias] = Lane(alias)
            self.lanes = dict(sorted(self.lanes.items()))
        return self.lanes[alias]
