"""Where a changed value is told: to the central that is connected, or on the air (HAP-BLE A.1.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from hapcore.ble.accessory.advertising import Broadcast
from hapcore.ble.accessory.link import Link
from hapcore.ble.accessory.table import Cell
from hapcore.ble.values import WIDTHS, write_value
from hapcore.errors import ValueRefused
from hapcore.ids import Value

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["raise_event"]


def raise_event(peripheral: Peripheral, cell: Cell, link: Link | None) -> None:
    """A characteristic holds another value than before."""
    characteristic = cell.characteristic
    if link is not None:
        if characteristic.notifies and link.writing != cell.handle:
            link.pending.add(cell.handle)
            peripheral.indicate()
    elif cell.broadcasts and _broadcast(peripheral, cell):
        return
    # The number moves while somebody is connected, too: others see it when that one has gone.
    if characteristic.disconnected_events and not peripheral.state_number.moved:
        peripheral.count()
        if link is None:
            peripheral.advertiser.changed(peripheral.now)


def _broadcast(peripheral: Peripheral, cell: Cell) -> bool:
    """Put the value itself on the air, if somebody wanted that and has a key for it."""
    broadcasts = peripheral.broadcasts
    interval = broadcasts.settings.get(cell.iid)
    form = cell.characteristic.metadata.format
    if interval is None or form not in WIDTHS or not broadcasts.usable(peripheral.state_number.value):
        return False
    try:
        value = write_value(cast("Value", cell.characteristic.value), form)
    except ValueRefused:
        return False
    # Each packet has a number of its own: it is the nonce. What is not stored could be used again after a restart.
    changes = peripheral.count_on()
    broadcast = Broadcast(peripheral.state_number.value, cell.iid, value, interval)
    # Where it cannot be stored, the plain advertisement says that something changed: that needs no nonce.
    advertiser, now = peripheral.advertiser, peripheral.now
    peripheral.store(changes, partial(advertiser.broadcast, broadcast, now), partial(advertiser.changed, now))
    return True
