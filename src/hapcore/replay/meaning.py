"""Comparing two messages by what they say, and showing both to a person where they say different things.

Free are: the order and spelling of headers, chunking, the order of TLV items, of pairings in a list, of JSON keys and
of permissions; 1 and true, 0 and false; numbers that are the same in single precision; JSON that only a tolerant reader
takes. The accessory database is compared with its defaults filled in.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from hapcore.codec import tlv8
from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.model.uuid import normalise_uuid
from hapcore.replay.messages import Message

__all__ = ["Opener", "difference", "json_difference", "same_value", "show", "tlv_difference", "values_of"]

#: Opens the EncryptedData of a pairing message, None where it cannot.
Opener: TypeAlias = Callable[[bytes], bytes | None]
Items: TypeAlias = list[tuple[int, bytes]]

_ITEMS = {
    0x00: "Method",
    0x01: "Identifier",
    0x02: "Salt",
    0x03: "PublicKey",
    0x04: "Proof",
    0x05: "EncryptedData",
    0x06: "State",
    0x07: "Error",
    0x08: "RetryDelay",
    0x09: "Certificate",
    0x0A: "Signature",
    0x0B: "Permissions",
    0x0E: "SessionID",
    0x13: "Flags",
    0xFF: "Separator",
}
_SEALED, _STATE, _SEPARATOR = 0x05, 0x06, 0xFF
#: Added to the types of items that were sealed.
_INNER = 0x100
_SRP_KEY = 64  # public keys longer than this are SRP's, which are numbers
_WHOLE = 100  # bytes of an item shown as a whole
_SHOWN = 1500  # characters of a body shown to a person

_RANGES: Mapping[str, tuple[float, float]] = {
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "int": (-(2**31), 2**31 - 1),
    "float": (-3.4028235e38, 3.4028235e38),
}


def difference(expected: Message, got: Message, opener: Opener | None = None) -> str | None:
    """What the second says otherwise than the first, in a few words; None when they mean the same."""
    if expected.event is not got.event:
        return (
            f"expected {'an event' if expected.event else 'an answer'}, got {'an event' if got.event else 'an answer'}"
        )
    if expected.status != got.status:
        return f"HTTP status {got.status} instead of {expected.status}"
    if expected.is_pairing or got.is_pairing:
        return tlv_difference(expected.items, got.items, opener)
    if not expected.body or not got.body:
        return None if expected.body == got.body else f"{len(got.body)} bytes of body instead of {len(expected.body)}"
    if expected.is_json:
        try:
            return json_difference(read_tolerant(expected.body), read_tolerant(got.body))
        except JsonError as error:
            return f"JSON that cannot be read: {error}"
    return None if expected.body == got.body else "another body"


def show(message: Message | None, opener: Opener | None = None) -> str:
    """A message for people: first line, then the body decoded."""
    if message is None:
        return "nothing"
    lines = [message.start]
    if message.is_pairing:
        for kind, value in message.items:
            opened = opener(value) if kind == _SEALED and opener is not None else None
            lines.append(f"  {_name(kind)}: {_hex(value)}")
            if opened is not None:
                lines += [f"    {_name(inner)}: {_hex(content)}" for inner, content in tlv8.decode_tolerant(opened)]
    elif message.body:
        lines.append("  " + message.body.decode("utf-8", "replace"))
    text = "\n".join(lines)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


# TLV


def tlv_difference(expected: Items, got: Items, opener: Opener | None = None) -> str | None:
    """What the second message has otherwise: items, and where there are records between separators, whole records."""
    wanted, found = _records(_plain(expected, opener)), _records(_plain(got, opener))
    if len(wanted) <= 1 and len(found) <= 1:
        left, right = wanted[0] if wanted else [], found[0] if found else []
        return _item_difference(left, right)
    missing = [record for record in wanted if record not in found]
    extra = [record for record in found if record not in wanted]
    texts = [f"a record missing: {_named(each)}" for each in missing] + [
        f"a record too much: {_named(each)}" for each in extra
    ]
    return "; ".join(texts) or None


def _item_difference(expected: Items, got: Items) -> str | None:
    kinds, others = {kind for kind, _ in expected}, {kind for kind, _ in got}
    missing = [_name(kind) for kind in sorted(kinds - others)]
    extra = [_name(kind) for kind in sorted(others - kinds)]
    changed = [
        _name(kind)
        for kind in sorted(kinds & others)
        if [value for one, value in expected if one == kind] != [value for one, value in got if one == kind]
    ]
    texts = [
        f"item {', '.join(names)} {what}"
        for names, what in ((missing, "missing"), (extra, "too much"), (changed, "different"))
        if names
    ]
    return "; ".join(texts) or None


def _hex(value: bytes) -> str:
    return value.hex() if len(value) < _WHOLE else f"{value[:24].hex()}... ({len(value)} bytes)"


def _name(kind: int) -> str:
    return f"inner {_name(kind - _INNER)}" if kind >= _INNER else _ITEMS.get(kind, f"{kind:#04x}")


def _named(record: Items) -> str:
    identifier = next((value for kind, value in record if kind == 1), None)
    return "no identifier" if identifier is None else f"Identifier {identifier.hex() or '(empty)'}"


def _records(items: Items) -> list[Items]:
    """The items between separators, each record sorted; the state, which stands before the first, is with none."""
    records = tlv8.split_list([item for item in items if item[0] != _STATE], _SEPARATOR)
    kept = [sorted(record) for record in records if record]
    state = [item for item in items if item[0] == _STATE]
    if len(kept) <= 1:
        return [sorted([*state, *(kept[0] if kept else [])])]
    return [*kept, *([state] if state else [])]


def _plain(items: Items, opener: Opener | None) -> Items:
    plain: Items = []
    for kind, value in items:
        if kind == 3 and len(value) > _SRP_KEY:
            plain.append((kind, value.lstrip(b"\0")))
            continue
        opened = opener(value) if kind == 5 and opener is not None else None
        if opened is None:
            plain.append((kind, value))
        else:
            plain += [(_INNER + inner, content) for inner, content in tlv8.decode_tolerant(opened)]
    return plain


# JSON


def json_difference(expected: JsonValue, got: JsonValue) -> str | None:
    """Where two JSON bodies differ in meaning: every path with what stands there and what should."""
    if isinstance(expected, dict) and isinstance(got, dict):
        if "accessories" in expected and "accessories" in got:
            return _listed(_compare(_database(expected), _database(got), ""))
        if isinstance(expected.get("characteristics"), list) and isinstance(got.get("characteristics"), list):
            return _listed(_compare(_by_id(expected), _by_id(got), ""))
    return _listed(_compare(expected, got, ""))


def _listed(found: Iterator[str]) -> str | None:
    return "; ".join(found) or None


def _compare(expected: JsonValue, got: JsonValue, place: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in dict.fromkeys((*expected, *got)):
            path = f"{place} {key}".lstrip()
            if key not in got:
                yield f"{path}: missing, was {_short(expected[key])}"
            elif key not in expected:
                yield f"{path}: too much"
            else:
                yield from _compare(expected[key], got[key], path)
    elif isinstance(expected, list) and isinstance(got, list):
        if place.endswith(("perms", "linked")):
            expected, got = sorted(expected, key=str), sorted(got, key=str)
        if len(expected) != len(got):
            yield f"{place}: {_short(got)} instead of {_short(expected)}"
            return
        for index, (left, right) in enumerate(zip(expected, got, strict=True)):
            yield from _compare(left, right, f"{place}[{index}]")
    elif not same_value(expected, got):
        yield f"{place}: {_short(got)} instead of {_short(expected)}"


def same_value(expected: JsonValue, got: JsonValue) -> bool:
    """Equal in meaning: booleans are 0 and 1, numbers are compared in single precision unless both are integers."""
    if isinstance(expected, bool | int) and isinstance(got, bool | int):
        return int(expected) == int(got)
    if isinstance(expected, bool | int | float) and isinstance(got, bool | int | float):
        return _single(float(expected)) == _single(float(got)) or abs(expected - got) <= 1e-6 * abs(expected)
    return type(expected) is type(got) and expected == got


def values_of(message: Message) -> list[Mapping[str, JsonValue]]:
    """The entries of a body with characteristics; of a whole database, every characteristic with its aid."""
    if not message.is_json or not message.body:
        return []
    try:
        body = read_tolerant(message.body)
    except JsonError:
        return []
    if not isinstance(body, dict):
        return []
    found: list[Mapping[str, JsonValue]] = [
        each for each in _list(body.get("characteristics")) if isinstance(each, dict)
    ]
    for accessory in _list(body.get("accessories")):
        if not isinstance(accessory, dict):
            continue
        for service in _list(accessory.get("services")):
            listed = service.get("characteristics") if isinstance(service, dict) else None
            for each in _list(listed):
                if isinstance(each, dict):
                    found.append({"aid": accessory.get("aid"), **each})
    return found


def _list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else []


def _by_id(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The entries of a body under their ids; of the same id, one after the other."""
    found: dict[str, JsonValue] = {key: value for key, value in body.items() if key != "characteristics"}
    for entry in _list(body.get("characteristics")):
        if isinstance(entry, dict):
            name = f"{entry.get('aid')}.{entry.get('iid')}"
            found[_free(found, name)] = entry
    return found


