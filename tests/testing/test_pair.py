"""A product and a controller in memory: what the `hap_pair` fixture is made of."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hapcore.catalogue.services import Lightbulb
from hapcore.errors import Disconnected, PairingRefused, TimedOut
from hapcore.ids import HapStatus
from hapcore.ip.accessory import PairingAdded
from hapcore.model.characteristic import HapStatusError
from hapcore.testing import CALM, Pair, Weather

WEATHERS = pytest.mark.parametrize(
    "weather",
    [CALM, Weather(piece=3), Weather(room=7), Weather(delay=(0.1, 0.5), piece=100, rate=5000)],
    ids=["calm", "split", "narrow", "slow"],
)


@pytest.fixture
def light() -> Lightbulb:
    return Lightbulb("Lamp", on=False, brightness=40)


@contextlib.contextmanager
def paired(light, **more):
    pair = Pair(light, **more)
    pair.pair()
    yield pair
    pair.close()


@WEATHERS
def test_a_whole_life(light, weather):
    seen = []
    light.on.setter(lambda value, caller: seen.append((value, caller.admin)))
    with paired(light, weather=weather) as pair:
        home = pair.controller
        assert home.read([light.on.id])[light.on.id].value is False
        assert home.write({light.on.id: True})[light.on.id].status == 0
        assert seen == [(True, True)]
        assert light.on.value is True
        with home.subscribe([light.brightness.id]) as changes:
            light.brightness.value = 50
            assert changes.wait().value == 50
            light.brightness.value = 60
            light.brightness.value = 70
            pair.pass_time(5)
            assert [one.value for one in changes] == [70], "one message a second, with the latest value"
        guest = pair.add_controller()
        assert guest.write({light.on.id: False})[light.on.id].status == 0
        assert seen[1:] == [(False, False)]
        assert len(home.pairings()) == 2
        pair.cut()
        assert not home.connected
        assert not guest.connected
        assert home.read([light.on.id])[light.on.id].value is False
        pair.restart()
        assert home.read([light.on.id])[light.on.id].value is False
        assert pair.accessory.paired
        home.remove_pairing(home.pairing.controller_id.encode())
        assert not pair.accessory.paired
        assert not pair.errors


def test_only_virtual_time_passes(light):
    pair = Pair(light, weather=Weather(delay=(20, 20)))
    with pytest.raises(TimedOut):
        pair.pair()
    assert pair.now == 30, "the limit of a step of pairing"
    pair = Pair(light, weather=Weather(delay=(4, 4)))
    pair.pair()
    assert pair.now == pytest.approx(3 * 8)


def test_every_run_is_the_same(light):
    def stored() -> dict[str, bytes]:
        with paired(Lightbulb("Lamp", on=False), weather=Weather(delay=(0.1, 2), seed=4)) as pair:
            return {**pair.stored, "now": repr(pair.now).encode()}

    assert stored() == stored()


def test_pairing_refused(light):
    pair = Pair(light, setup_code="123-98-765")
    with pytest.raises(PairingRefused):
        pair.controller.pair("123-98-766")
    assert not pair.accessory.paired
    events = pair.accessory.events()
    pair.controller.pair("123-98-765")
    assert [one for one in events if isinstance(one, PairingAdded)]
    with pytest.raises(PairingRefused):
        pair.new_controller().pair("123-98-765")


def test_identify_without_a_pairing(light):
    pair = Pair(light)
    noticed = []
    pair.accessory.database.accessories[0].identify(lambda: noticed.append(1))
    pair.new_controller().identify()
    assert noticed == [1]


def test_a_handler_that_refuses_and_one_that_fails(light):
    @light.on.setter
    async def _(value, caller):
        raise HapStatusError(HapStatus.BUSY)

    @light.brightness.setter
    def _(value, caller):
        raise LookupError("no such lamp")

    with paired(light) as pair:
        results = pair.controller.write({light.on.id: True, light.brightness.id: 1})
        assert results[light.on.id].status is HapStatus.BUSY
        assert results[light.brightness.id].status is HapStatus.UNABLE_TO_COMMUNICATE
        (error,) = pair.errors
        assert isinstance(error, LookupError)
        assert str(light.brightness.id) in error.__notes__[0]


def test_handlers_that_wait(light):
    @light.on.setter
    async def _(value, caller):
        await asyncio.sleep(0)

    with paired(light) as pair:
        pair.controller.write({light.on.id: True})
        assert "wait=" in str(pair.errors[0])
    with asyncio.Runner() as runner, paired(light, wait=runner.run) as pair:
        assert pair.controller.write({light.on.id: True})[light.on.id].status == 0
        assert not pair.errors


def test_a_handler_sets_other_values(light):
    light.on.setter(lambda value, caller: setattr(light.brightness, "value", 100 if value else 0))
    with paired(light) as pair, pair.controller.subscribe([light.brightness.id]) as changes:
        pair.controller.write({light.on.id: True})
        assert changes.wait().value == 100
        with pytest.raises(TimeoutError):
            changes.wait(2.5)
        assert pair.now == 2.5


def test_who_listens_learns_of_the_end(light):
    with paired(light) as pair, pair.controller.subscribe([light.on.id]) as changes:
        light.on.value = True
        pair.controller.lose_connection()
        assert next(changes).value is True
        with pytest.raises(Disconnected):
            next(changes)


def test_a_connection_lost_in_the_middle_of_pairing(light):
    for after in (200, 1500):
        pair = Pair(light, weather=Weather(lost_after=after))
        with pytest.raises(Disconnected):
            pair.pair()
        assert not pair.controller.connected
        pair.close()
