"""What stories in virtual time need: a house in memory in any weather, and a watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.scenarios.homes import KINDS
from tests.scenarios.memory import World
from tests.scenarios.test_scenarios import House

from hapcore.testing import Weather

#: Real seconds that a story may take; those that pass in it are many more.
AT_ONCE = 10.0
#: The blocking adapter looks at a transport without a file descriptor every 5 ms.
SLACK = 0.2

MakeHouse: TypeAlias = Callable[[Weather], tuple[House, World]]


@pytest.fixture(params=KINDS)
def make_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeHouse]:
    """A house in memory, in some weather."""
    made: list[House] = []

    def make(weather: Weather) -> tuple[House, World]:
        house = House(request.param, request.param, tmp_path, weather)
        made.append(house)
        assert house.world is not None
        return house, house.world

    started = time.monotonic()
    yield make
    for house in made:
        house.close()
    assert time.monotonic() - started < AT_ONCE


@contextmanager
def takes(world: World, least: float, most: float | None = None) -> Generator[None, None, None]:
    """The block takes so many virtual seconds."""
    started = world.now()
    yield
    passed = world.now() - started
    assert least <= passed <= (least if most is None else most) + SLACK
