"""The home: a pairing that another controller makes for us is prepared, completed once it works, and never lost."""

from __future__ import annotations

import json

import pytest
from tests.core.home_rig import Lamp, Rig

from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport
from hapcore.engine import Forget, Persist
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    EffectFailed,
    LocalProtocolError,
    PairingRefused,
    StateError,
    TimedOut,
)
from hapcore.home import Ask, Complete, Discover, Find, Prepare, Remove, StartPairing
from hapcore.home.residents import LOOK_UP_LIMIT
from hapcore.ip.controller import AddPairing, Read
from hapcore.setup_code import SetupPayload, setup_hash
from hapcore.state import PAIRINGS, PreparedPairing

HERE = ("192.0.2.7", 5001)
WHERE = "192.0.2.7:5001"


def town() -> tuple[Rig, Lamp, Rig]:
    """The home of an admin, its lamp, and the home of somebody who has none."""
    admin, lamp, guest = Rig(), Lamp(), Rig(seed="guest")
    admin.hosts[HERE] = guest.hosts[HERE] = lamp
    admin.pair(WHERE)
    return admin, lamp, guest


def complete(lamp: Lamp, admin: Rig, address: str | None = WHERE) -> Complete:
    """What the admin tells."""
    return Complete("desk", lamp.server.device_id, admin.home.record("lamp").pairing.accessory_ltpk, address=address)


def admit(admin: Rig, waiting: PreparedPairing) -> None:
    admin.ask(Ask("lamp", AddPairing(waiting.controller_id.encode(), waiting.controller_ltpk, True)))


def names(rig: Rig) -> tuple[list[str], list[str]]:
    """Who is paired, and what is prepared."""
    return list(rig.home.aliases), [one.alias for one in rig.home.prepared]


def test_prepared_added_completed() -> None:
    admin, lamp, guest = town()
    waiting = guest.ask(Prepare("desk"))
    assert names(guest) == ([], ["desk"])
    assert guest.home.prepared[0] is waiting
    assert guest.table == {"prepared/desk": waiting.encode()}
    assert waiting.identity.ltsk.reveal().hex() not in repr(waiting)
    admit(admin, waiting)
    effects = len(guest.effects)
    assert guest.ask(complete(lamp, admin)) == "desk"
    kinds = [type(one) for one in guest.effects[effects:] if isinstance(one, Persist | Forget)]
    assert kinds == [Persist, Forget]  # never neither
    assert names(guest) == (["desk"], [])
    assert guest.table == {"desk": guest.home.record("desk").encode()}
    assert guest.home.record("desk").addresses == ("192.0.2.7",)
    assert guest.ask(Ask("desk", Read([lamp.on])))[lamp.on].value is False
    guest.ask(Remove("desk"))
    assert guest.table == {}


def test_it_survives_a_restart_and_the_file() -> None:
    admin, lamp, guest = town()
    waiting = guest.ask(Prepare("desk"))
    content = PAIRINGS.encode(guest.table)
    assert json.loads(content)["prepared"]["desk"]["controller_id"] == waiting.controller_id
    again = Rig(PAIRINGS.decode(content))
    again.hosts[HERE] = lamp
    assert again.home.prepared == (waiting,)
    admit(admin, waiting)
    assert again.ask(complete(lamp, admin)) == "desk"
    # The crash came between the two steps: the pairing counts.
    both = Rig({**again.table, waiting.key: waiting.encode()})
    both.hosts[HERE] = lamp
    assert names(both) == (["desk"], [])
    both.ask(Remove("desk"))
    assert both.table == {}, "nor is it prepared again"


def test_not_added_yet_and_not_there() -> None:
    admin, lamp, guest = town()
    waiting = guest.ask(Prepare("desk"))
    before = dict(guest.table)
    with pytest.raises(PairingRefused):
        guest.ask(complete(lamp, admin))
    guest.hosts.clear()
    number = guest.submit(complete(lamp, admin))
    guest.pass_time(LOOK_UP_LIMIT)
    with pytest.raises(Disconnected):
        guest.result(number)
    guest.hosts[HERE] = Lamp(2)
    number = guest.submit(complete(lamp, admin))
    guest.pass_time(LOOK_UP_LIMIT)
    with pytest.raises(AccessoryChanged):
        guest.result(number)
    assert guest.table == before
    assert names(guest) == ([], ["desk"])
    guest.hosts[HERE] = lamp
    admit(admin, waiting)
    assert guest.ask(complete(lamp, admin)) == "desk"


def test_it_is_looked_for() -> None:
    admin, lamp, guest = town()
    admit(admin, guest.ask(Prepare("desk")))
    number = guest.submit(complete(lamp, admin, None))
    assert guest.browsing
    guest.home.receive_discovery(lamp.found(5001, "192.0.2.7"), guest.now)
    guest.run()
    assert guest.result(number) == "desk"
    assert guest.home.record("desk").name == ""
    assert guest.table == {"desk": guest.home.record("desk").encode()}
    assert guest.home.record("desk").port == 5001


