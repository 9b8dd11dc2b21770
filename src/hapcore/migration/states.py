"""State of other accessories: HAP-python, HAP-NodeJS and homekit_python's, as the table our own server keeps.

What comes along: who the accessory is, who is paired with it, the number of its configuration, failed attempts, and
where the other library stores them, setup code, setup id and the numbers of things. Phones notice nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, cast

from attrs import field, frozen

from hapcore.accessory.stored import CONFIG_NUMBERS, Setup, Stored
from hapcore.codec.json import write
from hapcore.crypto.keys import KEY_SIZE, Signer
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy
from hapcore.errors import HapError, StateError
from hapcore.model.numbers import path
from hapcore.model.uuid import short_uuid
from hapcore.pairing.records import Identity, PairedController
from hapcore.pairing.setup import CodeVerifier
from hapcore.setup_code import SetupCode, new_setup_id

__all__ = ["MovedState", "Origin", "read_state"]


class Origin(Enum):
    """Whose state it was. The value is for people."""

    HAP_PYTHON = "HAP-python"
    HAP_NODEJS = "HAP-NodeJS"
    HOMEKIT_PYTHON = "homekit_python"


@frozen
class MovedState:
    """The table for our server's store, and what a person may want to hear of it."""

    origin: Origin
    device_id: str
    pairings: int
    setup_code: str | None
    table: Mapping[str, bytes] = field(repr=False)


_Fields = Mapping[str, Any]
_HEAD: Final = "main"


def read_state(data: bytes, entropy: Entropy, *, file_name: str = "", identifiers: bytes | None = None) -> MovedState:
    """Read HAP-python's state file, HAP-NodeJS's AccessoryInfo or homekit_python's accessory configuration.

    HAP-NodeJS has the device id in the `file_name` alone: "AccessoryInfo.112233445566.json". `identifiers` is the
    content of its IdentifierCache, for the numbers of accessories, services and characteristics. A setup id that nobody
    stored is drawn. Raises `StateError` for everything that is none of these, or damaged.
    """
    fields = _parse(data)
    if "paired_clients" in fields and "mac" in fields:
        return _from_python(fields)
    if "signSk" in fields:
        return _from_node(fields, _node_device_id(file_name), entropy, _node_numbers(identifiers))
    if "accessory_ltsk" in fields:
        return _from_homekit(fields, entropy)
    raise StateError("the file is no state of HAP-python, HAP-NodeJS (AccessoryInfo) or homekit_python's accessory")


def _from_python(fields: _Fields) -> MovedState:
    properties = _object(fields, "client_properties") if "client_properties" in fields else {}
    spelled = _object(fields, "client_uuid_to_bytes") if "client_uuid_to_bytes" in fields else {}
    controllers: list[PairedController] = []
    for name, key in _object(fields, "paired_clients").items():
        # Its older files do not keep how the controller spells its id; phones write capitals.
        identifier = bytes.fromhex(spelled[name]) if isinstance(spelled.get(name), str) else name.upper().encode()
        rights = properties.get(name)
        admin = not isinstance(rights, dict) or bool(cast("_Fields", rights).get("permissions", 1))
        controllers.append(PairedController(identifier, _key(key, "paired_clients"), admin))
    identity = Identity(_device_id(fields, "mac"), Secret(_key(fields.get("private_key"), "private_key")))
    return _moved(Origin.HAP_PYTHON, identity, controllers, fields.get("config_version"))


def _from_node(fields: _Fields, device_id: str, entropy: Entropy, ids: Mapping[str, int]) -> MovedState:
    rights = _object(fields, "pairedClientsPermission") if "pairedClientsPermission" in fields else {}
    controllers = [
        PairedController(name.encode(), _key(key, "pairedClients"), bool(rights.get(name, 1)))
        for name, key in _object(fields, "pairedClients").items()
    ]
    public = _key(fields.get("signPk"), "signPk")
    seed = _key(fields.get("signSk"), "signSk")
    if Signer(seed).public != public:
        raise StateError("signPk does not belong to signSk")
    identity = Identity(device_id, Secret(seed))
    setup = _setup(fields.get("pincode"), fields.get("setupID"), entropy)
    return _moved(Origin.HAP_NODEJS, identity, controllers, fields.get("configVersion"), setup, ids)


