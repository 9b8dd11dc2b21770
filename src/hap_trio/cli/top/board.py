"""What `hap top` shows: the paired accessories as they are known at the moment. Free of any terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from statistics import median
from typing import Final

from attrs import define, field

from hap_trio.cli.terminal import clean
from hapcore.catalogue.lookup import service_label
from hapcore.ids import CharacteristicId, Value
from hapcore.model.handle import Handle, handle
from hapcore.model.metadata import Unit
from hapcore.model.remote import AccessoryDescription
from hapcore.model.uuid import ACCESSORY_INFORMATION, normalise_uuid

__all__ = ["Board", "Lane", "Presence", "Row"]

#: Seconds that events are counted over.
MINUTE: Final = 60.0
#: Times of events kept of each accessory: one that sends more than this in a minute is shown with this many.
MAX_EVENTS: Final = 6000
#: Round trips of which the median is shown.
ROUND_TRIPS: Final = 15

#: What says nothing of how things are.
_DULL: Final = frozenset(normalise_uuid(uuid) for uuid in ("23", "37"))


class Presence(Enum):
    """How it stands with an accessory."""

    SOUGHT = "sought"
    HERE = "here"
    AWAY = "away"


@define
class Row:
    """One characteristic."""

    handle: Handle[Value]
    service: str
    value: Value
    #: When it changed last, in the clock of whoever tells.
    changed: float | None = None

    @property
    def text(self) -> str:
        """The value for people, with its unit."""
        if isinstance(self.value, bool):
            return "on" if self.value else "off"
        return "-" if self.value is None else self.handle.text(self.value)

    def stepped(self, up: bool) -> Value:
        """The value one step further, within its limits; None where that means nothing."""
        meta, value = self.handle.metadata, self.value
        if isinstance(value, bool):
            return up
        if not isinstance(value, int | float):
            return None
        if meta.valid_values is not None:
            further = [one for one in meta.valid_values if (one > value if up else one < value)]
            return (min(further) if up else max(further)) if further else value
        low, high = meta.min, meta.max
        step = meta.step or 1
        if meta.unit is Unit.PERCENTAGE and meta.format.integer and step < 5:
            step = 5  # a per cent a key press is too little
        after = value + step if up else value - step
        after = after if low is None else max(low, after)
        after = after if high is None else min(high, after)
        return int(after) if meta.format.integer else round(after, 6)


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
        self.rows = {row.handle.id: row for row in _rows(accessories, self.rows)}

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
        return next((one.handle.id for one in self.rows.values() if one.handle.readable), None)


def _rows(accessories: tuple[AccessoryDescription, ...], known: dict[CharacteristicId, Row]) -> Iterator[Row]:
    several = len(accessories) > 1
    for accessory in accessories:
        prefix = f"{clean(accessory.name or str(accessory.aid))}: " if several else ""
        for service in accessory.services:
            if service.type == ACCESSORY_INFORMATION or service.hidden:
                continue
            title = prefix + service_label(service.type)
            for one in map(handle, service.characteristics):
                if one.description.type in _DULL or not (one.readable or one.notifies):
                    continue
                before = known.get(one.id)
                value = one.description.value
                if before is None:
                    yield Row(one, title, value)
                else:
                    yield Row(one, title, before.value if value is None else value, before.changed)


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
