"""What the engine wants done by a radio and a GATT client. One GATT operation is under way at a time."""

from __future__ import annotations

from attrs import field, frozen

from hapcore.engine import Effect

__all__ = [
    "GattConnect",
    "GattDisconnect",
    "GattRead",
    "GattReadDescriptor",
    "GattSubscribe",
    "GattWrite",
    "Scan",
]


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class Scan(Effect):
    """Hand over every advertisement of Apple's company id from now on, repeated ones too; or no more."""

    on: bool


@frozen
class GattConnect(Effect):
    """Connect to the device last heard at `address` and find its services; answered with a table and `max_write`.

    `fresh`: what the host remembers of its services from before is wrong, it must ask again.
    """

    operation: int
    address: str
    fresh: bool = False


@frozen
class GattDisconnect(Effect):
    """Drop the link, also one that is still being made; `link_lost` when it is gone. Nothing unanswered is awaited."""


@frozen
class GattRead(Effect):
    """Read the whole value of the attribute, with blob reads where it is long; answered with `data`."""

    operation: int
    handle: int


@frozen
class GattReadDescriptor(Effect):
    """Read the descriptor `uuid` (full, upper case) of the characteristic with that handle; answered with `data`."""

    operation: int
    handle: int
    uuid: str


@frozen
class GattWrite(Effect):
    """Write the whole value, at most 512 bytes; answered once the accessory has confirmed it if `response`."""

    operation: int
    handle: int
    data: bytes = field(repr=_size)
    response: bool = True


@frozen
class GattSubscribe(Effect):
    """Switch indications of the characteristic on or off; each goes to `receive_indication`."""

    operation: int
    handle: int
    enabled: bool = True
