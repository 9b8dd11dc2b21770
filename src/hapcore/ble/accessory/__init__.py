"""The accessory over Bluetooth LE: `Peripheral`, and what it has a GATT stack do."""

from __future__ import annotations

from hapcore.ble.accessory.effects import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.accessory.peripheral import Peripheral

__all__ = [
    "DropLink",
    "GattIndicate",
    "GattRefuse",
    "GattReply",
    "Peripheral",
    "SetAdvertisement",
    "StopAdvertising",
]
