"""Commands, events and results as JSON and back: what is not JSON by nature is an object with one tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs

from hapcore import discovery, engine, errors, ids
from hapcore.ble import accessory as ble_accessory
from hapcore.ble import controller as ble_controller
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.crypto.secret import Secret
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId
from hapcore.ip import accessory, controller
from hapcore.ip.controller import CharacteristicWrite, SetValue
from hapcore.model.database import Database
from hapcore.model.handle import Readable, handle
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription
from hapcore.model.snapshot import SnapshotReason, SnapshotWanted
from hapcore.pairing.items import Method
from hapcore.pairing.records import ControllerIdentity, PairedController, Pairing, PairingEntry
from hapcore.setup_code import SetupCode, SetupPayload
from hapcore.transcript.masks import Masks
from hapcore.transcript.model import describe_database, make_database

if TYPE_CHECKING:
    from hapcore.transcript.masks import FormatOf

__all__ = ["Json", "decode", "encode", "error_from", "error_to"]

Json: TypeAlias = Any

_ENUMS: Final = {
    one.__name__: one for one in (ids.HapStatus, ids.Transport, Method, Format, Permission, Unit, SnapshotReason)
}
_MODULES: Final = (engine, discovery, accessory, ble_accessory)
#: Both roles have a `CharacteristicWrite` and a `SessionClosed`; the controller's go by another tag.
_PREFIX: Final = "controller."


def _classes() -> dict[str, type]:
    found: dict[str, type] = {"Caller": ids.Caller}
    for module in _MODULES:
        for name in module.__all__:
            one = getattr(module, name)
            if isinstance(one, type) and attrs.has(one):
                found[name] = one
    for module, name in [(each, name) for each in (controller, ble_controller) for name in each.__all__]:
        one = getattr(module, name)
        if isinstance(one, type) and attrs.has(one):
            found[_PREFIX + name] = one
    for one in (
        Metadata,
        AccessoryDescription,
        ServiceDescription,
        CharacteristicDescription,
        ControllerIdentity,
        Pairing,
        PairedController,
        PairingEntry,
        GattService,
        SnapshotWanted,
        GattCharacteristic,
        SetupPayload,
    ):
        found[one.__name__] = one
    return found


_CLASSES: Final = _classes()
_NAMES: Final[dict[type, str]] = {one: name for name, one in _CLASSES.items()}
_FIELDS: Final[dict[type, tuple[tuple[str, str], ...]]] = {
    one: tuple((each.name, each.alias or each.name) for each in attrs.fields(one) if each.init) for one in _NAMES
}
#: No value on the wire is larger; an application that gives one is answered for with an error.
_LARGEST: Final = 2**64
#: Bytes that name somebody or are sent in the clear: no secret.
_OPEN: Final = frozenset({"identifier", "pairing_id", "key"})
_ERRORS: Final[dict[str, type[HapError]]] = {
    name: one for name in errors.__all__ if isinstance(one := getattr(errors, name), type) and issubclass(one, HapError)
}


def encode(value: object, masks: Masks, format_of: FormatOf, name: str = "") -> Json:
    """`value` as JSON can say it, its secrets replaced as `masks` will have it."""
    match value:
        case None | bool():
            return value
        case Enum():
            kind = type(value).__name__
            return {"$enum": [kind, value.value]} if kind in _ENUMS else value.value
        case int() if abs(value) > _LARGEST:
            return {"$other": "int"}
        case int() | float():
            return value
        case str():
            return masks.known(value)
        case bytes():
            if name in _OPEN or not any(value):  # a key of zeros is none, and engines refuse it
                return {"$bytes": value.hex()}
            return {"$bytes": (masks.data if name.endswith("ltpk") else masks.value)(value).hex()}
        case Readable():
            known = cast("Readable[object]", value).description
            return {"$handle": encode(attrs.evolve(known, value=None), masks, format_of)}
        case CharacteristicId():
            return {"$id": [value.aid, value.iid]}
        case Secret():
            return {"$secret": masks.data(value.reveal()).hex()}
        case SetupCode():
            return {"$code": masks.code(value.text)}
        case HapError():
            return error_to(value, masks)
        case Database():
            return {"$database": describe_database(value, lambda one: encode(one, masks, format_of))}
        case Mapping():
            table = cast("Mapping[object, object]", value)
            return {
                "$map": [[encode(k, masks, format_of), encode(v, masks, format_of, name)] for k, v in table.items()]
            }
        case frozenset() | set():
            several = cast("frozenset[object]", value)
            return {"$set": sorted((encode(one, masks, format_of) for one in several), key=str)}
        case list() | tuple():
            return [encode(one, masks, format_of, name) for one in cast("tuple[object, ...]", value)]
        case _:
            return _encode_class(value, masks, format_of)


def _encode_class(value: object, masks: Masks, format_of: FormatOf) -> Json:
    kind = type(value)
    name = _NAMES.get(kind)
    if name is None:
        return {"$other": kind.__name__}
    found: dict[str, Json] = {"$": name}
    for field, alias in _FIELDS[kind]:
        found[alias] = encode(getattr(value, field), masks, format_of, field)
    if isinstance(value, CharacteristicWrite) and isinstance(value.value, str) and not _is_open(format_of(value.id)):
        found["value"] = masks.text(value.value)
    elif isinstance(value, SetValue):
        wanted = cast("SetValue[object]", value)
        if isinstance(wanted.value, str) and not _is_open(format_of(wanted.handle)):
            found["value"] = masks.text(wanted.value)
    return found


def _is_open(form: Format | None) -> bool:
    """Whether a text of that format may be shown; an unknown one may hold anything."""
    return form is not None and form not in (Format.TLV8, Format.DATA)


def decode(value: Json) -> Any:
    """What `encode` made it of. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    if isinstance(value, list):
        return tuple(decode(one) for one in cast("tuple[Json, ...]", value))
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Json]", value)
    if "$" in found:
        kind = _CLASSES[found["$"]]
        return kind(**{name: decode(one) for name, one in found.items() if name != "$"})
    ((tag, content),) = found.items()
    return _TAGS[tag](content)


def _enum(content: Json) -> Enum:
    name, value = content
    return _ENUMS[name](value)


class _Other:
    """What an application gave that is no value at all."""


_TAGS: Final[Mapping[str, Callable[[Json], Any]]] = {
    "$enum": _enum,
    "$bytes": bytes.fromhex,
    "$handle": lambda content: handle(decode(content)),
    "$id": lambda content: CharacteristicId(*content),
    "$secret": lambda content: Secret(bytes.fromhex(content)),
    "$code": lambda content: SetupCode(content, allow_trivial=True),
    "$error": lambda content: error_from({"$error": content}),
    "$other": lambda _content: _Other(),
    "$database": lambda content: make_database(content, decode),
    "$map": lambda content: {decode(key): decode(one) for key, one in content},
    "$set": lambda content: frozenset(decode(one) for one in content),
}


def error_to(error: HapError, masks: Masks) -> Json:
    """An error by its class, its text and its numbers."""
    more = {name: one for name, one in vars(error).items() if isinstance(one, int | str) or one is None}
    return {"$error": [type(error).__name__, masks.known(str(error)), {k: masks.said(v) for k, v in more.items()}]}


def error_from(content: Json) -> HapError:
    """An error that looks and behaves like the one that was noted."""
    name, text, more = content["$error"]
    error = _ERRORS[name].__new__(_ERRORS[name])
    Exception.__init__(error, text)
    for key, one in more.items():
        setattr(error, key, one)
    return error
