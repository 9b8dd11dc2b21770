"""Stories in which time passes, each in memory and therefore at once: for every adapter, as the others are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenarios.test_scenarios import CODE
from tests.scenarios.virtual import MakeHouse, make_house, takes

from hapcore.errors import Disconnected, TimedOut
from hapcore.ids import HapStatus
from hapcore.state import encode_state
from hapcore.testing import CALM, Weather

__all__ = ["make_house"]


def test_a_request_is_given_up_after_ten_seconds(make_house: MakeHouse) -> None:
    house, world = make_house(Weather(delay=(6, 6)))
    _, lamp = house.visit()
    with takes(world, 3 * 12.0):  # pair-verify and the database are waited for longer
        lamp.accessories()
    with takes(world, 10.0), pytest.raises(TimedOut):
        lamp.read([house.on.id])


def test_a_handler_that_takes_too_long_costs_nine_seconds(make_house: MakeHouse) -> None:
    house, world = make_house(CALM)
    house.slow.setter(world.lasting(20))
    _, lamp = house.visit()
    assert lamp.value(house.slow.id) == 0
    # Blocking code goes on when its handler is through, which is the handler of this very thread.
    with takes(world, 20.0 if world.kind == "sync" else 9.0):
        assert lamp.write({house.slow.id: 1})[house.slow.id].status == HapStatus.TIMED_OUT
    with takes(world, 0.0):
        assert lamp.value(house.brightness.id) == 40


def test_a_timed_write_that_comes_too_late(make_house: MakeHouse) -> None:
    house, world = make_house(Weather(delay=(1, 1)))
    _, lamp = house.visit()
    assert lamp.value(house.lock.id) is False
    with takes(world, 4.0):
        status = lamp.write({house.lock.id: True}, timed=1900)[house.lock.id].status
    assert status == HapStatus.INVALID_VALUE
    assert house.lock.value is False
    with takes(world, 4.0):
        assert lamp.write({house.lock.id: True}, timed=2500)[house.lock.id].status == 0
    assert house.lock.value is True


def test_pairing_over_a_slow_and_broken_line(make_house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_bytes(encode_state({}))
    house, world = make_house(Weather(delay=(0.1, 1.5), rate=3000, piece=20, seed=3))
    accessory = house.serve()
    with takes(world, 5.0, 30.0):
        house.control().pair(accessory.address, CODE, "lamp")
    assert accessory.server.paired


def test_a_stranger_who_says_a_byte_a_second_holds_up_nobody(make_house: MakeHouse) -> None:
    house, world = make_house(CALM)
    accessory, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    with accessory.stranger() as peer:
        for byte in b"GET /accessories HTTP/1.1\r\nHost: x\r\n":
            peer.sendall(bytes([byte]))
            world.pass_time(1)
            with takes(world, 0.0):
                assert lamp.value(house.brightness.id) == 40
        peer.sendall(b"\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 470 ")


def test_events_come_once_a_second(make_house: MakeHouse) -> None:
    house, world = make_house(CALM)
    accessory, lamp = house.visit()
    with lamp.watching([house.brightness.id]) as change:
        accessory.set(house.brightness, 1)
        assert change().value == 1
        with takes(world, 0.9, 1.0):
            for level in (2, 3, 4):
                accessory.set(house.brightness, level)
            assert change().value == 4


def test_a_network_that_fails_is_found_again(make_house: MakeHouse) -> None:
    house, world = make_house(Weather(delay=(1, 2)))
    _, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    world.run(world.network.cut_now)
    with pytest.raises(Disconnected):
        lamp.read([house.on.id])
    assert lamp.value(house.on.id) is False


def test_a_host_that_is_not_there(make_house: MakeHouse) -> None:
    house, world = make_house(CALM)
    house.serve()
    lamp = house.control().connect("lamp", "elsewhere:1")
    with takes(world, 0.0), pytest.raises(Disconnected, match="elsewhere"):
        lamp.read([house.on.id])