def test_it_cannot_be_stored() -> None:
    admin, lamp, guest = town()
    guest.fault = OSError("disk full")
    with pytest.raises(EffectFailed, match="disk full"):
        guest.ask(Prepare("desk"))
    assert names(guest) == ([], [])
    guest.fault = None
    waiting = guest.ask(Prepare("desk"))
    admit(admin, waiting)
    guest.fault = OSError("disk full")
    with pytest.raises(EffectFailed, match="disk full"):
        guest.ask(complete(lamp, admin))
    guest.fault = None
    assert names(guest) == ([], ["desk"])
    assert guest.ask(complete(lamp, admin)) == "desk"


def test_removed_again() -> None:
    guest = Rig()
    guest.ask(Prepare("desk"))
    guest.ask(Remove("desk"))
    assert guest.table == {}
    assert names(guest) == ([], [])
    guest.ask(Prepare("desk"))


def test_what_cannot_be() -> None:
    admin, lamp, guest = town()
    with pytest.raises(LocalProtocolError, match="no pairing called 'desk' is prepared"):
        guest.submit(complete(lamp, admin))
    guest.ask(Prepare("desk"))
    with pytest.raises(LocalProtocolError, match="prepared already"):
        guest.submit(Prepare("desk"))
    with pytest.raises(LocalProtocolError, match="prepared already"):
        guest.submit(StartPairing(WHERE, "desk"))
    with pytest.raises(LocalProtocolError, match="only prepared"):
        guest.submit(Ask("desk", Read([(1, 2)])))
    with pytest.raises(LocalProtocolError, match="printable"):
        guest.submit(Prepare("\x1b"))
    with pytest.raises(LocalProtocolError, match="only prepared"):
        guest.submit(Prepare("prepared/x"))
    for wrong in (
        Complete("desk", " ", bytes(32)),
        Complete("desk", "a", bytes(31)),
        Complete("desk", "a", bytes(32), address="nonsense"),
        Complete("desk", "a", bytes(32), Transport.BLE, "192.0.2.7:1"),
    ):
        with pytest.raises(LocalProtocolError):
            guest.submit(wrong)
    with pytest.raises(LocalProtocolError, match="Bluetooth"):
        guest.ask(Complete("desk", "11:22:33:44:55:66", bytes(32), Transport.BLE))
    assert names(guest) == ([], ["desk"])


def test_one_at_a_time() -> None:
    admin, lamp, guest = town()
    admit(admin, guest.ask(Prepare("desk")))
    guest.hosts[HERE] = "hole"
    first = guest.submit(complete(lamp, admin))
    with pytest.raises(LocalProtocolError, match="being completed already"):
        guest.submit(complete(lamp, admin))
    guest.pass_time(60.0)
    with pytest.raises(Disconnected):
        guest.result(first)
    guest.hosts[HERE] = lamp
    assert guest.ask(complete(lamp, admin)) == "desk"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ([], '"prepared" is no JSON object'),
        ({"desk": []}, "'desk' is damaged: it is no JSON object"),
        ({"desk": {"controller_id": "A"}}, "controller_ltsk is missing"),
        ({"desk": {"controller_id": "A", "controller_ltsk": "00"}}, "not 32 bytes"),
        ({"\x1b": {"controller_id": "A", "controller_ltsk": "00" * 32}}, "printable"),
    ],
)
def test_a_damaged_file(section: object, said: str) -> None:
    content = {"format": "hapcore-pairings", "version": 1, "pairings": {}, "prepared": section}
    with pytest.raises(StateError, match=said):
        PAIRINGS.decode(json.dumps(content).encode())


def announced(device_id: str, found_hash: str | None) -> DiscoveredAccessory:
    return DiscoveredAccessory(
        "Lamp", device_id, ("192.0.2.7",), 5001, "L1", 5, 1, 1, FeatureFlags(0), StatusFlags(1), found_hash, "1.1"
    )


def test_found_by_its_qr_code() -> None:
    rig = Rig()
    payload = SetupPayload(None, "7OSX", 5)
    number = rig.submit(Find(payload, 5.0))
    right = announced("11:22:33:44:55:66", setup_hash("7OSX", "11:22:33:44:55:66"))
    for one in (announced("11:22:33:44:55:67", right.setup_hash), announced("11:22:33:44:55:68", None), right):
        assert number not in rig.replies
        rig.home.receive_discovery(one, rig.now)
        rig.run()
    assert rig.result(number) == right
    rig.ask(Discover("me"))  # what is looked for by somebody is remembered
    rig.home.receive_discovery(right, rig.now)
    assert rig.ask(Find(payload, 5.0)) == right


def test_not_found_by_its_qr_code() -> None:
    rig = Rig()
    number = rig.submit(Find(SetupPayload(None, "7OSX", 5), 5.0))
    rig.pass_time(5.0)
    with pytest.raises(TimedOut, match="the accessory with the setup id 7OSX was not seen on the network within 5 s"):
        rig.result(number)
    with pytest.raises(LocalProtocolError, match="no setup id"):
        rig.ask(Find(SetupPayload(None, None, 5), 5.0))
    assert not rig.browsing
