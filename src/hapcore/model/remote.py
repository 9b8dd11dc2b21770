"""A controller's view of a foreign accessory: its database, read with patience (HAP 8.6, 10.3).

What real accessories do to the format stands in `hapcore.model.quirks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from attrs import frozen

from hapcore.catalogue.lookup import characteristic_type
from hapcore.codec.json import JsonValue
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId, Value
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE, normalise_uuid
from hapcore.model.values import from_remote

__all__ = ["AccessoryDescription", "CharacteristicDescription", "ServiceDescription", "read_accessories"]

_MAX_ID = 2**64 - 1
_IDENTIFY = "00000014" + BASE
_NAME = "00000023" + BASE
_PERMISSIONS: Mapping[str, Permission] = {one.value: one for one in Permission}
_FORMATS: Mapping[str, Format] = {one.value: one for one in Format}
_UNITS: Mapping[str, Unit] = {one.value: one for one in Unit}

_Object = Mapping[str, JsonValue]


@frozen
class CharacteristicDescription:
    """A characteristic as its accessory describes it.

    `type` is the full upper-case UUID; `value` None where there is none to read; `ev` whether this connection gets
    events, None where the accessory does not say.
    """

    aid: int
    iid: int
    type: str
    metadata: Metadata
    value: Value = None
    ev: bool | None = None

    @property
    def id(self) -> CharacteristicId:
        """Its number, as it is read and written."""
        return CharacteristicId(self.aid, self.iid)


@frozen
class ServiceDescription:
    """A service; `type` is the full upper-case UUID, `linked` the numbers of services of the same accessory."""

    iid: int
    type: str
    primary: bool
    hidden: bool
    linked: tuple[int, ...]
    characteristics: tuple[CharacteristicDescription, ...]

    def find(self, type: str) -> CharacteristicDescription | None:  # noqa: A002 - what it is
        """The first characteristic of that type (UUID, short or full), or None."""
        full = normalise_uuid(type)
        return next((one for one in self.characteristics if one.type == full), None)


@frozen
class AccessoryDescription:
    """An accessory: the one that was asked, or one behind it."""

    aid: int
    services: tuple[ServiceDescription, ...]

    @property
    def name(self) -> str | None:
        """What its Accessory Information says."""
        for service in self.services:
            if service.type == ACCESSORY_INFORMATION:
                found = service.find(_NAME)
                return found.value if found is not None and isinstance(found.value, str) else None
        return None

    def find(self, iid: int) -> CharacteristicDescription | None:
        """The characteristic of that number, or None."""
        return next((one for service in self.services for one in service.characteristics if one.iid == iid), None)


def read_accessories(body: JsonValue) -> tuple[AccessoryDescription, ...]:
    """The accessories in the answer to GET /accessories. What cannot be understood is left out; never raises."""
    entries = body if isinstance(body, list) else body.get("accessories") if isinstance(body, dict) else None
    accessories: dict[int, AccessoryDescription] = {}
    for entry in _objects(entries):
        aid = _id(entry.get("aid"))
        if aid is not None and aid not in accessories:
            accessories[aid] = _accessory(aid, entry)
    return tuple(accessories.values())


def _accessory(aid: int, entry: _Object) -> AccessoryDescription:
    listed = [(iid, each) for each in _objects(entry.get("services")) if (iid := _id(each.get("iid"))) is not None]
    known = {iid for iid, _ in listed}
    seen: set[int] = set()
    services: list[ServiceDescription] = []
    for iid, each in listed:
        kind = _uuid(each.get("type"))
        if kind is None or iid in seen:
            continue
        seen.add(iid)
        linked = each.get("linked")
        numbers = dict.fromkeys(_id(one) for one in linked) if isinstance(linked, list) else {}
        services.append(
            ServiceDescription(
                iid,
                kind,
                _flag(each.get("primary")) or False,
                _flag(each.get("hidden")) or False,
                tuple(one for one in numbers if one is not None and one in known and one != iid),
                tuple(_characteristics(aid, each, seen)),
            )
        )
    return AccessoryDescription(aid, tuple(services))


def _characteristics(aid: int, service: _Object, seen: set[int]) -> Iterator[CharacteristicDescription]:
    for entry in _objects(service.get("characteristics")):
        iid, kind = _id(entry.get("iid")), _uuid(entry.get("type"))
        if iid is None or kind is None or iid in seen:
            continue
        seen.add(iid)
        metadata = _metadata(kind, entry)
        value = from_remote(metadata, entry.get("value"))
        yield CharacteristicDescription(aid, iid, kind, metadata, value, _flag(entry.get("ev")))


def _metadata(kind: str, entry: _Object) -> Metadata:
    form = _format(kind, entry)
    low, high = _bound(form, entry.get("minValue")), _bound(form, entry.get("maxValue"))
    if low is not None and high is not None and low > high:
        low = high = None
    step = _bound(form, entry.get("minStep"))
    unit, description, ranges = entry.get("unit"), entry.get("description"), entry.get("valid-values-range")
    return Metadata(
        form,
        _permissions(kind, entry.get("perms")),
        _UNITS.get(unit) if isinstance(unit, str) else None,
        low,
        high,
        step if step is None or step >= 0 else None,
        _length(entry.get("maxLen")),
        _length(entry.get("maxDataLen")),
        _numbers(entry.get("valid-values")),
        _ranges(ranges) if isinstance(ranges, list) else None,
        description if isinstance(description, str) else None,
    )


def _format(kind: str, entry: _Object) -> Format:
    if kind == _IDENTIFY:
        return Format.BOOL
    said = entry.get("format")
    found = _FORMATS.get(said) if isinstance(said, str) else None
    if found is not None:
        return found
    known = characteristic_type(kind)
    if known is not None:
        return known.metadata.format
    value = entry.get("value")
    if isinstance(value, bool):
        return Format.BOOL
    if isinstance(value, int):
        return Format.INT
    return Format.FLOAT if isinstance(value, float) else Format.STRING


def _permissions(kind: str, said: JsonValue) -> frozenset[Permission]:
    if isinstance(said, list):
        return frozenset(_PERMISSIONS[one] for one in said if isinstance(one, str) and one in _PERMISSIONS)
    known = characteristic_type(kind)
    return frozenset() if known is None else known.metadata.perms


def _objects(value: JsonValue) -> list[_Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _whole(value: JsonValue) -> int | None:
    """A whole number, also as 1.0 or "1"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _id(value: JsonValue) -> int | None:
    number = _whole(value)
    return number if number is not None and 1 <= number <= _MAX_ID else None


