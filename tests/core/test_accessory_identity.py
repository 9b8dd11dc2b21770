"""A number means one thing for ever: whatever is inserted, removed and reordered, while serving and over restarts."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import Rig

from hapcore.catalogue.characteristics import HUE
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.accessory import ReplaceDatabase
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic

#: What every server needs once, and what costs time.
SETUP = {key: value for key, value in Rig().state.items() if key in ("setup", "identity")}
EXTRAS = ("brightness", "hue", "saturation", "color_temperature")

#: A house: accessories in an order, by key; their lights in an order, by key, each with some of its options.
LIGHTS = st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from(EXTRAS), unique=True), max_size=3)
HOUSES = st.dictionaries(st.sampled_from(["a", "b", "c/d", "main2"]), LIGHTS, max_size=4)
#: Houses one after the other; True where the accessory restarts in between.
LIVES = st.lists(st.tuples(HOUSES, st.booleans()), min_size=1, max_size=6)

FIRST = {"brightness": 40, "hue": 10.0, "saturation": 20.0, "color_temperature": 200}


def build(house):
    accessories = [Accessory.bridge("Bridge")]
    for key, lights in house.items():
        services = [Lightbulb(name, key=name, **{one: FIRST[one] for one in extras}) for name, extras in lights.items()]
        accessories.append(Accessory(f"Accessory {key}", key=key, services=services))
    return accessories


def meanings(accessories):
    for accessory in accessories:
        yield (accessory.aid, 0), accessory.key
        for service in accessory.services:
            yield (accessory.aid, service.iid), (accessory.key, service.key)
            for one in service.characteristics:
                yield (accessory.aid, one.iid), (accessory.key, service.key, one.type.name)


def check(accessories, known, numbers):
    """`known`: what each number ever meant. `numbers`: which number each thing ever had."""
    live = list(meanings(accessories))
    assert len({number for number, _ in live}) == len(live)
    for number, meaning in live:
        assert known.setdefault(number, meaning) == meaning
        assert numbers.setdefault(meaning, number) == number


@settings(max_examples=60, deadline=None)
@given(LIVES)
def test_whatever_happens_to_the_house(life):
    rig = None
    state = dict(SETUP)
    known, numbers = {}, {}
    for house, restarts in life:
        accessories = build(house)
        if rig is None or restarts:
            before = json.loads(state["database"]) if "database" in state else None
            rig = Rig(state, accessories=accessories)
        else:
            before = json.loads(state["database"])
            rig.submit(ReplaceDatabase(accessories))
        check(accessories, known, numbers)
        after = json.loads(state["database"])
        if before is not None:
            assert (after["config_number"] == before["config_number"]) is (
                after["fingerprint"] == before["fingerprint"]
            )


def test_a_key_outlives_a_new_name():
    state = dict(SETUP)
    first = [Accessory.bridge("Bridge"), Accessory("Old name", key="A0042", services=[Lightbulb("Lamp")])]
    Rig(state, accessories=first)
    second = [
        Accessory.bridge("New bridge"),
        Accessory("B"),
        Accessory("New name", key="A0042", services=[Lightbulb("L")]),
    ]
    Rig(state, accessories=second)
    assert second[2].aid == first[1].aid
    assert second[2].services[1].iid == first[1].services[1].iid
    assert second[1].aid not in (1, first[1].aid)


def test_numbers_that_the_author_fixes_stay_over_restarts_and_changes():
    state = dict(SETUP)
    for house in ({}, {"a": {"x": ["hue"]}}, {"c/d": {}}):
        light = Lightbulb("Old", key="old", hue=Characteristic(HUE, 5, iid=77), iid=70)
        accessories = [*build(house), Accessory("Fixed", aid=1234567890123, services=[light])]
        rig = Rig(state, accessories=accessories)
        assert light.hue.id == (1234567890123, 77)
        assert light.iid == 70
        assert rig.server.database.find(1234567890123, 77) is light.hue
