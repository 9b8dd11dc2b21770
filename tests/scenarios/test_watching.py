"""A controller of each adapter watches over an accessory of each adapter, which goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.scenarios.homes import KINDS, Controller
from tests.scenarios.test_scenarios import House

from hapcore.errors import Disconnected, LocalProtocolError
from hapcore.home.supervision import Available, DatabaseChanged, Gap, Source, Unavailable, ValueChanged
from hapcore.testing import CALM


@pytest.fixture(params=[*((one, None) for one in KINDS), *((one, CALM) for one in KINDS)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Over sockets it takes the time it takes to try again; so not each with each."""
    one, weather = request.param
    house = House(one, one, tmp_path, weather)
    yield house
    house.close()


def settled(house: House, home: Controller, address: str) -> None:
    """Note where the accessory is, as pairing does."""
    host, _, port = address.rpartition(":")
    home.save(evolve(home.home.record("lamp"), addresses=(host,), port=int(port)))


def until(happening: Callable[[], Any], kind: type) -> list[Any]:
    """What happens until something of that kind does."""
    told = [happening()]
    while not isinstance(told[-1], kind):
        told.append(happening())
    return told


def test_it_goes_away_and_comes_back(house: House) -> None:
    accessory = house.serve()
    home = house.control()
    settled(house, home, accessory.address)
    with home.supervising(poll=30.0) as happening:
        first, *values, last = until(happening, Available)
        assert isinstance(first, DatabaseChanged)
        assert first.accessories[0].aid == 1
        assert last == Available("lamp")
        assert {one.id: one.value for one in values}[house.brightness.id] == 40
        assert home.home.connect("lamp").connected
        accessory.set(house.on, True)
        assert happening() == ValueChanged("lamp", house.on.id, True, Source.EVENT)
        accessory.close()
        gone = happening()
        assert isinstance(gone, Unavailable)
        assert isinstance(gone.reason, Disconnected)
        house.brightness.value = 70
        accessory = house.serve()
        changed, gap, back = until(happening, Available)
        assert changed == ValueChanged("lamp", house.brightness.id, 70, Source.READ)
        assert isinstance(gap, Gap)
        assert gap.since < gap.until
        assert back == Available("lamp")
    assert home.connect("lamp", accessory.address).value(house.on.id) is True


def test_a_mistake_is_told_at_once(house: House) -> None:
    home = house.serve() and house.control()
    with pytest.raises(LocalProtocolError, match="no pairing is called 'shed'"), home.supervising(aliases=["shed"]):
        raise AssertionError
    with pytest.raises(LocalProtocolError, match="poll"), home.supervising(poll=0.0):
        raise AssertionError
