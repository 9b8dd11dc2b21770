"""Recorded requests as commands of our controller, where a regular controller would send them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.engine import Command
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import (
    AddPairing,
    CharacteristicWrite,
    Connection,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    State,
    Subscribe,
    Unsubscribe,
    Write,
)
from hapcore.model.metadata import Format, Permission
from hapcore.model.remote import CharacteristicDescription
from hapcore.pairing.items import Item, Method
from hapcore.replay.application import identifier_of
from hapcore.replay.messages import Message

__all__ = ["Regular", "command_for"]

_FLAGS = ("meta", "perms", "type", "ev")
_ENTRY_KEYS = frozenset({"aid", "iid", "value", "authData", "remote", "r"})
_EVENT_KEYS = {"aid", "iid", "ev"}
_MOST_IDS = 49
_PID = 8


@frozen
class Regular:
    """A command, how many recorded requests it stands for, and the pid that a timed write draws."""

    command: Command[Any]
    requests: int = 1
    pid: bytes | None = None


def command_for(requests: Sequence[Message], engine: Connection) -> Regular | None:
    """The command that makes our controller send the first of the recorded `requests` (and perhaps the next).

    None for what no regular controller sends: a malformed request, one that our engine would send in another way, or
    one that it would not send at all with what it knows of the database.
    """
    request = requests[0]
    match request.method, request.path:
        case "GET", "/accessories" if request.query is None:
            return Regular(GetAccessories())
        case "GET", "/characteristics":
            read = _read(request.query or "")
            return Regular(read) if read is not None else None
        case "PUT", "/characteristics":
            return _write(request, None, engine)
        case "PUT", "/prepare":
            prepared = _object(request)
            if len(requests) < 2 or requests[1].method != "PUT" or requests[1].path != "/characteristics":
                return None
            return _write(requests[1], prepared, engine)
        case "POST", "/pairings":
            command = _pairings(request)
            return Regular(command) if command is not None else None
        case "POST", "/identify" if engine.state is State.PLAIN:
            return Regular(Identify())
        case _:
            return None


def _read(query: str) -> Read | None:
    first, *rest = query.split("&")
    if not first.startswith("id="):
        return None
    ids: list[CharacteristicId] = []
    for text in first[3:].split(","):
        aid, _, iid = text.partition(".")
        if not (aid.isascii() and aid.isdigit() and iid.isascii() and iid.isdigit()):
            return None
        if str(int(aid)) != aid or str(int(iid)) != iid or not 0 < int(aid) < 2**64 or not 0 < int(iid) < 2**64:
            return None
        ids.append(CharacteristicId(int(aid), int(iid)))
    flags = [name for name in _FLAGS if f"{name}=1" in rest]
    if rest != [f"{name}=1" for name in flags] or len(set(ids)) != len(ids) or len(ids) > _MOST_IDS:
        return None
    return Read(tuple(ids), **dict.fromkeys(flags, True))


def _object(request: Message) -> dict[str, JsonValue] | None:
    try:
        body = read_tolerant(request.body)
    except JsonError:
        return None
    return body if isinstance(body, dict) else None


def _write(request: Message, prepared: dict[str, JsonValue] | None, engine: Connection) -> Regular | None:
    body = _object(request)
    if body is None or request.query is not None:
        return None
    entries = body.get("characteristics")
    if not isinstance(entries, list) or not entries or set(body) - {"characteristics", "pid"}:
        return None
    if prepared is None:
        if "pid" in body:
            return None
        events = _events(entries)
        if events is not None:
            return Regular(events)
    found = [_one(entry, engine) for entry in entries]
    writes = tuple(each for each in found if each is not None)
    if len(writes) != len(found):
        return None
    if prepared is None:
        timed = any(_wants_timed(engine, each.id) for each in writes)
        return None if timed else Regular(Write(writes))
    ttl, pid = prepared.get("ttl"), prepared.get("pid")
    if type(ttl) is not int or type(pid) is not int or set(prepared) != {"ttl", "pid"} or body.get("pid") != pid:
        return None
    if not 0 <= pid < 2 ** (8 * _PID):
        return None
    return Regular(Write(writes, timed_ms=ttl), requests=2, pid=pid.to_bytes(_PID, "big"))


def _events(entries: Sequence[JsonValue]) -> Subscribe | Unsubscribe | None:
    ids: list[CharacteristicId] = []
    wanted: set[bool] = set()
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != _EVENT_KEYS or not isinstance(entry["ev"], bool):
            return None
        number = identifier_of(entry)
        if number is None:
            return None
        ids.append(number)
        wanted.add(entry["ev"])
    if len(wanted) != 1 or len({number.aid for number in ids}) != 1 or len(set(ids)) != len(ids):
        return None
    return Subscribe(tuple(ids)) if True in wanted else Unsubscribe(tuple(ids))


def _one(entry: JsonValue, engine: Connection) -> CharacteristicWrite | None:
    if not isinstance(entry, dict) or "value" not in entry or set(entry) - _ENTRY_KEYS:
        return None
    number, value = identifier_of(entry), entry["value"]
    auth, remote, response = entry.get("authData"), entry.get("remote", False), entry.get("r", False)
    if number is None or not isinstance(value, bool | int | float | str):
        return None
    if not isinstance(remote, bool) or not isinstance(response, bool) or not isinstance(auth, str | None):
        return None
    try:
        auth_data = None if auth is None else base64.b64decode(auth, validate=True)
    except binascii.Error:
        return None
    held: Value = value
    known = _known(engine, number)
    if known is not None and known.metadata.format in (Format.DATA, Format.TLV8):
        if not isinstance(value, str):
            return None
        try:
            held = base64.b64decode(value, validate=True)
        except binascii.Error:
            return None
    return CharacteristicWrite(number, held, auth_data=auth_data, remote=remote, response=response)


def _known(engine: Connection, number: CharacteristicId) -> CharacteristicDescription | None:
    for accessory in engine.accessories:
        if accessory.aid == number.aid:
            for service in accessory.services:
                for each in service.characteristics:
                    if each.iid == number.iid:
                        return each
    return None


def _wants_timed(engine: Connection, number: CharacteristicId) -> bool:
    known = _known(engine, number)
    return known is not None and Permission.TIMED_WRITE in known.metadata.perms


def _pairings(request: Message) -> Command[Any] | None:
    items = dict(request.items)
    if len(items) != len(request.items) or items.get(Item.STATE) != b"\x01":
        return None
    method, identifier = items.get(Item.METHOD), items.get(Item.IDENTIFIER)
    if method == bytes([Method.LIST_PAIRINGS]) and len(items) == 2:
        return ListPairings()
    if method == bytes([Method.REMOVE_PAIRING]) and len(items) == 3 and identifier:
        return RemovePairing(identifier)
    key, permissions = items.get(Item.PUBLIC_KEY), items.get(Item.PERMISSIONS)
    complete = len(items) == 5 and permissions in (b"\0", b"\1")
    if method == bytes([Method.ADD_PAIRING]) and complete and identifier and key:
        return AddPairing(identifier, key, permissions == b"\1")
    return None
