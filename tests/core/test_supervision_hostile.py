"""Watching over accessories where something comes between: other answers, other commands, liars, things half made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from tests.core.home_rig import Lamp, Rig
from tests.core.supervision_rig import Flat, House, house

from hapcore.catalogue.services import StatelessProgrammableSwitch
from hapcore.controller.commands import CharacteristicWrite, Read, Write
from hapcore.controller.events import CharacteristicChanged
from hapcore.engine import Command
from hapcore.errors import Disconnected, LocalProtocolError, PairingRefused
from hapcore.home import (
    Ask,
    Available,
    Close,
    Complete,
    Disconnect,
    Follow,
    Gap,
    Prepare,
    Remove,
    Source,
    Stop,
    Supervise,
    Unavailable,
    ValueChanged,
)
from hapcore.home.supervision.ledger import Ledger
from hapcore.ip.controller import access
from hapcore.ip.controller.connection import MAX_WAITING


def watched(*flats: Flat, **options: Any) -> tuple[House, Any]:
    """A house in which all are available."""
    rig = House(flats or [Flat(1)])
    rig.supervise(**options)
    rig.pass_time(1)
    assert all(rig.available(flat) for flat in rig.flats.values())
    return rig, next(iter(rig.flats.values()))


def the_link(rig: House) -> Any:
    (link,) = rig.home._links.streams.values()
    return link


# --- what crosses -----------------------------------------------------------------------------------------------------


def test_an_event_outruns_the_answer_to_an_older_question() -> None:
    rig, lamp = watched(poll=10.0)
    on = lamp.light.on.id
    rig.cut(lamp)
    rig.pass_time(10)  # the question is on its way
    link = the_link(rig)
    assert link.waiting
    link.watch.told(CharacteristicChanged(on, True))
    rig.run()
    assert rig.values(lamp)[on] is True
    rig.heal(lamp)  # the answer says what was before
    assert not link.waiting
    assert rig.values(lamp)[on] is True
    rig.pass_time(15)  # the next one is believed
    assert rig.items(lamp)[-1] == ValueChanged(lamp.alias, rig.items(lamp)[-1].id, False, Source.POLL)


def test_what_the_application_writes_is_known() -> None:
    rig, lamp = watched()
    on = lamp.light.on.id
    rig.submit(Ask(lamp.alias, Write([CharacteristicWrite(on, True)])))
    assert lamp.value(on) is True
    rig.stop(lamp)
    lamp.light.on.value = False
    rig.start(lamp)
    rig.pass_time(5)
    assert rig.available(lamp)
    assert rig.values(lamp)[on] is False
    assert rig.items(lamp)[-1] == Available(lamp.alias)
    assert [type(one) for one in rig.items(lamp)[-3:-1]] == [ValueChanged, Gap]  # it was on, as far as we knew


def test_a_reader_goes_while_the_application_has_much_to_ask() -> None:
    rig, flats = house(2)
    rig.supervise()
    rig.supervise("other")
    rig.pass_time(1)
    lamp = flats[0]
    rig.cut(lamp)
    numbers = [rig.submit(Ask(lamp.alias, Read([lamp.light.on.id]))) for _ in range(MAX_WAITING + 1)]
    for to in ("reader", "other"):
        rig.submit(Stop(to))
    assert rig.ended == {"reader": None, "other": None}
    rig.heal(lamp)
    assert all(rig.result(number) for number in numbers)
    rig.pass_time(100)
    assert rig.home.next_timeout() is None


def test_who_comes_while_everything_is_read_is_told_all_of_it_first() -> None:
    moment, late = 0, True
    while late:
        rig, (lamp,) = house()
        on, brightness = lamp.light.on.id, lamp.light.brightness.id
        rig.slowly = moment
        rig.supervise("one", ids=[on], pace=0)
        rig.supervise("all", pace=0)
        late, rig.slowly = rig.slowly == 0, None
        rig.pass_time(10)
        for to, known in (("one", {on}), ("all", {on, brightness})):
            before = [type(one) for one in rig.items(lamp, to)].index(Available)
            assert {one.id for one in rig.items(lamp, to)[:before] if isinstance(one, ValueChanged)} == known, moment
            assert rig.states(lamp, to) == [True]
        moment += 1


ENDS: dict[str, list[Command[Any]]] = {
    "stop": [Stop("reader"), Stop("follower")],
    "close": [Close()],
    "remove": [Remove("lamp1")],
    "remove by force": [Remove("lamp1", force=True)],
    "remove and stop": [Remove("lamp1"), Stop("reader")],
    "remove and close": [Remove("lamp1"), Close()],
    "disconnect": [Disconnect("lamp1")],
}


@pytest.mark.parametrize("how", ENDS)
def test_an_end_at_any_moment(how: str) -> None:
    """Whatever is under way when it comes: each command ends once, each reader once, and no timer stays."""
    moment = 0
    while True:
        rig, (lamp, _) = house(2)
        on = lamp.light.on.id
        rig.slowly = moment
        rig.supervise()
        numbers = [
            rig.submit(Ask(lamp.alias, Read([on]))),
            rig.submit(Follow(lamp.alias, [on], "follower")),
            *[rig.submit(command) for command in ENDS[how]],
        ]
        passed, rig.slowly = rig.slowly, None
        rig.pass_time(100)
        assert all(number in rig.replies for number in numbers), moment
        if "stop" in how or "close" in how:
            assert "reader" in rig.ended, moment
        if "close" in how:
            assert rig.home.next_timeout() is None, moment
            assert not rig._wires, moment
        elif "remove" in how:
            assert rig.home.aliases == ("lamp2",), moment
        elif how == "disconnect":
            assert rig.available(lamp), moment
        if passed:
            return
        moment += 1


# --- what cannot be told by what is followed --------------------------------------------------------------------------


def test_a_button_alone_is_missed_when_it_is_gone() -> None:
    button = StatelessProgrammableSwitch()
    flat = Flat(1, button)
    rig, _ = watched(flat, poll=10.0, ids=[button.programmable_switch_event.id])
    assert not rig.values(flat)
    rig.kill(flat)
    rig.pass_time(30)
    assert not rig.available(flat)
    rig.start(flat)
    rig.pass_time(5)
    assert rig.available(flat)
    assert len(rig.gaps(flat)) == 1
    assert not rig.values(flat), "what is read as a sign of life was not asked for"


def test_a_button_that_moves_is_found_again() -> None:
    button = StatelessProgrammableSwitch()
    flat = Flat(1, button)
    rig, _ = watched(flat, ids=[button.programmable_switch_event.id])
    rig.pass_time(5)
    rig.kill(flat)
    rig.start(flat, ("192.0.2.99", 5001))
    rig.pass_time(8)
    assert rig.states(flat) == [True, False, True]


def test_what_could_not_be_read_at_first_is_asked_for_again() -> None:
    """A bridge has just started, and does not reach its lamps yet."""
    rig = House([lamp := Flat(1)])
    on, brightness = lamp.light.on.id, lamp.light.brightness.id
    away = b'{"characteristics":[' + b",".join(b'{"aid":%d,"iid":%d,"status":-70402}' % one for one in (on, brightness))
    spoilt = []

    def spoil(message: bytes) -> bytes:
        if b'{"characteristics":[' not in message:
            return message
        spoilt.append(message)
        return b"HTTP/1.1 207 Multi-Status\r\nContent-Length: %d\r\n\r\n%b]}" % (len(away) + 2, away)

    lamp.spoil = spoil
    rig.supervise(poll=10.0)
    rig.pass_time(1)
    assert (rig.available(lamp), rig.values(lamp)) == (True, {})
    rig.pass_time(25)
    assert 3 <= len(spoilt) <= 5
    lamp.spoil = lambda message: message
    rig.pass_time(10)
    assert rig.values(lamp) == {on: False, brightness: 40}
    sent = rig.sent[lamp.alias]
    rig.pass_time(100)
    assert rig.sent[lamp.alias] - sent <= 10  # one at a time again
    assert rig.states(lamp) == [True]


def crowd(count: int, rig_of: Flat) -> None:
    """It tells of so many characteristics, which it knows nothing of when it is asked."""
    characteristics = [
        {"iid": iid, "type": "25", "format": "bool", "perms": ["pr", "ev"], "value": 0} for iid in range(2, count + 2)
    ]
    service = {"iid": 1, "type": "43", "characteristics": characteristics}
    body = json.dumps({"accessories": [{"aid": 1, "services": [service]}]}).encode()
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    rig_of.spoil = lambda message: whole if b'"accessories"' in message else message


def test_thousands_that_have_no_events_cost_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = House([flat := Flat(1)])
    crowd(3000, flat)
    chosen: list[int] = []
    choose = Ledger._choose
    monkeypatch.setattr(Ledger, "_choose", lambda ledger: (chosen.append(1), choose(ledger))[1])
    rig.supervise(pace=0)
    rig.pass_time(1)
    assert rig.available(flat)
    assert rig.sent[flat.alias] < 3 + 3 + 3000 / 49 + 2
    assert len(chosen) <= 4


def test_what_can_never_be_asked_is_told_and_not_tried_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_CHARACTERISTICS", 500)
    rig = House([flat := Flat(1)])
    crowd(600, flat)
    rig.supervise(pace=0)
    rig.pass_time(120)
    (gone,) = [one for one in rig.items(flat) if isinstance(one, Unavailable)]
    assert isinstance(gone.reason, LocalProtocolError)
    assert len(rig.connects) < 12


# --- liars ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["config_number", "state_number", "port"])
def test_a_liar_cannot_have_a_small_accessory_asked_without_end(what: str) -> None:
    rig, lamp = watched()
    truth = lamp.found
    before, told = rig.sent[lamp.alias], len(rig.told)
    for number in range(12_000):
        lie = evolve(truth, **{what: 1 + number % 9})
        rig.home.receive_discovery(lie, rig.now)
        rig.run()
        rig.pass_time(0.005)
    assert rig.available(lamp)
    assert rig.states(lamp) == [True]
    assert rig.sent[lamp.alias] - before < 60 * 4, "a minute of lies"
    assert len(rig.told) - told < 60


def test_lies_while_it_is_looked_for_are_not_remembered_without_end() -> None:
    rig, lamp = watched()
    truth = lamp.found
    rig.kill(lamp)
    rig.until(lambda: not rig.available(lamp))
    rig.until(lambda: rig.home._residents.known[lamp.alias, None].race is not None)
    race = rig.home._residents.known[lamp.alias, None].race
    assert race is not None
    for number in range(3000):
        rig.home.receive_discovery(evolve(truth, addresses=(f"203.0.113.{number % 250}",), port=1 + number), rig.now)
    assert len(race._waiting) <= 40


# --- pairings that come and go ----------------------------------------------------------------------------------------


def test_one_that_is_removed_while_it_is_away_is_told_of() -> None:
    rig, lamp = watched()
    rig.kill(lamp)
    rig.until(lambda: not rig.available(lamp))
    number = rig.submit(Remove(lamp.alias, force=True))
    rig.pass_time(60)
    assert rig.result(number) is None
    last = rig.items(lamp)[-1]
    assert isinstance(last, Unavailable)
    assert "removed" in str(last.reason)
    connects = len(rig.connects)
    rig.pass_time(600)
    assert len(rig.connects) == connects
    assert rig.home.next_timeout() is None or not rig.home._timers.entries


HERE, WHERE = ("192.0.2.7", 5001), "192.0.2.7:5001"


def test_a_pairing_that_is_being_tried_is_nobodys_business() -> None:
    admin, lamp, guest = Rig(), Lamp(), Rig(seed="guest")
    admin.hosts[HERE] = guest.hosts[HERE] = lamp
    admin.pair(WHERE)
    guest.ask(Prepare("desk"))
    guest.ask(Supervise("reader"))
    complete = Complete("desk", lamp.server.device_id, admin.home.record("lamp").pairing.accessory_ltpk, address=WHERE)
    with pytest.raises(PairingRefused):
        guest.ask(complete)
    assert guest.home.aliases == ()
    guest.pass_time(200)
    assert guest.news == {}
    guest.hosts[HERE] = "silent"
    number = guest.submit(complete)
    guest.ask(Supervise("late"))  # who comes meanwhile is told how it ends
    guest.pass_time(60)
    with pytest.raises(Disconnected):
        guest.result(number)
    (gone,) = [one for one in guest.news["late"] if "removed" in str(one.reason)]
    assert guest.news["late"][-1] is gone
    assert not guest.home._supervision._watches
    guest.pass_time(200)
    assert guest.news["late"][-1] is gone
    assert guest.ended == {}


def test_a_name_alone_is_no_list_of_names() -> None:
    with pytest.raises(LocalProtocolError, match="aliases"):
        Supervise("reader", "lamp")
