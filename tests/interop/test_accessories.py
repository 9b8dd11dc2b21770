"""Each of our adapters as the accessory of a real controller: aiohomekit, unmodified, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.interop import neighbours
from tests.interop.foreign_peers import SETUP_CODE, WRONG_CODE, PeerFailedError, Peers
from tests.interop.lamp import Lamp
from tests.scenarios.homes import KINDS, Accessory


class Bench:
    """Our running accessory and aiohomekit, not paired yet."""

    def __init__(self, lamp: Lamp, accessory: Accessory, controller: neighbours.Neighbour) -> None:
        self.lamp = lamp
        self.accessory = accessory
        self.server = accessory.server
        self.controller = controller
        self.where = {"host": "127.0.0.1", "port": accessory.port, "device_id": self.server.device_id}
        self.on, self.brightness = str(lamp.on.id), str(lamp.brightness.id)
        self.button, self.lock, self.echo = str(lamp.press.id), str(lamp.lock_target.id), str(lamp.echo.id)

    def pair(self) -> dict:
        """Pair; what aiohomekit knows then."""
        return self.controller.do("pair", setup_code=SETUP_CODE, **self.where)


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, peers: Peers, tmp_path: Path) -> Iterator[Bench]:
    with neighbours.controller(peers, "aiohomekit") as controller:
        lamp = Lamp()
        accessory = Accessory(request.param, lamp.accessory, state=tmp_path / "state.json", setup_code=SETUP_CODE)
        with closing(accessory):
            yield Bench(lamp, accessory, controller)


def test_pair_and_database(rig: Bench) -> None:
    assert not rig.server.paired
    known = rig.pair()
    assert known["accessory"].upper() == rig.server.device_id.upper()
    assert rig.server.paired
    (accessory,) = rig.controller.do("accessories")
    found = {one["iid"]: one for service in accessory["services"] for one in service["characteristics"]}
    on = found[rig.lamp.on.id.iid]
    assert (on["type"], on["format"]) == ("00000025-0000-1000-8000-0026BB765291", "bool")
    assert not on["value"]
    assert found[rig.lamp.brightness.id.iid]["value"] == 40


def test_read_and_write(rig: Bench) -> None:
    rig.pair()
    before = rig.controller.do("get", ids=[rig.on, rig.brightness])
    assert (bool(before[rig.on]["value"]), before[rig.brightness]["value"]) == (False, 40)
    assert rig.controller.do("put", values={rig.on: True, rig.brightness: 55}) == {}
    assert rig.lamp.written == [("on", True)]
    assert rig.lamp.brightness.value == 55
    after = rig.controller.do("get", ids=[rig.on, rig.brightness])
    assert (bool(after[rig.on]["value"]), after[rig.brightness]["value"]) == (True, 55)


def test_connection_closed_and_verified_again(rig: Bench) -> None:
    rig.pair()
    rig.controller.do("verify")
    rig.controller.do("close")
    assert not rig.controller.do("get", ids=[rig.on])[rig.on]["value"]
    with pytest.raises(PeerFailedError, match="AuthenticationError"):
        rig.controller.do("stranger")


def test_timed_write_and_write_response(rig: Bench) -> None:
    rig.pair()
    timed = rig.controller.do("timed", values={rig.lock: 1}, ttl=3000)
    assert timed["prepared"] == {"status": 0}
    assert timed["written"] == {}
    assert rig.lamp.lock_target.value == 1
    (row,) = rig.controller.do("respond", values={rig.echo: "stressed"})["characteristics"]
    assert (row["status"], row["value"]) == (0, "desserts")


def test_events(rig: Bench) -> None:
    rig.pair()
    assert rig.controller.do("subscribe", ids=[rig.brightness, rig.button]) == {}
    rig.accessory.set(rig.lamp.brightness, 77)
    rig.accessory.set(rig.lamp.press, 1)
    rig.controller.changed({rig.brightness: 77, rig.button: 1})
    assert rig.controller.do("unsubscribe", ids=[rig.brightness, rig.button]) == {}
    rig.accessory.set(rig.lamp.brightness, 78)
    assert rig.controller.do("get", ids=[rig.brightness])[rig.brightness]["value"] == 78


def test_pairings_are_listed_added_and_removed(rig: Bench) -> None:
    known = rig.pair()
    (row,) = rig.controller.do("pairings")
    assert (row["pairingId"], row["publicKey"], row["permissions"]) == (known["controller"], known["ltpk"], 1)
    guest = "aaaaaaaa-0000-4000-8000-00000000cafe"
    assert rig.controller.do("add", identifier=guest, ltpk="11" * 32, admin=False) is True
    rows = rig.controller.do("pairings")
    assert [(one["pairingId"], one["permissions"]) for one in rows] == [(known["controller"], 1), (guest, 0)]
    assert rig.controller.do("remove") is True
    assert not rig.server.paired


def test_wrong_setup_code(rig: Bench) -> None:
    with pytest.raises(PeerFailedError, match="AuthenticationError"):
        rig.controller.do("pair", setup_code=WRONG_CODE, **rig.where)
    assert not rig.server.paired
    rig.pair()
