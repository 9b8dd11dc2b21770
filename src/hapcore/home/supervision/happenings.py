"""What is told of an accessory that is watched over."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

from hapcore.controller.device import Device
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId, Value
from hapcore.model.handle import Handle
from hapcore.model.remote import AccessoryDescription

__all__ = [
    "HAPPENINGS_LIMIT",
    "Available",
    "DatabaseChanged",
    "Gap",
    "Happening",
    "Source",
    "Unavailable",
    "ValueChanged",
]


#: What a reader may be behind: the beginning alone is several thousand values in a house of three hundred accessories.
#: Who is further behind than that is told so, and reads no more.
HAPPENINGS_LIMIT: Final = 100_000


class Source(Enum):
    """How a value became known."""

    #: The accessory said so by itself.
    EVENT = "event"
    #: Everything was read, at the beginning or after a time in which events may have been lost.
    READ = "read"
    #: It does not say so by itself, and is asked from time to time.
    POLL = "poll"


@frozen
class Available:
    """The accessory can be used: connected, verified, followed, and all values known are told."""

    alias: str


@frozen
class Unavailable:
    """The accessory cannot be used, because of `reason`; it is looked for until it is back.

    Said once until `Available` follows; once more if it then turns out that it does not know us any more, with
    `PairingRefused` as the reason; and as the last word of an accessory whose pairing was removed.
    """

    alias: str
    reason: HapError


@frozen
class Gap:
    """Events may have been lost between `since` and `until`, seconds of the caller's clock.

    Everything followed has been read again by now, and what differs was told. What is lost for good are button presses
    and values that have changed and changed back. `since` is when the last question was put that was answered; over
    Bluetooth LE, when the accessory was last heard.
    """

    alias: str
    since: float
    until: float


@frozen
class ValueChanged:
    """A value is another one than was known of, or was not known; or a button was pressed (HAP 8.10, `EVENT` only).

    `id` is the number, and knows what the characteristic is: `id.name` is "Brightness", `id.text(value)` is "40 %".
    """

    alias: str
    id: Handle[Value]
    value: Value
    source: Source


@frozen
class DatabaseChanged:
    """The database was read for the first time, or is another one. Ids that are in neither `added` nor `removed` stay.

    A number that is used for another type of characteristic now is in both.
    """

    alias: str
    accessories: tuple[AccessoryDescription, ...] = field(repr=lambda found: f"<{len(found)}>")
    added: frozenset[CharacteristicId]
    removed: frozenset[CharacteristicId]

    @property
    def device(self) -> Device:
        """All of it as typed objects, as from `client.device()`."""
        return Device(self.accessories)


Happening: TypeAlias = Available | Unavailable | Gap | ValueChanged | DatabaseChanged
