"""Hours of faults in virtual time: whatever happens, in the end everybody is available and every value is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.supervision_rig import Flat, House, house

from hapcore.catalogue.services import Lightbulb
from hapcore.home import Available, Gap, Unavailable
from hapcore.home.supervision.backoff import LONGEST_REST
from hapcore.ip.controller.connection import PAIRING_TIMEOUT, REQUEST_TIMEOUT
from hapcore.model.accessory import Accessory
from hapcore.testing.chance import Dice

#: Real seconds for a day of 300 accessories.
A_DAY = 60.0
#: Seconds after the last fault in which all is well again: a poll, its end, a rest, an attempt that hangs.
RECOVERY = 60.0 + REQUEST_TIMEOUT + LONGEST_REST + PAIRING_TIMEOUT


class Chaos:
    """Faults of every kind, drawn from a seed; none of them is for good."""

    def __init__(self, rig: House, seed: int, *, moving: bool = True) -> None:
        self._rig = rig
        self._moving = moving
        self._dice = Dice(seed)
        self._hosts = 0
        self._lights = 0

    def go_on(self, steps: int) -> None:
        """So many faults, with pauses."""
        flats = list(self._rig.flats.values())
        for _ in range(steps):
            flat = flats[self._dice.up_to(len(flats)) - 1]
            kinds = self._kinds(flat)
            kinds[self._dice.up_to(len(kinds)) - 1]()
            self._rig.pass_time(self._dice.between(0.0, 300.0) if self._dice.roll() < 0.5 else self._dice.roll())

    def _kinds(self, flat: Flat) -> list[Callable[[], None]]:
        rig = self._rig
        if flat.server is None:
            return [lambda: rig.start(flat), lambda: rig.start(flat, self._elsewhere())]
        return [
            lambda: rig.restart(flat),
            lambda: rig.restart(flat, self._elsewhere()),
            lambda: rig.stop(flat),
            lambda: rig.kill(flat),
            lambda: rig.heal(flat) if flat.cut else rig.cut(flat),
            lambda: setattr(flat, "mute", not flat.mute),
            lambda: setattr(flat, "stutters", not flat.stutters),
            lambda: setattr(flat, "full", not flat.full),
            lambda: setattr(flat, "announces", not flat.announces),
            lambda: setattr(flat, "late", self._dice.between(0.0, 12.0) if not flat.late else 0.0),
            lambda: setattr(rig, "mdns", not rig.mdns),
            lambda: self._grow(flat),
            *[lambda: self._change(flat)] * 6,
        ]

    def _elsewhere(self) -> tuple[str, int] | None:
        if not self._moving:
            return None  # nobody could know where it is
        self._hosts += 1
        return f"203.0.113.{1 + self._hosts % 200}", 1024 + self._hosts

    def _change(self, flat: Flat) -> None:
        values = {flat.light.on.id: self._dice.roll() < 0.5, flat.light.brightness.id: self._dice.up_to(100)}
        self._rig.update(flat, values)

    def _grow(self, flat: Flat) -> None:
        """Another database: c# changes."""
        self._lights += 1
        rig = self._rig
        rig.stop(flat)
        more = Lightbulb("More", on=True, key=f"more{self._lights}")
        flat.what = Accessory(flat.alias, services=[flat.light, more])
        rig.start(flat)

    def end(self) -> None:
        """All is well again; and what happens last happens before the accessories are heard of."""
        rig = self._rig
        rig.mdns = True
        for flat in rig.flats.values():
            flat.mute = flat.stutters = flat.full = False
            flat.late = 0.0
            flat.announces = True
            self._change(flat)
            if flat.server is None:
                rig.start(flat)
            rig.heal(flat)


def check(rig: House) -> None:
    """What a reader believes is true, and was told in turn."""
    for flat in rig.flats.values():
        states = rig.states(flat)
        assert states[-1] is True, (flat.alias, states)
        assert all(one is not other for one, other in pairwise(states)), (flat.alias, states)
        told = rig.values(flat)
        assert told, flat.alias
        assert flat.server is not None
        known = {one.id for one in flat.server.database.characteristics}
        assert {one: value for one, value in told.items() if one in known} == {
            one: flat.value(one) for one in told if one in known
        }
        assert {flat.light.on.id, flat.light.brightness.id} <= set(told)
        # Whoever was away may have missed something: it is said each time, before it is there again.
        items = [item for item in rig.items(flat) if isinstance(item, Available | Unavailable | Gap)]
        for place, item in enumerate(items[1:], 1):
            if isinstance(item, Available) and any(isinstance(one, Available) for one in items[:place]):
                assert isinstance(items[place - 1], Gap), flat.alias


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), discovery=st.booleans())
def test_hours_of_faults(seed: int, discovery: bool) -> None:
    rig, _ = house(2, seed=str(seed), discovery=discovery)
    rig.supervise()
    chaos = Chaos(rig, seed, moving=discovery)
    chaos.go_on(60)
    chaos.end()
    rig.pass_time(RECOVERY)
    check(rig)


