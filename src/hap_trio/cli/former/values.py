"""What the tools for accessories and their values print."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Final

from hap_trio.cli.former import names
from hap_trio.cli.terminal import clean
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.metadata import Permission
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription

__all__ = ["accessories", "change", "characteristics", "put_failure", "tree"]

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
#: The place of a permission in what accessories usually say.
_ORDER: Final = {one.value: number for number, one in enumerate(Permission)}


def _words(status: int) -> str:
    return next((text for known, text in _STATUSES.items() if known == status), "Unknown status.")


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
