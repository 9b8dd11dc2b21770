"""A database of ours as JSON, and the same database made of it: numbers, keys, limits, values, who answers for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hapcore.ids import Caller, HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType, HapStatusError
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.model.service import Service, ServiceType
from hapcore.model.snapshot import SnapshotWanted

__all__ = ["describe_database", "make_database", "nobody"]

_PYTHON: Final[dict[Format, type]] = {
    Format.BOOL: bool,
    Format.FLOAT: float,
    Format.STRING: str,
    Format.TLV8: bytes,
    Format.DATA: bytes,
}
_FLAGS: Final = ("admin_only_read", "admin_only_write", "clear_read", "clear_write", "control_point")
_HANDLED: Final = ("read_handled", "write_handled")


def describe_database(database: Database, encode: Callable[[object], Any]) -> Any:
    """The database as JSON; `encode` says what a value and the metadata look like."""

    def characteristic(one: AnyCharacteristic) -> dict[str, Any]:
        found = {
            "name": one.type.name,
            "uuid": one.type.uuid,
            "key": one.key,
            "iid": one.fixed_iid,
            "metadata": encode(one.metadata),
            "value": encode(one.value),
        }
        if one.disconnected_events != (one.readable and one.notifies and one.broadcasts):
            found["disconnected_events"] = one.disconnected_events
        return {**found, **{flag: True for flag in (*_FLAGS, *_HANDLED) if getattr(one, flag)}}

    def service(one: Service, all_: list[Service]) -> dict[str, Any]:
        return {
            "name": one.type.name,
            "uuid": one.type.uuid,
            "key": one.key,
            "iid": one.fixed_iid,
            "primary": one.primary,
            "hidden": one.hidden,
            "linked": [all_.index(other) for other in one.linked if other in all_],
            "characteristics": [characteristic(each) for each in one.characteristics],
        }

    return {
        "ids": dict(database.ids),
        "accessories": [
            {
                "key": one.key,
                "name": one.name,
                "aid": one.fixed_aid,
                "category": one.category,
                "services": [service(each, one.services) for each in one.services],
                **({"camera": True} if one.snapshot_fn is not None else {}),
            }
            for one in database.accessories
        ],
    }


def nobody(wanted: SnapshotWanted, caller: Caller) -> bytes:
    """In the place of who takes the pictures of a camera: the answers stand in the transcript."""
    del wanted, caller
    raise HapStatusError(HapStatus.UNABLE_TO_COMMUNICATE)


def make_database(content: Any, decode: Callable[[Any], Any]) -> Database:
    """The reverse. Raises `ValueError`, `KeyError` or `TypeError` for what describes no database."""
    accessories: list[Accessory] = []
    for one in content["accessories"]:
        services = [_service(each, decode) for each in one["services"]]
        for made, each in zip(services, one["services"], strict=True):
            made.linked += [services[index] for index in each["linked"]]
        accessory = Accessory(one["name"], services=services, category=one["category"], key=one["key"], aid=one["aid"])
        if one.get("camera") is True:
            accessory.snapshot(nobody)
        accessories.append(accessory)
    return Database(accessories, ids={str(key): int(number) for key, number in content["ids"].items()}, strict=False)


def _service(content: Any, decode: Callable[[Any], Any]) -> Service:
    return Service(
        ServiceType(content["name"], content["uuid"]),
        [_characteristic(one, decode) for one in content["characteristics"]],
        key=content["key"],
        primary=content["primary"],
        hidden=content["hidden"],
        iid=content["iid"],
    )


def _characteristic(content: Any, decode: Callable[[Any], Any]) -> AnyCharacteristic:
    metadata = decode(content["metadata"])
    kind: CharacteristicType[Any] = CharacteristicType(
        content["name"], content["uuid"], metadata, _PYTHON.get(metadata.format, int)
    )
    made = Characteristic(
        kind,
        key=content["key"],
        iid=content["iid"],
    )
    made.store(decode(content["value"]))
    if "disconnected_events" in content:
        made.disconnected_events = content["disconnected_events"] is True
    for flag in (*_FLAGS, *_HANDLED):
        setattr(made, flag, content.get(flag) is True)
    return made
