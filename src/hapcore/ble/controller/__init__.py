"""The controller's side of Bluetooth LE: one engine for each accessory, over all its links."""

from __future__ import annotations

from hapcore.ble.controller.effects import (
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattSubscribe,
    GattWrite,
    Scan,
)
from hapcore.ble.controller.events import AvailabilityChanged, DatabaseChanged, PairingForgotten
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.ble.controller.peer import IDLE_TIMEOUT, Peer
from hapcore.ble.controller.states import Link, State

__all__ = [
    "IDLE_TIMEOUT",
    "Advertisement",
    "AvailabilityChanged",
    "DatabaseChanged",
    "GattConnect",
    "GattDisconnect",
    "GattRead",
    "GattReadDescriptor",
    "GattResult",
    "GattSubscribe",
    "GattWrite",
    "Link",
    "PairingForgotten",
    "Peer",
    "Scan",
    "State",
]
