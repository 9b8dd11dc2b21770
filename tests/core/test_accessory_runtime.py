"""A bridge that changes while it serves: what is added, removed and changed, and what controllers see of it."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import kind
from tests.core.ble_rig import Rig as BleRig

from hapcore.accessory.commands import AddAccessories, RefreshDatabase, RemoveAccessories
from hapcore.catalogue.characteristics import BRIGHTNESS
from hapcore.catalogue.services import Lightbulb, Outlet, Switch
from hapcore.errors import LocalProtocolError
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import MAX_ACCESSORIES
from hapcore.model.metadata import Format
from hapcore.testing import Pair


@pytest.fixture
def bridge():
    return Accessory.bridge("Bridge")


def test_what_is_added_is_announced_read_written_and_watched(bridge):
    shelf, window = Lightbulb("Shelf", on=False), Switch("Window", on=False)
    pair = Pair([bridge, shelf])
    lamp = pair.pair()
    before = pair.accessory.record.config_number
    written = []
    window.on.setter(lambda value, _: written.append(value))
    with lamp.subscribe([shelf.on.id]) as changes:
        pair.accessory.do(AddAccessories(window))
        assert pair.accessory.record.config_number == before + 1
        assert lamp.connected
        shelf.on.value = True
        assert changes.wait().id == shelf.on.id, "who has subscribed stays subscribed"
    assert [one.name for one in lamp.accessories()] == ["Bridge", "Shelf", "Window"]
    with lamp.subscribe([window.on.id]) as changes:
        window.on.value = True
        assert changes.wait().value is True
    lamp.write({window.on.id: False})
    assert written == [False]


def test_what_is_removed_is_silent_and_gone(bridge):
    shelf, window = Lightbulb("Shelf", on=False), Switch("Window", on=False)
    pair = Pair([bridge, shelf, window])
    lamp = pair.pair()
    before = pair.accessory.record.config_number
    with lamp.subscribe([shelf.on.id, window.on.id]) as changes:
        pair.accessory.do(RemoveAccessories(window))
        window.on.value = True
        shelf.on.value = True
        assert [one.id for one in changes] == [shelf.on.id]
    assert pair.accessory.record.config_number == before + 1
    assert lamp.read([window.on.id])[window.on.id].status == -70409


def test_who_comes_back_has_its_numbers_and_no_other_gets_them(bridge):
    shelf, window, door = (Switch(name, on=False) for name in ("Shelf", "Window", "Door"))
    pair = Pair([bridge, shelf, window])
    had = window.on.id
    pair.accessory.do(RemoveAccessories([window]))
    pair.accessory.do(AddAccessories([door]))
    assert door.on.id.aid not in (had.aid, shelf.on.id.aid)
    pair.accessory.do(AddAccessories(window))
    assert window.on.id == had
    new = door.on.id
    pair.restart()  # which begins with those of the start again
    assert window.on.id == had
    pair.accessory.do(AddAccessories(door))
    assert door.on.id == new


def test_a_service_that_is_added_to_an_accessory(bridge):
    strip = Accessory("Strip", services=[Outlet("Left", on=False, key="left")])
    pair = Pair([bridge, strip])
    lamp = pair.pair()
    right = Outlet("Right", on=False, key="right")
    strip.services.append(right)
    before = pair.accessory.record.config_number
    pair.accessory.do(RefreshDatabase())
    assert pair.accessory.record.config_number == before + 1
    assert lamp.read([right.on.id])[right.on.id].value is False
    right.add(Characteristic(kind("Watts", 9, Format.UINT16, "pr ev", int)))
    pair.accessory.do(RefreshDatabase())
    pair.accessory.do(RefreshDatabase())
    assert pair.accessory.record.config_number == before + 2, "nothing new is nothing to announce"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (lambda bridge, shelf: AddAccessories(shelf), "'Shelf' is there twice"),
        (lambda bridge, shelf: AddAccessories(bridge), "served already"),
        (lambda bridge, shelf: RemoveAccessories(Switch("Other")), "Switch.* is not served"),
        (lambda bridge, shelf: RemoveAccessories(bridge), "'Bridge' is the first"),
        (
            lambda bridge, shelf: AddAccessories(Accessory(f"Lamp {at}") for at in range(MAX_ACCESSORIES - 1)),
            "Lamp 148",
        ),
    ],
)
def test_what_is_refused_leaves_everything_as_it_was(bridge, command, words):
    shelf = Lightbulb("Shelf", on=False)
    pair = Pair([bridge, shelf])
    lamp = pair.pair()
    before = pair.accessory.record, pair.accessory.database, dict(pair.stored)
    with pytest.raises(LocalProtocolError, match=words):
        pair.accessory.do(command(bridge, shelf))
    assert (pair.accessory.record, pair.accessory.database, dict(pair.stored)) == before
    with lamp.subscribe([shelf.on.id]) as changes:
        shelf.on.value = True
        assert changes.wait().value is True


def test_only_a_bridge_grows():
    pair = Pair(Lightbulb("Shelf"))
    with pytest.raises(LocalProtocolError, match=r"'Shelf' is no bridge.*Accessory.bridge"):
        pair.accessory.do(AddAccessories(Switch("Window")))


def test_a_bridge_grows_to_the_limit_and_no_further(bridge):
    pair = Pair([bridge])
    pair.accessory.do(AddAccessories(Switch(f"Switch {at}") for at in range(MAX_ACCESSORIES - 1)))
    assert len(pair.accessory.database.accessories) == MAX_ACCESSORIES
    with pytest.raises(LocalProtocolError, match="'One more'"):
        pair.accessory.do(AddAccessories(Switch("One more")))
    assert len(pair.pair().accessories()) == MAX_ACCESSORIES


def test_over_bluetooth_a_service_changes_too():
    rig = BleRig()
    light = next(
        one
        for one in rig.engine.database.accessories[0].services
        if one.label is not None or len(one.characteristics) > 2
    )
    before = rig.engine.config_number
    light.add(Characteristic(BRIGHTNESS if BRIGHTNESS not in light else kind("More", 3, Format.UINT8, "pr pw", int), 5))
    rig.submit(RefreshDatabase())
    assert rig.engine.config_number == before + 1
    assert rig.engine.table.find(light.characteristics[-1].iid) is not None
