"""The accessory's side, whatever the transport: what the application says and hears, and what is kept over restarts.

All that a product is made of can be imported from here, but for what the catalogue has: services, named values and
types of characteristics.
"""

from typing import TYPE_CHECKING

from hapcore.lazy import lazily

if TYPE_CHECKING:
    from hapcore.accessory.commands import AddAccessories, RefreshDatabase, RemoveAccessories, ReplaceDatabase
    from hapcore.accessory.events import (
        CharacteristicsWritten,
        HideSetupCode,
        IdentifyRequested,
        PairingAdded,
        PairingRemoved,
        PeerMisbehaved,
        SessionClosed,
        SessionOpened,
        SetupAttemptFailed,
        ShowSetupCode,
        SubscriptionChanged,
    )
    from hapcore.catalogue.categories import Category
    from hapcore.ids import Caller, CharacteristicId, HapStatus, Transport, Value
    from hapcore.model.accessory import Accessory
    from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType, HapStatusError
    from hapcore.model.group import Reads, Writes
    from hapcore.model.metadata import Format, Metadata, Permission, Unit
    from hapcore.model.service import Has, Service, ServiceType
    from hapcore.model.snapshot import SnapshotReason, SnapshotWanted
else:  # an engine begins without what it does not need
    __getattr__ = lazily(
        __name__,
        ".ids",
        ".model.metadata",
        ".model.characteristic",
        ".model.service",
        ".model.accessory",
        ".model.group",
        ".model.snapshot",
        ".catalogue.categories",
        "commands",
        "events",
    )

__all__ = [
    "Accessory",
    "AddAccessories",
    "AnyCharacteristic",
    "Caller",
    "Category",
    "Characteristic",
    "CharacteristicId",
    "CharacteristicType",
    "CharacteristicsWritten",
    "Format",
    "HapStatus",
    "HapStatusError",
    "Has",
    "HideSetupCode",
    "IdentifyRequested",
    "Metadata",
    "PairingAdded",
    "PairingRemoved",
    "PeerMisbehaved",
    "Permission",
    "Reads",
    "RefreshDatabase",
    "RemoveAccessories",
    "ReplaceDatabase",
    "Service",
    "ServiceType",
    "SessionClosed",
    "SessionOpened",
    "SetupAttemptFailed",
    "ShowSetupCode",
    "SnapshotReason",
    "SnapshotWanted",
    "SubscriptionChanged",
    "Transport",
    "Unit",
    "Value",
    "Writes",
]
