"""What HAP and its controllers demand of a database, each refusal with the name of the culprit (HAP 10.1 to 10.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from hapcore.errors import LocalProtocolError
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, Characteristic
from hapcore.model.information import FIRMWARE_REVISION, IDENTIFY, MANUFACTURER, MODEL, NAME, SERIAL_NUMBER, is_one_line
from hapcore.model.numbers import INFORMATION_IID, path
from hapcore.model.service import Service
from hapcore.model.uuid import ACCESSORY_INFORMATION, PROTOCOL_INFORMATION

__all__ = [
    "MAX_ACCESSORIES",
    "MAX_CHARACTERISTICS",
    "MAX_SERVICES",
    "check_accessory",
    "check_keys",
    "check_number",
    "in_words",
]

T = TypeVar("T", Accessory, Service, AnyCharacteristic)

#: A bridge and 149 accessories behind it; controllers refuse more (HAP 10.1).
MAX_ACCESSORIES = 150
#: Per accessory; controllers refuse more (HAP 10.1).
MAX_SERVICES = 100
#: Per service; controllers refuse more (HAP 10.1).
MAX_CHARACTERISTICS = 100

_REVISION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){0,2}")
_LARGEST_REVISION = 2**32 - 1
#: Shorter texts in Accessory Information make controllers refuse the accessory (HAP 10.4).
_SHORTEST = {NAME: 1, MANUFACTURER: 1, MODEL: 2, SERIAL_NUMBER: 2}


def _named(one: Accessory | Service | AnyCharacteristic) -> str:
    """What people call it in an error."""
    if isinstance(one, Characteristic):
        return one.type.name
    if isinstance(one, Service):
        return f"{one.type.name} {one.label!r}" if one.label else one.type.name
    information = one.find_service(ACCESSORY_INFORMATION)
    name = None if information is None else information.get(NAME)
    return f"accessory {one.key!r}" if name is None else f"accessory {name.value!r}"


def check_number(accessories: Sequence[Accessory]) -> None:
    """Raise `LocalProtocolError` where there are too many accessories, or none."""
    if 1 <= len(accessories) <= MAX_ACCESSORIES:
        return
    wanted = f"wanted 1 to {MAX_ACCESSORIES}, got {len(accessories)}"
    if accessories:
        wanted += f": {_named(accessories[MAX_ACCESSORIES])} is one too many; another bridge can have it"
    raise LocalProtocolError(wanted, argument="accessories")


def check_keys(keys: Sequence[str], accessories: Sequence[Accessory]) -> None:
    """Raise `LocalProtocolError` where two have one key, or one stands in two places."""
    if _are_unique(keys, accessories):
        return  # names of culprits cost more than finding that there are none
    first: dict[str, Accessory] = {}
    homes: dict[Service | AnyCharacteristic, str] = {}
    for key, accessory in zip(keys, accessories, strict=True):
        _claim(first, key, accessory, "accessories")
        services: dict[str, Service] = {}
        for service in accessory.services:
            _claim(services, service.key, service, f"{_named(accessory)}: services")
            _settle(homes, service, _named(accessory))
            known: dict[str, AnyCharacteristic] = {}
            for one in service.characteristics:
                _claim(known, one.key, one, f"{_named(accessory)}, {_named(service)}: characteristics")
                _settle(homes, one, f"{_named(accessory)}, {_named(service)}")


def _are_unique(keys: Sequence[str], accessories: Sequence[Accessory]) -> bool:
    things: list[Service | AnyCharacteristic] = []
    for accessory in accessories:
        if len({one.key for one in accessory.services}) != len(accessory.services):
            return False
        things += accessory.services
        for service in accessory.services:
            if len({one.key for one in service.characteristics}) != len(service.characteristics):
                return False
            things += service.characteristics
    return len(set(keys)) == len(keys) and len(set(things)) == len(things)


def _claim(known: dict[str, T], key: str, one: T, what: str) -> None:
    other = known.setdefault(key, one)
    if other is not one:
        both = f"{_named(other)} and {_named(one)}"
        raise LocalProtocolError(
            f"{what}: the key {key!r} is there twice, {both}: give one of them another", argument="key"
        )


def _settle(homes: dict[Service | AnyCharacteristic, str], one: Service | AnyCharacteristic, home: str) -> None:
    other = homes.setdefault(one, home)
    if other is not home:
        raise LocalProtocolError(f"{_named(one)} stands in two places: {other}; {home}", argument="services")


def in_words(error: LocalProtocolError, keys: Sequence[str], accessories: Sequence[Accessory]) -> LocalProtocolError:
    """A complaint about numbers, with names in the place of paths in the table of numbers."""
    text = str(error).removeprefix(f"{error.argument}: ")
    for key, accessory in zip(keys, accessories, strict=True):
        text = text.replace(repr(path(key)), _named(accessory))
        for service in accessory.services:
            where = f"{_named(accessory)}, {_named(service)}"
            text = text.replace(repr(path(key, service.key)), where)
            for one in service.characteristics:
                text = text.replace(repr(path(key, service.key, one.key)), f"{where}, {_named(one)}")
    return LocalProtocolError(text, argument=error.argument)


def check_accessory(accessory: Accessory) -> None:
    """Raise `LocalProtocolError` where an accessory, or a service of it, is not valid."""
    where = _named(accessory)
    services = accessory.services
    if len(services) > MAX_SERVICES:
        culprit = _named([one for one in services if one.type.uuid != PROTOCOL_INFORMATION][-1])
        raise LocalProtocolError(
            f"{where} has {len(services)} services, at most {MAX_SERVICES} are allowed: {culprit} is one too many"
        )
    found = [one.type.uuid for one in services].count(ACCESSORY_INFORMATION)
    if found != 1:
        raise LocalProtocolError(f"{where} has {'more than one' if found else 'no'} Accessory Information")
    primary = [_named(one) for one in services if one.primary]
    if len(primary) > 1:
        raise LocalProtocolError(f"{where} has more than one primary service: {', '.join(primary)}")
    information = accessory.information
    if information.fixed_iid not in (None, INFORMATION_IID):
        raise LocalProtocolError(f"{where}: Accessory Information has the number {INFORMATION_IID}", argument="iid")
    for kind in (FIRMWARE_REVISION, IDENTIFY, MANUFACTURER, MODEL, NAME, SERIAL_NUMBER):
        if not any(one.type.uuid == kind.uuid for one in information.characteristics):
            raise LocalProtocolError(f"{where}: Accessory Information lacks {kind.name}")
    for kind, least in _SHORTEST.items():
        if len(information[kind].value) < least:
            raise LocalProtocolError(f"{where}: wanted at least {least} characters", argument=kind.name)
    if not is_one_line(information[NAME].value):
        raise LocalProtocolError(f"{where}: a name has no line ends or other control characters", argument=NAME.name)
    revision = information[FIRMWARE_REVISION].value
    if not _REVISION.fullmatch(revision) or any(int(part) > _LARGEST_REVISION for part in revision.split(".")):
        raise LocalProtocolError(f"{where}: {revision!r} is not of the form 1.2.3", argument=FIRMWARE_REVISION.name)
    for service in services:
        _check_service(f"{where}, {_named(service)}", service, services)


def _check_service(where: str, service: Service, services: list[Service]) -> None:
    characteristics = service.characteristics
    if len(characteristics) > MAX_CHARACTERISTICS:
        culprit = characteristics[MAX_CHARACTERISTICS].type.name
        raise LocalProtocolError(
            f"{where} has {len(characteristics)} characteristics, at most {MAX_CHARACTERISTICS} are allowed: "
            f"{culprit} is one too many"
        )
    if service in service.linked:
        raise LocalProtocolError(f"{where} is linked to itself", argument="linked")
    if len({id(one) for one in service.linked}) != len(service.linked):
        raise LocalProtocolError(f"{where} is linked to a service twice", argument="linked")
    for other in service.linked:
        if other not in services:
            raise LocalProtocolError(
                f"{where} is linked to a service of another accessory: {_named(other)}", argument="linked"
            )
    if characteristics and not service.hidden and all(one.hidden for one in characteristics):
        raise LocalProtocolError(f"{where} has hidden characteristics only, so it must be hidden", argument="hidden")
    for one in characteristics:
        try:
            one.metadata.check()
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{where}, {one.type.name}: {error}") from None
        if one.write_response and not one.writable:
            raise LocalProtocolError(f"{where}, {one.type.name}: write-response needs the permission to write")
        if one.timed and not one.writable:
            raise LocalProtocolError(f"{where}, {one.type.name}: timed write needs the permission to write")
