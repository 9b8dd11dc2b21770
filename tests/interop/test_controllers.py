"""Each of our adapters as the controller of real accessories: HAP-python and HAP-NodeJS, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.interop import neighbours
from tests.interop.foreign_peers import WRONG_CODE, Peers
from tests.scenarios.homes import KINDS, Controller, Lamp

from hapcore.errors import PairingRefused
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller import CharacteristicWrite


class Bench:
    """A running foreign accessory and our controller, not paired yet."""

    def __init__(self, accessory: neighbours.Neighbour, kind: str, file: Path) -> None:
        self.accessory = accessory
        self._kind = kind
        self._file = file
        self.home = self.open()
        hello = accessory.hello
        self.where = f"{hello['host']}:{hello['port']}"
        self.device_id: str = hello["device_id"]
        self.code: str = hello["setup_code"]
        ids = {name: CharacteristicId.parse(text) for name, text in hello["ids"].items()}
        self.on, self.brightness, self.button = ids["on"], ids["brightness"], ids["button"]
        self.lock, self.echo = ids["lock_target"], ids["echo"]

    def open(self) -> Controller:
        """Open a controller with the pairings stored so far."""
        return Controller(self._kind, self._file)

    def pair(self) -> Lamp:
        """Pair under the alias "bench"."""
        lamp = self.home.pair(self.where, self.code, "bench")
        assert self.accessory.line(event="paired")["ok"]
        return lamp


@pytest.fixture(params=[f"{kind} controls {name}" for kind in KINDS for name in ("happython", "hapnodejs")])
def rig(request: pytest.FixtureRequest, peers: Peers, tmp_path: Path) -> Iterator[Bench]:
    kind, _, name = request.param.split()
    with neighbours.accessory(peers, name, tmp_path / "peer") as accessory:
        bench = Bench(accessory, kind, tmp_path / "pairings.json")
        with closing(bench.home):
            yield bench


def test_pair_and_database(rig: Bench) -> None:
    lamp = rig.pair()
    accessories = lamp.accessories()
    assert [one.aid for one in accessories] == [1]
    found = {one.iid: one for service in accessories[0].services for one in service.characteristics}
    assert found[rig.on.iid].type == "00000025-0000-1000-8000-0026BB765291"
    assert found[rig.brightness.iid].metadata.max == 100
    assert found[rig.brightness.iid].value == 40
    assert lamp.client.pairing.accessory_id.upper() == rig.device_id.upper()


def test_read_and_write(rig: Bench) -> None:
    lamp = rig.pair()
    before = lamp.read([rig.on, rig.brightness])
    assert before[rig.on].value is False
    assert before[rig.brightness].value == 40
    written = lamp.write({rig.on: True, rig.brightness: 55})
    assert {one.status for one in written.values()} == {HapStatus.SUCCESS}
    assert rig.accessory.line(event="written", name="on")["value"] in (True, 1)
    assert rig.accessory.line(event="written", name="brightness")["value"] == 55
    after = lamp.read([rig.on, rig.brightness])
    assert (after[rig.on].value, after[rig.brightness].value) == (True, 55)


def test_verified_again_and_by_another_controller_with_the_same_file(rig: Bench) -> None:
    lamp = rig.pair()
    assert lamp.value(rig.on) is False
    lamp.close()
    assert lamp.value(rig.on) is False
    with closing(rig.open()) as other:
        assert other.connect("bench", rig.where).value(rig.brightness) == 40


def test_timed_write_and_write_response(rig: Bench) -> None:
    lamp = rig.pair()
    timed = lamp.write({rig.lock: 1}, timed=3000)
    assert timed[rig.lock].status == HapStatus.SUCCESS
    assert rig.accessory.line(event="written", name="lock_target")["value"] == 1
    answered = lamp.write([CharacteristicWrite(rig.echo, "stressed", response=True)])
    assert answered[rig.echo].status == HapStatus.SUCCESS
    assert answered[rig.echo].value == "desserts"


def test_events(rig: Bench) -> None:
    lamp = rig.pair()
    with lamp.watching([rig.brightness, rig.button]) as change:
        rig.accessory.command("set brightness 77")
        rig.accessory.command("press 1")
        missing = {(rig.brightness, 77), (rig.button, 1)}
        while missing:
            news = change()
            missing.discard((news.id, news.value))
        # A request between events: responses and events come over one connection.
        assert lamp.value(rig.on) is False
    rig.accessory.command("set brightness 78")
    assert lamp.value(rig.brightness) == 78


def test_pairings_are_listed_added_and_removed(rig: Bench) -> None:
    lamp = rig.pair()
    mine = lamp.client.pairing
    ours = mine.controller_id.encode().upper()
    (row,) = lamp.pairings()
    assert (row.identifier.upper(), row.ltpk, row.admin) == (ours, mine.controller_ltpk, True)
    guest = b"AAAAAAAA-0000-4000-8000-00000000CAFE"
    lamp.add_pairing(guest, bytes(range(32)), admin=False)
    rows = {one.identifier.upper(): one for one in lamp.pairings()}
    assert rows.keys() == {ours, guest}
    assert not rows[guest].admin
    lamp.remove_pairing(guest)
    assert len(lamp.pairings()) == 1
    rig.home.remove("bench")
    rig.accessory.line(event="unpaired")
    assert rig.home.home.aliases == ()


def test_wrong_setup_code(rig: Bench) -> None:
    with pytest.raises(PairingRefused) as refusal:
        rig.home.pair(rig.where, WRONG_CODE, "bench")
    assert (refusal.value.error, refusal.value.step) == (2, 4)
    assert rig.home.home.aliases == ()
    rig.pair()
