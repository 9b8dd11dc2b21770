"""Reading a house: the tables of the file become accessories, and what is done about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from attrs import field, frozen

from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.house.names import characteristic_types, service_class
from hapcore.house.plan import Follow, House, Listen, Place, Poll, Write
from hapcore.house.steps import ACTION, POLL, read_action, read_listening, read_path
from hapcore.house.table import Table, simple, suggestion
from hapcore.house.values import from_file
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, Characteristic
from hapcore.model.database import Database
from hapcore.model.service import Service
from hapcore.setup_code import SetupCode

__all__ = ["read"]

_HOUSE = ("name", "state", "setup_code", "bridge", "accessories")
_SERVICE = ("service", "values", "write", "poll", "listen")
_DETAILS = ("manufacturer", "model", "serial_number", "firmware_revision", "hardware_revision")
_LIMITS = ("value", "min", "max", "step", "valid_values")
#: Limits beyond this have no meaning in any format, and could not be written as JSON.
_LARGEST = 2.0**64
#: What somebody has to be told to do, and what tells that it is done; only where nothing else tells that.
_FOLLOWS = {
    "lock_target_state": "lock_current_state",
    "target_door_state": "current_door_state",
    "target_position": "current_position",
    "target_horizontal_tilt_angle": "current_horizontal_tilt_angle",
    "target_vertical_tilt_angle": "current_vertical_tilt_angle",
    "target_tilt_angle": "current_tilt_angle",
    "security_system_target_state": "security_system_current_state",
    "target_heating_cooling_state": "current_heating_cooling_state",
}


def read(document: Mapping[str, object], file: str) -> House:
    """The house that the tables of `file` describe.

    Raises `LocalProtocolError` with the file, the place in it and what would be right.
    """
    # Numbering a database changes what is in it; the one that is served must be as new.
    tried = _read(document, file)
    try:
        Database(tried.accessories)
    except LocalProtocolError as error:
        raise LocalProtocolError(f"{file}: {error}") from None
    return _read(document, file)


@frozen
class _Found:
    writes: list[Write] = field(factory=list[Write])
    polls: list[Poll] = field(factory=list[Poll])
    listens: list[Listen] = field(factory=list[Listen])
    follows: list[Follow] = field(factory=list[Follow])


def _read(document: Mapping[str, object], file: str) -> House:
    top = Table(document, file, (), _HOUSE)
    name, code, bridge = top.text("name"), top.text("setup_code"), top.flag("bridge")
    if code is not None:
        try:
            SetupCode(code)
        except ValueError as error:
            raise top.error(str(error).partition(": ")[2] or str(error), "setup_code") from None
    found = _Found()
    tables = top.table("accessories")
    accessories = [
        _accessory(key, tables.table(key, (*_SERVICE, *_DETAILS, "name", "services")), found) for key in tables
    ]
    if not accessories:
        raise top.error("there are no accessories: begin with a table [accessories.KEY] and its service")
    if bridge is False and len(accessories) > 1:
        raise top.error(f"{len(accessories)} accessories need a bridge", "bridge")
    if bridge or len(accessories) > 1:
        accessories.insert(0, Accessory.bridge(name or "Bridge"))
    return House(
        tuple(accessories),
        name,
        top.text("state"),
        code,
        tuple(found.writes),
        tuple(found.polls),
        tuple(found.listens),
        tuple(found.follows),
    )


def _accessory(key: str, table: Table, found: _Found) -> Accessory:
    name = table.text("name") or key.replace("-", " ").replace("_", " ").capitalize()
    if "services" in table:
        for wrong in _SERVICE:
            if wrong in table:
                raise table.error("stands below one of the services, where there are services", wrong)
        several = table.table("services")
        below = {one: several.table(one, (*_SERVICE, "name")) for one in several}
        services = [_service(key, one, each.text("name"), each, found) for one, each in below.items()]
        if not services:
            raise table.error("there are none", "services")
    else:
        services = [_service(key, None, None, table, found)]
    details: dict[str, Any] = {one: table.text(one) for one in _DETAILS if one in table}
    try:
        return Accessory(name, services=services, key=key, **details)
    except ValueRefused as refusal:
        raise table.error(str(refusal)) from None


def _service(accessory: str, key: str | None, name: str | None, table: Table, found: _Found) -> Service:
    given = table.text("service")
    if given is None:
        raise table.error('there is no service: service = "lightbulb", for example')
    kind = service_class(table, given)
    types = characteristic_types(kind)
    values, writes, polls, listens = (table.table(one) for one in ("values", "write", "poll", "listen"))
    made: dict[str, AnyCharacteristic] = {}
    for part in (values, writes, polls, listens):
        for wanted in _names(part, types):
            if wanted not in made:
                made[wanted] = _characteristic(types, wanted, values)
    options: dict[str, Any] = {**made, **({} if key is None else {"key": key})}
    try:
        service = cast("Callable[..., Service]", kind)(name, **options)
    except ValueRefused as refusal:
        raise table.error(str(refusal)) from None
    places = {one: Place(accessory, key, one, getattr(service, one)) for one in types if hasattr(service, one)}
    for wanted, original in _names(writes, types).items():
        found.writes.append(Write(places[wanted], read_action(writes, original, ACTION, places[wanted])))
    asked, told = _names(polls, types), _names(listens, types)
    for wanted, original in asked.items():
        found.polls.append(_poll(polls, original, places[wanted]))
    for wanted, original in told.items():
        if wanted in asked:
            raise listens.error("it is in poll already", original)
        command = read_listening(listens, original, places[wanted])
        found.listens.append(Listen(places[wanted], command, read_path(listens.table(original))))
    for target, current in _FOLLOWS.items():
        if target in places and current in places and current not in {*asked, *told}:
            found.follows.append(Follow(places[target].characteristic, places[current].characteristic))
    return service


def _names(part: Table, types: Mapping[str, object]) -> dict[str, str]:
    """The characteristics that a table names: keyword to what stands in the file."""
    known = {simple(name): name for name in types}
    found: dict[str, str] = {}
    for key in part:
        name = known.get(simple(key))
        if name is None:
            raise part.error(f"the service has no characteristic {key!r}{suggestion(key, types)}")
        if name in found:
            raise part.error(f"it is there twice, as {found[name]!r} and as {key!r}", key)
        found[name] = key
    return found


def _characteristic(types: Mapping[str, Any], name: str, values: Table) -> AnyCharacteristic:
    """A characteristic with its first value and limits of its own, where the file has some."""
    kind = types[name]
    key = _names(values, types).get(name)
    given = None if key is None else values.get(key)
    limits: dict[str, Any] = {}
    where: tuple[str, ...] = () if key is None else (key,)
    if key is not None and isinstance(given, Mapping):
        table = values.table(key, _LIMITS)
        limits = {one: table.number(one, -_LARGEST, _LARGEST) for one in ("min", "max", "step") if one in table}
        limits |= dict(_choices(table, kind))
        given = table.get("value")
    try:
        value = None if given is None else from_file(kind, given)
        return Characteristic(kind, value, **limits)
    except LocalProtocolError as error:
        text = str(error).removeprefix("value: ").removeprefix(f"{kind.name}: ")
        raise values.error(text, *where) from None


def _choices(table: Table, kind: Any) -> Iterator[tuple[str, object]]:
    given = table.get("valid_values")
    if given is None:
        return
    items = cast("list[object]", given) if isinstance(given, list) else [None]
    try:
        numbers = [from_file(kind, one) for one in items]
    except ValueRefused:
        numbers = [None]
    if not numbers or not all(type(one) is int and 0 <= one < _LARGEST for one in numbers):
        raise table.error("wanted a list of numbers or of names of values", "valid_values")
    yield "valid_values", numbers


def _poll(part: Table, key: str, place: Place) -> Poll:
    action = read_action(part, key, (*ACTION, *POLL), place, polled=True)
    table = part.table(key)
    age, every = table.number("max_age", 0, 86_400), table.number("every", 1, 86_400)
    return Poll(place, action, read_path(table), 1.0 if age is None else age, every)
