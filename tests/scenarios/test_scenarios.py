"""One list of scenarios, for every controller adapter with every accessory adapter over real sockets, and for each
adapter with itself over a network in memory, in virtual time. What takes time is told in memory only, in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.core.accessory_rig import Draws, kind
from tests.scenarios import homes, memory
from tests.scenarios.homes import KINDS, Accessory, Controller, Lamp, MemoryAccessory, MemoryController

from hapcore.catalogue.services import Lightbulb
from hapcore.errors import Disconnected, HapError, PairingRefused, ValueRefused
from hapcore.ids import Caller, HapStatus
from hapcore.ip.accessory import Config, Server
from hapcore.ip.controller import CharacteristicWrite
from hapcore.model.accessory import Accessory as Model
from hapcore.model.characteristic import Characteristic
from hapcore.model.metadata import Format
from hapcore.pairing.records import PairedController, Pairing, new_controller_identity
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory, encode_pairings, encode_state
from hapcore.testing import CALM, Weather

CODE = "031-45-154"
WRONG = "518-08-582"


class House:
    """An accessory of one adapter, ready to be controlled by another; paired already, to save time."""

    def __init__(self, controller: str, accessory: str, folder: Path, weather: Weather | None = None) -> None:
        self._kinds = controller, accessory
        self._folder = folder
        self.world = None if weather is None else memory.WORLDS[controller](weather)
        self._opened: list[Controller | Accessory] = []
        self.lock = Characteristic(kind("Lock", 1, Format.BOOL, "pr pw tw", bool), False)
        self.echo = Characteristic(kind("Echo", 2, Format.TLV8, "pr pw wr", bytes), b"", control_point=True)
        self.slow = Characteristic(kind("Slow", 3, Format.UINT8, "pr pw", int), 0)
        self.light = Lightbulb("Lamp", on=False, brightness=40)
        for one in (self.lock, self.echo, self.slow):
            self.light.add(one)
        self.echo.setter(lambda value, caller: value[::-1])
        self.on, self.brightness = self.light.on, self.light.brightness

    def serve(self) -> Accessory:
        """Start the accessory, on the port it had before."""
        folder = self._folder
        if not (folder / "lamp.json").exists():
            state, records = prepared()
            (folder / "lamp.json").write_bytes(state)
            (folder / "pairings.json").write_bytes(records)
        what = Model("Lamp", services=[self.light])
        settings = {"setup_code": CODE, "state": folder / "lamp.json"}
        if self.world is None:
            accessory = Accessory(self._kinds[1], what, port=getattr(self, "_port", 0), **settings)
            self._port = accessory.port
        else:
            accessory = MemoryAccessory(self.world, what, **settings)
        self._opened.append(accessory)
        return accessory

    def control(self, file: str = "pairings.json") -> Controller:
        """Open a controller."""
        path = self._folder / file
        controller = Controller(self._kinds[0], path) if self.world is None else MemoryController(self.world, path)
        self._opened.append(controller)
        return controller

    def visit(self) -> tuple[Accessory, Lamp]:
        """The accessory and the paired lamp."""
        accessory = self.serve()
        return accessory, self.control().connect("lamp", accessory.address)

    def hold(self) -> homes.Hold | memory.Hold:
        """A setter that takes until it is let go."""
        return homes.Hold() if self.world is None else self.world.hold()

    def close(self) -> None:
        for one in reversed(self._opened):
            one.close()
        if self.world is not None:
            self.world.close()


@cache
def prepared() -> tuple[bytes, bytes]:
    """The state of an accessory and the file of a controller that are paired with each other."""
    state: dict[str, bytes] = {}
    engine = Server(
        [Model("Lamp", services=[Lightbulb("Lamp")])],
        config=Config(name="Lamp", setup_code=SetupCode(CODE)),
        state={},
        entropy=Draws("accessory"),
    )
    while (output := engine.poll()) is not None:
        if hasattr(output, "key"):
            state[output.key] = output.value
    del state["ids"], state["database"]
    identity = new_controller_identity(Draws("controller"))
    pairing = Pairing(engine.device_id, engine.stored.identity.ltpk, identity.identifier, identity.ltsk)
    admin = PairedController(identity.identifier.encode(), pairing.controller_ltpk, admin=True)
    state[f"pairing/{admin.identifier.hex()}"] = admin.encode()
    return encode_state(state), encode_pairings({"lamp": PairedAccessory("lamp", pairing)})


PAIRS = [f"{one} controls {other}" for one in KINDS for other in KINDS]
IN_MEMORY = [f"{one} in memory" for one in KINDS]


@pytest.fixture(params=PAIRS + IN_MEMORY)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    controller, where, accessory = request.param.split()
    house = House(controller, controller, tmp_path, CALM) if where == "in" else House(controller, accessory, tmp_path)
    yield house
    house.close()


def test_pair_use_and_unpair(house: House, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_bytes(encode_state({}))
    accessory = house.serve()
    home = house.control()
    lamp = home.pair(accessory.address, CODE, "lamp")
    assert accessory.server.paired
    lamp.write({house.on.id: True})
    assert house.on.value is True
    home.remove("lamp")
    assert not accessory.server.paired
    assert home.home.aliases == ()


def test_verify_read_and_write(house: House) -> None:
    accessory, lamp = house.visit()
    (description,) = lamp.accessories()
    assert description.aid == 1
    assert lamp.value(house.brightness.id) == 40
    results = lamp.write({house.on.id: True, house.brightness.id: 55})
    assert [result.status for result in results.values()] == [0, 0]
    assert (house.on.value, house.brightness.value) == (True, 55)
    missing = lamp.read([(1, 999)])[1, 999]
    assert missing.status == HapStatus.DOES_NOT_EXIST
    with pytest.raises(ValueRefused):
        lamp.write({house.brightness.id: "bright"})
    assert accessory.server.paired


def test_timed_write(house: House) -> None:
    _, lamp = house.visit()
    assert lamp.write({house.lock.id: True})[house.lock.id].status == 0
    assert lamp.write({house.lock.id: False}, timed=3000)[house.lock.id].status == 0
    assert house.lock.value is False


def test_write_response(house: House) -> None:
    _, lamp = house.visit()
    wanted = CharacteristicWrite(house.echo.id, b"\x01\x00", response=True)
    assert lamp.write([wanted])[house.echo.id].value == b"\x00\x01"


def test_events(house: House) -> None:
    accessory, lamp = house.visit()
    with lamp.watching([house.on.id, house.brightness.id]) as change:
        accessory.set(house.on, True)
        first = change()
        assert (first.id, first.value) == (house.on.id, True)
        accessory.set(house.brightness, 7)
        second = change()
        assert (second.id, second.value) == (house.brightness.id, 7)
    accessory.set(house.on, False)
    assert lamp.value(house.on.id) is False


def test_a_dropped_connection_is_made_again(house: House) -> None:
    accessory, lamp = house.visit()
    assert lamp.value(house.on.id) is False
    accessory.close()
    with pytest.raises(Disconnected):
        lamp.read([house.on.id])
    house.serve()
    assert lamp.value(house.on.id) is False


def test_pairings(house: House) -> None:
    accessory, lamp = house.visit()
    (me,) = lamp.pairings()
    assert me.admin
    lamp.add_pairing(b"somebody", bytes(31) + b"\x01", admin=False)
    assert [entry.identifier for entry in lamp.pairings()] == [me.identifier, b"somebody"]
    lamp.remove_pairing(b"somebody")
    assert len(lamp.pairings()) == 1
    lamp.remove_pairing(me.identifier)
    assert not accessory.server.paired
    with pytest.raises(PairingRefused):
        lamp.read([house.on.id])


def test_wrong_code(house: House, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_bytes(encode_state({}))
    accessory = house.serve()
    home = house.control()
    with pytest.raises(PairingRefused) as caught:
        home.pair(accessory.address, WRONG, "lamp")
    assert (caught.value.error, caught.value.step) == (2, 4)
    assert "code" in str(caught.value)
    assert home.home.aliases == ()
    assert not accessory.server.paired


def test_a_slow_peer_holds_up_nobody(house: House) -> None:
    accessory, lamp = house.visit()
    with accessory.stranger() as peer:
        for byte in b"GET /accessories HTTP/1.1\r\nHost: x\r\n":
            peer.sendall(bytes([byte]))
            assert byte is not None
        assert lamp.value(house.brightness.id) == 40
        peer.sendall(b"\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 470 ")


def test_abrupt_eof(house: House) -> None:
    accessory, lamp = house.visit()
    with accessory.stranger() as peer:
        peer.sendall(b"POST /pair-verify HTTP/1.1\r\nContent-Length: 40\r\n\r\nhalf")
    with accessory.stranger() as peer:
        peer.sendall(b"POST /pair-setup HTTP/1.1\r\n")
        peer.reset()
    assert lamp.value(house.on.id) is False


def test_cancel_in_mid_write(house: House) -> None:
    """The connection stays whole, and what was sent is carried out."""
    hold = house.hold()
    house.slow.setter(hold.setter)
    _, lamp = house.visit()
    assert lamp.value(house.slow.id) == 0
    lamp.cancelled("write", {house.slow.id: 9}, hold=hold)
    hold.release()
    assert lamp.value(house.brightness.id) == 40
    assert lamp.value(house.slow.id) == 9
    assert hold.calls == 1


def test_the_server_stops_with_clients_connected(house: House) -> None:
    accessory, lamp = house.visit()
    with lamp.watching([house.on.id]) as change:
        accessory.close()
        with pytest.raises(HapError):
            change()


def test_two_controllers_at_once(house: House, tmp_path: Path) -> None:
    accessory, one = house.visit()
    identity = new_controller_identity(Draws("second"))
    one.add_pairing(identity.identifier.encode(), identity.ltpk, admin=False)
    engine_ltpk = one.client.pairing.accessory_ltpk
    pairing = Pairing(accessory.server.device_id, engine_ltpk, identity.identifier, identity.ltsk)
    (tmp_path / "second.json").write_bytes(encode_pairings({"lamp": PairedAccessory("lamp", pairing)}))
    other = house.control("second.json").connect("lamp", accessory.address)
    with one.watching([house.on.id]) as change:
        other.write({house.on.id: True})
        assert change().value is True
        one.write({house.on.id: False})
        assert other.value(house.on.id) is False
    with pytest.raises(PairingRefused):
        other.pairings()


def test_a_hundred_connections(house: House) -> None:
    accessory, lamp = house.visit()
    peers = [accessory.stranger() for _ in range(100)]
    try:
        assert lamp.value(house.brightness.id) == 40
        for peer in peers:
            peer.sendall(b"GET /accessories HTTP/1.1\r\n\r\n")
        assert all(peer.recv(20).startswith(b"HTTP/1.1 470 ") for peer in peers)
    finally:
        for peer in peers:
            peer.close()


def test_a_setter_that_fails_is_told_and_hurts_nobody(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def setter(value: int, caller: Caller) -> None:
        raise RuntimeError("the bulb is broken")

    house.slow.setter(setter)
    _, lamp = house.visit()
    results = lamp.write({house.slow.id: 3, house.on.id: True})
    assert results[house.slow.id].status == HapStatus.UNABLE_TO_COMMUNICATE
    assert house.on.value is True
    assert "the bulb is broken" in caplog.text
    assert str(house.slow.id) in caplog.text


def test_the_scenarios_reach_every_adapter() -> None:
    """The list above is what it says: fifteen stories, for nine pairs over sockets and three in memory."""
    stories: list[Callable[..., None]] = [
        one for name, one in globals().items() if name.startswith("test_") and "house" in one.__annotations__
    ]
    assert len(KINDS) == 3
    assert len(PAIRS) == 9
    assert len(IN_MEMORY) == 3
    assert len(stories) == 15
