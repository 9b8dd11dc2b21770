"""The controller's side, whatever the transport: what the application asks, and what it hears."""

from typing import TYPE_CHECKING

from hapcore.lazy import lazily

if TYPE_CHECKING:
    from hapcore.controller.commands import CharacteristicWrite
    from hapcore.controller.device import Device
    from hapcore.controller.events import CharacteristicChanged
    from hapcore.controller.results import ReadResult, WriteResult
    from hapcore.ids import CharacteristicId, HapStatus, Value
    from hapcore.model.handle import Handle
    from hapcore.model.metadata import Format, Metadata, Permission, Unit
    from hapcore.model.snapshot import SnapshotReason
    from hapcore.model.view import Missing
else:  # an engine begins without what it does not need
    __getattr__ = lazily(
        __name__,
        ".ids",
        ".model.metadata",
        ".model.snapshot",
        ".model.view",
        ".model.handle",
        "commands",
        "results",
        "events",
        "device",
    )

__all__ = [
    "CharacteristicChanged",
    "CharacteristicId",
    "CharacteristicWrite",
    "Device",
    "Format",
    "Handle",
    "HapStatus",
    "Metadata",
    "Missing",
    "Permission",
    "ReadResult",
    "SnapshotReason",
    "Unit",
    "Value",
    "WriteResult",
]
