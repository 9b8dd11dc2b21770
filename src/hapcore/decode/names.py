"""What is known of the accessories in a capture: the names of their characteristics, and values as text for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from attrs import frozen

from hapcore.catalogue import characteristic_type, service_type, short_uuid
from hapcore.catalogue.define import ValueEnum
from hapcore.catalogue.structures import describe_tlv
from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.decode.model import Touched
from hapcore.ip.accessory.query import QueryError, parse
from hapcore.model.foreign import from_remote
from hapcore.model.metadata import Format, Metadata
from hapcore.model.remote import AccessoryDescription, read_accessories

_dumps: Callable[[JsonValue], bytes] | None
try:
    from orjson import OPT_INDENT_2
    from orjson import dumps as _orjson
except ImportError:
    _dumps = None
else:
    _dumps = partial(_orjson, option=OPT_INDENT_2)

__all__ = ["MAX_KNOWN", "Names", "Rolodex", "asked_for", "values_in"]

#: Accessories whose names are remembered at once; the one that was heard of last stays longest.
MAX_KNOWN: Final = 256
#: Characters of a value that are shown.
_LONGEST: Final = 2000
#: What may be bytes in base64, where nobody knows what it is.
_ENCODED: Final = re.compile(r"(?=.{16})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@frozen
class _Kind:
    name: str
    short: str
    metadata: Metadata
    values: type[ValueEnum] | None


class Names:
    """The characteristics of one accessory."""

    __slots__ = ("_kinds",)

    def __init__(self, accessories: Iterable[AccessoryDescription] = ()) -> None:
        self._kinds: dict[tuple[int, int], _Kind] = {}
        self.learn(accessories)

    def learn(self, accessories: Iterable[AccessoryDescription]) -> None:
        """Take a database, in place of what was known before."""
        kinds: dict[tuple[int, int], _Kind] = {}
        for accessory in accessories:
            for service in accessory.services:
                found = service_type(service.type)
                place = short_uuid(service.type) if found is None else found.name
                for one in service.characteristics:
                    kind = characteristic_type(one.type)
                    name = short_uuid(one.type) if kind is None else kind.name
                    values = None if kind is None or not issubclass(kind.python, ValueEnum) else kind.python
                    kinds[one.aid, one.iid] = _Kind(f"{place}.{name}", short_uuid(one.type), one.metadata, values)
        if kinds:
            self._kinds = kinds

    def name(self, aid: int, iid: int) -> str:
        """ "Lightbulb.On", or "1.9" where it is not known."""
        found = self._kinds.get((aid, iid))
        return f"{aid}.{iid}" if found is None else found.name

    def hides(self, aid: int, iid: int, value: JsonValue) -> bool:
        """Whether the value is bytes, or may be some: they may hold anything, keys too."""
        found = self._kinds.get((aid, iid))
        if found is None:
            return isinstance(value, str) and _ENCODED.fullmatch(value) is not None
        return found.metadata.format in (Format.TLV8, Format.DATA)

    def text(self, aid: int, iid: int, value: JsonValue, *, answer: bool) -> str:
        """A value for people; `answer` where the accessory says it."""
        kind = self._kinds.get((aid, iid))
        if kind is not None and kind.metadata.format in (Format.TLV8, Format.DATA):
            data = from_remote(kind.metadata, value)
            if isinstance(data, bytes):
                if kind.metadata.format is Format.DATA:
                    return f"<{len(data)} bytes>"
                return describe_tlv(kind.short, data, answer=answer)
        if kind is None and isinstance(value, str) and _ENCODED.fullmatch(value):
            return f"<{len(value)} characters>"
        if kind is not None and kind.metadata.format is Format.BOOL and isinstance(value, int):
            value = bool(value)
        text = value if isinstance(value, str) else _short(value)
        if kind is not None and kind.values is not None and isinstance(value, int) and not isinstance(value, bool):
            text = f"{value} ({kind.values(value).name})"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


class Rolodex:
    """What is known of each accessory, shared by the connections of a capture."""

    def __init__(self) -> None:
        self._known: dict[str, Names] = {}
        self._ids: dict[str, str] = {}

    def names(self, accessory: str) -> Names:
        """Those of an accessory; empty at first."""
        found = self._known.pop(accessory, None) or Names()
        self._known[accessory] = found
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        return found

    def identify(self, address: str, device_id: str) -> None:
        """The accessory at this address has turned out to be that one."""
        self._ids.pop(address, None)
        self._ids[address] = device_id
        if len(self._ids) > MAX_KNOWN:
            del self._ids[next(iter(self._ids))]
        if address in self._known:
            self._known.setdefault(device_id, self._known.pop(address))

    def accessory(self, address: str) -> str:
        """Its device id, as far as known, else the address."""
        return self._ids.get(address, address)


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def asked_for(query: str | None, names: Names) -> tuple[Touched, ...]:
    """The characteristics in the query of a GET; none where it cannot be read."""
    try:
        found = parse(query or "")
    except QueryError:
        return ()
    return tuple(Touched(aid, iid, names.name(aid, iid)) for aid, iid in found.ids)


def values_in(body: bytes, names: Names, *, answer: bool) -> tuple[str, tuple[Touched, ...]]:
    """A body of JSON as text to read, and the characteristics in it. What is no JSON is shown as it is.

    A whole database is learnt on the way.
    """
    try:
        found = read_tolerant(body)
    except JsonError:
        return body.decode("utf-8", "replace"), ()
    touched: list[Touched] = []
    if isinstance(found, dict):
        if answer and isinstance(found.get("accessories"), list):
            names.learn(read_accessories(found))
        for accessory in _objects(found.get("accessories")):
            aid = _whole(accessory.get("aid"))
            for service in _objects(accessory.get("services")):
                for entry in _objects(service.get("characteristics")):
                    if "value" in entry:
                        _touch(touched, aid, entry, names, answer=answer)
        for entry in _objects(found.get("characteristics")):
            _touch(touched, _whole(entry.get("aid")), entry, names, answer=answer)
    return _pretty(_masked(found, names)), tuple(touched)


def _touch(
    touched: list[Touched], aid: int | None, entry: Mapping[str, JsonValue], names: Names, *, answer: bool
) -> None:
    iid = _whole(entry.get("iid"))
    if aid is None or iid is None:
        return
    said = [names.text(aid, iid, entry["value"], answer=answer)] if "value" in entry else []
    if not answer and isinstance(entry.get("ev"), bool | int):
        said.append("events on" if entry["ev"] else "events off")
    status = _whole(entry.get("status"))
    touched.append(Touched(aid, iid, names.name(aid, iid), ", ".join(said) if said else None, status))


def _short(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def _masked(found: JsonValue, names: Names) -> JsonValue:
    """The same without bytes, in which keys may be, and without authorization data."""
    if not isinstance(found, dict):
        return found
    shown = dict(found)
    if isinstance(entries := found.get("characteristics"), list):
        shown["characteristics"] = [_masked_entry(one, None, names) for one in entries]
    if isinstance(accessories := found.get("accessories"), list):
        shown["accessories"] = [
            {
                **accessory,
                "services": [
                    {
                        **service,
                        "characteristics": [
                            _masked_entry(one, _whole(accessory.get("aid")), names)
                            for one in _objects(service.get("characteristics"))
                        ],
                    }
                    for service in _objects(accessory.get("services"))
                ],
            }
            for accessory in _objects(accessories)
        ]
    return shown


def _masked_entry(entry: JsonValue, aid: int | None, names: Names) -> JsonValue:
    if not isinstance(entry, dict):
        return entry
    value, form = entry.get("value"), entry.get("format")
    hidden: dict[str, JsonValue] = {}
    if isinstance(value, str):
        aid, iid = _whole(entry.get("aid")) or aid, _whole(entry.get("iid"))
        known = aid is not None and iid is not None and form is None
        if form in ("tlv8", "data") or (known and names.hides(aid or 0, iid or 0, value)):
            hidden["value"] = f"<{len(value)} characters>"
    if isinstance(data := entry.get("authData"), str):
        hidden["authData"] = f"<{len(data)} characters>"
    return {**entry, **hidden} if hidden else entry


def _pretty(value: JsonValue) -> str:
    if _dumps is not None:
        try:
            return _dumps(value).decode("utf-8")
        except TypeError:
            pass  # a number that is too long for it
    return json.dumps(value, indent=2, ensure_ascii=False)
