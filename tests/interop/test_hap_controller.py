"""Each of our adapters as the accessory of hap-controller, the controller of the Node.js world, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.program import hap, lines
from tests.interop import neighbours
from tests.interop.foreign_peers import SETUP_CODE, WRONG_CODE, PeerFailedError, Peers
from tests.interop.lamp import Lamp
from tests.interop.test_accessories import Bench
from tests.scenarios.homes import KINDS, Accessory


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, peers: Peers, tmp_path: Path) -> Iterator[Bench]:
    with neighbours.controller(peers, "hap-controller") as controller:
        lamp = Lamp()
        accessory = Accessory(request.param, lamp.accessory, state=tmp_path / "state.json", setup_code=SETUP_CODE)
        with closing(accessory):
            yield Bench(lamp, accessory, controller)


@pytest.mark.parametrize("method", [0, 1, None])
def test_pair_and_database(rig: Bench, method: int | None) -> None:
    """With either method of pair-setup, and with the one it chooses itself."""
    known = rig.controller.do(
        "pair", setup_code=SETUP_CODE, **rig.where, **({} if method is None else {"method": method})
    )
    assert known["accessory"] == rig.server.device_id
    assert rig.server.paired
    (accessory,) = rig.controller.do("accessories")
    found = {one["iid"]: one for service in accessory["services"] for one in service["characteristics"]}
    on = found[rig.lamp.on.id.iid]
    assert (on["type"], on["format"], bool(on["value"])) == ("00000025-0000-1000-8000-0026BB765291", "bool", False)
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


def test_everything_that_can_be_asked_about_a_value(rig: Bench) -> None:
    rig.pair()
    wanted = {"meta": True, "perms": True, "type": True, "ev": True}
    found = rig.controller.do("get", ids=[rig.brightness], options=wanted)[rig.brightness]
    assert (found["type"], found["format"], found["maxValue"], found["unit"]) == ("8", "int", 100, "percentage")
    assert set(found["perms"]) == {"pr", "pw", "ev"}
    assert not found["ev"]


def test_refusals_and_write_response(rig: Bench) -> None:
    rig.pair()
    assert rig.controller.do("put", values={rig.on: True, rig.brightness: 101})[rig.brightness]["status"] == -70410
    assert rig.lamp.brightness.value == 40
    answer = rig.controller.do("get", ids=[rig.on, "1.9999"])
    assert answer[rig.on]["value"] in (True, 1)
    assert answer["1.9999"]["status"] == -70409
    assert rig.controller.do("respond", values={rig.echo: "stressed"})[rig.echo]["value"] == "desserts"


def test_events(rig: Bench) -> None:
    rig.pair()
    assert rig.controller.do("subscribe", ids=[rig.brightness, rig.button]) == {}
    rig.accessory.set(rig.lamp.brightness, 77)
    rig.accessory.set(rig.lamp.press, 1)
    rig.controller.changed({rig.brightness: 77, rig.button: 1})
    # It reads over one connection and listens on another.
    assert rig.controller.do("get", ids=[rig.brightness])[rig.brightness]["value"] == 77
    assert rig.controller.do("unsubscribe", ids=[rig.brightness, rig.button]) == {}
    rig.accessory.set(rig.lamp.brightness, 78)
    assert rig.controller.do("get", ids=[rig.brightness])[rig.brightness]["value"] == 78


def test_identify(rig: Bench) -> None:
    rig.controller.do("identify", **rig.where)
    assert rig.lamp.identified == 1
    rig.pair()
    with pytest.raises(PeerFailedError):
        rig.controller.do("identify", **rig.where)
    assert rig.lamp.identified == 1


def test_pairings_are_listed_added_and_removed(rig: Bench) -> None:
    known = rig.pair()
    row = rig.controller.do("pairings")
    assert row == {"pairingId": known["controller"], "publicKey": known["ltpk"], "permissions": 1}
    guest = "AAAAAAAA-0000-4000-8000-00000000CAFE"
    rig.controller.do("add", identifier=guest, ltpk="11" * 32, admin=False)
    rig.controller.do("remove", identifier=guest)
    assert rig.controller.do("pairings") == row
    rig.controller.do("remove")
    assert not rig.server.paired


def test_wrong_setup_code_and_paired_already(rig: Bench) -> None:
    with pytest.raises(PeerFailedError, match="M4"):
        rig.controller.do("pair", setup_code=WRONG_CODE, **rig.where)
    assert not rig.server.paired
    rig.pair()
    with pytest.raises(PeerFailedError):
        rig.pair()
    assert len(rig.lamp.accessory.services) > 3  # it is served all the same
    assert rig.server.paired


def test_a_transient_setup(rig: Bench) -> None:
    """It proves the code, has a session that may do nothing, and leaves no pairing behind."""
    rig.controller.do("transient", setup_code=SETUP_CODE, **rig.where)
    assert not rig.server.paired
    with pytest.raises(PeerFailedError, match="M4"):
        rig.controller.do("transient", setup_code=WRONG_CODE, **rig.where)
    rig.pair()
    assert rig.server.paired


def test_a_pairing_moves_to_ours_and_back(rig: Bench, tmp_path: Path) -> None:
    rig.pair()
    record = rig.controller.do("record")
    rig.controller.do("close")
    theirs, ours, back = (tmp_path / name for name in ("theirs.json", "ours.json", "back.json"))
    theirs.write_text(json.dumps(record))
    lines(hap("import", theirs, "-a", "lamp", "-f", ours, "--json"))
    where = f"127.0.0.1:{rig.where['port']}"
    lines(hap("put", "-f", ours, "-a", "lamp", "-c", rig.on, "true", "--address", where, "--json"))
    assert rig.lamp.on.value is True
    done = hap("export", "--to", "hap-controller", "-f", ours, "-a", "lamp", "-o", back)
    assert done.returncode == 0, done
    returned = json.loads(back.read_text())
    assert {key: value.lower() for key, value in returned.items()} == {k: v.lower() for k, v in record.items()}
    rig.controller.do("adopt", record=returned, **rig.where)
    assert rig.controller.do("get", ids=[rig.on])[rig.on]["value"] in (True, 1)
