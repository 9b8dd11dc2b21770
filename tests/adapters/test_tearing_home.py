"""A controller's pairings on a disk that tears: a pairing is in the file before it is used, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from tests.adapters.tearing import Disk, Fault
from tests.adapters.test_tearing import ERRORS, FAULTS, FILE, Reader, inserted
from tests.core.home_rig import CODE, Lamp, Rig

from hap_sync.store import FileStore
from hapcore.engine import Effect, Forget, Persist
from hapcore.errors import EffectFailed, HapError
from hapcore.home import Ask, CancelPairing, FinishPairing, Remove, StartPairing
from hapcore.ip.controller import GetAccessories, Read
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS, PairedAccessory

HERE: Final = ("192.0.2.7", 5001)
FOLDER: Final = FILE.rpartition("/")[0]


class Torn(Rig):
    """A home with its pairings on such a disk, driven as the adapters do it."""

    def __init__(self, disk: Disk, lamp: Lamp, seed: str = "first") -> None:
        self.disk = disk
        self.store = FileStore(FILE, PAIRINGS)
        with inserted(disk):
            table = self.store.load()
        super().__init__(table, seed=seed)
        self.hosts[HERE] = lamp

    def _effect(self, effect: Effect) -> None:
        if not isinstance(effect, Persist | Forget):
            super()._effect(effect)
            return
        try:
            with inserted(self.disk):
                if isinstance(effect, Persist):
                    self.store.persist(effect.key, effect.value)
                else:
                    self.store.forget(effect.key)
        except OSError as error:
            self.home.effect_failed(effect, str(error), self.now, cause=error)


def uses(disk: Disk, lamp: Lamp) -> list[str]:
    """The pairings that a new process finds, after it has used each of them."""
    rig = Torn(disk, lamp)
    for alias in rig.home.aliases:
        rig.ask(Ask(alias, GetAccessories()))
        (read,) = rig.ask(Ask(alias, Read([lamp.on]))).values()
        assert not read.status
    return list(rig.home.aliases)


def pair(rig: Torn, alias: str = "lamp") -> Any:
    start = StartPairing("192.0.2.7:5001", alias)
    rig.ask(start)
    try:
        return rig.ask(FinishPairing(start, SetupCode(CODE)))
    finally:
        rig.ask(CancelPairing(start))


def test_it_is_in_the_file_before_anything_else_is_said() -> None:
    """Our keys before they are offered; and between the accessory's last message and the file nothing is sent."""
    disk, lamp = Disk(), Lamp()
    rig = Torn(disk, lamp)
    order: list[str] = []
    rig.before = lambda effect: order.append(type(effect).__name__)
    disk.watch = lambda: order.append("disk")
    assert pair(rig) == "lamp"
    offered, stored = (at for at, what in enumerate(order) if what == "Persist")
    assert order[offered + 1] == order[stored + 1] == "disk"
    assert "disk" not in order[:offered]
    sent = [at for at, what in enumerate(order) if what == "SendBytes"]
    assert [at for at in sent if at > stored] == []
    assert len([at for at in sent if offered < at]) == 2  # M3 and M5
    record = PAIRINGS.decode(disk.content(FILE) or b"")["lamp"]
    assert PairedAccessory.decode("lamp", record).pairing.accessory_id == lamp.server.device_id


def test_a_kill_and_a_power_cut_at_every_moment() -> None:
    """Nothing, keys by which the accessory can be paired again, or a pairing that works; and what was told is there."""
    disk, lamp, read = Disk(piece=100), Lamp(), Reader(PAIRINGS)
    rig = Torn(disk, lamp)
    told: list[str] = []
    used: dict[tuple[str, ...], int] = {}
    going = False

    def look() -> None:
        for left in (disk.killed(), *disk.power_cuts()):
            found = tuple(read(left))
            assert set(told) <= {*found} or going
            if lamp.server.paired and found not in used:
                used[found] = len(uses(left, lamp))
                assert used[found] or "prepared/lamp" in found

    disk.watch = look
    told.append(pair(rig))
    look()
    assert used == {("prepared/lamp",): 0, ("lamp", "prepared/lamp"): 1, ("lamp",): 1}
    going = True
    rig.ask(Remove("lamp"))
    told.clear()
    assert not lamp.server.paired
    assert all(not read(left) for left in (disk.killed(), *disk.power_cuts()))
    assert read.cuts > 300