def _from_homekit(fields: _Fields, entropy: Entropy) -> MovedState:
    controllers: list[PairedController] = []
    for name, each in _object(fields, "peers").items():
        peer: _Fields = cast("_Fields", each) if isinstance(each, dict) else {}
        controllers.append(PairedController(name.encode(), _key(peer.get("key"), "peers"), bool(peer.get("admin"))))
    seed = Secret(_key(fields.get("accessory_ltsk"), "accessory_ltsk"))
    identity = Identity(_device_id(fields, "accessory_pairing_id"), seed)
    setup = _setup(fields.get("accessory_pin"), None, entropy)
    tries = fields.get("unsuccessful_tries", 0)
    moved = _moved(Origin.HOMEKIT_PYTHON, identity, controllers, fields.get("c#"), setup)
    attempts = {"attempts": b"%d" % tries} if isinstance(tries, int) and tries > 0 else {}
    return MovedState(moved.origin, moved.device_id, moved.pairings, moved.setup_code, {**moved.table, **attempts})


def _moved(
    origin: Origin,
    identity: Identity,
    controllers: list[PairedController],
    config_number: object,
    setup: Setup | None = None,
    ids: Mapping[str, int] | None = None,
) -> MovedState:
    if controllers and not any(one.admin for one in controllers):
        raise StateError("none of the paired controllers is an admin: the state is damaged")
    table = {"identity": identity.to_json()}
    if setup is not None:
        table["setup"] = setup.encode()
    number = config_number if isinstance(config_number, int) and config_number > 0 else 1
    # No fingerprint: the database is another one, so that c# rises and phones read it again.
    table["database"] = write({"config_number": (number - 1) % CONFIG_NUMBERS + 1, "fingerprint": ""})
    if ids:
        table["ids"] = write(dict(ids))
    for one in controllers:
        record = Stored.store_pairing(one)
        table[record.key] = record.value
    return MovedState(origin, identity.device_id, len(controllers), None if setup is None else setup.code.text, table)


def _setup(code: object, setup_id: object, entropy: Entropy) -> Setup | None:
    if not isinstance(code, str):
        return None
    try:
        parsed = SetupCode(code, allow_trivial=True)
    except HapError as error:
        raise StateError(f"the setup code in the file cannot be used: {error}") from None
    name = setup_id if isinstance(setup_id, str) and setup_id else new_setup_id(entropy)
    return Setup(parsed, name, CodeVerifier(parsed.text, entropy).current())


# --- HAP-NodeJS's numbers ---------------------------------------------------------------------------------------------


def _node_device_id(file_name: str) -> str:
    digits = file_name.removeprefix("AccessoryInfo.").removesuffix(".json").upper()
    if len(digits) != 12 or any(digit not in "0123456789ABCDEF" for digit in digits):
        raise StateError("HAP-NodeJS keeps the device id in the file's name, AccessoryInfo.112233445566.json: keep it")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _node_numbers(data: bytes | None) -> Mapping[str, int]:
    """Our table of numbers from its IdentifierCache.

    The accessory without a number of its own is the head. A bridged one has its UUID as key; a service its short type,
    with the subtype behind a colon where it has one.
    """
    if data is None:
        return {}
    cache = _object(_parse(data), "cache")
    numbers = {name: value for name, value in cache.items() if isinstance(value, int) and "nextIID" not in name}
    bridged = {name: value for name, value in numbers.items() if name and "|" not in name}
    found: dict[str, int] = {path(_HEAD): 1}
    found.update((path(name), value) for name, value in bridged.items())
    for name, value in numbers.items():
        accessory, *rest = name.split("|")
        if not accessory or not rest:
            continue
        key = accessory if accessory in bridged else _HEAD
        found.setdefault(path(key, *_keys(rest)), value)
        found.setdefault(path(key, "3E"), 1)
    return found


def _keys(parts: list[str]) -> Iterator[str]:
    """Service[, subtype][, characteristic], the last two told apart by their form."""
    service, *rest = parts
    characteristic = rest.pop() if rest and _is_uuid(rest[-1]) else None
    yield ":".join([short_uuid(service.upper()), *rest])
    if characteristic is not None:
        yield short_uuid(characteristic.upper())


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12]


# --- reading ----------------------------------------------------------------------------------------------------------


def _parse(data: bytes) -> _Fields:
    try:
        tree: object = json.loads(data)
    except (ValueError, RecursionError):
        raise StateError("the file is damaged or cut short: it is no JSON text") from None
    if not isinstance(tree, dict):
        raise StateError("the file is no JSON object")
    return cast("_Fields", tree)


def _object(fields: _Fields, name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise StateError(f"{name} is missing")
    return cast("dict[str, Any]", value)


def _device_id(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    digits = value.split(":") if isinstance(value, str) else []
    if len(digits) != 6 or any(len(one) != 2 or not one.isalnum() for one in digits):
        raise StateError(f"{name} is no device id")
    return str(value)


def _key(value: object, name: str) -> bytes:
    """32 bytes; of a seed with its public key behind, the seed."""
    try:
        key = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) not in (KEY_SIZE, 2 * KEY_SIZE):
        raise StateError(f"{name} holds what is no key of {KEY_SIZE} bytes in hexadecimal")
    return key[:KEY_SIZE]
