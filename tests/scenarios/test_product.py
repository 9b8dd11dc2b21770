"""What a product needs of every accessory adapter: values from other threads, a deadline, a bridge that changes while
it serves, pictures. Real sockets, real threads; the controller is that of hap_sync, in the thread of the test.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from tests.scenarios.homes import KINDS, LIMIT, Accessory, Controller, Lamp
from tests.scenarios.test_scenarios import CODE, prepared

import hap_sync
from hapcore.accessory.commands import AddAccessories, RemoveAccessories
from hapcore.catalogue.services import Lightbulb, Switch
from hapcore.discovery import DiscoveredAccessory
from hapcore.errors import LocalProtocolError, Refused
from hapcore.ids import Caller, HapStatus
from hapcore.model.accessory import Accessory as Model
from hapcore.model.characteristic import HapStatusError
from hapcore.model.group import Writes
from hapcore.model.snapshot import SnapshotReason, SnapshotWanted

PICTURE = b"\xff\xd8" + bytes(range(256)) * 400 + b"\xff\xd9"

Serve = Callable[..., tuple[Accessory, Lamp]]


@pytest.fixture(params=KINDS)
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Serves something with one adapter, paired already."""
    opened: list[Any] = []
    state, records = prepared()
    (tmp_path / "lamp.json").write_bytes(state)
    (tmp_path / "pairings.json").write_bytes(records)

    def start(what: Any, **settings: Any) -> tuple[Accessory, Lamp]:
        accessory = Accessory(request.param, what, setup_code=CODE, state=tmp_path / "lamp.json", **settings)
        opened.append(accessory)
        controller = Controller("sync", tmp_path / "pairings.json")
        opened.append(controller)
        return accessory, controller.connect("lamp", accessory.address)

    yield start
    for one in reversed(opened):
        one.close()


def test_a_value_set_in_another_thread_is_an_event(serve: Serve) -> None:
    light = Lightbulb("Lamp", on=False, brightness=40)
    accessory, lamp = serve(light)
    with lamp.watching([light.brightness.id]) as change:
        for value in (41, 42):
            thread = threading.Thread(target=accessory.server.call_soon, args=(light.brightness.set, value))
            thread.start()
            thread.join(LIMIT)
            assert change().value == value
    assert light.brightness.value == 42


