"""Transports that fail in every way there is, and Ctrl-C at every moment: whoever is not concerned notices nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.memory import spoiled
from tests.scenarios.test_scenarios import CODE, House
from tests.scenarios.virtual import MakeHouse, make_house, takes

from hap_sync.loop import Loop
from hapcore.errors import Disconnected, HapError
from hapcore.state import encode_state
from hapcore.testing import CALM, Damage, Weather

__all__ = ["make_house"]

WHERE = pytest.mark.parametrize("where", [0, 1], ids=["at the controller", "at the accessory"])


@WHERE
@pytest.mark.parametrize("damage", Damage, ids=lambda one: one.name.lower())
def test_a_broken_transport_harms_its_own_connection_only(damage: Damage, where: int, make_house: MakeHouse) -> None:
    house, world = make_house(CALM)
    accessory, good = house.visit()
    assert good.value(house.on.id) is False
    with spoiled(world, where, partial(world.damaged, damage=damage)), takes(world, 0.0, 60.0):
        bad = house.control().connect("lamp", accessory.address)
        with suppress(HapError):
            for brightness in (10, 20, 30):
                bad.write({house.brightness.id: brightness})
                bad.read([house.on.id, *[house.brightness.id] * 40], meta=True)
        bad.close()
    with takes(world, 0.0):
        assert good.value(house.on.id) is False


@WHERE
@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("reading", [True, False], ids=["read", "write"])
def test_a_transport_that_raises_is_told_and_harms_nobody_else(
    reading: bool, after: int, where: int, make_house: MakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house, world = make_house(CALM)
    accessory, good = house.visit()
    assert good.value(house.on.id) is False
    with spoiled(world, where, partial(world.raising, reading=reading, after=after)), takes(world, 0.0):
        bad = house.control().connect("lamp", accessory.address)
        with pytest.raises(Disconnected):
            for _ in range(4):
                bad.read([house.on.id])
    assert "what no transport raises" in caplog.text
    assert "the transport of connection" in caplog.text
    with takes(world, 0.0):
        assert good.value(house.on.id) is False


def agreed(house: House, home: Any, error: BaseException | None) -> bool:
    """Whether they are paired: both sides, or neither, or the error says what to do."""
    server: Any = next(one for one in house._opened if hasattr(one, "server"))
    paired, known = server.server.paired, home.home.aliases == ("lamp",)
    if paired != known:
        assert paired, "we believe in a pairing that the accessory does not know"
        assert "pair it again" in f"{error} {getattr(error, '__notes__', '')}"
    return bool(known)


@pytest.mark.parametrize("after", [0, 1, 90, 200, 700, 1100, 1300, 1450, 1600, 1700, 1800, 1900, 2000, 5000])
def test_a_connection_lost_anywhere_in_pairing(after: int, make_house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_bytes(encode_state({}))
    house, _ = make_house(Weather(lost_after=after, piece=100))
    accessory, home = house.serve(), house.control()
    error: HapError | None = None
    try:
        home.pair(accessory.address, CODE, "lamp")
    except HapError as lost:
        error = lost
    assert agreed(house, home, error) is (error is None)
    if after in (0, 5000):
        assert (error is None) is (after == 5000)


@pytest.mark.parametrize("after", [400, 500, 650, 1000, 1500, 1900, 2300])
def test_a_connection_lost_in_the_middle_of_a_frame(after: int, make_house: MakeHouse) -> None:
    house, world = make_house(Weather(piece=50))
    accessory = house.serve()
    good = house.control().connect("lamp", accessory.address)
    assert good.value(house.on.id) is False
    bad = house.control().connect("lamp", accessory.address)
    with takes(world, 0.0, 1.0):  # every 50 bytes take the blocking adapter a turn
        world.network.weather = Weather(lost_after=after, piece=50)
        with pytest.raises(Disconnected):
            for _ in range(50):
                bad.read([house.on.id])
        assert good.value(house.on.id) is False


def test_ctrl_c_at_every_turn_of_pairing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other adapters are asked by cancelling at each checkpoint."""
    turn: Callable[[Loop, float | None], None] = Loop._turn
    outcomes: list[bool] = []
    while outcomes.count(True) < 3:
        folder = tmp_path / str(len(outcomes))
        folder.mkdir()
        (folder / "lamp.json").write_bytes(encode_state({}))
        house = House("sync", "sync", folder, CALM)
        accessory, home = house.serve(), house.control()
        left = len(outcomes)

        def interrupted(loop: Loop, timeout: float | None) -> None:
            nonlocal left
            turn(loop, timeout)
            left -= 1
            if left == -1:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patched:
            patched.setattr(Loop, "_turn", interrupted)
            error: BaseException | None = None
            try:
                home.pair(accessory.address, CODE, "lamp")
            except KeyboardInterrupt as pressed:
                error = pressed
        outcomes.append(agreed(house, home, error))
        house.close()
    assert outcomes.count(False) >= 1  # from M3 on it is put off until both have stored
