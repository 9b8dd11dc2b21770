"""Our bridge as Home Assistant uses one, with its library: 120 accessories, polls in batches, events, a restart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import pytest
from tests.interop import neighbours
from tests.interop.foreign_peers import SETUP_CODE, Peers
from tests.scenarios.homes import KINDS, Accessory

from hapcore.catalogue.services import Lightbulb

LAMPS = 120
#: A controller that waits longer for one of these calls it "No response".
PATIENCE = 10.0


class House:
    """120 lamps behind a bridge, and Home Assistant's library beside it."""

    def __init__(self, kind: str, file: Path, controller: neighbours.Neighbour) -> None:
        self._kind = kind
        self._file = file
        self._do = controller.do
        self._changed = controller.changed
        self.took: dict[str, float] = {}
        self.open(0)

    def open(self, port: int) -> None:
        """Serve, with the identity and the numbers of before."""
        self.lamps = [
            Lightbulb(f"Lamp {number}", on=False, brightness=40, hue=0.0, saturation=0.0) for number in range(LAMPS)
        ]
        settings = {"state": self._file, "setup_code": SETUP_CODE, "port": port, "name": "House"}
        self.accessory = Accessory(self._kind, self.lamps, **settings)
        #: What entities are made of, which is what is polled.
        self.ids = [
            str(one.id) for lamp in self.lamps for one in (lamp.on, lamp.brightness, lamp.hue, lamp.saturation) if one
        ]

    def restart(self) -> None:
        """The same, at the same place."""
        port = self.accessory.port
        self.accessory.close()
        self.open(port)

    def pair(self) -> None:
        """From the code to the complete model."""
        started = perf_counter()
        where = {"host": "127.0.0.1", "port": self.accessory.port, "device_id": self.accessory.server.device_id}
        self._do("pair", setup_code=SETUP_CODE, **where)
        model = self._do("model")
        self.took["pair to model"] = perf_counter() - started
        assert model["accessories"] == LAMPS + 1
        assert model["characteristics"] > 10 * LAMPS

    def poll(self, batch: int = 49) -> dict[str, object]:
        """The values of everything."""
        found = self._do("poll", ids=self.ids, batch=batch)
        self.took[f"poll by {batch}"] = found["seconds"]
        assert found["values"].keys() == set(self.ids)
        assert len(self.ids) == 4 * LAMPS
        return found["values"]

    def subscribe(self) -> None:
        """To all that is polled; the library asks one accessory after the other."""
        started = perf_counter()
        assert self._do("subscribe", ids=self.ids) == {}
        self.took["subscribe"] = perf_counter() - started

    def brighten(self, level: int) -> dict[str, object]:
        """Set every lamp by the application; what has to be known of it then."""
        for lamp in self.lamps:
            self.accessory.set(lamp.brightness, level)
        return {str(lamp.brightness.id): level for lamp in self.lamps}

    def told(self, wanted: dict[str, object]) -> None:
        """Wait for the events."""
        started = perf_counter()
        self._changed(wanted)
        self.took["events"] = perf_counter() - started


@contextmanager
def home(kind: str, peers: Peers, folder: Path) -> Iterator[House]:
    with neighbours.controller(peers, "aiohomekit") as controller:
        house = House(kind, folder / "state.json", controller)
        try:
            yield house
        finally:
            house.accessory.close()
    print(kind, {name: f"{seconds * 1000:.0f} ms" for name, seconds in house.took.items()})


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, peers: Peers, tmp_path: Path) -> Iterator[House]:
    with home(request.param, peers, tmp_path) as found:
        yield found


def test_pair_fetch_and_poll(house: House) -> None:
    house.pair()
    for batch in (49, 50):
        values = house.poll(batch)
        assert [bool(values[str(lamp.on.id)]) for lamp in house.lamps] == [False] * LAMPS
        assert {values[str(lamp.brightness.id)] for lamp in house.lamps} == {40}
    assert max(house.took.values()) < PATIENCE


def test_events_while_it_polls(house: House) -> None:
    house.pair()
    house.subscribe()
    with ThreadPoolExecutor(1) as pool:
        polls = pool.submit(lambda: [house.poll() for _ in range(3)])
        for level in (10, 20, 30):
            wanted = house.brighten(level)
        polls.result()
    house.told(wanted)
    # What the events said last is what is so.
    values = house.poll()
    assert {name: values[name] for name in wanted} == wanted
    assert max(house.took.values()) < PATIENCE


def test_a_restart_is_survived(house: House) -> None:
    """It finds the bridge again, subscribes again, and knows all accessories by the same numbers."""
    house.pair()
    house.subscribe()
    before = house.ids
    house.restart()
    assert house.ids == before
    started = perf_counter()
    values = house.poll()
    house.took["restart to poll"] = perf_counter() - started
    assert {values[str(lamp.brightness.id)] for lamp in house.lamps} == {40}
    # Nobody has told it to, but it has subscribed again, an accessory at a time, before it read.
    house.told(house.brighten(77))
    assert len(house._do("pairings")) == 1


def test_writes_of_a_scene(house: House) -> None:
    """A scene is one write for all lamps, or one for each: both arrive."""
    house.pair()
    scene = {str(lamp.on.id): True for lamp in house.lamps}
    started = perf_counter()
    assert house._do("put", values=scene) == {}
    house.took["scene"] = perf_counter() - started
    assert all(lamp.on.value for lamp in house.lamps)
    for lamp in house.lamps[:10]:
        assert house._do("put", values={str(lamp.brightness.id): 5}) == {}
    assert {lamp.brightness.value for lamp in house.lamps[:10]} == {5}
