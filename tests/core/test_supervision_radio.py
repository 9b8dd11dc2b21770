"""Accessories over Bluetooth LE that are watched over: what changes while nobody is connected is told all the same."""

from __future__ import annotations

from typing import Any

from tests.core.test_home_radio import PAIRED, Sky, on_of

from hapcore.errors import PairingRefused
from hapcore.home import Available, DatabaseChanged, Gap, Stop, Supervise, Unavailable, ValueChanged
from hapcore.home.supervision.watch import AIR_POLL


def told(sky: Sky, kind: type) -> list[Any]:
    return [one for one in sky.news("reader") if isinstance(one, kind)]


def watched(**options: Any) -> Sky:
    sky = Sky(dict(PAIRED))
    sky.do(Supervise("reader", **options))
    sky.run(60.0)
    return sky


def hours(sky: Sky, number: int) -> None:
    """It is heard around the end of each only."""
    for _ in range(number):
        sky.advertising = False
        sky.run(AIR_POLL - 200)
        sky.advertising = True
        sky.run(200)


def test_it_is_connected_read_and_left_alone() -> None:
    sky = watched()
    assert [type(one) for one in sky.news("reader") if not isinstance(one, ValueChanged)] == [
        DatabaseChanged,
        Available,
    ]
    assert told(sky, ValueChanged)
    links = sky.links()
    assert not sky.device.connected
    sky.run(600.0)
    assert sky.links() == links
    assert told(sky, Available) == [Available("lamp")]


def test_what_changes_while_nobody_is_connected_is_told() -> None:
    sky = watched()
    on = on_of(sky)
    sky.run(60.0)
    before = len(sky.news("reader"))
    sky.device.values[on[1]] = b"\1"
    sky.device.gsn += 1
    sky.run(5.0)
    (changed,) = sky.news("reader")[before:]
    assert (tuple(changed.id), changed.value) == (on, True)


def test_out_of_range_and_back() -> None:
    sky = watched()
    on = on_of(sky)
    sky.run(60.0)
    sky.device.gsn += 1
    sky.hook = lambda _: "error"  # heard, but not to be connected
    sky.run(120.0)
    assert len(told(sky, Unavailable)) == 1
    sky.advertising = False
    sky.device.values[on[1]] = b"\1"
    sky.run(3600.0)
    assert len(told(sky, Available)) == len(told(sky, Unavailable)) == 1
    sky.hook = lambda _: None
    sky.advertising = True
    sky.run(70.0)
    assert len(told(sky, Available)) == 2
    (gap,) = told(sky, Gap)
    assert gap.until - gap.since > 3600
    assert {tuple(one.id): one.value for one in told(sky, ValueChanged)}[on] is True


def test_it_was_reset() -> None:
    sky = watched()
    sky.device.pairings.clear()
    sky.device.cache.clear()
    sky.device.gsn += 1
    sky.run(300.0)
    gone = told(sky, Unavailable)
    assert isinstance(gone[-1].reason, PairingRefused)
    assert len(told(sky, Available)) == 1


def test_batteries_are_spared() -> None:
    sky = watched(poll=1.0)
    (database,) = told(sky, DatabaseChanged)
    names = [
        one.id
        for service in database.accessories[0].services
        for one in service.characteristics
        if "pr" in one.metadata.perms and "ev" not in one.metadata.perms
    ]
    sky.run(60.0)
    links = sky.links()
    hours(sky, 2)
    assert sky.links() == links  # it says everything by itself
    sky.do(Supervise("names", ids=names[:1], poll=1.0))
    sky.run(60.0)
    links = sky.links()
    hours(sky, 3)
    assert 2 <= sky.links() - links <= 3


def test_the_end() -> None:
    sky = watched()
    sky.do(Stop("reader"))
    sky.run(120.0)
    assert not sky.scanning
    assert not sky.device.connected
