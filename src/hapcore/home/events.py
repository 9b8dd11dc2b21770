"""What a home tells without having been asked, or to those who follow something."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import frozen

from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Event
from hapcore.errors import HapError
from hapcore.home.supervision.happenings import Happening

__all__ = ["Ended", "News", "NotStored", "Told"]


@frozen
class News(Event):
    """Something new for a reader: of `Follow` a changed value, of `Discover` an accessory, of `Supervise` any."""

    to: Hashable
    item: CharacteristicChanged | DiscoveredAccessory | Happening


@frozen
class Ended(Event):
    """No more news for a reader, because of `reason`; None if that is as it was wanted."""

    to: Hashable
    reason: HapError | None = None


@frozen
class Told(Event):
    """What the connection to a paired accessory says beside: `SessionClosed`, `EventUnreadable`."""

    alias: str
    event: Event


@frozen
class NotStored(Event):
    """Where an accessory has moved to could not be stored. It is known until the end of this home."""

    alias: str
    error: HapError
