"""What the three adapters make of the Bluetooth LE of asyncio: radios by name or broken, both bridges of trio."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from bleak.backends.client import BaseBleakClient
from tests.scenarios.air import AIRS, Sky
from tests.scenarios.homes import KINDS

import hap_trio.bridge
from hapcore.accessory.commands import ReplaceDatabase, UpdateValues
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import EffectFailed, HapError
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database

CODE = "031-45-154"


class BrokenScanner:
    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    async def start(self) -> None:
        raise OSError("the dongle has melted")


class Broken:
    """A radio that does nothing."""

    client = BaseBleakClient
    scanner = BrokenScanner


@pytest.fixture(params=KINDS)
def sky(request: pytest.FixtureRequest) -> Iterator[Sky]:
    sky = Sky(request.param)
    yield sky
    sky.close()


def serving(sky: Sky, what: Any, **settings: Any) -> tuple[Any, Any]:
    settings = {"radio": sky.radio, "setup_code": CODE, **settings}
    return sky.world.open(partial(sky.world.adapter.ble.open_peripheral, what, **settings))


def controlling(sky: Sky) -> tuple[Any, Any]:
    backend = sky.world.run(sky.air.bleak)
    return sky.world.open(partial(sky.world.adapter.open_controller, mdns=False, ble=backend))


@pytest.mark.parametrize("kind", KINDS)
def test_a_radio_that_does_not_listen_is_one_clear_error(kind: str) -> None:
    world = AIRS[kind]()
    home, end = world.open(partial(world.adapter.open_controller, mdns=False, ble=Broken()))
    try:
        for call in (partial(home.find, "AA:BB:CC:DD:EE:FF"), partial(home.pair, "AA:BB:CC:DD:EE:FF", CODE, "x")):
            with pytest.raises(EffectFailed, match="the dongle has melted"):
                world.run(call)
    finally:
        end()
        world.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_radio_that_cannot_be_opened_is_one_clear_error(kind: str) -> None:
    world = AIRS[kind]()
    try:
        opened = partial(world.adapter.ble.open_peripheral, Lightbulb("Lamp"), radio="pigeon:0")
        with pytest.raises(HapError, match="pigeon:0"):
            world.open(opened)
    finally:
        world.close()


def test_a_radio_by_its_name(sky: Sky) -> None:
    """As a dongle would be used; this one is at the other end of a TCP connection."""
    port = sky.world.run(sky.air.lend)
    light = Lightbulb("Lamp", on=True)
    server, end = serving(sky, light, radio=f"tcp-client:127.0.0.1:{port}")
    home, leave = controlling(sky)
    lamp = sky.world.run(home.pair, server.device_id, CODE, "lamp")
    assert sky.world.run(lamp.read, [light.on.id])[light.on.id].value is True
    leave()
    end()


def test_another_database_is_served_at_once(sky: Sky) -> None:
    light, other = Lightbulb("Lamp", on=True), Lightbulb("Lamp", on=False, brightness=7)
    server, end = serving(sky, light)
    home, leave = controlling(sky)
    lamp = sky.world.run(home.pair, server.device_id, CODE, "lamp")
    assert sky.world.run(lamp.read, [light.on.id])[light.on.id].value is True
    sky.world.run(server.do, ReplaceDatabase(Database.of(Accessory("Lamp", services=[other]))))
    result = sky.world.run(lamp.read, [other.brightness.id])
    assert result[other.brightness.id].value == 7
    sky.world.run(server.do, UpdateValues({other.brightness.id: 8}))
    assert other.brightness.value == 8
    leave()
    end()


def test_trio_without_trio_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    way = hap_trio.bridge.Way.THREAD
    monkeypatch.setattr(hap_trio.bridge, "open_bridge", partial(hap_trio.bridge.open_bridge, way))
    sky = Sky("trio")
    light = Lightbulb("Lamp", on=False)
    server, end = serving(sky, light)
    home, leave = controlling(sky)
    lamp = sky.world.run(home.pair, server.device_id, CODE, "lamp")
    sky.world.run(lamp.write, {light.on.id: True})
    assert light.on.value is True
    leave()
    end()
    sky.close()
