"""The output of homekit_python's tools, line by line. Pure: what is shown goes in, text comes out.

Nothing here prints. Where that tool shows what an accessory said as it came, the order of its keys for example, the
order is the one in which accessories usually say it; what could harm a terminal is escaped.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Final

from hap_trio.cli.former import names
from hap_trio.cli.terminal import clean
from hapcore.catalogue.categories import Category
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.discovery import SERVICE_TYPE, DiscoveredAccessory, FeatureFlags, StatusFlags, Transport
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.metadata import Permission
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription
from hapcore.pairing.records import PairingEntry
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = [
    "accessories",
    "added",
    "change",
    "characteristics",
    "discovered",
    "pairing",
    "pairings",
    "prepared",
    "put_failure",
    "removed",
    "tree",
]

_STATUSES: Final = {
    HapStatus.SUCCESS: "This specifies a success for the request.",
    HapStatus.INSUFFICIENT_PRIVILEGES: "Request denied due to insufficient privileges.",
    HapStatus.UNABLE_TO_COMMUNICATE: (
        "Unable to communicate with requested service, e.g. the power to the accessory was turned off."
    ),
    HapStatus.BUSY: "Resource is busy, try again.",
    HapStatus.READ_ONLY: "Cannot write to read only characteristic.",
    HapStatus.WRITE_ONLY: "Cannot read from a write only characteristic.",
    HapStatus.NOTIFICATION_NOT_SUPPORTED: "Notification is not supported for characteristic.",
    HapStatus.OUT_OF_RESOURCES: "Out of resources to process request.",
    HapStatus.TIMED_OUT: "Operation timed out.",
    HapStatus.DOES_NOT_EXIST: "Resource does not exist.",
    HapStatus.INVALID_VALUE: "Accessory received an invalid value in a write request.",
    HapStatus.INSUFFICIENT_AUTHORIZATION: "Insufficient Authorization.",
}
#: Where its name is another than ours.
_CATEGORIES: Final = {
    Category.IP_CAMERA: "IP Camera",
    Category.VIDEO_DOORBELL: "Video Door Bell",
    Category.GARAGE_DOOR_OPENER: "Garage",
    Category.TELEVISION: "TV",
    Category.SHOWER_HEAD: "Shower System",
    Category.TARGET_CONTROLLER: "Remote",
    Category.ROUTER: "WiFi Router",
}
#: The place of a permission in what accessories usually say.
_ORDER: Final = {one.value: number for number, one in enumerate(Permission)}


def _words(status: int) -> str:
    return next((text for known, text in _STATUSES.items() if known == status), "Unknown status.")


def _category(number: int) -> str:
    try:
        category = Category(number)
    except ValueError:
        return "Unknown"
    return _CATEGORIES.get(category) or category.name.replace("_", " ").title()


def _features(flags: FeatureFlags) -> str:
    kinds = [
        text
        for flag, text in (
            (FeatureFlags.COPROCESSOR, "Apple authentication coprocessor"),
            (FeatureFlags.SOFTWARE_TOKEN, "Software authentication"),
        )
        if flag in flags
    ]
    return f"Supports HAP Pairing with {' and '.join(kinds)}" if kinds else "No support for HAP Pairing"


def _status_flags(flags: StatusFlags) -> str:
    paired = StatusFlags.NOT_PAIRED not in flags
    told = ["Accessory has been paired." if paired else "Accessory has not been paired with any controllers."]
    if StatusFlags.NOT_CONFIGURED in flags:
        told.append("Accessory has not been configured to join a Wi-Fi network.")
    if StatusFlags.PROBLEM in flags:
        told.append("A problem has been detected on the accessory.")
    return " ".join(told)


def _heard_flags(flags: StatusFlags) -> str:
    if StatusFlags.NOT_PAIRED in flags:
        return "The accessory has not been paired with any controllers."
    return "The accessory has been paired with a controllers."


def discovered(found: DiscoveredAccessory) -> str:
    """One block of `discover` or `discover_ble`, with the empty line after it."""
    status = int(found.status_flags)
    category = f"Category Identifier (ci): {_category(found.category)} (Id: {found.category})"
    if found.transport is Transport.BLE:
        lines = [
            f"Name: {clean(found.name)}",
            f"MAC: {found.addresses[0].lower() if found.addresses else ''}",
            f"Configuration number (cn): {found.config_number}",
            f"Device ID (id): {clean(found.device_id)}",
            "Compatible Version (cv): 2",
            f"Global State Number (s#): {found.state_number}",
            f"Status Flags (sf): {_heard_flags(found.status_flags)} (Flag: {status})",
            category,
        ]
        return "\n".join(lines) + "\n"
    host = found.addresses[0] if found.addresses else ""
    lines = [
        f"Name: {clean(found.name)}.{SERVICE_TYPE}",
        f"Url: http_impl://{host}:{found.port}",
        f"Configuration number (c#): {found.config_number}",
        f"Feature Flags (ff): {_features(found.feature_flags)} (Flag: {int(found.feature_flags)})",
        f"Device ID (id): {clean(found.device_id)}",
        f"Model Name (md): {clean(found.model)}",
        f"Protocol Version (pv): {clean(found.protocol_version)}",
        f"State Number (s#): {found.state_number}",
        f"Status Flags (sf): {_status_flags(found.status_flags)} (Flag: {status})",
        category,
    ]
    return "\n".join(lines) + "\n"


def pairing(alias: str) -> str:
    """What `pair` and `pair_ble` print."""
    return f'Pairing for "{alias}" was established.'


def removed(alias: str) -> str:
    """What `remove_pairing` prints."""
    return f'Pairing for "{alias}" was removed.'


def pairings(entries: Iterable[PairingEntry]) -> str:
    """What `list_pairings` prints."""
    lines: list[str] = []
    for entry in entries:
        kind = "admin" if entry.admin else "regular"
        lines += [
            f"Pairing Id: {clean(entry.identifier.decode(errors='replace'))}",
            f"\tPublic Key: 0x{entry.ltpk.hex()}",
            f"\tPermissions: {int(entry.admin)} ({kind})",
        ]
    return "\n".join(lines)


def prepared(waiting: PreparedPairing) -> str:
    """What `prepare_add_remote_pairing` prints."""
    return (
        "Please add this to homekit.add_additional_pairing:\n"
        f"    -i {waiting.controller_id} -k {waiting.controller_ltpk.hex()}"
    )


def added(record: PairedAccessory) -> str:
    """What `add_additional_pairing` prints: `record` is ours, of the accessory that somebody was added to."""
    ble = record.transport is Transport.BLE
    mac = f" -m {record.addresses[0]}" if ble and record.addresses else ""
    return (
        "Please add this to homekit.finish_add_remote_pairing:\n"
        f"    -c {'BLE' if ble else 'IP'} -i {record.pairing.accessory_id}{mac} "
        f"-k {record.pairing.accessory_ltpk.hex()}"
    )


def _value(value: Value) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _perms(one: CharacteristicDescription) -> list[str]:
    return sorted((permission.value for permission in one.metadata.perms), key=_ORDER.__getitem__)


def accessories(found: Iterable[AccessoryDescription]) -> str:
    """What `get_accessories` prints (`-o compact`)."""
    lines: list[str] = []
    for accessory in found:
        for service in accessory.services:
            lines.append(f"{accessory.aid}.{service.iid}: >{names.service(service.type)}<")
            for one in service.characteristics:
                value = "" if one.value is None else clean(str(_value(one.value)))
                description = clean(one.metadata.description or "")
                perms = ",".join(_perms(one))
                lines.append(f"  {one.id}: ({description}) >{names.characteristic(one.type)}< [{perms}]")
                lines.append(f"    Value: {value}")
    return "\n".join(lines)


def tree(found: Iterable[AccessoryDescription]) -> str:
    """What `get_accessories -o json` prints."""
    return json.dumps(
        [
            {
                "aid": accessory.aid,
                "services": [
                    {
                        "iid": service.iid,
                        "type": service.type,
                        "characteristics": [_described(one) for one in service.characteristics],
                    }
                    for service in accessory.services
                ],
            }
            for accessory in found
        ],
        indent=4,
    )


def _described(one: CharacteristicDescription) -> dict[str, object]:
    meta = one.metadata
    told: dict[str, object] = {
        "type": one.type,
        "iid": one.iid,
        "perms": _perms(one),
        "format": meta.format.value,
        "value": _value(one.value),
        "description": meta.description,
        "unit": None if meta.unit is None else meta.unit.value,
        "minValue": meta.min,
        "maxValue": meta.max,
        "minStep": meta.step,
        "maxLen": meta.max_len,
        "maxDataLen": meta.max_data_len,
        "valid-values": None if meta.valid_values is None else list(meta.valid_values),
    }
    return {name: value for name, value in told.items() if value is not None}


def characteristics(results: Mapping[CharacteristicId, ReadResult]) -> str:
    """What `get_characteristic` prints."""
    told: dict[str, dict[str, object]] = {}
    for one, result in results.items():
        if result.status:
            told[str(one)] = {"status": int(result.status), "description": _words(result.status)}
        else:
            told[str(one)] = {"value": _value(result.value), **result.fields}
    return json.dumps(told, indent=4)


def put_failure(one: CharacteristicId, result: WriteResult) -> str:
    """What `put_characteristic` prints of a value that was refused; of the others it says nothing."""
    return f"put_characteristics failed on {one} because: {_words(result.status)} ({int(result.status)})"


def change(one: CharacteristicId, value: Value) -> str:
    """What `get_events` prints."""
    return f"event for {one}: {clean(str(_value(value)))}"