def _length(value: JsonValue) -> int | None:
    number = _whole(value)
    return number if number is not None and number >= 0 else None


def _flag(value: JsonValue) -> bool | None:
    return bool(value) if isinstance(value, bool | int) else None


def _bound(form: Format, value: JsonValue) -> float | None:
    """A limit in the type of the format; None for formats without limits and for what is no number."""
    if form.limits is None and form is not Format.FLOAT:
        return None
    number = from_remote(_FLOAT, value)
    if not isinstance(number, float) or not isfinite(number):
        return None
    if form is Format.FLOAT:
        return number
    # A limit of 64 bits does not survive as a float.
    return value if type(value) is int else int(number) if number.is_integer() else None


_FLOAT = Metadata(Format.FLOAT, ())


def _numbers(value: JsonValue) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(sorted({number for one in value if (number := _whole(one)) is not None})) or None


def _ranges(value: list[JsonValue]) -> tuple[tuple[int, int], ...] | None:
    pairs = [one for one in value if isinstance(one, list)] or [value]
    ranges: list[tuple[int, int]] = []
    for pair in pairs:
        numbers = [_whole(one) for one in pair]
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None and numbers[0] <= numbers[1]:
            ranges.append((numbers[0], numbers[1]))
    return tuple(ranges) or None


def _uuid(value: JsonValue) -> str | None:
    """The full form of what may lack dashes, or leading zeros; None where it is no UUID."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) == 32:
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    elif "-" in text:
        text = text.rjust(36, "0")
    try:
        return normalise_uuid(text)
    except LocalProtocolError:
        return None
