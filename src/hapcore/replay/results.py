"""Whether our controller asked what was asked, and took the answers for what they say."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.engine import Command
from hapcore.errors import HapError, Refused
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import GetAccessories, ListPairings, Read, ReadResult, Write, WriteResult
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.items import Item
from hapcore.replay.application import identifier_of
from hapcore.replay.meaning import Opener, json_difference, same_value, tlv_difference, values_of
from hapcore.replay.messages import Message

__all__ = ["has_error", "is_refusal", "request_difference", "result_difference", "same_held"]

_GOOD = (200, 204, 207)
_NOTHING = (b"", b"{}")


def has_error(message: Message) -> bool:
    """Whether a pairing message carries an error."""
    return any(kind == Item.ERROR for kind, _ in message.items)


def is_refusal(answer: Message, error: HapError) -> bool:
    """Whether the answer is one that a command has to fail with, and it failed in that way."""
    return (answer.status not in _GOOD or has_error(answer)) and isinstance(error, Refused)


def request_difference(expected: Message, got: Message, opener: Opener | None = None) -> str | None:
    """What our request says otherwise than the recorded one; the order of ids and of parameters is free."""
    if expected.method != got.method or expected.path != got.path:
        return f"{got.method} {got.path} instead of {expected.method} {expected.path}"
    if _parameters(expected) != _parameters(got):
        return f"query {got.query} instead of {expected.query}"
    if expected.is_pairing:
        return tlv_difference(expected.items, got.items, opener)
    if expected.body in _NOTHING and got.body in _NOTHING:
        return None
    try:
        return json_difference(read_tolerant(expected.body), read_tolerant(got.body))
    except JsonError as error:
        return str(error)


def _parameters(request: Message) -> tuple[set[str], set[str]]:
    ids: set[str] = set()
    rest: set[str] = set()
    for part in (request.query or "").split("&"):
        if part.startswith("id="):
            ids |= set(part[3:].split(","))
        else:
            rest.add(part)
    return ids, rest


def result_difference(command: Command[Any], result: object, answer: Message) -> str | None:
    """Whether the result of a command says what its answer says."""
    if answer.status not in _GOOD:
        return "a refusal was taken for success"
    match command:
        case ListPairings():
            wanted = sum(1 for kind, _ in answer.items if kind == Item.IDENTIFIER)
            got = len(cast("tuple[object, ...]", result))
            return None if got == wanted else f"{got} pairings instead of {wanted}"
        case GetAccessories():
            return _database_difference(cast("tuple[AccessoryDescription, ...]", result), answer)
        case Read() | Write():
            return _entries_difference(cast("Mapping[CharacteristicId, ReadResult | WriteResult]", result), answer)
        case _:
            return None


def same_held(expected: JsonValue, got: Value) -> bool:
    """Whether a value was read as it was sent; an empty base64 text may stand for no value at all."""
    held: JsonValue = base64.b64encode(got).decode() if isinstance(got, bytes) else got
    return same_value(expected, held) or (expected == "" and got is None)


def _entries_difference(results: Mapping[CharacteristicId, ReadResult | WriteResult], answer: Message) -> str | None:
    for entry in values_of(answer):
        number = identifier_of(entry)
        got = results.get(number) if number is not None else None
        if got is None:
            return f"no result for {number}"
        if int(got.status) != entry.get("status", 0):
            return f"{number}: status {int(got.status)} instead of {entry.get('status', 0)}"
        if "value" in entry and not same_held(entry["value"], got.value):
            return f"{number}: value {got.value!r} instead of {entry['value']!r}"
    return None


def _database_difference(accessories: tuple[AccessoryDescription, ...], answer: Message) -> str | None:
    found = {
        CharacteristicId(accessory.aid, one.iid): one.value
        for accessory in accessories
        for service in accessory.services
        for one in service.characteristics
    }
    entries = values_of(answer)
    if len(entries) != len(found):
        return f"{len(found)} characteristics instead of {len(entries)}"
    for entry in entries:
        number = identifier_of(entry)
        if number is None or number not in found:
            return f"no characteristic {number}"
        if entry.get("value") is not None and not same_held(entry["value"], found[number]):
            return f"{number}: value {found[number]!r} instead of {entry['value']!r}"
    return None