def test_the_same_faults_have_the_same_consequences() -> None:
    def life() -> list[tuple[float, object, object]]:
        rig, _ = house(2)
        rig.supervise()
        chaos = Chaos(rig, 5)
        chaos.go_on(80)
        return [(when, to, repr(item)) for when, to, item in rig.told]

    assert life() == life()


HOUR = 3600.0


class Day:
    """What happens to a house of `flats` from one midnight to the next."""

    def __init__(self, rig: House, flats: Sequence[Flat]) -> None:
        self._rig = rig
        self._flats = flats
        self._begun = rig.now
        self._dice = Dice(24)

    def at(self, hour: float, what: Callable[[], None]) -> None:
        """Plan something."""
        self._rig.after(self._begun + hour * HOUR - self._rig.now, what)

    def plan(self) -> None:
        """The whole day."""
        rig, flats, dice = self._rig, self._flats, self._dice
        for number, flat in enumerate(flats):
            for _ in range(20):  # people live there
                self.at(dice.between(0, 23.9), partial(self._change, flat))
            if number % 2:  # an update by night
                self.at(dice.between(1, 2), partial(self._if_on, flat, rig.restart))
            if number % 5 == 0:  # the lease has run out
                self.at(dice.between(2.5, 4), partial(self._if_on, flat, self._move))
            if number % 10 == 0:  # its room has no reception for some time
                begin = dice.between(4.5, 10)
                self.at(begin, partial(rig.cut, flat))
                self.at(begin + dice.between(0.01, 2), partial(rig.heal, flat))
            if number % 15 == 0:  # new firmware, which can do more
                self.at(dice.between(12.5, 14), partial(self._if_on, flat, self._grow))
            if number % 20 == 0:  # unplugged, plugged in somewhere else
                begin = dice.between(16, 18)
                self.at(begin, partial(rig.kill, flat))
                self.at(begin + dice.between(0.1, 3), partial(rig.start, flat))
        self.at(12.0, self._power_cut)
        self.at(12.2, self._power_is_back)
        self.at(15.0, self._router_restarts)
        self.at(15.05, self._router_is_back)

    def _if_on(self, flat: Flat, what: Callable[[Flat], None]) -> None:
        if flat.server is not None and not flat.cut:
            what(flat)

    def _change(self, flat: Flat) -> None:
        values = {flat.light.on.id: self._dice.roll() < 0.5, flat.light.brightness.id: self._dice.up_to(100)}
        self._rig.update(flat, values)

    def _move(self, flat: Flat) -> None:
        host, port = flat.address
        self._rig.restart(flat, (host.replace("192.0.2.", "203.0.113.").replace("198.51.", "198.52."), port))

    def _grow(self, flat: Flat) -> None:
        self._rig.stop(flat)
        flat.what = Accessory(flat.alias, services=[flat.light, Lightbulb("More", on=True, key="more")])
        self._rig.start(flat)

    def _power_cut(self) -> None:
        """Nobody but the controller has power."""
        for flat in self._flats:
            self._rig.kill(flat)

    def _power_is_back(self) -> None:
        for flat in self._flats:
            self._rig.after(self._dice.between(2, 40), partial(self._rig.start, flat))

    def _router_restarts(self) -> None:
        self._rig.mdns = False
        for flat in self._flats:
            self._rig.cut(flat)

    def _router_is_back(self) -> None:
        self._rig.mdns = True
        for flat in self._flats:
            self._rig.heal(flat)


def test_a_day_of_a_home_of_three_hundred() -> None:
    rig, flats = house(300)
    begun = time.perf_counter()
    rig.supervise(poll=HOUR / 2)
    rig.pass_time(10)
    assert all(rig.available(flat) for flat in flats)
    Day(rig, flats).plan()
    rig.pass_time(12.2 * HOUR)
    back = rig.until(lambda: all(rig.available(flat) for flat in flats), HOUR)
    rig.pass_until(1000.0 + 24 * HOUR, lambda: False)
    took = time.perf_counter() - begun
    check(rig)
    assert rig.browses == 1
    assert back <= 40 + 1  # the last one had its power after 40 s
    assert len(rig.connects) < 300 * 20
    away = sum(states.count(False) for states in map(rig.states, flats))
    assert away >= 300
    assert took < A_DAY
