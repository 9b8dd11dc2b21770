"""The limits of HAP, met exactly and overstepped by one, and errors that name the culprit (HAP 10.1, 10.4)."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import kind

from hapcore.catalogue.characteristics import BRIGHTNESS, NAME, ON
from hapcore.catalogue.services import Lightbulb, Switch
from hapcore.discovery import instance_name
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.model.service import Service, ServiceType
from hapcore.testing import Pair

OWN = ServiceType("Own", "AD0000FF-0000-4000-8000-000000000000")


def lamps(count):
    return [Lightbulb(f"Lamp {number}") for number in range(1, count + 1)]


def crowd(count):
    return Service(
        OWN, [Characteristic(kind(f"Own {number}", number, Format.BOOL, "pr", bool)) for number in range(count)]
    )


def switches(count):
    """With those that every accessory has there are so many services."""
    return [Switch(f"Switch {number}", key=str(number)) for number in range(count - 2)]


@pytest.mark.parametrize("behind", [148, 149])
def test_accessories_behind_a_bridge(behind):
    database = Database.of(lamps(behind), name="Bridge")
    assert len(database.accessories) == behind + 1
    assert len({one.aid for one in database.accessories}) == behind + 1


@pytest.mark.parametrize("head", [[], [Accessory.bridge("Bridge")]])
def test_one_accessory_too_many(head):
    with pytest.raises(LocalProtocolError, match=r"wanted 1 to 150, got 151: accessory 'Lamp 150' is one too many"):
        Database.of([*head, *lamps(150)])


@pytest.mark.parametrize("count", [99, 100])
def test_services_of_an_accessory(count):
    assert len(Database([Accessory("Strip", services=switches(count))]).accessories[0].services) == count


def test_one_service_too_many():
    with pytest.raises(LocalProtocolError, match=r"accessory 'Strip' has 101 services, .*: Switch 'Switch 98' is one"):
        Database([Accessory("Strip", services=switches(101))])


@pytest.mark.parametrize("count", [99, 100])
def test_characteristics_of_a_service(count):
    assert (
        len(Pair(Accessory("Own", services=[crowd(count)])).pair().accessories()[0].services[-2].characteristics)
        == count
    )


def test_one_characteristic_too_many():
    with pytest.raises(
        LocalProtocolError, match=r"accessory 'Box', Own has 101 characteristics, .*: Own 100 is one too"
    ):
        Database([Accessory("Box", services=[crowd(101)])])


HARMLESS = [
    "Lamp",
    "Lamp (left)",
    "Lamp - left",
    "Kitchen/Lamp",
    "Émile's lamp, no. 2!",
    "灯",
    "💡",
    "a" * 64,
    "2nd floor",
    "-",
    "Lamp.",
    " Lamp ",
    "x_y:z;#",
]


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_names(name):
    """No library has to know better than the owner what the thing is called."""
    pair = Pair([Accessory.bridge("Bridge"), Accessory(name, services=[Lightbulb(name)])])
    assert pair.pair().accessories()[1].name == name
    lone = Pair(Lightbulb(name), name=name)
    assert instance_name(lone.accessory.record.name)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("", LocalProtocolError, "wanted at least 1 characters"),
        ("a" * 65, ValueRefused, "longer than 64 bytes"),
        ("é" * 33, ValueRefused, "longer than 64 bytes"),
        ("Lamp\n", LocalProtocolError, r"accessory 'Lamp\\n': a name has no line ends"),
        ("Lamp\0", LocalProtocolError, "control characters"),
        ("\x7f", LocalProtocolError, "control characters"),
        ("\ud800", ValueRefused, "surrogate"),
    ],
)
def test_names_that_cannot_be(name, error, words):
    with pytest.raises(error, match=words):
        Database([Accessory.bridge("Bridge"), Accessory(name)])


def without_information():
    accessory = Accessory("Box", key="box")
    accessory.services.clear()
    return accessory


def two_informations():
    accessory = Accessory("Box")
    accessory.services.append(Accessory("Other").information)
    return accessory


def contradiction():
    light = Lightbulb("Lamp", brightness=1)
    light.brightness.metadata = Characteristic(BRIGHTNESS).metadata.but(min=0)
    object.__setattr__(light.brightness.metadata, "max", -1)
    return Accessory("Box", services=[light])


CULPRITS = {
    "no information": (without_information, r"accessory 'box' has no Accessory Information"),
    "two informations": (two_informations, r"accessory 'Box' has more than one Accessory Information"),
    "two primary services": (
        lambda: Accessory("Box", services=[Switch("A", primary=True), Lightbulb("B", primary=True)]),
        r"'Box' has more than one primary service: Switch 'A', Lightbulb 'B'",
    ),
    "two services with one key": (
        lambda: Accessory("Box", services=[Switch("A"), Switch("B")]),
        r"accessory 'Box': services: the key '49' is there twice, Switch 'A' and Switch 'B': give one of them another",
    ),
    "two characteristics with one key": (
        lambda: Lightbulb("A", on=Characteristic(ON, key="8"), brightness=1),
        r"accessory 'A', Lightbulb 'A': characteristics: the key '8' is there twice, On and Brightness",
    ),
    "two accessories with one name": (
        lambda: [Accessory.bridge("Bridge"), Lightbulb("A"), Switch("A")],
        r"accessories: the key 'A' is there twice, accessory 'A' and accessory 'A'",
    ),
    "the key of the head": (
        lambda: [Accessory.bridge("Bridge"), Accessory("A", key="main")],
        r"the key 'main' is there twice, accessory 'Bridge' and accessory 'A'",
    ),
    "a service of two accessories": (
        lambda: (lamp := Lightbulb("A")) and [Accessory("Left", services=[lamp]), Accessory("Right", services=[lamp])],
        r"Lightbulb 'A' stands in two places: accessory 'Left'; accessory 'Right'",
    ),
    "a characteristic of two services": (
        lambda: (on := Characteristic(ON)) and Accessory("Box", services=[Lightbulb("A", on=on), Switch("B", on=on)]),
        r"On stands in two places: accessory 'Box', Lightbulb 'A'; accessory 'Box', Switch 'B'",
    ),
    "one number for two": (
        lambda: Accessory("Box", services=[Lightbulb("A", on=Characteristic(ON, iid=50), brightness=1, iid=50)]),
        r"accessory 'Box', Lightbulb 'A', On and accessory 'Box', Lightbulb 'A' both have the number 50",
    ),
    "one id for two": (
        lambda: [Accessory.bridge("Bridge"), Accessory("A", aid=5), Accessory("B", aid=5)],
        r"accessory 'B' and accessory 'A' both have the number 5",
    ),
    "linked to what is elsewhere": (
        lambda: Accessory("Box", services=[Lightbulb("A", linked=[Switch("B")])]),
        r"accessory 'Box', Lightbulb 'A' is linked to a service of another accessory: Switch 'B'",
    ),
    "limits that contradict each other": (
        contradiction,
        r"accessory 'Box', Lightbulb 'Lamp', Brightness: min: 0 is above",
    ),
}


@pytest.mark.parametrize("case", CULPRITS)
def test_an_error_names_the_culprit(case):
    make, words = CULPRITS[case]
    things = make()
    with pytest.raises(LocalProtocolError, match=words):
        Database(things if isinstance(things, list) else [things])


def test_a_name_that_is_set_later_is_checked_too():
    light = Accessory.of(Lightbulb("Lamp"))
    Database([light])
    with pytest.raises(ValueRefused, match="Name"):
        light.information[NAME].value = "a" * 65


@pytest.mark.parametrize("name", ["", "a" * 65, "é" * 33, "Lamp\n", "\x7f", "\ud800"])
def test_what_is_no_name_renames_nothing(name):
    lamp = Accessory.of(Lightbulb("Lamp"))
    with pytest.raises(ValueRefused):
        lamp.name = name
    assert (lamp.name, lamp.made_as) == ("Lamp", None)
