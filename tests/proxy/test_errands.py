"""The errands of a proxy, run by hand: what they ask, what they tell, what comes of every kind of answer."""

from __future__ import annotations

import pytest

from hapcore.accessory.commands import ReplaceDatabase, UpdateValues
from hapcore.accessory.events import CharacteristicWrite
from hapcore.controller.commands import GetAccessories, Read, Subscribe, Write
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.decode.model import Kind
from hapcore.engine import ConnectionId
from hapcore.errors import Disconnected, PairingRefused, Refused, RemoteProtocolError, TimedOut, ValueRefused
from hapcore.ids import Caller, CharacteristicId, HapStatus, Transport
from hapcore.model.remote import read_accessories
from hapcore.pairing.items import TlvErrorCode
from hapcore.proxy import Ask, Filters, Proxy, Tell
from hapcore.proxy.forward import PAUSES

CALLER = Caller(b"phone", True, Transport.IP, ConnectionId(3))
ON, LEVEL, PRESS = CharacteristicId(1, 9), CharacteristicId(1, 10), CharacteristicId(1, 12)


def database(*, on=False, level=40, more=()):
    def one(iid, kind, form, perms, value, **rest):
        return {"iid": iid, "type": kind, "format": form, "perms": perms, "value": value, **rest}

    information = [one(2, "14", "bool", ["pw"], None), one(5, "23", "string", ["pr"], "Lamp")]
    light = [
        one(9, "25", "bool", ["pr", "pw", "ev"], on),
        one(10, "8", "int", ["pr", "pw", "ev"], level, minValue=0, maxValue=100, minStep=1),
        *more,
    ]
    press = [one(12, "73", "uint8", ["pr", "ev"], None, minValue=0, maxValue=2)]
    services = [(1, "3E", information), (8, "43", light), (11, "89", press)]
    return read_accessories(
        {"accessories": [{"aid": 1, "services": [{"iid": i, "type": t, "characteristics": c} for i, t, c in services]}]}
    )


class Told(list):
    def titles(self):
        return [one.title for one in self]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def make(told):
    def make(filters=None):
        time = iter(range(10_000))
        return Proxy(database(), accessory_id="id", clock=lambda: float(next(time)), tell=told.append, filters=filters)

    return make


def run(errand, *answers):
    """Run an errand, giving `answers` in order (errors are thrown); its result, and what it asked."""
    steps = []
    left = list(answers)
    try:
        step = next(errand)
        while True:
            steps.append(step)
            if isinstance(step, Tell):
                step = errand.send(None)
                continue
            answer = left.pop(0)
            step = errand.throw(answer) if isinstance(answer, Exception) else errand.send(answer)
    except StopIteration as stop:
        assert not left
        return stop.value, steps


def test_reads_are_one_request(make, told):
    results, steps = run(make().read([ON, LEVEL], CALLER), {ON: ReadResult(True), LEVEL: ReadResult(None, -12345)})
    assert steps == [Ask(Read([ON, LEVEL]))]
    # Statuses that HAP does not know cannot be said.
    assert results == {ON: True, LEVEL: HapStatus.UNABLE_TO_COMMUNICATE}
    request, answer = told
    assert (request.title, answer.title) == ("GET /characteristics?id=1.9,1.10", "207 Multi-Status")
    assert (answer.answers, answer.took) == (request.number, 1.0)
    assert [(one.name, one.value, one.status) for one in answer.touched] == [
        ("Lightbulb.On", "true", None),
        ("Lightbulb.Brightness", None, -70402),
    ]


