"""The list of scenarios for Bluetooth LE: the same stories where they mean the same, and what only a radio brings.

Not told here: strangers that have connected and speak no HAP, or a hundred of them. An accessory has one link, and who
has it without speaking is dropped by a timer; tests/core/test_ble_accessory_links.py has that in virtual time. Nor that
a lost connection fails a call or ends a subscription: over the air the call is made again, the subscription goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.core.accessory_rig import Draws
from tests.scenarios.air import AirAccessory, AirController, Sky
from tests.scenarios.homes import KINDS, Accessory, Controller
from tests.scenarios.test_scenarios import (
    CODE,
    House,
    prepared,
    test_cancel_in_mid_write,
    test_events,
    test_pair_use_and_unpair,
    test_pairings,
    test_timed_write,
    test_verify_read_and_write,
    test_write_response,
    test_wrong_code,
)

from hapcore.accessory.events import SessionClosed, SessionOpened
from hapcore.discovery import Transport
from hapcore.errors import HapError, LocalProtocolError, PairingRefused, Refused
from hapcore.model.accessory import Accessory as Model
from hapcore.pairing.records import Pairing, new_controller_identity
from hapcore.state import PairedAccessory, decode_pairings, encode_pairings, encode_state

SHARED = (
    test_cancel_in_mid_write,
    test_events,
    test_pair_use_and_unpair,
    test_pairings,
    test_timed_write,
    test_verify_read_and_write,
    test_write_response,
    test_wrong_code,
)


class AirHouse(House):
    """The same house, with a radio in the place of the network."""

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__(kind, kind, folder)
        self.sky = Sky(kind)
        self.world = self.sky.world

    def serve(self, identify: Callable[[], object] | None = None) -> Accessory:
        folder = self._folder
        if not (folder / "lamp.json").exists():
            state, records = prepared()
            (folder / "lamp.json").write_bytes(state)
            over_the_air = {
                alias: evolve(record, transport=Transport.BLE) for alias, record in decode_pairings(records).items()
            }
            (folder / "pairings.json").write_bytes(encode_pairings(over_the_air))
        what = Model("Lamp", services=[self.light])
        if identify is not None:
            what.identify(identify)
        accessory = AirAccessory(self.sky, what, setup_code=CODE, state=folder / "lamp.json")
        self._opened.append(accessory)
        return accessory

    def control(self, file: str = "pairings.json") -> Controller:
        controller = AirController(self.sky, self._folder / file)
        self._opened.append(controller)
        return controller

    def close(self) -> None:
        for one in reversed(self._opened):
            one.close()
        self.sky.close()


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AirHouse]:
    house = AirHouse(request.param, tmp_path)
    yield house
    house.close()


def test_a_setter_that_fails_is_told_and_hurts_nobody(house: AirHouse, caplog: pytest.LogCaptureFixture) -> None:
    """As on the network, but that one status stands for everything that is wrong with a write (HAP-BLE A.3.5)."""

    def setter(value: int, caller: object) -> None:
        raise RuntimeError("the bulb is broken")

    house.slow.setter(setter)
    _, lamp = house.visit()
    results = lamp.write({house.slow.id: 3, house.on.id: True})
    assert results[house.slow.id].status != 0
    assert (results[house.on.id].status, house.on.value) == (0, True)
    assert "the bulb is broken" in caplog.text
    assert str(house.slow.id) in caplog.text


def _next(accessory: Accessory, kind: type[Any]) -> Callable[[], Any]:
    """The function gives the next event of a kind, from now on."""
    events = accessory.run(accessory.server.events)

    async def found() -> Any:
        async for event in events:
            if isinstance(event, kind):
                return event
        raise AssertionError("the server has stopped")

    def found_without_async() -> Any:
        return next(event for event in events if isinstance(event, kind))

    return partial(accessory.run, found if hasattr(events, "__anext__") else found_without_async)


def test_identify_before_pairing_and_after(house: AirHouse, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_bytes(encode_state({}))
    asked: list[None] = []
    accessory = house.serve(lambda: asked.append(None))
    home = house.control()
    home.identify(accessory.address)
    lamp = home.pair(accessory.address, CODE, "lamp")
    lamp.identify()
    assert len(asked) == 2
    lamp.close()
    with pytest.raises(Refused):
        home.identify(accessory.address)


def test_found_by_its_advertisement(house: AirHouse) -> None:
    accessory = house.serve()
    home = house.control()
    found = home.find(accessory.address)
    assert (found.transport, found.device_id, found.paired) == (Transport.BLE, accessory.address, True)
    assert (found.port, found.rssi) == (0, -50)
    with pytest.raises(LocalProtocolError):
        Controller.connect(home, "lamp", "127.0.0.1:1")


def test_the_next_program_resumes_the_session_and_knows_the_database(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    opened = _next(accessory, SessionOpened)
    assert lamp.value(house.brightness.id) == 40
    assert not opened().resumed
    house._opened.pop().close()
    again = house.control().connect("lamp", accessory.address)
    assert again.value(house.brightness.id) == 40
    assert opened().resumed


def test_a_dropped_link_is_made_again(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    opened = _next(accessory, SessionOpened)
    assert lamp.value(house.on.id) is False
    assert lamp.client.connected
    house.sky.world.run(lamp.client.aclose if hasattr(lamp.client, "aclose") else lamp.client.close)
    assert not lamp.client.connected
    assert lamp.value(house.on.id) is False
    assert (opened().resumed, opened().resumed) == (False, True)


def test_an_accessory_that_restarts_is_verified_anew(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    accessory.close()
    again = house.serve()
    opened = _next(again, SessionOpened)
    assert lamp.value(house.on.id) is False
    assert not opened().resumed  # accessories keep sessions in memory only


def test_a_subscription_outlives_the_link(house: AirHouse) -> None:
    """What changes out of range is told when both hear each other again."""
    accessory, lamp = house.visit()
    with lamp.watching([house.on.id]) as change:
        closed = _next(accessory, SessionClosed)
        house.sky.vanish()
        closed()
        accessory.set(house.on, True)
        house.sky.come_back()
        assert change().value is True


def test_the_second_controller_waits_for_the_first(house: AirHouse, tmp_path: Path) -> None:
    """An accessory has one link."""
    accessory, one = house.visit()
    identity = new_controller_identity(Draws("second"))
    one.add_pairing(identity.identifier.encode(), identity.ltpk, admin=False)
    engine_ltpk = one.client.pairing.accessory_ltpk
    pairing = Pairing(accessory.server.device_id, engine_ltpk, identity.identifier, identity.ltsk)
    record = PairedAccessory("lamp", pairing, transport=Transport.BLE)
    (tmp_path / "second.json").write_bytes(encode_pairings({"lamp": record}))
    other = house.control("second.json").connect("lamp", accessory.address)
    one.close()
    other.write({house.on.id: True})
    with pytest.raises(PairingRefused):
        other.pairings()
    other.close()
    assert one.value(house.on.id) is True


def test_a_slow_setter_is_waited_for(house: AirHouse) -> None:
    house.slow.setter(house.world.lasting(0.02))
    _, lamp = house.visit()
    assert lamp.write({house.slow.id: 9})[house.slow.id].status == 0
    assert house.slow.value == 9


def test_out_of_range_is_one_clear_error(house: AirHouse) -> None:
    accessory, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    accessory.close()
    with pytest.raises(HapError):
        house.control().find(accessory.address, 0.05)


def test_a_home_without_a_radio_says_so(house: AirHouse) -> None:
    house.visit()
    adapter = house.world.adapter
    home, end = house.world.open(partial(adapter.open_controller, house._folder / "pairings.json", mdns=False))
    try:
        with pytest.raises(LocalProtocolError) as caught:
            house.world.run(home.connect("lamp").read, [(1, 1)])
        assert caught.value.argument == "ble"
    finally:
        end()


def test_the_scenarios_reach_every_adapter() -> None:
    """Eight stories are those of the network; eleven are of the air. Each for three adapters."""
    assert len(SHARED) == 8
    own = [name for name, one in globals().items() if name.startswith("test_") and one not in SHARED]
    assert len(own) == 12
    assert len(KINDS) == 3
