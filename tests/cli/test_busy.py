"""`hap serve busy-home`: hours of it in virtual time."""

from __future__ import annotations

import math

import pytest
import trio
from tests.cli.program import hap, lines, served

import hap_trio
from hap_trio.cli.busy import devices, home, live
from hap_trio.testing import Network, run
from hap_trio.testing.clock import virtual_clock
from hapcore.catalogue import services
from hapcore.catalogue.values import (
    CurrentDoorState,
    CurrentHeatingCoolingState,
    LockCurrentState,
    LockTargetState,
    PositionState,
    TargetDoorState,
    TargetHeatingCoolingState,
)
from hapcore.engine import ConnectionId
from hapcore.ids import Caller, Transport
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database
from hapcore.model.metadata import Permission

CALLER = Caller(b"3B1E7C4A", admin=True, transport=Transport.IP, connection=ConnectionId(1))
HOUR = 3600


class Watched:
    """A busy home, and what has changed in it: time, device, characteristic, value."""

    def __init__(self, seed: int) -> None:
        self.devices = devices(seed)
        self.changes: list[tuple[float, str, str, object]] = []
        self.begun = 0.0
        self.keys: dict[AnyCharacteristic, str] = {}
        for one in self.devices:
            for service in one.accessory.services:
                for characteristic in service.characteristics:
                    self.keys[characteristic] = one.accessory.key or ""
                    characteristic.bind(self.note)

    def note(self, one: AnyCharacteristic, value: object) -> None:
        # As the database does it: what does not change is no event, but for buttons.
        if value != one.value or one.immediate:
            self.changes.append((round(trio.current_time() - self.begun, 6), self.keys[one], one.type.name, value))
        one.store(value)

    def of(self, kind: type) -> object:
        return next(s for one in self.devices for s in one.accessory.services if isinstance(s, kind))

    async def live(self, seconds: float) -> None:
        self.begun = trio.current_time()
        with trio.move_on_after(seconds):
            await live(self.devices)

    def written(self, one: AnyCharacteristic, value: object) -> None:
        """As a controller does it."""
        value = one.coerce(value)
        assert one.setter_fn is not None
        one.setter_fn(value, CALLER)
        one.store(value)

    def told(self, name: str) -> list[tuple[float, object]]:
        return [(at, value) for at, _, kind, value in self.changes if kind == name]


def lived(seed: int, seconds: float = HOUR) -> Watched:
    watched = Watched(seed)
    trio.run(watched.live, seconds, clock=virtual_clock())
    return watched


def test_the_same_seed_is_the_same_life():
    one, two = lived(1), lived(1)
    assert one.changes == two.changes
    assert len(one.changes) > 1000
    assert lived(2).changes != one.changes


def test_everybody_lives():
    watched = lived(3, 2 * HOUR)
    assert {key for _, key, _, _ in watched.changes} == {one.accessory.key for one in watched.devices}
    assert len(watched.devices) >= 12
    moving = {name for _, _, name, _ in watched.changes}
    assert moving >= {"Hue", "Brightness", "EveEnergyWatt", "ProgrammableSwitchEvent", "LeakDetected", "MotionDetected"}


def test_nothing_runs_wild():
    watched = lived(4, 8 * HOUR)
    assert len(watched.changes) < 8 * HOUR * 3
    warmth = [value for _, key, name, value in watched.changes if (key, name) == ("thermostat", "CurrentTemperature")]
    assert all(isinstance(one, float) and 16 <= one <= 24 for one in warmth)


def test_one_device_does_not_depend_on_another():
    alone = Watched(5)
    alone.devices = alone.devices[:1]
    trio.run(alone.live, HOUR, clock=virtual_clock())
    together = lived(5)
    assert alone.changes == [one for one in together.changes if one[1] == "lamp"]


def test_a_garage_takes_its_time_and_can_turn_round():
    watched = Watched(6)
    door = watched.of(services.GarageDoorOpener)
    assert isinstance(door, services.GarageDoorOpener)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.live, 30)
            await trio.sleep(1)
            watched.written(door.target_door_state, TargetDoorState.OPEN)
            await trio.sleep(5)
            watched.written(door.target_door_state, TargetDoorState.CLOSED)
            await trio.sleep(13)
            assert door.current_door_state.value is CurrentDoorState.CLOSED

    trio.run(main, clock=virtual_clock())
    assert watched.told("CurrentDoorState") == [
        (1, CurrentDoorState.OPENING),
        (6, CurrentDoorState.CLOSING),
        (18, CurrentDoorState.CLOSED),
    ]