def test_keys_that_were_offered_are_enough_to_pair_again() -> None:
    """Whatever a power cut leaves of a pairing that the accessory has stored: the accessory need not be reset."""
    moments = {"": 0}
    while (wanted := next((at for at, seen in moments.items() if not seen), None)) is not None:
        disk, lamp, read = Disk(piece=100), Lamp(), Reader(PAIRINGS)
        rig = Torn(disk, lamp)
        lefts: dict[str, Disk] = {}

        def look(disk: Disk = disk, lamp: Lamp = lamp, read: Reader = read, lefts: dict[str, Disk] = lefts) -> None:
            for left in (disk.killed(), *disk.power_cuts()) if lamp.server.paired else ():
                lefts.setdefault(" ".join(read(left)), left)

        disk.watch = look
        pair(rig)
        look()
        for name in lefts:
            moments.setdefault(name, 0)
        moments[wanted] = 1
        if wanted:
            rig.cut()
            again = Torn(lefts[wanted], lamp, "second")
            if not again.home.aliases:
                pair(again)
            assert uses(again.disk.killed(), lamp) == ["lamp"]
            assert len(lamp.server.pairings) == 1
    assert set(moments) == {"", "prepared/lamp", "lamp prepared/lamp", "lamp"}


@pytest.mark.parametrize(("how", "lasting"), FAULTS)
def test_every_call_fails_in_turn(how: str, lasting: bool) -> None:
    """Then the accessory has to forget it, the caller hears which file it was, and pairs it once there is room."""
    call = refused = 0
    while True:
        disk, lamp, read = Disk(), Lamp(), Reader(PAIRINGS)
        rig = Torn(disk, lamp)
        fault = disk.fault = Fault(len(disk.calls) + call, ERRORS[call % len(ERRORS)], how, lasting=lasting)
        try:
            pair(rig)
        except EffectFailed as error:
            disk.fault = None
            refused += 1
            told = str(error)
        else:
            told = ""
        if told:
            assert "could not store lamp" in told
            assert "/" in told
            assert not lamp.server.paired
            assert rig.home.aliases == ()
            if not lasting:
                assert not read(disk.killed())
            assert pair(rig) == "lamp"
        assert uses(disk.killed(), lamp) == ["lamp"]
        assert all("lamp" in read(left) for left in disk.power_cuts())
        if not fault.struck:
            break
        call += 1
    assert refused >= 8


def test_removing_while_every_call_fails_in_turn() -> None:
    """A pairing that could not be taken out of the file is known to be gone, and can be taken out later."""
    call = 0
    while True:
        disk, lamp, read = Disk(), Lamp(), Reader(PAIRINGS)
        rig = Torn(disk, lamp)
        pair(rig)
        fault = disk.fault = Fault(len(disk.calls) + call)
        failure = _failure(partial(rig.ask, Remove("lamp")))
        if failure is not None:
            disk.fault = None
            assert not lamp.server.paired
            again = Torn(disk.killed(), lamp)
            for alias in again.home.aliases:
                again.ask(Remove(alias, force=True))
            assert not read(again.disk)
        else:
            assert all(not read(left) for left in (disk.killed(), *disk.power_cuts()))
        if not fault.struck:
            break
        call += 1
    assert call >= 8


def _failure(act: Callable[[], object]) -> HapError | None:
    try:
        act()
    except HapError as error:
        return error
    return None
