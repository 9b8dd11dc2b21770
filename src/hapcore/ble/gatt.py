"""The GATT database as both engines see it (HAP-BLE A.2)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

__all__ = ["MAX_ATTRIBUTE", "GattCharacteristic", "GattService"]

#: Longest value of an attribute, fixed by Bluetooth; so no fragment is longer.
MAX_ATTRIBUTE = 512


@frozen
class GattCharacteristic:
    """A HAP characteristic as a GATT attribute.

    `handle` is a positive number that only names it: the accessory's engine gives it out, for the controller's engine
    the adapter does. `iid` is 0 where it is not known yet. All have Read and Write, those with events also Indicate;
    some accessories have Write Without Response in place of Write, then `writable` is False.
    """

    uuid: str
    iid: int
    handle: int
    readable: bool = True
    writable: bool = True
    indicates: bool = False


def _characteristics(characteristics: Iterable[GattCharacteristic]) -> tuple[GattCharacteristic, ...]:
    return tuple(characteristics)


@frozen
class GattService:
    """A primary service; `iid_handle` names its Service Instance ID characteristic, 0 where it has none."""

    uuid: str
    iid: int
    handle: int
    characteristics: tuple[GattCharacteristic, ...] = field(converter=_characteristics)
    iid_handle: int = 0
