"""Requests as bytes, in exactly the form real accessories are known to take (HAP 8.2).

Host is the address alone; Content-Length and Content-Type follow it; a GET carries Host alone; JSON has no spaces and
its keys stand in the order aid, iid, value. No request has a length that is a multiple of 1024, because one known
accessory then waits for more (HAP 7).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Final, NamedTuple

from hapcore.codec import json
from hapcore.codec.http import write_request
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.ids import CharacteristicId
from hapcore.model.metadata import Metadata
from hapcore.model.values import for_write

__all__ = [
    "JSON_TYPE",
    "MAX_IDS",
    "TLV_TYPE",
    "Outgoing",
    "events_body",
    "host_header",
    "identify",
    "pairing_message",
    "prepare",
    "put_characteristics",
    "reads",
    "resource",
    "value_text",
    "write_entry",
]

#: Most ids of one GET: small devices run out of memory above this, and Apple's controllers stay below it too.
MAX_IDS: Final = 49
#: Longest host name; the name only travels in a header, 255 is the limit of DNS.
MAX_HOST: Final = 255
#: Lengths some accessories cannot tell from "more to come".
_AWKWARD_LENGTH: Final = 1024
#: What fits into the integers of JSON as accessories read it: int32 downwards, uint64 upwards (HAP 8.8).
_MIN_INT, _MAX_INT = -(2**31), 2**64 - 1

JSON_TYPE: Final = "application/hap+json"
TLV_TYPE: Final = "application/pairing+tlv8"


class Outgoing(NamedTuple):
    """One request: its bytes, its name for people, and whether an honest accessory may need long for it."""

    data: bytes
    what: str
    slow: bool = False


def host_header(host: str) -> str:
    """`host` as it stands in the Host header: no port, no zone, IPv6 in brackets. Raises `LocalProtocolError`."""
    name = host.removeprefix("[").removesuffix("]")
    if ":" in name:
        name = name.partition("%")[0]
        if name.count(":") < 2:
            raise LocalProtocolError("is an address or a name without a port", argument="host")
        name = f"[{name}]"
    if not name or len(name) > MAX_HOST or not name.isascii() or not name.isprintable() or " " in name:
        raise LocalProtocolError("is neither an IP address nor a host name", argument="host")
    return name


def pairing_message(host: str, path: str, message: bytes, *, slow: bool) -> Outgoing:
    """POST of a TLV message to `path`."""
    return Outgoing(write_request("POST", path, host, TLV_TYPE, message), f"POST {path}", slow)


def identify(host: str) -> Outgoing:
    """POST /identify, which has an empty body and says so."""
    return Outgoing(write_request("POST", "/identify", host, None, b""), "POST /identify")


def accessories(host: str) -> Outgoing:
    """GET /accessories."""
    return Outgoing(write_request("GET", "/accessories", host), "GET /accessories", slow=True)


def resource(host: str, width: int, height: int, aid: int | None, reason: int | None) -> Outgoing:
    """POST /resource for a picture; a camera may take half a minute for it."""
    body = b'{"image-height":%d,"resource-type":"image","image-width":%d' % (height, width)
    if aid is not None:
        body += b',"aid":%d' % aid
    if reason is not None:
        body += b',"reason":%d' % reason
    return Outgoing(write_request("POST", "/resource", host, JSON_TYPE, body + b"}"), "POST /resource", slow=True)


def reads(
    host: str, ids: Sequence[CharacteristicId], flags: str
) -> Iterator[tuple[Sequence[CharacteristicId], Outgoing]]:
    """GET /characteristics for all `ids`, at most 49 at a time; `flags` is "" or such as "&meta=1"."""
    start = 0
    while start < len(ids):
        batch = ids[start : start + MAX_IDS]
        while True:
            target = "/characteristics?id=" + ",".join([f"{aid}.{iid}" for aid, iid in batch]) + flags
            data = write_request("GET", target, host)
            # A query cannot be padded: ask for one characteristic less. A single one never gets that long.
            if len(data) % _AWKWARD_LENGTH or len(batch) == 1:
                break
            batch = batch[:-1]
        start += len(batch)
        yield batch, Outgoing(data, "GET /characteristics")


def put_characteristics(host: str, entries: Iterable[bytes], pid: int | None = None) -> Outgoing:
    """PUT /characteristics with `entries`; `pid` names the timed write it executes."""
    ending = b"]}" if pid is None else b'],"pid":%d}' % pid
    return _put(host, "/characteristics", b'{"characteristics":[' + b",".join(entries) + ending)


def prepare(host: str, ttl: int, pid: int) -> Outgoing:
    """PUT /prepare: the timed write `pid` will follow within `ttl` milliseconds."""
    return _put(host, "/prepare", b'{"ttl":%d,"pid":%d}' % (ttl, pid))


def _put(host: str, path: str, body: bytes) -> Outgoing:
    data = write_request("PUT", path, host, JSON_TYPE, body)
    while not len(data) % _AWKWARD_LENGTH:
        body += b" "
        data = write_request("PUT", path, host, JSON_TYPE, body)
    return Outgoing(data, f"PUT {path}")


def write_entry(
    one: CharacteristicId, value: bytes, *, auth_data: bytes | None = None, remote: bool = False, response: bool = False
) -> bytes:
    """One entry of a write; `value` is JSON text already."""
    entry = b'{"aid":%d,"iid":%d,"value":%b' % (one[0], one[1], value)
    if auth_data is not None:
        entry += b',"authData":"' + b2a_base64(auth_data, newline=False) + b'"'
    if remote:
        entry += b',"remote":true'
    if response:
        entry += b',"r":true'
    return entry + b"}"


def events_body(ids: Iterable[CharacteristicId], *, enable: bool) -> list[bytes]:
    """Entries that switch events on or off."""
    word = b"true" if enable else b"false"
    return [b'{"aid":%d,"iid":%d,"ev":%b}' % (aid, iid, word) for aid, iid in ids]


def value_text(meta: Metadata | None, value: object) -> bytes:
    """JSON text of a value to write: booleans as 1 and 0, floats with a point, bytes as base64 (HAP 8.8).

    With metadata the value is checked and rounded to its grid. Raises `ValueRefused`.
    """
    if meta is not None:
        value = for_write(meta, value)
    if isinstance(value, int):
        # Booleans are integers too; int() frees them, and enumerations, of their own text.
        number = int(value)
        if not _MIN_INT <= number <= _MAX_INT:
            raise ValueRefused(f"{number} is outside {_MIN_INT} to {_MAX_INT}")
        return b"%d" % number
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueRefused("the number is not finite")
        return json.number(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueRefused("the text holds a lone surrogate") from None
        return json.string(value)
    if isinstance(value, bytes):
        return b'"' + b2a_base64(value, newline=False) + b'"'
    raise ValueRefused("there is no way to write no value" if value is None else f"{type(value).__name__} is no value")
