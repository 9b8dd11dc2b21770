"""A database of our own made of what a recorded accessory showed of its own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.errors import HapError
from hapcore.ids import Value
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import ACCESSORY_INFORMATION, normalise_uuid
from hapcore.replay.fields import RecordingError
from hapcore.replay.meaning import values_of
from hapcore.replay.script import Expect, Script

__all__ = ["database_from_json", "recorded_database"]

_PYTHON: Mapping[Format, type] = {
    Format.BOOL: bool,
    Format.FLOAT: float,
    Format.STRING: str,
    Format.TLV8: bytes,
    Format.DATA: bytes,
}
_FORMATS = frozenset(each.value for each in Format)
#: A service type of nobody's, for characteristics whose service the recording does not show.
_UNKNOWN = "A5A5A5A5-0000-4000-8000-000000000000"
_FIRST_FREE = 1_000_000


def database_from_json(body: JsonValue) -> Database:
    """The database of a GET /accessories answer (decoded), with its own numbers and values.

    What a characteristic leaves out gets the default of HAP 10.3; what a database of ours cannot have (a type twice in
    a service, a format of nobody's) is left out. `RecordingError` where no database can be made of it.
    """
    accessories: list[Accessory] = []
    for entry in _objects(body, "accessories"):
        links: dict[int, tuple[Service, list[JsonValue]]] = {}
        services: list[Service] = []
        for each in _objects(entry, "services"):
            service = _service(each)
            linked = each.get("linked")
            links[_number(each, "iid")] = service, linked if isinstance(linked, list) else []
            services.append(service)
        for service, targets in links.values():
            service.linked += [links[iid][0] for iid in targets if isinstance(iid, int) and iid in links]
        aid = _number(entry, "aid")
        accessory = Accessory(f"Accessory {aid}", services=services, aid=aid, key=str(aid))
        accessories.append(accessory)
    # The one with the id 1 is the head, wherever it stands in the answer.
    accessories.sort(key=lambda one: one.fixed_aid != 1)
    try:
        return Database(accessories, strict=False)
    except HapError as error:
        raise RecordingError(f"the recorded database cannot be served: {error}") from None


def recorded_database(script: Script) -> Database:
    """The database of the first GET /accessories of a recording.

    Where there is none: an accessory with the characteristics that are read, as far as their values show what they are.
    """
    seen: dict[tuple[int, int], JsonValue] = {}
    for scene in script.scenes:
        for track in scene.tracks:
            for step in track.steps:
                if not isinstance(step, Expect) or not step.message.is_json or not step.message.body:
                    continue
                try:
                    body = read_tolerant(step.message.body)
                except JsonError:
                    continue
                if isinstance(body, dict) and "accessories" in body:
                    return database_from_json(body)
                for entry in values_of(step.message):
                    aid, iid = entry.get("aid"), entry.get("iid")
                    if type(aid) is int and type(iid) is int and "value" in entry:
                        seen.setdefault((aid, iid), entry["value"])
    return _guessed(seen)


def _guessed(seen: Mapping[tuple[int, int], JsonValue]) -> Database:
    information = {iid for aid, iid in seen if aid == 1 and iid < 16}
    service = Service(ServiceType("Recorded", _UNKNOWN), key="recorded", iid=_FIRST_FREE)
    for (aid, iid), value in seen.items():
        if aid == 1:
            service.add(_guess(iid, value))
    accessory = Accessory("Recorded", services=[service] if service.characteristics else [])
    if information:
        # Numbers that the recording uses are taken: the information service moves out of their way, but for its own.
        for offset, one in enumerate(accessory.information.characteristics):
            one.fixed_iid = _FIRST_FREE + 1 + offset
    return Database([accessory])


def _guess(iid: int, value: JsonValue) -> AnyCharacteristic:
    if isinstance(value, bool):
        form = Format.BOOL
    elif isinstance(value, int):
        form = Format.INT
    elif isinstance(value, float):
        form = Format.FLOAT
    else:
        form = Format.STRING
    perms = [Permission.READ, Permission.WRITE, Permission.EVENTS]
    kind: CharacteristicType[Value] = CharacteristicType(
        f"Recorded {iid}", f"{iid:08X}-0000-4000-8000-000000000001", Metadata(form, perms), _PYTHON.get(form, int)
    )
    held: Value = value if isinstance(value, bool | int | float | str) else ""
    return Characteristic(kind, held, iid=iid, max_len=256 if form is Format.STRING else None)


def _service(entry: dict[str, JsonValue]) -> Service:
    iid = _number(entry, "iid")
    uuid = _type(entry)
    service = Service(
        ServiceType(uuid, uuid),
        key=str(iid),
        primary=entry.get("primary") is True,
        hidden=entry.get("hidden") is True,
        # Some give Accessory Information another number than the 1 it has to have; ours cannot.
        iid=None if uuid == ACCESSORY_INFORMATION else iid,
    )
    for each in _objects(entry, "characteristics"):
        # What our model cannot express is left out, and will be missed by whoever compares.
        if each.get("format") in _FORMATS:
            made = _characteristic(each)
            if service.get(made.type) is None:
                service.add(made)
    return service


def _characteristic(entry: Mapping[str, JsonValue]) -> AnyCharacteristic:
    iid = _number(entry, "iid")
    uuid = _type(entry)
    form = Format(str(entry.get("format")))
    perms = entry.get("perms")
    known = {one.value for one in Permission}
    metadata = Metadata(form, [one for one in perms if one in known] if isinstance(perms, list) else ())
    kind: CharacteristicType[Value] = CharacteristicType(uuid, uuid, metadata, _PYTHON.get(form, int))
    values = entry.get("valid-values")
    unit = entry.get("unit")

    def made(value: Value) -> AnyCharacteristic:
        return Characteristic(
            kind,
            value,
            unit=Unit(unit) if isinstance(unit, str) and unit in {one.value for one in Unit} else None,
            min=_bound(entry, "minValue"),
            max=_bound(entry, "maxValue"),
            step=_bound(entry, "minStep"),
            max_len=_whole(entry, "maxLen"),
            max_data_len=_whole(entry, "maxDataLen"),
            valid_values=[one for one in values if isinstance(one, int)] if isinstance(values, list) else None,
            valid_ranges=_ranges(entry.get("valid-values-range")),
            description=_text(entry, "description"),
            iid=iid,
        )

    try:
        return made(_held(form, entry.get("value")))
    except HapError:
        # Some show values that their own metadata forbids.
        return made(None)


def _held(form: Format, value: JsonValue) -> Value:
    if form in (Format.DATA, Format.TLV8):
        try:
            return base64.b64decode(value) if isinstance(value, str) else b""
        except binascii.Error:
            return b""
    if form is Format.BOOL:
        return bool(value)
    return value if isinstance(value, int | float | str) else None


def _ranges(value: JsonValue) -> list[tuple[int, int]] | None:
    """Pairs, or one flat pair (HAP 10.3)."""
    match value:
        case [int() as low, int() as high]:
            return [(low, high)]
        case list():
            return [pair for pair in map(_pair, value) if pair is not None]
        case _:
            return None


def _pair(value: JsonValue) -> tuple[int, int] | None:
    match value:
        case [int() as low, int() as high]:
            return low, high
        case _:
            return None


def _objects(value: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise RecordingError(f"expected a list of {key}")
    return [each for each in found if isinstance(each, dict)]


def _number(entry: Mapping[str, JsonValue], key: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        raise RecordingError(f"expected a number as {key}, got {value!r}")
    return value


def _type(entry: Mapping[str, JsonValue]) -> str:
    try:
        return normalise_uuid(str(entry.get("type")))
    except HapError as error:
        raise RecordingError(str(error)) from None


def _bound(entry: Mapping[str, JsonValue], key: str) -> float | None:
    value = entry.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(entry: Mapping[str, JsonValue], key: str) -> int | None:
    value = entry.get(key)
    return value if type(value) is int else None


def _text(entry: Mapping[str, JsonValue], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None
