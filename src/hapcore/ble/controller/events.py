"""What a peer tells beside the changes of characteristics: whether it can be reached, what became of its database."""

from __future__ import annotations

from attrs import field, frozen

from hapcore.engine import Event
from hapcore.errors import HapError
from hapcore.model.remote import AccessoryDescription

__all__ = ["AvailabilityChanged", "DatabaseChanged", "PairingForgotten"]


@frozen
class AvailabilityChanged(Event):
    """`reachable` once it was heard or connected, False when it could not be connected although it was needed.

    Silence alone says nothing: battery devices are silent for days (HAP-BLE A.7).
    """

    reachable: bool
    reason: HapError | None = None


@frozen
class DatabaseChanged(Event):
    """The database was read for the first time or anew: firmware and configuration changes renumber (HAP-BLE A.1.2)."""

    accessories: tuple[AccessoryDescription, ...] = field(repr=lambda found: f"<{len(found)}>")


@frozen
class PairingForgotten(Event):
    """The accessory announces that nobody has paired it, though we have: it was reset, or we were removed elsewhere."""
