"""What a bleak client finds on the other side."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from attrs import frozen
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic, GattCharacteristicsFlags
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bumble.core import UUID
from bumble.gatt import GATT_GENERIC_ACCESS_SERVICE
from bumble.gatt_client import CharacteristicProxy, Client

__all__ = ["Habits", "discover"]

T = TypeVar("T")


@frozen
class Habits:
    """How a platform presents what it finds.

    `bluez` does as BlueZ is known to: a characteristic has the handle of its declaration, nothing is in the order of
    handles, Generic Access is hidden, the MTU is said to be 23, and a link lost in the middle of an operation is an
    "unlikely" ATT error.
    """

    bluez: bool = False

    def arrange(self, found: Iterable[T]) -> list[T]:
        """In the platform's order."""
        return list(found)[::-1] if self.bluez else list(found)


async def discover(
    gatt: Client, wanted: set[str] | None, habits: Habits, fits: Callable[[], int]
) -> BleakGATTServiceCollection:
    """Walk the table of a connected peripheral; `wanted` names services, None means all."""
    collection = BleakGATTServiceCollection()
    for service in habits.arrange(await gatt.discover_services()):
        uuid = _text(service.uuid)
        if (wanted is not None and uuid not in wanted) or (
            habits.bluez and service.uuid == GATT_GENERIC_ACCESS_SERVICE
        ):
            continue
        shown = BleakGATTService(service, service.handle, uuid)
        collection.add_service(shown)
        for one in habits.arrange(await service.discover_characteristics()):
            await one.discover_descriptors()
            # A declaration stands right before its value.
            handle = one.handle - 1 if habits.bluez else one.handle
            characteristic = BleakGATTCharacteristic(one, handle, _text(one.uuid), _properties(one), fits, shown)
            collection.add_characteristic(characteristic)
            for other in habits.arrange(one.descriptors):
                descriptor = BleakGATTDescriptor(other, other.handle, _text(other.type), characteristic)
                collection.add_descriptor(descriptor)
    return collection


def _properties(one: CharacteristicProxy[bytes]) -> list[CharacteristicPropertyName]:
    names = [flag.name.replace("_", "-") for flag in GattCharacteristicsFlags if one.properties & flag.value]
    return cast("list[CharacteristicPropertyName]", names)


def _text(uuid: UUID) -> str:
    short = uuid.to_hex_str("-").lower()
    return f"0000{short}-0000-1000-8000-00805f9b34fb" if len(short) == 4 else short
