"""Accessories and services: what is made by itself, what is refused and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hapcore.catalogue import Category
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.catalogue.services import Battery, Lightbulb, Switch, TemperatureSensor
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import MAX_ACCESSORIES, MAX_CHARACTERISTICS, MAX_SERVICES, Database
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import normalise_uuid, short_uuid


def test_a_service_becomes_an_accessory() -> None:
    light = Lightbulb("Desk lamp", on=True)
    accessory = Accessory.of(light)
    assert accessory.name == "Desk lamp"
    assert accessory.category == Category.LIGHTBULB
    information = {one.type.name: one.value for one in accessory.information.characteristics}
    assert len(information.pop("SerialNumber")) == 12
    assert information == {
        "Identify": False,
        "Manufacturer": "hapcore",
        "Model": "Lightbulb",
        "Name": "Desk lamp",
        "FirmwareRevision": "1.0.0",
    }
    assert accessory.services[1] is light
    assert Accessory.of(accessory) is accessory
    assert Accessory.of(Lightbulb()).name == "Lightbulb"
    assert Accessory.of(Lightbulb("a"), "b").name == "b"


def test_serial_numbers_are_stable_and_different() -> None:
    def serial(*names: str) -> set[str]:
        return {Accessory(name).information[c.SERIAL_NUMBER].value for name in names}

    assert len(serial("a", "b")) == 2
    assert serial("a") == serial("a")


def test_the_category_is_that_of_the_main_service() -> None:
    assert Accessory("x", services=[Battery(), TemperatureSensor(primary=True)]).category == Category.SENSOR
    assert Accessory("x").category == Category.OTHER
    assert Accessory("x", services=[Lightbulb()], category=Category.FAN).category == Category.FAN
    assert Accessory.bridge("x").category == Category.BRIDGE


def test_identify() -> None:
    accessory = Accessory("x")
    assert accessory.identify_fn is None

    @accessory.identify
    def blink() -> None: ...

    assert accessory.identify_fn is blink
    assert accessory.identify_characteristic.type == c.IDENTIFY


def test_services_know_their_characteristics() -> None:
    light = Lightbulb(brightness=40)
    assert light[c.ON] is light.on
    assert light.get(c.HUE) is None
    assert c.BRIGHTNESS in light
    assert c.HUE not in light
    with pytest.raises(LocalProtocolError, match="no Hue"):
        light[c.HUE]
    with pytest.raises(AttributeError, match="hue="):
        light.hue  # noqa: B018 - the access is what fails
    with pytest.raises(LocalProtocolError, match="already"):
        light.add(Characteristic(c.ON))


def test_a_characteristic_may_be_given_in_place_of_a_value() -> None:
    own = Characteristic(c.BRIGHTNESS, 5, step=5)
    assert Lightbulb(brightness=own).brightness is own
    with pytest.raises(LocalProtocolError, match="wanted a Brightness"):
        Lightbulb(brightness=Characteristic(c.VOLUME))
    with pytest.raises(ValueRefused, match="Brightness"):
        Lightbulb(brightness=500)


def test_find_looks_through_all_services() -> None:
    accessory = Accessory("x", services=[Lightbulb("inner", brightness=3)])
    brightness = accessory.find(c.BRIGHTNESS)
    assert brightness is not None
    assert brightness.value == 3
    assert accessory.find(c.HUE) is None
    assert accessory.find_service(s.LIGHTBULB.uuid) is accessory.services[1]


def test_information_of_ones_own() -> None:
    own = Accessory("ignored", services=[Accessory("mine").information, Lightbulb()])
    assert own.name == "mine"
    assert len(own.services) == 2


def hidden_only() -> Service:
    return Service(
        ServiceType("Own", "12345678-AAAA-BBBB-CCCC-1234567890AB"), [Characteristic(c.ON, perms=["pr", "hd"])]
    )


def linked_to_itself() -> Service:
    light = Lightbulb()
    light.linked.append(light)
    return light


def linked_twice() -> list[Service]:
    battery = Battery()
    return [battery, Lightbulb(linked=[battery, battery])]


def numbered(count: int) -> list[Service]:
    return [Switch(key=str(number)) for number in range(count)]


def crowded() -> Service:
    own = Service(ServiceType("Own", "12345678-AAAA-BBBB-CCCC-1234567890AB"))
    for number in range(MAX_CHARACTERISTICS + 1):
        kind = type(c.ON)(f"Own {number}", f"{number:08X}-AAAA-BBBB-CCCC-1234567890AB", c.ON.metadata, bool)
        own.add(Characteristic(kind))
    return own


def without_model() -> Accessory:
    accessory = Accessory("x")
    accessory.information.characteristics.pop(2)
    return accessory


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no accessory": (list, "1 to 150"),
    "too many accessories": (lambda: [Accessory(f"{n}") for n in range(MAX_ACCESSORIES + 1)], "1 to 150"),
    "too many services": (lambda: Accessory("x", services=numbered(MAX_SERVICES)), "at most 100"),
    "too many characteristics": (crowded, "at most 100"),
    "two of a type without keys": (lambda: Accessory("x", services=[Switch("l"), Switch("r")]), "twice"),
    "two accessories of a name": (lambda: [Accessory(name) for name in "abb"], "twice"),
    "two primary": (lambda: Accessory("x", services=[Switch(primary=True), Lightbulb(primary=True)]), "primary"),
    "two informations": (lambda: Accessory("x", services=[Accessory("y").information] * 2), "more than one"),
    "information incomplete": (without_model, "lacks"),
    "information with a number": (
        lambda: Accessory("x", services=[Service(s.ACCESSORY_INFORMATION, iid=5, label="x")]),
        "number 1",
    ),
    "linked to itself": (linked_to_itself, "itself"),
    "linked twice": (lambda: Accessory("x", services=linked_twice()), "twice"),
    "linked elsewhere": (lambda: Lightbulb(linked=[Battery()]), "another accessory"),
    "hidden only": (hidden_only, "must be hidden"),
    "empty name": (lambda: Accessory(""), "Name"),
    "empty manufacturer": (lambda: Accessory("x", manufacturer=""), "Manufacturer"),
    "short model": (lambda: Accessory("x", model="M"), "Model"),
    "short serial number": (lambda: Accessory("x", serial_number="1"), "SerialNumber"),
    "no revision": (lambda: Accessory("x", firmware_revision="beta"), "1.2.3"),
    "revision of four": (lambda: Accessory("x", firmware_revision="1.2.3.4"), "1.2.3"),
    "revision too large": (lambda: Accessory("x", firmware_revision="1.4294967296"), "1.2.3"),
    "head with another id": (lambda: Accessory("x", aid=2), "id 1"),
    "id of the head": (lambda: [Accessory("x"), Accessory("y", aid=1)], "both have the number 1"),
    "one id for two": (lambda: [Accessory("x"), Accessory("y", aid=5), Accessory("z", aid=5)], "number 5"),
    "one number for two": (lambda: Lightbulb(on=Characteristic(c.ON, iid=9), iid=9), "number 9"),
    "number 0": (lambda: Lightbulb(iid=0), "number 0"),
    "number beyond 64 bits": (lambda: Lightbulb(iid=2**64), str(2**64)),
    "write-response without write": (lambda: Lightbulb(on=Characteristic(c.ON, perms=["pr", "wr"])), "write-response"),
    "timed without write": (lambda: Lightbulb(on=Characteristic(c.ON, perms=["pr", "tw"])), "timed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_database_refuses(case: str) -> None:
    make, words = REFUSED[case]
    things = make()
    if case == "information with a number":
        assert isinstance(things, Accessory)
        for one in Accessory("y").information.characteristics:
            things.services[0].add(one)
    with pytest.raises(LocalProtocolError, match=words):
        Database(things if isinstance(things, list) else [things])  # type: ignore[list-item]


def test_texts_that_are_too_long() -> None:
    with pytest.raises(ValueRefused, match="Name"):
        Accessory("é" * 33)


def test_a_refused_database_leaves_the_numbers_alone() -> None:
    light = Lightbulb("x")
    Database([light])
    number = light.on.id
    with pytest.raises(LocalProtocolError):
        Database([Accessory("y"), Accessory("z", services=[light], model="M")])
    assert light.on.id == number


def test_one_with_aid_1_has_protocol_information_the_others_do_not() -> None:
    first, second = Accessory("x"), Accessory("y")
    Database([first, second])
    assert [one.type.name for one in first.services] == ["AccessoryInformation", "ProtocolInformation"]
    assert [one.type.name for one in second.services] == ["AccessoryInformation"]
    Database([first, second])
    assert len(first.services) == 2


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("25", "00000025-0000-1000-8000-0026BB765291", "25"),
        ("8a", "0000008A-0000-1000-8000-0026BB765291", "8A"),
        ("00000025-0000-1000-8000-0026bb765291", "00000025-0000-1000-8000-0026BB765291", "25"),
        ("12345678-aaaa-BBBB-cccc-1234567890ab", "12345678-AAAA-BBBB-CCCC-1234567890AB", None),
    ],
)
def test_uuids(text: str, full: str, short: str | None) -> None:
    assert normalise_uuid(text) == full
    assert short_uuid(full) == (short or full)


@pytest.mark.parametrize("text", ["", "x", "123456789", "25-", "12345678-AAAA-BBBB-CCCC", "g" * 36, "Ä5"])
def test_no_uuids(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        normalise_uuid(text)