def test_what_is_called_soon_may_fail(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    light = Lightbulb("Lamp", brightness=40)
    accessory, lamp = serve(light)
    accessory.server.call_soon(light.brightness.set, 101)
    accessory.server.call_soon(light.brightness.set, 50)
    accessory.run(lambda: None)
    assert lamp.value(light.brightness.id) == 50
    assert "call_soon() failed" in caplog.text
    assert "Brightness" in caplog.text


def test_a_value_set_in_the_wrong_thread_is_refused(serve: Serve) -> None:
    light = Lightbulb("Lamp", brightness=40)
    _, lamp = serve(light)
    with pytest.raises(LocalProtocolError, match=r"call_soon\(\)"):
        light.brightness.value = 50
    assert lamp.value(light.brightness.id) == 40


def test_the_deadline_is_a_setting(serve: Serve) -> None:
    light, other = Lightbulb("Slow", on=False), Lightbulb("Quick", on=False)
    over = threading.Event()
    accessory, lamp = serve([light, other], answer_deadline=0.2)

    async def on_trio(_value: bool, _caller: Caller) -> None:
        await trio.to_thread.run_sync(over.wait, LIMIT)

    async def on_asyncio(_value: bool, _caller: Caller) -> None:
        await asyncio.to_thread(over.wait, LIMIT)

    def blocking(_value: bool, _caller: Caller) -> None:
        """As one that uses a client of the same thread, which carries on with everything else."""
        while not over.is_set():
            accessory.server.step(0.05)

    handlers = {"hap_trio": on_trio, "hap_asyncio": on_asyncio, "hap_sync": blocking}
    light.on.setter(handlers[type(accessory.server).__module__.partition(".")[0]])
    try:
        assert lamp.write({light.on.id: True})[light.on.id].status == HapStatus.TIMED_OUT
        assert lamp.write({other.on.id: True})[other.on.id].status == 0
    finally:
        over.set()


def test_a_bridge_changes_while_it_serves(serve: Serve) -> None:
    shelf, window = Lightbulb("Shelf", on=False), Switch("Window", on=False)
    accessory, lamp = serve([Model.bridge("Bridge"), shelf])
    with lamp.watching([shelf.on.id]) as change:
        accessory.run(accessory.server.do, AddAccessories(window))
        accessory.set(shelf.on, True)
        assert change().id == shelf.on.id, "who was connected and had subscribed still is"
    lamp.accessories()
    with lamp.watching([window.on.id]) as change:
        accessory.set(window.on, True)
        assert change().value is True
    accessory.run(accessory.server.do, RemoveAccessories(window))
    accessory.set(window.on, False)
    assert lamp.read([window.on.id])[window.on.id].status == HapStatus.DOES_NOT_EXIST

    def refused() -> str:
        with pytest.raises(LocalProtocolError) as refusal:
            accessory.server.do(AddAccessories(Switch("Shelf")))
        return str(refusal.value)

    if type(accessory.server).__module__.startswith("hap_sync"):
        assert "'Shelf'" in accessory.run(refused)
    else:
        with pytest.raises(LocalProtocolError, match="'Shelf'"):
            accessory.run(accessory.server.do, AddAccessories(Switch("Shelf")))


def test_a_group_of_handlers(serve: Serve) -> None:
    light = Lightbulb("Lamp", on=False, hue=10, brightness=40)
    calls: list[dict[str, object]] = []

    def show(writes: Writes, caller: Caller) -> None:
        calls.append({one.type.name: writes[one] for one in writes})
        writes.refuse(light.brightness, HapStatus.BUSY)

    light.setter(show)
    _, lamp = serve(light)
    found = lamp.write({light.hue.id: 20, light.brightness.id: 50})
    assert [one.status for one in found.values()] == [0, HapStatus.BUSY]
    assert calls == [{"Hue": 20.0, "Brightness": 50}]


def test_a_picture(serve: Serve) -> None:
    camera, dark = Model("Garden"), Model("Cellar")

    @camera.snapshot
    def take(wanted: SnapshotWanted, caller: Caller) -> bytes:
        assert caller.admin
        assert wanted == SnapshotWanted(640, 360, SnapshotReason.EVENT)
        return PICTURE

    @dark.snapshot
    def refuse(wanted: SnapshotWanted, caller: Caller) -> bytes:
        raise HapStatusError(HapStatus.NOT_ALLOWED)

    _, lamp = serve([Model.bridge("Bridge"), camera, dark])
    assert lamp.snapshot(640, 360, aid=camera.aid, reason=SnapshotReason.EVENT) == PICTURE
    with pytest.raises(Refused) as refusal:
        lamp.snapshot(640, 360, aid=dark.aid)
    assert refusal.value.hap_status == HapStatus.NOT_ALLOWED


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_the_database_is_announced(kind: str) -> None:
    """Over real mDNS on the loopback interface: c# rises, and controllers read everything again (HAP 11.2)."""
    name = f"Growing {kind} {os.getpid()}"
    bridge = Model.bridge(name)
    with hap_sync.open_mdns(["127.0.0.1"], probe=False) as mdns, mdns.browse() as news:
        accessory = Accessory(kind, [bridge, Lightbulb("Shelf")], mdns=True)
        try:

            def announced(number: int) -> bool:
                found = news.wait(LIMIT)
                return isinstance(found, DiscoveredAccessory) and (found.name, found.config_number) == (name, number)

            while not announced(1):
                pass
            accessory.run(accessory.server.do, AddAccessories(Switch("Window")))
            while not announced(2):
                pass
        finally:
            accessory.close()
