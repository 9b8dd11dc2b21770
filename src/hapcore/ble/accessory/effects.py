"""What the accessory's engine has a GATT stack do."""

from __future__ import annotations

from attrs import field, frozen

from hapcore.engine import Effect

__all__ = ["DropLink", "GattIndicate", "GattRefuse", "GattReply", "SetAdvertisement", "StopAdvertising"]


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class GattReply(Effect):
    """Answer the request that waits: the whole attribute value for a read, `b""` for a write or a subscription."""

    data: bytes = field(repr=_size)


@frozen
class GattRefuse(Effect):
    """Answer the request that waits with an ATT error."""

    code: int


@frozen
class GattIndicate(Effect):
    """Send an empty indication of this value handle; `indication_confirmed` when the central has confirmed it."""

    handle: int


@frozen
class DropLink(Effect):
    """Disconnect the central; `link_closed` when it is done."""


@frozen
class SetAdvertisement(Effect):
    """Advertise this from now on, connectably, in place of what was advertised before.

    `data` and `scan_response` are whole, at most 31 bytes each; `interval` is in seconds, a multiple of 0.625 ms.
    """

    data: bytes
    scan_response: bytes
    interval: float


@frozen
class StopAdvertising(Effect):
    """Be silent on the air."""