def test_a_bolt_follows():
    watched = Watched(7)
    lock = watched.of(services.LockMechanism)
    assert isinstance(lock, services.LockMechanism)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.live, 20)
            await trio.sleep(1)
            watched.written(lock.lock_target_state, LockTargetState.UNSECURED)
            await trio.sleep(1)
            watched.written(lock.lock_target_state, LockTargetState.SECURED)
            watched.written(lock.lock_target_state, LockTargetState.UNSECURED)

    trio.run(main, clock=virtual_clock())
    assert watched.told("LockCurrentState") == [(2.5, LockCurrentState.UNSECURED)]


def test_blinds_move_step_by_step():
    watched = Watched(8)
    blinds = watched.of(services.WindowCovering)
    assert isinstance(blinds, services.WindowCovering)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.live, 20)
            await trio.sleep(1)
            watched.written(blinds.target_position, 82)
            await trio.sleep(2.5)
            watched.written(blinds.target_position, 100)

    trio.run(main, clock=virtual_clock())
    assert watched.told("CurrentPosition") == [(2, 95), (3, 90), (4, 95), (5, 100)]
    assert watched.told("PositionState") == [
        (1, PositionState.GOING_TO_MINIMUM),
        (4, PositionState.GOING_TO_MAXIMUM),
        (5, PositionState.STOPPED),
    ]


@pytest.mark.parametrize(
    ("mode", "target", "doing", "reached"),
    [
        (TargetHeatingCoolingState.HEAT, 22.0, CurrentHeatingCoolingState.HEAT, 22.0),
        (TargetHeatingCoolingState.COOL, 16.0, CurrentHeatingCoolingState.COOL, 16.0),
        (TargetHeatingCoolingState.OFF, 22.0, CurrentHeatingCoolingState.OFF, 17.0),
    ],
)
def test_a_room_drifts_to_what_it_is_to_be(mode, target, doing, reached):
    seed = 3  # nobody changes his mind in these minutes
    watched = Watched(seed)
    room = watched.of(services.Thermostat)
    assert isinstance(room, services.Thermostat)
    room.target_heating_cooling_state.store(mode)
    room.target_temperature.store(target)
    trio.run(watched.live, 300, clock=virtual_clock())
    assert watched.told("TargetTemperature") == [], "choose another seed: somebody has changed his mind"
    warmth = [value for _, key, name, value in watched.changes if (key, name) == ("thermostat", "CurrentTemperature")]
    away = [abs(value - reached) for value in warmth if isinstance(value, float)]
    assert math.isclose(min(away), 0, abs_tol=0.01)
    arrived = next(at for at, value in enumerate(away) if value < 0.01)
    assert away[: arrived + 1] == sorted(away[: arrived + 1], reverse=True)
    states = [value for _, value in watched.told("CurrentHeatingCoolingState")]
    assert states[:1] == ([doing] if doing else [])


def test_it_is_a_bridge_that_can_be_served():
    built = home(None, None)
    assert isinstance(built.things, list)
    database = Database(built.things)
    assert len(database.accessories) == 14
    assert database.accessories[0].name == "Busy home"
    assert home("Mine", 1).things[0].name == "Mine"  # type: ignore[index, union-attr]


def test_a_controller_sees_every_device_live():
    async def main() -> set[int]:
        built, network, told = home(None, 3), Network(), set()
        async with (
            hap_trio.open_server(built.things, address="127.0.0.1", mdns=False) as server,
            hap_trio.open_controller(mdns=False) as mine,
            trio.open_nursery() as nursery,
        ):
            network.hosts["home"] = server.attach
            nursery.start_soon(built.live)
            with network.dialled(), trio.move_on_after(2 * HOUR):
                bridge = await mine.pair("home:1", server.setup_code, "home")
                found = [c for one in await bridge.accessories() for s in one.services for c in s.characteristics]
                watched = [one.id for one in found if Permission.EVENTS in one.metadata.perms]
                async with bridge.subscribe(watched) as changes:
                    async for change in changes:
                        told.add(change.id.aid)
                        if len(told) == 13:
                            break
            nursery.cancel_scope.cancel()
        return told

    assert len(run(main)) == 13


def test_it_is_served(tmp_path):
    with served("busy-home", "--seed", "5") as (program, listening):
        me = ("-a", "x", "-f", tmp_path / "p.json", "--address", f"{listening['host']}:{listening['port']}")
        assert hap("pair", *me, "-p", listening["setup_code"]).returncode == 0
        accessories = lines(hap("accessories", *me, "--json"))
        ids = {
            (s["name"], c["name"]): f"{one['aid']}.{c['iid']}"
            for one in accessories
            for s in one["services"]
            for c in s["characteristics"]
        }
        door = ids["Garage Door Opener", "Target Door State"], ids["Garage Door Opener", "Current Door State"]
        assert hap("put", *me, "-c", door[0], "0").returncode == 0
        assert hap("get", *me, "-c", door[1]).stdout.endswith("= 2\n")
        assert program.stop()[0] == 0
