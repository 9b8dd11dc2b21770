"""The examples of accessories: each is served over loopback TCP, paired by a real controller, and used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from types import ModuleType

import pytest
import trio
from tests.examples.visit import Visit, load, visiting, visiting_sync

import hap_trio
from hapcore.catalogue.characteristics import (
    CURRENT_HEATING_COOLING_STATE,
    LOCK_CURRENT_STATE,
    LOCK_TARGET_STATE,
    NAME,
    ON,
    PROGRAMMABLE_SWITCH_EVENT,
    STREAMING_STATUS,
    TARGET_HEATING_COOLING_STATE,
    TARGET_TEMPERATURE,
)
from hapcore.controller.commands import CharacteristicWrite
from hapcore.engine import ConnectionId
from hapcore.errors import Refused
from hapcore.ids import Caller, HapStatus, Transport
from hapcore.model.metadata import Permission

LONG = 3600.0


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- a thermostat with history ----------------------------------------------------------------------------------------


def entries(thermostat: ModuleType, data: object) -> list[tuple[int, float, float, bool]]:
    assert isinstance(data, bytes)
    return [(at, round(now, 1), wanted, heats) for at, now, wanted, heats in thermostat.ENTRY.iter_unpack(data)]


async def test_a_thermostat_heats_when_it_is_told_and_remembers_it(monkeypatch, tmp_path):
    thermostat = load("thermostat.py")
    async with visiting(monkeypatch, partial(thermostat.main, LONG)) as home:
        doing = home.find(CURRENT_HEATING_COOLING_STATE)
        async with home.client.subscribe([doing]) as changes:
            # It need not wait for its hour to be over.
            assert await home.write(TARGET_TEMPERATURE, 10.0) == 0
            assert (await anext(changes)).value == 0
            assert await home.write(TARGET_TEMPERATURE, 23.5) == 0
            assert (await anext(changes)).value == 1
            assert await home.write(TARGET_HEATING_COOLING_STATE, 0) == 0
            assert (await anext(changes)).value == 0
        told = await home.read(thermostat.HISTORY)
    assert [one[1:] for one in entries(thermostat, told)] == [
        (18.9, 20.0, True),
        (19.1, 10.0, False),
        (19.0, 23.5, True),
        (19.2, 23.5, False),
    ]
    assert (tmp_path / "thermostat.history").read_bytes() == told
    assert not list(tmp_path.glob("*.new")), "it was moved, not written again"
    # The next start goes on where this one ended.
    again = load("thermostat.py")
    async with visiting(monkeypatch, partial(again.main, LONG)) as home:
        data = await home.read(again.HISTORY)
        assert isinstance(data, bytes)
        assert data.startswith(told)
        assert len(data) == len(told) + again.ENTRY.size
        history = next(
            one for s in home.accessories[0].services for one in s.characteristics if one.type == again.HISTORY.uuid
        )
        assert history.metadata.perms == {Permission.READ}


def test_it_switches_neither_to_nor_fro():
    thermostat = load("thermostat.py")
    hall = thermostat.hall
    for degrees, heats in ((19.6, False), (19.5, False), (19.4, True), (19.9, True), (20.0, False), (19.6, False)):
        hall.current_heating_cooling_state.value = thermostat.decide(degrees)
        assert (hall.current_heating_cooling_state.value is thermostat.Doing.HEAT) == heats, degrees


async def test_the_history_has_an_end_and_no_full_disk_stops_the_heating(monkeypatch, tmp_path, capsys):
    thermostat = load("thermostat.py")
    monkeypatch.setattr(thermostat, "KEPT", 3)
    kept, fsync = [], os.fsync

    def full(number: int) -> None:
        fsync(number)
        if (tmp_path / "thermostat.history").exists():
            kept.append((tmp_path / "thermostat.history").read_bytes())
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(thermostat.os, "fsync", full)
        with trio.move_on_after(30) as limit:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(thermostat.heat, 0.001)
                while len(kept) < 5:
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
    assert not limit.cancelled_caught
    assert set(kept) == {(tmp_path / "thermostat.history").read_bytes()}, "half a file"
    assert len(entries(thermostat, thermostat.history.value)) == 3
    assert "history: [Errno 28] No space left on device\n" in capsys.readouterr().out


# --- a lock -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("LOCK_PIN", "482913")
    return load("door_lock.py")


async def opening(home: Visit, pin: bytes | None = b"482913", wanted: int = 0) -> int:
    target = home.find(LOCK_TARGET_STATE)
    return (await home.client.write([CharacteristicWrite(target, wanted, auth_data=pin)]))[target].status


async def test_a_lock_opens_for_a_pin_and_locks_itself_again(monkeypatch, lock):
    async with visiting(monkeypatch, partial(lock.main, 0.05)) as home:
        watched = [home.find(LOCK_CURRENT_STATE), home.find(LOCK_TARGET_STATE)]
        async with home.client.subscribe(watched) as changes:
            assert await opening(home) == 0
            seen = [(one.id, one.value) async for one in changes_of(changes, 3)]
        assert sorted(seen) == sorted([(watched[0], 0), (watched[0], 1), (watched[1], 1)])
        assert seen.index((watched[0], 0)) < seen.index((watched[0], 1))
        assert await home.read(LOCK_CURRENT_STATE) == 1


async def changes_of(changes, count):
    for _ in range(count):
        yield await anext(changes)


async def test_who_locks_needs_no_pin_and_stops_the_clock(monkeypatch, lock):
    async with visiting(monkeypatch, partial(lock.main, LONG)) as home:
        assert await opening(home) == 0
        assert await home.read(LOCK_CURRENT_STATE) == 0
        assert await opening(home, None, 1) == 0
        assert await home.read(LOCK_CURRENT_STATE) == 1
        assert await home.read(LOCK_TARGET_STATE) == 1


async def test_a_clock_that_was_stopped_locks_nothing(lock, autojump_clock):
    mine = Caller(b"me", admin=True, transport=Transport.IP, connection=ConnectionId(1), auth_data=b"482913")
    opened, closed = lock.LockTargetState.UNSECURED, lock.LockTargetState.SECURED
    async with trio.open_nursery() as nursery:
        door = lock.Door(nursery, 10.0)
        for at, wanted in ((0, opened), (5, closed), (6, opened)):
            await trio.sleep_until(at)
            await door.turn(wanted, mine)
        for at, state in ((11, opened), (15.9, opened), (16.1, closed)):
            await trio.sleep_until(at)
            assert lock.lock.lock_current_state.value == state


@pytest.mark.parametrize("pin", [None, b"", b"482914", b"4829130", b"482913\n"])
async def test_no_pin_or_a_wrong_one_opens_nothing(monkeypatch, lock, pin):
    async with visiting(monkeypatch, lock.main) as home:
        assert await opening(home, pin) == HapStatus.INSUFFICIENT_AUTHORIZATION
        assert await home.read(LOCK_CURRENT_STATE) == 1
        assert await home.read(LOCK_TARGET_STATE) == 1


async def test_who_guesses_has_to_wait(monkeypatch, lock):
    async with visiting(monkeypatch, lock.main) as home:
        for _ in range(lock.TRIES):
            assert await opening(home, b"0000") == HapStatus.INSUFFICIENT_AUTHORIZATION
        assert await opening(home) == HapStatus.NOT_ALLOWED
        assert await opening(home, None, 1) == 0
        monkeypatch.setattr(lock.trio, "current_time", lambda now=lock.trio.current_time: now() + lock.PAUSE)
        assert await opening(home) == 0


async def test_a_write_that_is_not_timed_is_refused(monkeypatch, lock):
    async with visiting(monkeypatch, lock.main) as home:
        target = home.find(LOCK_TARGET_STATE)
        async with home.session() as session:
            write = CharacteristicWrite(target, 0, auth_data=b"482913")
            assert (await session.write([write]))[target].status == HapStatus.INVALID_VALUE
            assert await home.read(LOCK_CURRENT_STATE) == 1
            assert (await session.write([write], timed=5000))[target].status == 0
            assert await home.read(LOCK_CURRENT_STATE) == 0


def test_no_pin_no_lock(monkeypatch):
    monkeypatch.delenv("LOCK_PIN", raising=False)
    with pytest.raises(SystemExit, match="LOCK_PIN must have"):
        load("door_lock.py")


# --- a doorbell -------------------------------------------------------------------------------------------------------


async def test_a_doorbell_rings(monkeypatch):
    doorbell = load("doorbell.py")
    presses: SimpleQueue[str | None] = SimpleQueue()
    async with visiting_sync(monkeypatch, partial(doorbell.main, iter(presses.get, None))) as home:
        bell, light = (home.find(PROGRAMMABLE_SWITCH_EVENT, number) for number in (0, 1))
        async with home.client.subscribe([bell, light]) as changes:
            for said in ("1\n", "1\n", "what?\n", "hold\n", "light\n", "2\n"):
                presses.put(said)
            seen = [(one.id, one.value) async for one in changes_of(changes, 5)]
        assert [value for one, value in seen if one == bell] == [0, 0, 2, 1]
        assert [value for one, value in seen if one == light] == [0]
        assert await home.read(PROGRAMMABLE_SWITCH_EVENT) is None
        assert (await home.client.write({bell: 0}))[bell].status == HapStatus.READ_ONLY
        presses.put(None)


# --- a camera ---------------------------------------------------------------------------------------------------------

#: Prints a picture that tells how large it was to be, and notes that it was asked to.
SHOOT = """
import sys
open("shots", "a").write("*")
sys.stdout.buffer.write(bytes.fromhex("ffd8ffe0") + " ".join(sys.argv[1:]).encode())
"""


async def test_a_camera_gives_pictures_and_takes_no_more_than_needed(monkeypatch, tmp_path):
    camera = load("camera.py")
    command = [sys.executable, "-c", SHOOT, "scale={width}:{height}", "-"]
    async with visiting(monkeypatch, partial(camera.main, command)) as home:
        pictures = []

        async def look() -> None:
            pictures.append(await home.client.snapshot(640, 480))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(look)
        assert pictures == [b"\xff\xd8\xff\xe0scale=640:480 -"] * 5
        assert (tmp_path / "shots").read_text() == "*"
        monkeypatch.setattr(camera, "FRESH", 0.0)
        assert (await home.client.snapshot(320, 240)).endswith(b"scale=320:240 -")
        assert await home.read(STREAMING_STATUS) == b"\x01\x01\x02"


#: Seconds after which a handler is answered for, if it says nothing by itself.
ENGINE_WAITS = 9.0


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["false"], HapStatus.UNABLE_TO_COMMUNICATE),
        (["./no-such-camera"], HapStatus.UNABLE_TO_COMMUNICATE),
        (["echo", "no JPEG"], HapStatus.UNABLE_TO_COMMUNICATE),
        (["sleep", "600"], HapStatus.TIMED_OUT),
    ],
)
async def test_a_camera_that_is_broken(monkeypatch, command, status, capsys):
    camera = load("camera.py")
    monkeypatch.setattr(camera, "PATIENCE", 0.2 if status is HapStatus.TIMED_OUT else 8.0)
    async with visiting(monkeypatch, partial(camera.main, command)) as home:
        with pytest.raises(Refused, match=f"status {int(status)} "), trio.fail_after(ENGINE_WAITS):
            await home.client.snapshot(640, 480)
        assert await home.read(STREAMING_STATUS) == b"\x01\x01\x02", "the camera itself is there"
    assert ("no picture: " in capsys.readouterr().out) == (command[0] in ("false", "./no-such-camera"))


# --- a bridge that grows ----------------------------------------------------------------------------------------------


async def test_a_bridge_grows_and_shrinks(monkeypatch, tmp_path, capsys):
    records = []
    announce = hap_trio.AccessoryServer._advertise
    monkeypatch.setattr(
        hap_trio.AccessoryServer, "_advertise", lambda self, one: (records.append(one.record), announce(self, one))
    )
    folder = tmp_path / "lamps"
    folder.mkdir()
    (folder / "A0042").write_text("Shelf\n")
    bridge = load("growing_bridge.py")

    async with visiting(monkeypatch, partial(bridge.main, 0.001)) as home:

        def lamps() -> dict[object, tuple[int, int]]:
            return {
                one.name: one.services[-1].find(ON.uuid).id
                for one in home.accessories[1:]  # type: ignore[union-attr]
            }

        async def until(done: Callable[[], bool]) -> dict[object, tuple[int, int]]:
            while not done():
                await home.look()
            return lamps()

        (shelf,) = lamps().values()
        first = records[-1].config_number
        async with home.client.subscribe([shelf]) as changes:
            (folder / "A0001").touch()  # no name yet
            (folder / ".A0002.swp").write_text("an editor's")
            (folder / "A0003").write_text("Table")  # before the other one
            known = await until(lambda: len(lamps()) == 2)
            assert known.keys() == {"Shelf", "Table"}
            assert known["Shelf"] == shelf
            assert records[-1].config_number == first + 1

            # A new name is neither a new lamp nor a new configuration; nobody has to subscribe again.
            (folder / "A0042").write_text("Board")
            known = await until(lambda: "Board" in lamps())
            assert known["Board"] == shelf
            assert records[-1].config_number == first + 1
            bridge_lamp = next(one for one in home.server.database.accessories if one.name == "Board")
            bridge_lamp.find(ON).value = True
            assert (await anext(changes)).value is True
        table = known["Table"]
        assert (await home.client.write({table: True}))[table].status == 0
        assert capsys.readouterr().out.endswith("A0003 is new\nA0003 on\n")

        (folder / "A0003").unlink()
        known = await until(lambda: len(lamps()) == 1)
        assert (await home.client.read([table]))[table].status == HapStatus.DOES_NOT_EXIST
        (folder / "A0003").write_text("Table")
        known = await until(lambda: len(lamps()) == 2)
        assert known["Table"] == table
        assert records[-1].config_number == first + 3

        (folder / "A0000").write_text("x" * 65)
        while "A0000: Name: the text is longer than 64 bytes" not in capsys.readouterr().out:
            await trio.lowlevel.checkpoint()
        (folder / "A0005").write_text("Floor")
        known = await until(lambda: len(lamps()) == 3)
        assert (await home.client.read([table]))[table].status == 0

    again = load("growing_bridge.py")
    (folder / "A0000").unlink()
    async with visiting(monkeypatch, again.main) as home:
        assert lamps() == known
        assert known["Board"] == shelf
        assert records[-1].config_number == first + 4
        assert await home.read(NAME) == "Bridge"
