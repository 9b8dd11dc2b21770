"""Accessories that are watched over: lost, found, followed again, and nothing missed without a word."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from tests.core.supervision_rig import US, Flat, House, house

from hapcore.catalogue.services import Lightbulb, StatelessProgrammableSwitch
from hapcore.controller.commands import CharacteristicWrite, Read, Write
from hapcore.engine import Done
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    LocalProtocolError,
    PairingRefused,
    RemoteProtocolError,
    TimedOut,
)
from hapcore.home import (
    Adopt,
    Ask,
    Available,
    Close,
    DatabaseChanged,
    Disconnect,
    Discover,
    Follow,
    Gap,
    Remove,
    Source,
    Stop,
    Supervise,
    Unavailable,
    ValueChanged,
)
from hapcore.home.racing import HEAD_START
from hapcore.home.supervision.backoff import CALLED_REST, FIRST_REST, FORGOTTEN_REST, LONGEST_REST
from hapcore.home.supervision.watch import PROBE_LIMIT
from hapcore.ip.accessory import ReplaceDatabase
from hapcore.ip.controller.connection import MAX_WAITING, REQUEST_TIMEOUT
from hapcore.pairing.records import new_controller_identity
from hapcore.testing.chance import seeded_entropy


def kinds(items: list[Any]) -> list[type]:
    return [type(item) for item in items]


def watched(count: int = 1, **options: Any) -> tuple[House, Any]:
    """A house whose lamps are all available."""
    supervise = {key: options.pop(key) for key in ("poll", "pace", "ids", "batch") if key in options}
    rig, flats = house(count, **options)
    rig.supervise(**supervise)
    rig.pass_time(1)
    assert all(rig.available(flat) for flat in flats)
    return rig, flats if count > 1 else flats[0]


# --- the beginning ----------------------------------------------------------------------------------------------------


def test_the_narrow_path() -> None:
    rig, lamp = watched()
    on, brightness = lamp.light.on.id, lamp.light.brightness.id
    assert kinds(rig.items(lamp)) == [DatabaseChanged, ValueChanged, ValueChanged, Available]
    assert rig.values(lamp) == {on: False, brightness: 40}
    rig.update(lamp, {on: True})
    assert rig.items(lamp)[-1] == ValueChanged(lamp.alias, on, True, Source.EVENT)
    rig.stop(lamp)
    (gone,) = rig.items(lamp)[5:]
    assert isinstance(gone, Unavailable)
    assert isinstance(gone.reason, Disconnected)
    rig.pass_time(30)
    lamp.light.brightness.value = 70
    rig.start(lamp)
    assert rig.until(lambda: rig.available(lamp)) < CALLED_REST
    changed, gap, back = rig.items(lamp)[6:]
    assert changed == ValueChanged(lamp.alias, brightness, 70, Source.READ)
    assert isinstance(gap, Gap)
    assert (gap.since, gap.until) == (pytest.approx(1000.1), rig.now)  # since the last question that was answered
    assert back == Available(lamp.alias)


def test_a_fresh_start_takes_five_requests() -> None:
    rig, lamp = watched()
    assert rig.sent[lamp.alias] == 5  # M1, M3, the database, events, values
    assert rig.browses == 1
    assert len(rig.connects) == 1


def test_events_are_asked_for_accessory_by_accessory_and_values_in_batches() -> None:
    from hapcore.model.accessory import Accessory

    bridge = Flat(1, [Accessory(f"Lamp {one}", services=[Lightbulb(brightness=one)]) for one in range(60)])
    rig = House([bridge])
    rig.supervise(pace=0.0)
    rig.run()
    # 120 characteristics in three batches; 60 accessories.
    assert rig.sent[bridge.alias] == 2 + 1 + 60 + 3
    assert len(rig.values(bridge)) == 120
    rig.supervise("slow", pace=0.5, batch=10)
    before = rig.now
    rig.restart(bridge)
    rig.until(lambda: rig.available(bridge, "slow") and rig.available(bridge))
    assert rig.now - before >= (60 + 12) * 0.5


def test_only_some_characteristics() -> None:
    rig, lamp = watched(ids=[(1, 10), (1, 11), (1, 999)])
    on = lamp.light.on.id
    assert rig.values(lamp) == {one: lamp.value(one) for one in rig.values(lamp)}
    assert set(rig.values(lamp)) <= {(1, 10), (1, 11)}
    assert on in {lamp.light.on.id}


def test_mistakes() -> None:
    rig, _ = house()
    for options in ({"poll": 0.5}, {"poll": 1e6}, {"pace": -1.0}, {"batch": 0}, {"batch": 50}):
        with pytest.raises(LocalProtocolError):
            Supervise("reader", **options)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        rig.supervise(aliases=["shed"])
    rig.supervise()
    with pytest.raises(LocalProtocolError, match="follows something already"):
        rig.supervise()
    with pytest.raises(LocalProtocolError, match="follows something already"):
        rig.submit(Discover("reader"))


# --- readers ----------------------------------------------------------------------------------------------------------


def test_a_reader_that_comes_later_is_told_what_is_known() -> None:
    rig, lamp = watched()
    sent = rig.sent[lamp.alias]
    rig.supervise("later")
    assert kinds(rig.items(lamp, "later")) == [DatabaseChanged, ValueChanged, ValueChanged, Available]
    assert rig.sent[lamp.alias] == sent
    rig.update(lamp, {lamp.light.on.id: True})
    assert rig.items(lamp)[-1] == rig.items(lamp, "later")[-1]
    rig.submit(Stop("later"))
    assert rig.ended == {"later": None}
    rig.update(lamp, {lamp.light.on.id: False})
    rig.pass_time(1)  # events leave once in a while
    assert rig.values(lamp)[lamp.light.on.id] is False
    assert rig.values(lamp, "later")[lamp.light.on.id] is True


def test_a_reader_that_wants_more_gets_more() -> None:
    rig, (lamp,) = house()
    on, brightness = lamp.light.on.id, lamp.light.brightness.id
    rig.supervise("one", ids=[on])
    rig.pass_time(1)
    assert rig.values(lamp, "one") == {on: False}
    rig.supervise("both")
    rig.pass_time(1)
    assert rig.values(lamp, "both") == {on: False, brightness: 40}
    rig.update(lamp, {brightness: 50})
    assert rig.values(lamp, "both")[brightness] == 50
    assert rig.values(lamp, "one") == {on: False}
    assert rig.states(lamp, "one") == rig.states(lamp, "both") == [True]
    assert not rig.gaps(lamp)


def test_a_reader_that_comes_while_it_is_away() -> None:
    rig, lamp = watched()
    rig.stop(lamp)
    rig.pass_time(5)
    rig.supervise("later")
    assert kinds(rig.items(lamp, "later")) == [DatabaseChanged, ValueChanged, ValueChanged, Unavailable]
    rig.start(lamp)
    rig.pass_time(2)
    assert rig.states(lamp, "later") == [False, True]
    assert not any(isinstance(item, Gap) for item in rig.items(lamp, "later"))


def test_the_last_reader_goes() -> None:
    rig, lamp = watched()
    assert rig.browsing
    rig.submit(Stop("reader"))
    rig.pass_time(200)
    assert rig.ended == {"reader": None}
    assert not rig.browsing
    assert rig.home.next_timeout() is None
    assert rig.home.is_connected(lamp.alias)
    told = len(rig.told)
    rig.update(lamp, {lamp.light.on.id: True})
    rig.restart(lamp)
    rig.pass_time(200)
    assert len(rig.told) == told
    assert not rig.home.is_connected(lamp.alias)


def test_the_end_of_the_home() -> None:
    rig, _ = watched(3)
    rig.submit(Close())
    assert rig.ended == {"reader": None}
    rig.pass_time(300)
    assert not rig.browsing
    assert rig.home.next_timeout() is None
    assert len(rig.connects) == 3


def test_another_reader_of_the_same_characteristic_does_not_end_it() -> None:
    rig, lamp = watched()
    on = lamp.light.on.id
    rig.submit(Follow(lamp.alias, [on], "follower"))
    rig.submit(Stop("follower"))
    rig.update(lamp, {on: True})
    assert rig.values(lamp)[on] is True


# --- pairings that come and go ----------------------------------------------------------------------------------------


def test_those_that_are_paired_later_are_watched_over_too() -> None:
    rig, _ = watched()
    new = Flat(7)
    rig.flats[new.alias] = new
    rig.start(new)
    rig.submit(Adopt(new.record))
    rig.pass_time(1)
    assert rig.states(new) == [True]


def test_removed_ones_are_watched_over_no_more() -> None:
    rig, lamps = watched(2)
    rig.supervise("one", aliases=[lamps[0].alias])
    rig.submit(Remove(lamps[0].alias))
    rig.pass_time(100)
    assert rig.states(lamps[0]) == rig.states(lamps[0], "one") == [True, False]
    assert rig.ended == {"one": None}
    assert rig.states(lamps[1]) == [True]
    assert lamps[0].server is not None
    assert not lamps[0].server.paired
    assert len(rig.connects) == 2


def test_one_of_several_is_removed_and_paired_again() -> None:
    rig, (first, second) = house(2)
    rig.supervise(aliases=[first.alias, second.alias])
    rig.pass_time(1)
    rig.submit(Remove(first.alias))
    assert rig.states(first) == [True, False]
    first.know(US)
    rig.restart(first)
    rig.submit(Adopt(first.record))
    rig.pass_time(1)
    assert rig.states(first) == [True, False, True]
    rig.submit(Remove(first.alias))
    assert not rig.ended
    rig.submit(Remove(second.alias))
    assert rig.ended == {"reader": None}


def test_a_reason_keeps_nothing_alive() -> None:
    rig, lamp = watched()
    rig.kill(lamp)
    rig.pass_time(200)
    gone = rig.items(lamp)[-1]
    assert isinstance(gone, Unavailable)
    assert gone.reason.__traceback__ is None


def test_it_was_reset_and_is_paired_again() -> None:
    rig, lamp = watched()
    other = new_controller_identity(seeded_entropy("other"))
    lamp.know(other)
    rig.restart(lamp)
    rig.pass_time(5)
    assert rig.states(lamp) == [True, False, False]  # the second time because of what turned out
    reasons = [item.reason for item in rig.items(lamp) if isinstance(item, Unavailable)]
    assert [type(reason) for reason in reasons] == [Disconnected, PairingRefused]
    tried = len(rig.connects)
    rig.pass_time(FORGOTTEN_REST * 3)
    assert 2 <= len(rig.connects) - tried <= 3  # nobody but a person can change that
    rig.submit(Adopt(lamp.paired_with(other)))
    assert rig.until(lambda: rig.available(lamp)) < 1
    assert len(rig.gaps(lamp)) == 1


# --- losing it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mdns", [True, False], ids=["announced", "without mDNS"])
@pytest.mark.parametrize("away", [1.0, 10.0, 300.0])
def test_a_power_cut(away: float, mdns: bool) -> None:
    rig, lamp = watched(poll=20.0, discovery=mdns)
    on = lamp.light.on.id
    rig.kill(lamp)
    rig.pass_time(away)
    lamp.light.on.value = True
    back = rig.now
    rig.start(lamp)
    rig.until(lambda: rig.values(lamp)[on] is True)
    rig.pass_time(LONGEST_REST + 1)
    assert rig.states(lamp) == [True, False, True]
    assert rig.gaps(lamp)
    took = next(when for when, _, item in rig.told if isinstance(item, Available) and when >= back) - back
    # Announced, it is tried at once; else when the next poll fails, or the next attempt is due.
    assert took <= (PROBE_LIMIT if mdns else max(20.0, LONGEST_REST)), took


def test_a_dead_peer_is_noticed() -> None:
    rig, lamp = watched(poll=30.0)
    rig.kill(lamp)
    took = rig.until(lambda: not rig.available(lamp))
    assert 29.0 <= took <= 30.0 + REQUEST_TIMEOUT


def test_a_short_cut_of_the_cable_is_no_loss() -> None:
    rig, lamp = watched(poll=60.0)
    rig.cut(lamp)
    rig.update(lamp, {lamp.light.on.id: True})
    rig.pass_time(5)
    rig.heal(lamp)
    assert rig.states(lamp) == [True]
    assert rig.values(lamp)[lamp.light.on.id] is True
    assert not rig.gaps(lamp)


def test_a_longer_one_is() -> None:
    rig, lamp = watched(poll=10.0)
    rig.cut(lamp)
    rig.update(lamp, {lamp.light.on.id: True})
    rig.pass_time(40)
    assert not rig.available(lamp)
    rig.heal(lamp)
    rig.until(lambda: rig.available(lamp), CALLED_REST)
    assert rig.values(lamp)[lamp.light.on.id] is True
    (gap,) = rig.gaps(lamp)
    assert gap.until - gap.since >= 40


@pytest.mark.parametrize("talks", [True, False])
def test_what_was_long_on_its_way_makes_no_gap_shorter(talks: bool) -> None:
    """It says something, is cut off, starts again, and says more to nobody; then the first is heard, and the end."""
    rig, lamp = watched(poll=60.0)
    brightness = lamp.light.brightness.id
    for number in range(100):
        rig.pass_time(2)
        if talks:
            rig.update(lamp, {brightness: number})
    rig.cut(lamp)
    rig.pass_time(2)
    rig.update(lamp, {brightness: 7})
    rig.stop(lamp)
    died = rig.now
    rig.start(lamp)
    rig.pass_time(2)
    rig.update(lamp, {brightness: 8})
    rig.update(lamp, {brightness: 9})
    rig.pass_time(3)
    rig.heal(lamp)
    rig.pass_time(5)
    assert rig.states(lamp) == [True, False, True]
    (gap,) = rig.gaps(lamp)
    assert died - 60 - 10 < gap.since <= died
    assert rig.values(lamp)[brightness] == 9
    told = [item.value for item in rig.items(lamp) if isinstance(item, ValueChanged) and item.id == brightness]
    assert told[-2:] == [7, 9]


def test_it_moves() -> None:
    rig, lamp = watched()
    rig.kill(lamp)
    rig.start(lamp, ("192.0.2.77", 6001))
    assert rig.until(lambda: rig.states(lamp) == [True, False, True]) <= PROBE_LIMIT
    assert rig.home.record(lamp.alias).addresses == ("192.0.2.77",)
    assert rig.home.record(lamp.alias).port == 6001
    assert b"192.0.2.77" in rig.table[lamp.alias]
    assert len(rig.home._links._links) == 1  # the old connection is no more


def test_it_moves_while_a_question_is_on_its_way() -> None:
    rig, lamp = watched(poll=10.0)
    rig.kill(lamp)
    rig.pass_time(9.5)  # a poll is on its way to nowhere
    rig.start(lamp, ("192.0.2.77", 6001))
    rig.announce(lamp)
    rig.run()
    rig.pass_time(1)
    rig.announce(lamp)
    assert rig.until(lambda: rig.states(lamp) == [True, False, True]) <= PROBE_LIMIT


def test_it_moves_and_its_old_address_is_still_told_of() -> None:
    """Caches keep an address for some time after its host has lost it."""
    rig, lamp = watched()
    old, new = "192.0.2.1", "192.0.2.77"
    rig.kill(lamp)
    lamp.announces = False
    rig.start(lamp, (new, 5001))
    rig.home.receive_discovery(evolve(lamp.found, addresses=(new, old)), rig.now)
    rig.run()
    assert rig.until(lambda: rig.states(lamp) == [True, False, True]) <= PROBE_LIMIT
    assert rig.home.record(lamp.alias).addresses[0] == new


def test_an_address_more_costs_one_question() -> None:
    rig, lamp = watched()
    more = evolve(lamp.found, addresses=("192.0.2.1", "192.0.2.77"))
    before = rig.sent[lamp.alias]
    for _ in range(5):
        rig.home.receive_discovery(more, rig.now)
        rig.run()
    rig.pass_time(PROBE_LIMIT + 1)
    assert rig.sent[lamp.alias] - before == 1
    assert rig.states(lamp) == [True]
    rig.home.receive_discovery(evolve(more, addresses=("192.0.2.1",)), rig.now)  # one less is no reason to ask
    rig.run()
    assert rig.states(lamp) == [True]


def test_it_moves_while_it_is_looked_for_in_vain() -> None:
    rig, lamp = watched(poll=10.0)
    rig.kill(lamp)
    rig.until(lambda: not rig.available(lamp))
    rig.pass_time(3)  # an attempt at the old address hangs
    rig.start(lamp, ("192.0.2.77", 5001))
    assert rig.until(lambda: rig.available(lamp)) < 0.1


def test_another_accessory_has_its_address() -> None:
    rig, (first, second) = watched(2)
    rig.kill(first)
    rig.kill(second)
    where = first.address
    rig.mdns = False
    rig.start(second, where)
    rig.pass_time(300)
    assert rig.states(first) == [True, False]
    assert not rig.available(second)  # nobody says where it is
    rig.mdns = True
    rig.start(first, ("192.0.2.99", 5001))
    rig.announce(second)
    rig.run()
    rig.until(lambda: rig.available(first) and rig.available(second), 2.0)
    assert rig.home.record(first.alias).addresses == ("192.0.2.99",)


def test_the_reason_names_the_other_accessory() -> None:
    rig, (lamp, other) = house(2)
    rig.kill(lamp)
    rig.kill(other)
    rig.mdns = False
    rig.start(other, lamp.address)
    rig.supervise(aliases=[lamp.alias])
    rig.pass_time(60)
    (gone,) = rig.items(lamp)
    assert isinstance(gone, Unavailable)
    assert isinstance(gone.reason, AccessoryChanged)


def test_full_accessories_are_asked_again_and_again_but_not_often() -> None:
    rig, (lamp,) = house()
    lamp.full = True
    lamp.announces = False
    rig.supervise()
    rig.pass_time(600)
    assert rig.states(lamp) == [False]
    times = [when for when, _ in rig.connects]
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[0] >= FIRST_REST / 2
    assert max(pauses) <= LONGEST_REST + 5
    assert 10 <= len(times) <= 30
    lamp.full = False
    assert rig.until(lambda: rig.available(lamp)) <= LONGEST_REST + 5


def test_jitter_comes_from_the_entropy() -> None:
    def times(seed: str) -> list[float]:
        rig, (lamp,) = house(seed=seed, discovery=False)
        lamp.full = True
        rig.supervise()
        rig.pass_time(300)
        return [when for when, _ in rig.connects]

    assert times("one") == times("one")
    assert times("one") != times("another")


@pytest.mark.parametrize("habit", ["mute", "stutters"])
def test_one_that_does_not_answer(habit: str) -> None:
    rig, lamp = watched(poll=30.0)
    setattr(lamp, habit, True)
    rig.until(lambda: not rig.available(lamp), 30.0 + REQUEST_TIMEOUT)
    rig.pass_time(600)
    assert rig.states(lamp) == [True, False]
    gone = rig.items(lamp)[-1]
    assert isinstance(gone, Unavailable)
    assert isinstance(gone.reason, TimedOut)
    setattr(lamp, habit, False)
    rig.announce(lamp)
    rig.run()
    rig.until(lambda: rig.available(lamp), 60)


def test_one_that_answers_slowly_is_there_all_the_same() -> None:
    rig, (lamp,) = house()
    lamp.late = 8.0
    rig.supervise(poll=10.0)
    assert rig.until(lambda: rig.available(lamp)) >= 5 * 8.0
    rig.pass_time(600)
    assert rig.states(lamp) == [True]


def test_one_that_is_lost_right_after_it_came_is_left_in_peace() -> None:
    rig, lamp = watched(discovery=False)
    for _ in range(600):
        rig.pass_time(1)
        if rig.available(lamp):
            rig.restart(lamp)
    assert len(rig.connects) < 40


def test_a_liar_on_the_network_cannot_make_it_work_hard() -> None:
    rig, lamp = watched()
    rig.kill(lamp)
    rig.until(lambda: not rig.available(lamp))
    lie = house()[1][0].found
    before = len(rig.connects)
    for number in range(6000):
        rig.home.receive_discovery(evolve(lie, addresses=(f"203.0.113.{number % 250}",), port=1 + number % 9), rig.now)
        rig.run()
        rig.pass_time(0.01)
    assert len(rig.connects) - before < 60 * 12
    assert len(rig.home._links._links) < 200


# --- what may have been lost ------------------------------------------------------------------------------------------


def test_an_event_that_cannot_be_read_is_a_gap() -> None:
    rig, lamp = watched()
    (link,) = rig.home._links.streams.values()
    from hapcore.controller.events import EventUnreadable

    on = lamp.light.on.id
    lamp.light.on.value = True
    assert link.watch is not None
    link.watch.told(EventUnreadable(RemoteProtocolError("an event", "something else")))
    rig.home._work()
    rig.run()
    rig.pass_time(1)
    assert rig.items(lamp)[-2] == ValueChanged(lamp.alias, on, True, Source.READ)
    assert isinstance(rig.items(lamp)[-1], Gap)
    assert rig.states(lamp) == [True]


def test_a_press_is_told_as_an_event_only() -> None:
    button = StatelessProgrammableSwitch()
    flat = Flat(1, button)
    rig = House([flat])
    rig.supervise()
    rig.pass_time(1)
    press = button.programmable_switch_event
    rig.update(flat, {press.id: 0})
    rig.update(flat, {press.id: 0})
    told = [item for item in rig.items(flat) if isinstance(item, ValueChanged) and item.id == press.id]
    assert [(item.value, item.source) for item in told] == [(0, Source.EVENT)] * 2
    rig.restart(flat)
    rig.pass_time(2)
    assert rig.states(flat) == [True, False, True]
    assert len([item for item in rig.items(flat) if isinstance(item, ValueChanged) and item.id == press.id]) == 2


def test_a_value_that_was_known_is_told_again_if_the_accessory_says_so() -> None:
    rig, lamp = watched()
    on = lamp.light.on.id
    rig.submit(Ask(lamp.alias, Write([CharacteristicWrite(on, True)])))
    told = len(rig.items(lamp))
    rig.pass_time(5)
    assert len(rig.items(lamp)) == told  # what we write ourselves is not told
    rig.update(lamp, {on: False})
    assert rig.items(lamp)[told:] == [ValueChanged(lamp.alias, on, False, Source.EVENT)]


# --- the database -----------------------------------------------------------------------------------------------------


def more(lamp: Flat) -> Lightbulb:
    """The lamp gets a second light."""
    second = Lightbulb("Second", on=True, key="second")
    from hapcore.model.accessory import Accessory

    lamp.what = Accessory("Lamp", services=[lamp.light, second])
    return second


def test_the_database_changes_while_it_is_connected() -> None:
    rig, lamp = watched()
    on = lamp.light.on.id
    second = Lightbulb("Second", on=True, key="second")
    from hapcore.model.accessory import Accessory

    assert lamp.server is not None
    head = lamp.server.database.accessories[0]
    rig.do(lamp, ReplaceDatabase([Accessory("Lamp", services=[*head.services, second])]))
    rig.pass_time(1)
    changed = rig.items(lamp)[4]
    assert isinstance(changed, DatabaseChanged)
    assert second.on.id in changed.added
    assert not changed.removed
    assert rig.values(lamp)[second.on.id] is True
    rig.update(lamp, {second.on.id: False, on: True})
    assert rig.values(lamp)[second.on.id] is False
    assert rig.values(lamp)[on] is True
    assert rig.states(lamp) == [True]


@pytest.mark.parametrize("mdns", [True, False], ids=["announced", "without mDNS"])
def test_the_database_changes_while_it_is_away(mdns: bool) -> None:
    rig, lamp = watched(discovery=mdns)
    on, brightness = lamp.light.on.id, lamp.light.brightness.id
    rig.stop(lamp)
    second = more(lamp)
    rig.start(lamp)
    rig.pass_time(3)
    assert rig.states(lamp) == [True, False, True]
    assert {on, brightness, second.on.id} <= set(rig.values(lamp))
    (changed,) = [item for item in rig.items(lamp)[4:] if isinstance(item, DatabaseChanged)]
    assert not changed.removed
    assert second.on.id in changed.added
    # Those that stay keep their numbers.
    assert {on, brightness} & changed.added == set()


def test_the_first_number_that_is_heard_is_taken_for_the_one_of_the_database() -> None:
    rig, (lamp,) = house()
    lamp.announces = False
    rig.supervise()
    rig.pass_time(5)
    sent = rig.sent[lamp.alias]
    lamp.announces = True
    rig.announce(lamp)
    rig.pass_time(1)
    assert rig.sent[lamp.alias] - sent == 1  # it was asked whether it is still there


def test_a_number_that_is_heard_late_may_be_another_one() -> None:
    rig, (lamp,) = house()
    lamp.announces = False
    rig.supervise()
    rig.pass_time(50)
    sent = rig.sent[lamp.alias]
    lamp.announces = True
    rig.announce(lamp)
    rig.pass_time(1)
    assert rig.sent[lamp.alias] - sent >= 3  # the database, events, values
    assert len([item for item in rig.items(lamp) if isinstance(item, DatabaseChanged)]) == 1


def test_the_same_database_is_not_read_again() -> None:
    rig, lamp = watched()
    sent = rig.sent[lamp.alias]
    rig.restart(lamp)
    rig.pass_time(2)
    assert rig.states(lamp) == [True, False, True]
    assert rig.sent[lamp.alias] - sent == 4  # M1, M3, events, values


# --- polls ------------------------------------------------------------------------------------------------------------


def silent(lamp: Flat) -> Any:
    """A characteristic that does not say when it changes."""
    from tests.core.accessory_rig import kind

    from hapcore.model.characteristic import Characteristic
    from hapcore.model.metadata import Format

    found = Characteristic(kind("Silent", 1, Format.UINT8, "pr", int), 5)
    lamp.light.add(found)
    return found


def test_what_does_not_say_when_it_changes_is_asked() -> None:
    lamp = Flat(1)
    quiet = silent(lamp)
    rig = House([lamp])
    rig.supervise(poll=15.0)
    rig.pass_time(1)
    assert rig.values(lamp)[quiet.id] == 5
    quiet.value = 6
    rig.pass_time(13)
    assert rig.values(lamp)[quiet.id] == 5
    rig.pass_time(2)
    assert rig.items(lamp)[-1] == ValueChanged(lamp.alias, quiet.id, 6, Source.POLL)
    sent = rig.sent[lamp.alias]
    rig.pass_time(150)
    assert rig.sent[lamp.alias] - sent == 10


def test_idle_accessories_cost_one_request_a_poll() -> None:
    rig, lamp = watched(poll=60.0)
    sent = rig.sent[lamp.alias]
    rig.pass_time(600)
    assert rig.sent[lamp.alias] - sent == 10
    # Who says something was there, but that may have been long on its way: it costs the same.
    for _ in range(20):
        rig.update(lamp, {lamp.light.brightness.id: 10 + rig.sent[lamp.alias] % 50 + _})
        rig.pass_time(30)
    assert rig.sent[lamp.alias] - sent == 20


def test_the_application_comes_first() -> None:
    rig, (lamp,) = house()
    rig.supervise(pace=10.0)
    rig.pass_time(30)
    assert rig.available(lamp)
    rig.restart(lamp)
    rig.pass_time(2)
    assert not rig.available(lamp)  # it is being read, slowly
    number = rig.submit(Ask(lamp.alias, Read([lamp.light.on.id])))
    assert isinstance(rig.replies[number], Done)
    rig.pass_time(30)
    assert rig.available(lamp)


def test_what_refuses_events_does_so_until_the_next_connection() -> None:
    lamp = Flat(1)
    lamp.light.brightness.admin_only_read = True
    lamp.know(new_controller_identity(seeded_entropy("owner")), guest=US)
    rig = House([lamp])
    rig.supervise(poll=10.0)
    rig.pass_time(100)
    assert rig.states(lamp) == [True]
    assert lamp.light.brightness.id not in rig.values(lamp)
    rig.update(lamp, {lamp.light.on.id: True})
    assert rig.values(lamp) == {lamp.light.on.id: True}
    lamp.know(US)
    rig.restart(lamp)
    rig.pass_time(2)
    rig.update(lamp, {lamp.light.brightness.id: 60})
    assert rig.values(lamp)[lamp.light.brightness.id] == 60
    assert rig.items(lamp)[-1] == ValueChanged(lamp.alias, lamp.light.brightness.id, 60, Source.EVENT)


def test_too_many_requests_of_the_application_are_no_loss() -> None:
    rig, lamp = watched()
    lamp.late = 0.5
    for _ in range(MAX_WAITING + 1):
        rig.home.submit(Ask(lamp.alias, Read([lamp.light.on.id])), rig.now)
    rig.pass_time(0.2)
    with pytest.raises(LocalProtocolError):
        rig.submit(Ask(lamp.alias, Read([lamp.light.on.id])))
    rig.goodbye(lamp)
    rig.pass_time(60)
    assert rig.states(lamp) == [True]


def test_idle_accessories_cost_no_memory() -> None:
    rig, (lamp,) = house()
    rig.supervise(poll=86400.0)
    for _ in range(300):
        rig.pass_time(2)
        rig.announce(lamp)
    assert rig.sent[lamp.alias] > 300
    assert len(rig.home._supervision.heap) < 10


# --- what else can happen ---------------------------------------------------------------------------------------------


def test_a_connection_that_the_application_made_is_used_at_once() -> None:
    rig, lamp = watched(discovery=False)
    rig.stop(lamp)
    rig.pass_time(200)
    rig.start(lamp)
    number = rig.submit(Ask(lamp.alias, Read([lamp.light.on.id])))
    assert isinstance(rig.replies[number], Done)
    rig.pass_time(1)
    assert rig.available(lamp)


def test_a_connection_that_the_application_closes_is_made_again() -> None:
    rig, lamp = watched()
    rig.submit(Disconnect(lamp.alias))
    rig.pass_time(2)
    assert rig.states(lamp) == [True, False, True]


def test_a_goodbye_is_looked_into() -> None:
    rig, lamp = watched()
    rig.goodbye(lamp)
    rig.pass_time(1)
    assert rig.states(lamp) == [True]
    rig.kill(lamp)
    rig.goodbye(lamp)
    assert rig.until(lambda: not rig.available(lamp)) <= PROBE_LIMIT


def test_a_clock_that_jumps() -> None:
    rig, lamp = watched()
    rig.now += 7200
    rig.pass_time(1)
    rig.now -= 3600
    rig.update(lamp, {lamp.light.on.id: True})
    rig.pass_time(5)
    rig.now += 3600
    rig.pass_time(100)
    assert rig.values(lamp)[lamp.light.on.id] is True
    assert rig.available(lamp)


def test_the_search_is_begun_again_where_it_failed() -> None:
    rig, lamp = watched()
    from hapcore.home import Browse

    rig.browsing = False
    rig.home.effect_failed(Browse(), "no network", rig.now)
    rig.browsing = True
    rig.run()
    assert not rig.browsing
    assert rig.states(lamp) == [True]
    rig.restart(lamp)
    rig.pass_time(2)
    assert rig.available(lamp)
    assert rig.browsing


def test_all_addresses_are_tried_with_a_head_start() -> None:
    rig, (lamp,) = house(discovery=False)
    rig.submit(Adopt(evolve(rig.home.record(lamp.alias), addresses=("192.0.2.91", "192.0.2.92", lamp.address[0]))))
    begun = rig.now
    rig.supervise()
    rig.pass_time(1)
    assert [(when - begun, address[0]) for when, address in rig.connects] == [
        (0.0, "192.0.2.91"),
        (HEAD_START, "192.0.2.92"),
        (2 * HEAD_START, lamp.address[0]),
    ]
    assert rig.available(lamp)
    assert len(rig.home._links._links) == 1  # the others are given up


def test_the_first_to_prove_itself_is_taken() -> None:
    rig, (lamp, other) = house(2, discovery=False)
    rig.submit(Adopt(evolve(rig.home.record(lamp.alias), addresses=(other.address[0], lamp.address[0]))))
    other.late = 0.2
    rig.supervise(aliases=[lamp.alias])
    rig.pass_time(2)
    assert rig.states(lamp) == [True]
    assert len(rig.home._links._links) == 1
