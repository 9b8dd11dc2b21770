"""The bodies of PUT /characteristics and PUT /prepare, and the checks of each entry (HAP 8.8, 9.2, 9.3)."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from attrs import frozen

from hapcore.codec.json import JsonError, JsonValue, Object, read_strict
from hapcore.errors import ValueRefused
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic

__all__ = ["BodyError", "Entry", "Prepare", "WriteBody", "check_event", "check_value", "parse_prepare", "parse_write"]

_MAX_ID = 2**64 - 1
#: The largest time to live Apple's code accepts, in milliseconds: 2**53 - 1.
_MAX_TTL = 2**53 - 1
#: The longest body worth remembering, in bytes: a handful of characteristics.
_MAX_REMEMBERED = 256


class BodyError(ValueError):
    """The body is malformed: the whole request is answered with 400."""


@frozen
class Entry:
    """One entry of a write request as it came; `value` is None when it has none."""

    id: CharacteristicId
    value: JsonValue
    ev: bool | None
    auth_data: str | None
    remote: bool
    response: bool


@frozen
class WriteBody:
    """A whole write request."""

    entries: tuple[Entry, ...]
    pid: int | None


@frozen
class Prepare:
    """The announcement of a timed write: `ttl` in seconds, `pid` any 64-bit number."""

    ttl: float
    pid: int


def _object(body: bytes) -> Object:
    try:
        found = read_strict(body)
    except JsonError as error:
        raise BodyError(str(error)) from None
    if not isinstance(found, Object):
        raise BodyError("not a JSON object")
    return found


def _unsigned(value: JsonValue, name: str, limit: int = _MAX_ID) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise BodyError(f"{name} is not an unsigned number up to {limit}")
    return value


def _flag(value: JsonValue, name: str) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    raise BodyError(f"{name} is neither true nor false")


def _entry(item: JsonValue) -> Entry:
    if not isinstance(item, Object):
        raise BodyError("an entry is not an object")
    value: JsonValue = None
    ev: bool | None = None
    auth_data: str | None = None
    remote = response = False
    aid = iid = -1
    for name, content in item.items():
        if name == "aid":
            aid = _unsigned(content, name)
        elif name == "iid":
            iid = _unsigned(content, name)
        elif name == "value":
            if content is None or isinstance(content, dict | list):
                raise BodyError("value is null, an array or an object")
            value = content
        elif name == "ev":
            ev = _flag(content, name)
        elif name == "authData":
            if not isinstance(content, str):
                raise BodyError("authData is not text")
            auth_data = content
        elif name == "remote":
            remote = _flag(content, name)
        elif name == "r":
            response = _flag(content, name)
    if aid < 0 or iid < 0:
        raise BodyError("an entry lacks aid or iid")
    return Entry(CharacteristicId(aid, iid), value, ev, auth_data, remote, response)


def parse_write(body: bytes) -> WriteBody:
    """Parse the body of PUT /characteristics; raises `BodyError`."""
    # Controllers switch the same few things all day. What authorizes is not kept.
    if len(body) <= _MAX_REMEMBERED and b"authData" not in body:
        return _remembered(body)
    return _parse_write(body)


def _parse_write(body: bytes) -> WriteBody:
    found = _object(body)
    if "pid" in found.duplicates:
        raise BodyError("pid twice")
    entries = found.get("characteristics")
    if not isinstance(entries, list) or not entries:
        raise BodyError("no list of characteristics")
    pid = _unsigned(found["pid"], "pid") if "pid" in found else None
    return WriteBody(tuple([_entry(item) for item in entries]), pid)


_remembered = lru_cache(maxsize=128)(_parse_write)


def parse_prepare(body: bytes) -> Prepare:
    """Parse the body of PUT /prepare; raises `BodyError`."""
    found = _object(body)
    if found.duplicates & {"ttl", "pid"}:
        raise BodyError("ttl or pid twice")
    if "ttl" not in found or "pid" not in found:
        raise BodyError("ttl or pid missing")
    return Prepare(_unsigned(found["ttl"], "ttl", _MAX_TTL) / 1000, _unsigned(found["pid"], "pid"))


def check_event(characteristic: AnyCharacteristic, *, admin: bool) -> HapStatus:
    """May this controller (un)subscribe?"""
    if characteristic.admin_only_read and not admin:
        return HapStatus.INSUFFICIENT_PRIVILEGES
    if not characteristic.notifies:
        return HapStatus.NOTIFICATION_NOT_SUPPORTED
    return HapStatus.SUCCESS


def check_value(
    characteristic: AnyCharacteristic, entry: Entry, *, admin: bool
) -> tuple[HapStatus, Value, bytes | None]:
    """Check one value in the order of HAP 9.2: its status, the converted value, the decoded authorization data."""
    if not admin and (
        characteristic.admin_only_write
        or (characteristic.admin_only_read and (characteristic.write_response or entry.response))
    ):
        return HapStatus.INSUFFICIENT_PRIVILEGES, None, None
    if not characteristic.writable:
        return HapStatus.READ_ONLY, None, None
    auth_data: bytes | None = None
    if entry.auth_data is not None:
        try:
            auth_data = base64.b64decode(entry.auth_data, validate=True)
        except (binascii.Error, ValueError):
            return HapStatus.INVALID_VALUE, None, None
    try:
        value = characteristic.from_wire(entry.value)
    except ValueRefused:
        return HapStatus.INVALID_VALUE, None, None
    if characteristic.authorized and not characteristic.write_handled:
        # Nobody can judge the authorization data, so nobody may pass.
        return HapStatus.INSUFFICIENT_AUTHORIZATION, None, None
    return HapStatus.SUCCESS, value, auth_data