@pytest.mark.parametrize(
    ("error", "status", "reachable"),
    [
        (Disconnected("gone"), HapStatus.UNABLE_TO_COMMUNICATE, False),
        (OSError("no network"), HapStatus.UNABLE_TO_COMMUNICATE, False),
        (TimedOut("late"), HapStatus.UNABLE_TO_COMMUNICATE, False),
        (Refused("no", status=500, hap_status=-70407), HapStatus.OUT_OF_RESOURCES, True),
        (Refused("no", status=400), HapStatus.UNABLE_TO_COMMUNICATE, True),
        (RemoteProtocolError("JSON", "nonsense"), HapStatus.UNABLE_TO_COMMUNICATE, True),
        (ValueRefused("too much"), HapStatus.INVALID_VALUE, True),
    ],
)
def test_requests_that_fail_as_a_whole(make, told, error, status, reachable):
    proxy = make()
    write = CharacteristicWrite(ON, True)
    for errand in (proxy.read([ON], CALLER), proxy.write([write], CALLER)):
        proxy.reachable = True
        results, _ = run(errand, error)
        assert results == {ON: status}
        assert proxy.reachable is reachable
        assert (("error", str(error)) in told[-1].details) is True


def test_nothing_is_asked_of_an_accessory_that_is_away(make):
    proxy = make()
    proxy.lose(Disconnected("gone"))
    assert run(proxy.read([ON], CALLER)) == ({ON: HapStatus.UNABLE_TO_COMMUNICATE}, [])
    assert run(proxy.write([CharacteristicWrite(ON, True)], CALLER)) == ({ON: HapStatus.UNABLE_TO_COMMUNICATE}, [])


def test_pauses_grow_until_it_is_back(make, told):
    proxy = make()
    assert proxy.pause == 0
    pauses = []
    for _ in range(len(PAUSES) + 2):
        proxy.lose(Disconnected("gone"))
        pauses.append(proxy.pause)
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    proxy.lose(Disconnected("not there"))
    assert told.titles() == ["the accessory is away: gone", "the accessory is away: not there"]
    run(proxy.arrive(), database())
    assert (proxy.reachable, proxy.pause, told.titles()[-1]) == (True, 0, "the accessory is back")


def test_who_does_not_know_us_any_more_is_away(make, told):
    proxy = make()
    proxy.lose(PairingRefused("we are strangers", error=TlvErrorCode.AUTHENTICATION, step=4))
    assert (proxy.reachable, told.titles()) == (False, ["the accessory is away: we are strangers"])


def test_refused_events_are_found_out_and_left_alone(make, told):
    proxy = make()
    assert proxy.evented == (ON, LEVEL, PRESS)
    proxy.lose(Refused("no events of 1.10", hap_status=-70406))
    assert proxy.reachable
    _, steps = run(proxy.arrive(), database(), {ON: 0, LEVEL: -70406, PRESS: 0})
    assert steps == [Ask(GetAccessories()), Ask(Subscribe([ON, LEVEL, PRESS]))]
    assert proxy.evented == (ON, PRESS)
    assert told.titles() == ["no events of Lightbulb.Brightness (1.10): status -70406"]
    proxy.lose(Refused("no", status=400))
    run(proxy.arrive(), database(), Refused("no", status=400))
    assert proxy.evented == ()
    assert run(proxy.arrive(), database())[1] == [Ask(GetAccessories())]


def test_what_changed_while_it_was_away_is_told_once(make):
    proxy = make()
    _, steps = run(proxy.arrive(), database(on=True, level=40))
    assert steps[1:] == [Tell(UpdateValues({ON: True}))]


def test_another_database_is_announced_and_its_events_are_asked_for(make, told):
    proxy = make()
    renewed = []
    proxy.connect(lambda errand: {}, lambda: renewed.append(True))
    old = proxy.database
    more = [{"iid": 13, "type": "13", "format": "float", "perms": ["pr", "pw", "ev"], "value": 0}]
    handled = [one.id for one in old.read_handled()]
    results, steps = run(proxy.read(handled, CALLER), database(level=7, more=more))
    assert [type(one.command) for one in steps] == [GetAccessories, ReplaceDatabase]
    assert steps[1].command.database is proxy.database is not old
    assert results[LEVEL] == 7
    assert renewed == [True]
    assert CharacteristicId(1, 13) in proxy.evented
    assert proxy.account.name(CharacteristicId(1, 13)) == "Lightbulb.Hue"
    assert all(one.read_handled for one in proxy.database.characteristics if one.readable)
    assert "the accessory's database has changed" in told.titles()
    # Found out by ourselves, the subscription follows anyway.
    run(proxy.arrive(), database())
    assert renewed == [True]


