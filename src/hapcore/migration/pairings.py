"""Pairing files of other controllers: homekit_python, aiohomekit, Home Assistant and hap-controller.

All of them hold the same five facts in other clothes: the accessory's id and public key, our own id and seed, and for
most of them where the accessory was seen. What cannot be used here is left out and named, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, cast

from attrs import field, frozen

from hapcore.crypto.keys import KEY_SIZE, Signer
from hapcore.crypto.secret import Secret
from hapcore.discovery import Transport
from hapcore.errors import LocalProtocolError, StateError
from hapcore.pairing.records import Pairing
from hapcore.state import PAIRINGS, PairedAccessory, decode_pairings

__all__ = ["Kind", "LeftOut", "MovedIn", "read_pairings", "write_pairings"]


class Kind(Enum):
    """Whose file it is. The value is what the command line calls it."""

    HAPCORE = "hapcore"
    HOMEKIT_PYTHON = "homekit_python"
    AIOHOMEKIT = "aiohomekit"
    HOME_ASSISTANT = "home-assistant"
    HAP_CONTROLLER = "hap-controller"


@frozen
class LeftOut:
    """An entry that was not taken over, and why."""

    alias: str
    reason: str


@frozen
class MovedIn:
    """What a file gave: the pairings, what was left out, and whose file it was."""

    kind: Kind
    pairings: tuple[PairedAccessory, ...]
    left_out: tuple[LeftOut, ...] = field(default=())


_Fields = Mapping[str, Any]

#: homekit_python and aiohomekit share the names; only addresses of Bluetooth accessories differ.
_CONTROLLER_ID: Final = "iOSPairingId"
#: What hap-controller calls it; there, both ids are hexadecimal.
_HEX_CONTROLLER_ID: Final = "iOSDevicePairingID"
_DOMAIN: Final = "homekit_controller"
_OVER_IP: Final = "IP"
_OVER_BLE: Final = "BLE"
#: What they call the address of an accessory over Bluetooth LE.
_RADIO_ADDRESS: Final = {Kind.AIOHOMEKIT: "AccessoryAddress", Kind.HOMEKIT_PYTHON: "AccessoryMAC"}
_HALF_MADE: Final = "ADDITIONAL_PAIRING"


def read_pairings(data: bytes, alias: str | None = None) -> MovedIn:
    """Read a pairing file of any `Kind`, told apart by its content.

    `alias` names the pairing of a file that holds one without a name; else it is called by its device id. Raises
    `StateError` for a file that is none of them.
    """
    try:
        tree: object = json.loads(data)
    except (ValueError, RecursionError):
        raise StateError("the file is no JSON text: it is none of the pairing files that are known") from None
    fields = _object(tree)
    if fields is None:
        raise StateError("the file is none of the pairing files that are known: it is no JSON object")
    if isinstance(fields.get("format"), str):  # else it is how somebody calls an accessory
        return MovedIn(Kind.HAPCORE, tuple(decode_pairings(data).values()))
    if _HEX_CONTROLLER_ID in fields:
        return _gather(Kind.HAP_CONTROLLER, [(alias or "", _unhexed(fields))])
    if _CONTROLLER_ID in fields:
        return _gather(Kind.AIOHOMEKIT, [(alias or "", fields)])
    entries = _home_assistant(fields)
    if entries is not None:
        return _gather(Kind.HOME_ASSISTANT, entries)
    named = [(name, entry) for name, value in fields.items() if (entry := _object(value)) is not None]
    if len(named) != len(fields) or not all(_CONTROLLER_ID in entry for _, entry in named):
        raise StateError("the file is none of the pairing files that are known")
    theirs = any("AccessoryIPs" in entry or "AccessoryAddress" in entry for _, entry in named)
    return _gather(Kind.AIOHOMEKIT if theirs else Kind.HOMEKIT_PYTHON, named)


def write_pairings(pairings: Iterable[PairedAccessory], kind: Kind) -> bytes:
    """The content of a file of that kind. It holds long-term secret keys: mode 0600.

    hap-controller keeps one pairing in a file: raises `LocalProtocolError` for another number of them, and for
    `Kind.HOME_ASSISTANT`, whose files other things stand in.
    """
    chosen = list(pairings)
    if kind is Kind.HAPCORE:
        return PAIRINGS.encode({one.alias: one.encode() for one in chosen})
    if kind is Kind.HAP_CONTROLLER:
        if len(chosen) != 1:
            message = f"hap-controller keeps one pairing in a file, not {len(chosen)}: choose one"
            raise LocalProtocolError(message, argument="pairings")
        return _write(_hexed(chosen[0].pairing))
    if kind is Kind.HOME_ASSISTANT:
        raise LocalProtocolError("Home Assistant's own files cannot be written: use aiohomekit's", argument="kind")
    return _write({one.alias: _fields(one, kind) for one in chosen})


# --- reading ----------------------------------------------------------------------------------------------------------


def _gather(kind: Kind, entries: Iterable[tuple[str, _Fields]]) -> MovedIn:
    taken: dict[str, PairedAccessory] = {}
    left: list[LeftOut] = []
    for name, fields in entries:
        try:
            record = _record(name, fields)
        except (StateError, LocalProtocolError) as error:
            left.append(LeftOut(name or "(unnamed)", str(error)))
            continue
        if record.alias in taken:
            left.append(LeftOut(record.alias, "the name stands there twice"))
        else:
            taken[record.alias] = record
    return MovedIn(kind, tuple(taken.values()), tuple(left))


def _record(alias: str, fields: _Fields) -> PairedAccessory:
    transport = fields.get("Connection", _OVER_IP)
    if transport == _HALF_MADE:
        raise StateError("the pairing was never finished")
    if transport not in (_OVER_IP, _OVER_BLE):
        raise StateError(f"it is reached over {transport!s:.20}, not over IP")
    accessory_id = _text(fields, "AccessoryPairingID")
    seed = _key(fields, "iOSDeviceLTSK")
    public = fields.get("iOSDeviceLTPK")
    if isinstance(public, str) and public.lower() != Signer(seed).public.hex():
        raise StateError("iOSDeviceLTPK does not belong to iOSDeviceLTSK")
    port = fields.get("AccessoryPort", 0)
    return PairedAccessory(
        alias=alias or accessory_id,
        pairing=Pairing(
            accessory_id=accessory_id,
            accessory_ltpk=_key(fields, "AccessoryLTPK"),
            controller_id=_text(fields, _CONTROLLER_ID),
            controller_ltsk=Secret(seed),
        ),
        addresses=_addresses(fields),
        transport=Transport.BLE if transport == _OVER_BLE else Transport.IP,
        port=port if isinstance(port, int) and not isinstance(port, bool) else 0,
    )


def _addresses(fields: _Fields) -> tuple[str, ...]:
    if fields.get("Connection") == _OVER_BLE:
        return tuple(one for name in _RADIO_ADDRESS.values() if isinstance(one := fields.get(name), str) and one)[:1]
    several = fields.get("AccessoryIPs")
    found = [fields.get("AccessoryIP"), *(cast("list[object]", several) if isinstance(several, list) else [])]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, str) and one))


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise StateError(f"{name} is missing")
    return value


def _key(fields: _Fields, name: str) -> bytes:
    try:
        key = bytes.fromhex(_text(fields, name))
    except ValueError:
        key = b""
    if len(key) == 2 * KEY_SIZE and name == "iOSDeviceLTSK":
        key = key[:KEY_SIZE]  # seed and public key in one
    if len(key) != KEY_SIZE:
        raise StateError(f"{name} is not {KEY_SIZE} bytes in hexadecimal")
    return key


def _unhexed(fields: _Fields) -> _Fields:
    """hap-controller's entry, by the names of the others."""

    def text(name: str) -> str:
        try:
            return bytes.fromhex(_text(fields, name)).decode()
        except ValueError:
            raise StateError(f"{name} is no text in hexadecimal") from None

    return {**fields, "AccessoryPairingID": text("AccessoryPairingID"), _CONTROLLER_ID: text(_HEX_CONTROLLER_ID)}


