"""Accessories that are watched over: lost, found, followed again, and nothing missed without a word."""

from __future__ import annotations

from tests.core.supervision_rig import house

from hapcore.home import Available, DatabaseChanged, Gap, Source, Unavailable, ValueChanged


def kinds(items: list[object]) -> list[type]:
    return [type(item) for item in items]


def test_the_narrow_path() -> None:
    rig, (lamp,) = house()
    rig.supervise()
    rig.pass_time(1)
    on, brightness = lamp.light.on.id, lamp.light.brightness.id
    assert kinds(rig.items(lamp)) == [DatabaseChanged, ValueChanged, ValueChanged, Available], rig.items(lamp)
    assert rig.values(lamp) == {on: False, brightness: 40}
    rig.update(lamp, {on: True})
    assert rig.items(lamp)[-1] == ValueChanged(lamp.alias, on, True, Source.EVENT)
    rig.stop(lamp)
    assert kinds(rig.items(lamp)[5:]) == [Unavailable]
    rig.pass_time(30)
    lamp.light.brightness.value = 70
    rig.start(lamp)
    assert rig.until(lambda: rig.available(lamp)) < 1.1
    assert rig.items(lamp)[6:] == [
        ValueChanged(lamp.alias, brightness, 70, Source.READ),
        Gap(lamp.alias, 1001.0, rig.now),
        Available(lamp.alias),
    ]