def test_writes_are_one_request_as_they_came(make, told):
    writes = [
        CharacteristicWrite(ON, True, b"\x01\x02", remote=True, timed=True),
        CharacteristicWrite(LEVEL, 5, timed=True, response=True),
    ]
    results, steps = run(make().write(writes, CALLER), {ON: WriteResult(), LEVEL: WriteResult(HapStatus.SUCCESS, 6)})
    (step,) = steps
    assert isinstance(step.command, Write)
    assert step.command.timed_ms
    assert [(one.id, one.value, one.auth_data, one.remote, one.response) for one in step.command.writes] == [
        (ON, True, b"\x01\x02", True, False),
        (LEVEL, 5, None, False, True),
    ]
    assert results == {LEVEL: 6}
    assert told[0].title == "PUT /characteristics (timed)"
    assert told[0].details == (("1.9", "remote, authData <2 bytes>"), ("1.10", "response"))
    assert told[1].title == "207 Multi-Status"


def test_what_became_of_a_write_is_what_is_shown(make):
    proxy = make(Filters(lambda aid, iid, value, caller: value * 2, lambda aid, iid, value: value // 2))
    results, steps = run(proxy.write([CharacteristicWrite(LEVEL, 30)], CALLER), {LEVEL: WriteResult()})
    assert [one.value for one in steps[0].command.writes] == [60]
    assert steps[1:] == [Tell(UpdateValues({LEVEL: 30}))]
    assert results == {LEVEL: 30}


def test_a_filter_of_one_direction_counts_for_writes_too(make):
    proxy = make(Filters(to_controller=lambda aid, iid, value: value // 2))
    results, steps = run(proxy.write([CharacteristicWrite(LEVEL, 30)], CALLER), {LEVEL: WriteResult()})
    assert [one.value for one in steps[0].command.writes] == [30]
    assert steps[1:] == [Tell(UpdateValues({LEVEL: 15}))]
    assert results == {LEVEL: 15}


def test_a_filter_learns_how_a_value_came(make):
    callers = []
    proxy = make(Filters(lambda aid, iid, value, caller: callers.append((aid, iid, caller)) or value))
    write = CharacteristicWrite(ON, True, b"secret", remote=True, timed=True)
    run(proxy.write([write], CALLER), {ON: WriteResult()})
    ((aid, iid, caller),) = callers
    assert (aid, iid) == ON
    assert (caller.pairing_id, caller.admin, caller.remote, caller.timed, caller.auth_data) == (
        b"phone",
        True,
        True,
        True,
        b"secret",
    )


def test_nothing_is_written_where_all_is_refused(make):
    def refuse(*_):
        raise RuntimeError("broken")

    results, steps = run(make(Filters(refuse)).write([CharacteristicWrite(LEVEL, 30)], CALLER))
    assert (results, steps) == ({LEVEL: HapStatus.UNABLE_TO_COMMUNICATE}, [])


def test_two_presses_are_two_events(make, told):
    events = [CharacteristicChanged(PRESS, 0), CharacteristicChanged(ON, True), CharacteristicChanged(PRESS, 0)]
    _, steps = run(make().happen(events))
    assert steps == [Tell(UpdateValues({PRESS: 0, ON: True})), Tell(UpdateValues({PRESS: 0}))]
    (entry,) = told
    assert (entry.kind, len(entry.touched)) == (Kind.EVENT, 3)


def test_events_of_what_nobody_knows_are_shown_only(make, told):
    _, steps = run(make().happen([CharacteristicChanged(CharacteristicId(1, 77), 5)]))
    assert steps == []
    assert [(one.name, one.value) for one in told[0].touched] == [("1.77", "5")]
