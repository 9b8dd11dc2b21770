"""What a radio and a GATT client tell the engine."""

from __future__ import annotations

from attrs import field, frozen

from hapcore.ble.gatt import GattService

__all__ = ["Advertisement", "GattResult"]


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class Advertisement:
    """One advertisement: where it came from, the data behind Apple's company id, the name if it had one, dBm."""

    address: str
    manufacturer_data: bytes
    name: str = ""
    rssi: int | None = None


@frozen
class GattResult:
    """How an operation ended: with `error`, a text for people, or well.

    `data` answers reads; `table` and `max_write` (the longest value written without a long write, MTU - 3; 0 where the
    stack does not know) answer `GattConnect`.
    """

    operation: int
    data: bytes | None = field(default=None, repr=_size)
    error: str | None = None
    table: tuple[GattService, ...] | None = None
    max_write: int = 0
