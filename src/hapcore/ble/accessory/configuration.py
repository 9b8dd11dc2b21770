"""Configuration over Bluetooth LE: broadcasts of a characteristic, the broadcast key, and the info request."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final

from hapcore.ble.accessory.broadcasts import IDENTIFIER_SIZE, Interval
from hapcore.ble.accessory.session import Session
from hapcore.ble.accessory.table import Cell
from hapcore.ble.advert import broadcast_key, fold_config_number
from hapcore.codec import tlv8
from hapcore.codec.pdu import PduStatus
from hapcore.codec.tlv8 import TlvError
from hapcore.model.information import MODEL
from hapcore.setup_code import setup_hash

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["PROTOCOL_VERSION", "characteristic", "info", "protocol"]

#: The version of the protocol over Bluetooth LE that we speak.
PROTOCOL_VERSION: Final = "2.2.0"

_INVALID: Final = (PduStatus.INVALID_REQUEST, b"")

# Characteristic configuration (HAP-BLE A.5.9).
_PROPERTIES: Final = 1
_INTERVAL: Final = 2
_BROADCAST: Final = 1

# Protocol configuration (HAP-BLE A.5.8).
_GENERATE: Final = 1
_GET_ALL: Final = 2
_IDENTIFY: Final = 3


def _read(body: bytes, *wanted: int) -> dict[int, bytes]:
    """The wanted items; others are ignored. Raises `TlvError` when one comes twice."""
    found: dict[int, bytes] = {}
    for kind, value in tlv8.decode(body):
        if kind in wanted:
            if kind in found:
                raise TlvError(f"item {kind} comes twice")
            found[kind] = value
    return found


def characteristic(peripheral: Peripheral, cell: Cell, body: bytes) -> tuple[PduStatus, bytes]:
    """Switch broadcasts of a characteristic on or off; without items only tell how it is."""
    try:
        found = _read(body, _PROPERTIES, _INTERVAL)
    except TlvError:
        return _INVALID
    properties, interval = found.get(_PROPERTIES), found.get(_INTERVAL)
    if properties is None:
        if interval is not None:
            return _INVALID
    elif len(properties) != 2 or int.from_bytes(properties, "little") & ~_BROADCAST:
        return _INVALID
    elif properties[0] & _BROADCAST:
        if interval is not None and (len(interval) != 1 or interval[0] not in _INTERVALS):
            return _INVALID
        if not cell.broadcasts:
            return _INVALID
        peripheral.keep(peripheral.broadcasts.configure(cell.iid, Interval(interval[0]) if interval else Interval.FAST))
    elif interval is not None:
        return _INVALID
    elif cell.broadcasts:
        peripheral.keep(peripheral.broadcasts.configure(cell.iid, None))
    current = peripheral.broadcasts.settings.get(cell.iid)
    if current is None:
        return PduStatus.SUCCESS, tlv8.encode([(_PROPERTIES, b"\0\0")])
    return PduStatus.SUCCESS, tlv8.encode([(_INTERVAL, bytes((current,))), (_PROPERTIES, b"\1\0")])


_INTERVALS: Final = frozenset(Interval)


def protocol(peripheral: Peripheral, session: Session, body: bytes) -> tuple[PduStatus, bytes]:
    """Make a broadcast key, set the advertising identifier, tell all parameters."""
    try:
        found = _read(body, _GENERATE, _GET_ALL, _IDENTIFY)
    except TlvError:
        return _INVALID
    identifier = found.get(_IDENTIFY)
    if found.get(_GENERATE) or found.get(_GET_ALL) or (identifier is not None and len(identifier) != IDENTIFIER_SIZE):
        return _INVALID
    broadcasts, number = peripheral.broadcasts, peripheral.state_number.value
    if _GENERATE in found and session.shared is not None:
        key = broadcast_key(session.shared, session.ltpk)
        peripheral.keep(broadcasts.renew(key, number, identifier))
    elif identifier is not None:
        peripheral.keep(broadcasts.identify(identifier))
    if _GET_ALL not in found:
        return PduStatus.SUCCESS, b""
    items = [
        (1, number.to_bytes(2, "little")),
        (2, bytes((fold_config_number(peripheral.config_number),))),
        (3, peripheral.advertising_identifier),
    ]
    if broadcasts.key is not None:
        items.append((4, broadcasts.key.reveal()))
    return PduStatus.SUCCESS, tlv8.encode(items)


def info(peripheral: Peripheral) -> tuple[PduStatus, bytes]:
    """What the advertisement says, and a little more (HAP-BLE A.3.4)."""
    accessory = peripheral.database.accessories[0]
    model = accessory.information.get(MODEL)
    items = [
        (1, peripheral.state_number.value.to_bytes(2, "little")),
        (2, ((peripheral.config_number - 1) % 0xFFFF + 1).to_bytes(2, "little")),
        (3, peripheral.device_id_bytes),
        (4, b"\0"),
        (5, (model.value if model is not None else "").encode()),
        (6, PROTOCOL_VERSION.encode()),
        (7, b"\0" if peripheral.paired else b"\1"),
        (8, peripheral.config.category.to_bytes(2, "little")),
        (9, b64decode(setup_hash(peripheral.stored.setup.setup_id, peripheral.device_id))),
    ]
    return PduStatus.SUCCESS, tlv8.encode(items)