def _free(taken: Mapping[str, JsonValue], name: str) -> str:
    count = 1
    while (candidate := name if count == 1 else f"{name} ({count})") in taken:
        count += 1
    return candidate


def _database(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """An accessory database under its ids, full type names, without what says no more than the default."""
    found: dict[str, JsonValue] = {}
    for accessory in _list(body.get("accessories")):
        if not isinstance(accessory, dict):
            continue
        aid = accessory.get("aid")
        for service in _list(accessory.get("services")):
            if not isinstance(service, dict):
                continue
            one: dict[str, JsonValue] = {
                key: value
                for key, value in service.items()
                if key not in ("iid", "characteristics") and value not in (False, None, [])
            }
            one["type"] = _type(service.get("type"))
            name = f"service {aid}.{service.get('iid')}"
            found[_free(found, name)] = one
            for each in _list(service.get("characteristics")):
                if isinstance(each, dict):
                    found[_free(found, f"{aid}.{each.get('iid')}")] = {
                        **_characteristic(each),
                        "service": service.get("iid"),
                    }
    return found


def _characteristic(entry: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    one: dict[str, JsonValue] = {key: value for key, value in entry.items() if value is not None or key == "value"}
    one["type"] = _type(entry.get("type"))
    form = entry.get("format")
    low, high = _RANGES.get(form, (None, None)) if isinstance(form, str) else (None, None)
    defaults: dict[str, JsonValue] = {
        "minValue": low,
        "maxValue": high,
        "ev": False,
        "maxLen": 64,
        "maxDataLen": 2097152,
    }
    for key, value in defaults.items():
        if key in one and same_value(value, one[key]):
            del one[key]
    if one.get("minStep") == 0 or (one.get("minStep") == 1 and form != "float"):
        del one["minStep"]
    return one


def _type(value: JsonValue) -> JsonValue:
    try:
        return normalise_uuid(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return value


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 80 else f"{text[:77]}..."
