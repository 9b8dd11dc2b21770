"""Numbers that stay, a digest that moves when it must, and the rendered answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.catalogue import characteristics as c
from hapcore.catalogue import values as v
from hapcore.catalogue.services import Battery, Lightbulb, StatelessProgrammableSwitch, Switch, Television
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import Database
from hapcore.replay.bench import bench


def shown(database: Database, *arguments: Any) -> dict[tuple[int, int], dict[str, Any]]:
    body = json.loads(b"".join(database.pieces(*arguments)))
    return {
        (accessory["aid"], one["iid"]): one
        for accessory in body["accessories"]
        for service in accessory["services"]
        for one in service["characteristics"]
    }


# Numbers


def home(*plan: tuple[str, Sequence[str]]) -> list[Accessory]:
    """A bridge, and an accessory for each (key, keys of its switches)."""
    return [
        Accessory.bridge("Bridge"),
        *(Accessory("x", key=key, services=[Switch(key=each) for each in switches]) for key, switches in plan),
    ]


def test_inserting_and_reordering_keep_the_numbers() -> None:
    before = Database(home(("a", "lr"), ("b", "l"))).ids
    after = Database(home(("c", "l"), ("b", "ml"), ("a", "rxl")), before).ids
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_numbers_are_not_used_again() -> None:
    first = Database(home(("a", "l"), ("b", "l"))).ids
    second = Database(home(("b", "l")), first)
    third = Database(home(("c", "m"), ("b", "lm")), second.ids)
    assert {one.aid for one in third.accessories} == {1, first["b"], third.ids["c"]}
    assert third.ids["c"] not in (first["a"], first["b"])
    back = Database(home(("a", "l")), third.ids)
    assert back.ids["a"] == first["a"]


PLANS = st.lists(
    st.dictionaries(st.sampled_from("abcd/%"), st.lists(st.sampled_from("lmnop"), unique=True, max_size=4), max_size=4),
    min_size=1,
    max_size=5,
)


@given(PLANS)
def test_a_number_means_one_thing_for_ever(plans: list[dict[str, list[str]]]) -> None:
    ids: Mapping[str, int] = {}
    meant: dict[tuple[int, int], tuple[str, str]] = {}
    for plan in plans:
        database = Database(home(*plan.items()), json.loads(json.dumps(dict(ids))))
        ids = database.ids
        live = {(accessory.aid, 0) for accessory in database.accessories}
        assert len(live) == len(database.accessories)
        for accessory in database.accessories:
            key = accessory.key or "main"
            assert meant.setdefault((accessory.aid, 0), (key, "")) == (key, "")
            numbers = [one.iid for s in accessory.services for one in (s, *s.characteristics)]
            assert len(set(numbers)) == len(numbers)
            for service in accessory.services:
                for one in (service, *service.characteristics):
                    name = (key, f"{service.key} {one.key if one is not service else ''}")
                    assert meant.setdefault((accessory.aid, one.iid), name) == name


def test_small_numbers_without_the_unlucky_one() -> None:
    database = Database([Accessory.bridge("Bridge"), *(Accessory(f"{n}", key=f"{n}") for n in range(8))])
    assert [one.aid for one in database.accessories] == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert {one.services[0].iid for one in database.accessories} == {1}


def test_renaming_the_only_accessory_keeps_its_numbers() -> None:
    first = Database.of(Lightbulb("Desk lamp"))
    assert Database.of(Lightbulb("Old lamp"), ids=first.ids).ids == first.ids


def test_fixed_numbers() -> None:
    light = Lightbulb(on=Characteristic(c.ON, iid=51), iid=48)
    database = Database([Accessory("x"), Accessory("y", aid=2**64 - 1, services=[light])])
    assert database.find(2**64 - 1, 51) is light.on
    assert light.iid == 48


def test_a_fixed_number_moves_away_what_is_gone_but_nothing_that_is_here() -> None:
    first = Database.of(Lightbulb(brightness=1))
    free = Lightbulb(saturation=Characteristic(c.SATURATION, iid=first.ids["main/43/8"]))
    second = Database.of(free, ids=first.ids)
    assert second.ids["main/43/2F"] == first.ids["main/43/8"]
    assert "main/43/8" not in second.ids
    with pytest.raises(LocalProtocolError, match="both have"):
        Database.of(Lightbulb(brightness=1, hue=Characteristic(c.HUE, iid=first.ids["main/43/8"])), ids=first.ids)


def test_the_number_before_a_fixed_one_stays_taken() -> None:
    first = Database.of(Lightbulb(brightness=1))
    was = first.ids["main/43/8"]
    second = Database.of(Lightbulb(brightness=Characteristic(c.BRIGHTNESS, iid=99)), ids=first.ids)
    assert second.ids["main/43/8"] == 99
    third = Database.of(Lightbulb(brightness=Characteristic(c.BRIGHTNESS, iid=99), hue=1.0), ids=second.ids)
    assert third.ids["main/43/13"] != was


@pytest.mark.parametrize("ids", [{"main": 0}, {"main": 2**64}, {"main": True}, {"main": "1"}, {"a": 3, "b": 3}])
def test_a_damaged_table_is_refused(ids: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="ids"):
        Database.of(Lightbulb(), ids=ids)


# Digest


def test_values_do_not_move_the_digest() -> None:
    light = Lightbulb("x", brightness=1)
    database = Database.of(light)
    before = database.fingerprint()
    light.brightness.value = 50
    assert database.fingerprint() == before
    assert Database.of(Lightbulb("y", brightness=7)).fingerprint() == before


def test_order_does_not_move_the_digest() -> None:
    first = Database(home(("a", "lr"), ("b", "l")))
    assert Database(home(("b", "l"), ("a", "rl")), first.ids).fingerprint() == first.fingerprint()


CHANGES: dict[str, Lightbulb] = {
    "characteristic": Lightbulb(brightness=1, hue=1.0),
    "none": Lightbulb(),
    "range": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, max=50)),
    "step": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, step=2)),
    "permissions": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, perms=["pr"])),
    "broadcast": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, perms=["pr", "pw", "ev", "bn"])),
    "valid values": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, valid_values=[0, 50])),
    "description": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, description="how bright")),
    "number": Lightbulb(brightness=Characteristic(c.BRIGHTNESS, iid=77)),
    "number of the service": Lightbulb(brightness=1, iid=78),
    "primary": Lightbulb(brightness=1, primary=True),
    "hidden": Lightbulb(brightness=1, hidden=True),
    "name": Lightbulb("with a name characteristic", brightness=1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_everything_else_moves_the_digest(what: str) -> None:
    assert Database.of(CHANGES[what]).fingerprint() != Database.of(Lightbulb(brightness=1)).fingerprint()


def test_links_move_the_digest() -> None:
    def digest(linked: bool) -> str:
        battery = Battery()
        return Database(
            [Accessory("x", services=[battery, Lightbulb(linked=[battery] if linked else [])])]
        ).fingerprint()

    assert digest(True) != digest(False)


# The answer


def test_pieces_make_one_body() -> None:
    database = Database(home(("a", "lr"), ("b", "l")))
    pieces = list(database.pieces())
    assert len(pieces) == 3
    assert len(json.loads(b"".join(pieces))["accessories"]) == 3
    assert b"".join(database.pieces()) == b"".join(pieces)


def test_a_new_value_shows() -> None:
    light = Lightbulb("x", brightness=1)
    database = Database.of(light)
    for value in (1, 50, 51):
        light.brightness.value = value
        assert shown(database)[light.brightness.id]["value"] == value
    light.on.store(True)
    light.on.store(False)
    light.on.store(True)
    assert shown(database)[light.on.id]["value"] == 1
    assert shown(database)[light.on.id]["value"] == 1


def test_values_and_subscriptions_of_the_one_who_asks() -> None:
    database = Database([Accessory("x"), Accessory("y", services=[Lightbulb(brightness=1)])])
    found = database.accessories[1].find(c.BRIGHTNESS)
    assert found is not None
    answer = shown(database, {found.id: b"null", CharacteristicId(9, 9): b"1"}, [found.id, CharacteristicId(9, 9)])
    assert answer[found.id]["value"] is None
    assert answer[found.id]["ev"] is True
    assert [number for number, one in answer.items() if one.get("ev")] == [found.id]
    plain = shown(database)[found.id]
    assert (plain["value"], plain["ev"]) == (1, False)


def test_what_cannot_be_read_has_no_value() -> None:
    database = Database([Accessory("x", services=[Television("tv")])])
    key = database.accessories[0].find(c.REMOTE_KEY)
    assert key is not None
    assert "value" not in shown(database)[key.id]
    assert "ev" not in shown(database)[key.id]


def test_buttons_show_null() -> None:
    button = StatelessProgrammableSwitch()
    database = Database.of(button)
    button.programmable_switch_event.value = v.ProgrammableSwitchEvent.LONG_PRESS
    assert shown(database)[button.programmable_switch_event.id]["value"] is None


def test_what_is_not_for_ip_is_neither_shown_nor_found() -> None:
    database = bench()
    for iid in (0x11, 0x31, 0x22, 0x23, 0x24, 0x25, 0x30, 0x20):
        assert database.find(1, iid) is None
        assert (1, iid) not in shown(database)
    assert database.find(1, 0x33) is not None
    assert database.find(2, 0x33) is None
    assert set(shown(database)) == {one.id for one in database.characteristics}
    light = database.find_service(1, 0x30)
    assert light is not None
    assert light.type.name == "Lightbulb"


def test_control_points_show_nothing() -> None:
    database = bench()
    point = database.find(1, 0x62)
    assert point is not None
    point.store(b"\x7f\x01\x00")
    assert shown(database)[point.id]["value"] == ""
    assert shown(database, {point.id: b'"fwEA"'})[point.id]["value"] == ""
    assert point.to_wire() == b'"fwEA"'


def test_those_the_application_wants_to_be_asked_for() -> None:
    database = bench()
    assert database.read_handled() == []  # the control point is not read for the database
    on = database.find(1, 0x33)
    assert on is not None
    on.getter(lambda _: True)
    assert database.read_handled() == [on]


def test_several_things_get_a_bridge() -> None:
    database = Database.of([Lightbulb("a"), Switch("b")], name="Hall")
    assert [one.name for one in database.accessories] == ["Hall", "a", "b"]
    assert [one.name for one in Database.of([Lightbulb("a")]).accessories] == ["a"]
    assert [one.name for one in Database.of(Lightbulb("a"), name="b").accessories] == ["b"]


def test_the_newest_database_has_the_objects() -> None:
    light = Lightbulb("x", brightness=1)
    old = Database.of(light)
    new = Database([Accessory("head"), Accessory("y", services=[light])])
    light.brightness.value = 9
    assert light.brightness.aid == 2
    assert shown(new)[light.brightness.id]["value"] == 9
    assert old.find(1, light.brightness.iid) is not None
