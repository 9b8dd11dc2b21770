"""UUIDs of the GATT database that belong to Bluetooth LE alone, and their form in bodies (HAP-BLE A.2.1)."""

from __future__ import annotations

from hapcore.model.uuid import BASE

__all__ = [
    "CHARACTERISTIC_INSTANCE_ID",
    "CLIENT_CONFIGURATION",
    "IDENTIFY",
    "PAIRING_FEATURES",
    "PAIRING_PAIRINGS",
    "PAIR_SETUP",
    "PAIR_VERIFY",
    "SERVICE_INSTANCE_ID",
    "VERSION",
    "from_bytes",
    "to_bytes",
]

#: The characteristic that tells the number of a service; first in every HAP service.
SERVICE_INSTANCE_ID = "E604E95D-A759-4817-87D3-AA005083A0D1"
#: The descriptor that tells the number of a characteristic.
CHARACTERISTIC_INSTANCE_ID = "DC46F0FE-81D2-4616-B5D9-6ABDD796939A"
#: Bluetooth's own descriptor with which a central switches indications on and off.
CLIENT_CONFIGURATION = "00002902-0000-1000-8000-00805F9B34FB"

IDENTIFY = "00000014" + BASE
VERSION = "00000037" + BASE
PAIR_SETUP = "0000004C" + BASE
PAIR_VERIFY = "0000004E" + BASE
PAIRING_FEATURES = "0000004F" + BASE
PAIRING_PAIRINGS = "00000050" + BASE


def to_bytes(uuid: str) -> bytes:
    """The 16 bytes of a full UUID as they stand in a body: little-endian."""
    return bytes.fromhex(uuid.replace("-", ""))[::-1]


def from_bytes(data: bytes) -> str:
    """The full upper-case UUID of 16 little-endian bytes; `ValueError` for another size."""
    if len(data) != 16:
        raise ValueError(f"a UUID of {len(data)} bytes")
    digits = data[::-1].hex().upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