def _home_assistant(fields: _Fields) -> list[tuple[str, _Fields]] | None:
    """The entries of its core.config_entries; None where it is another file."""
    listed = (_object(fields.get("data")) or {}).get("entries")
    if not isinstance(listed, list):
        return None
    found: list[tuple[str, _Fields]] = []
    for each in cast("list[object]", listed):
        entry = _object(each)
        if entry is not None and entry.get("domain") == _DOMAIN:
            title = entry.get("title")
            found.append((title if isinstance(title, str) else "", _object(entry.get("data")) or {}))
    return found


def _object(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


# --- writing ----------------------------------------------------------------------------------------------------------


def _fields(record: PairedAccessory, kind: Kind) -> dict[str, object]:
    pairing = record.pairing
    fields: dict[str, object] = {
        "AccessoryPairingID": pairing.accessory_id,
        "AccessoryLTPK": pairing.accessory_ltpk.hex(),
        _CONTROLLER_ID: pairing.controller_id,
        "iOSDeviceLTSK": pairing.controller_ltsk.reveal().hex(),
        "iOSDeviceLTPK": pairing.controller_ltpk.hex(),
        "Connection": _OVER_IP,
    }
    if record.transport is Transport.BLE:
        fields["Connection"] = _OVER_BLE
        if record.addresses:
            fields[_RADIO_ADDRESS[kind]] = record.addresses[0]
    elif record.addresses:
        fields["AccessoryIP"] = record.addresses[0]
        fields["AccessoryPort"] = record.port
        if kind is Kind.AIOHOMEKIT:
            fields["AccessoryIPs"] = list(record.addresses)
    return fields


def _hexed(pairing: Pairing) -> dict[str, object]:
    return {
        "AccessoryPairingID": pairing.accessory_id.encode().hex(),
        "AccessoryLTPK": pairing.accessory_ltpk.hex(),
        _HEX_CONTROLLER_ID: pairing.controller_id.encode().hex(),
        "iOSDeviceLTSK": (pairing.controller_ltsk.reveal() + pairing.controller_ltpk).hex(),
        "iOSDeviceLTPK": pairing.controller_ltpk.hex(),
    }


def _write(tree: Mapping[str, object]) -> bytes:
    return json.dumps(tree, indent=2, ensure_ascii=False).encode() + b"\n"
