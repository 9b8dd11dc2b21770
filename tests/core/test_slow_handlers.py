"""A handler that is slow or hangs costs its own characteristic, nothing else (HAP 9.1)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.core.accessory_rig import JSON, Rig

from hapcore.accessory.commands import UpdateValues
from hapcore.accessory.handlers import MAX_RUNNING, consult
from hapcore.catalogue.services import Lightbulb
from hapcore.codec.http import write_request
from hapcore.engine import Event
from hapcore.ids import HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError


class Slow:
    """Something to wait for; the test says when it is over."""

    def __await__(self):
        yield self


class House:
    """A bridge with three lamps, their handlers carried by hand."""

    def __init__(self, **config: object) -> None:
        self.lamps = [Lightbulb(f"Lamp {number}", on=False, brightness=10 * number) for number in (1, 2, 3)]
        bridged = [Accessory(f"Lamp {at}", services=[one], key=f"lamp{at}") for at, one in enumerate(self.lamps)]
        self.rig = Rig(accessories=[Accessory.bridge("Bridge"), *bridged], answer_deadline=2.0, **config)
        self.rig.application = self.heard
        self.waiting: list[tuple[object, object]] = []
        self.complaints: list[tuple[object, Exception]] = []
        self.running: dict = {}

    def heard(self, event: Event) -> None:
        submit: Callable[[object], object] = self.rig.submit
        inquiry = consult(event, self.rig.server.database, submit, self.complain, self.running)
        if inquiry is not None:
            self.waiting += inquiry.begin()

    def complain(self, one: object, error: Exception) -> None:
        self.complaints.append((one, error))

    def finish(self, index: int, result: object) -> None:
        """One of the handlers that are waited for is through."""
        consultation, _ = self.waiting.pop(index)
        call = consultation.raised if isinstance(result, Exception) else consultation.returned
        following = call(result)
        if following is not None:
            self.waiting.append((consultation, following))


def values(answer):
    entries = json.loads(answer.body)["characteristics"]
    return {f"{one['aid']}.{one['iid']}": one.get("status", 0) or one.get("value") for one in entries}


def test_a_getter_that_hangs():
    house = House()
    first, second, third = house.lamps
    for lamp in house.lamps:
        lamp.brightness.getter(lambda _: Slow())
    third.on.getter(lambda _: True)
    line = house.rig.session()
    ids = [str(one.id) for one in (first.brightness, second.brightness, third.brightness, third.on, first.on)]
    line.send(f"GET /characteristics?id={','.join(ids)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert len(house.waiting) == 3, "all are asked at once"
    house.finish(2, 77)
    house.finish(0, HapStatusError(HapStatus.BUSY))
    house.rig.pass_time(2)
    assert values(line.take()) == {
        ids[0]: HapStatus.BUSY,
        ids[1]: HapStatus.TIMED_OUT,
        ids[2]: 77,
        ids[3]: 1,
        ids[4]: 0,
    }
    assert not house.complaints
    house.finish(0, 5)
    assert json.loads(line.get(ids[4]).body)["characteristics"][0]["value"] == 0, "the connection goes on"


def test_a_setter_that_hangs():
    house = House()
    first, second, third = house.lamps
    called = []

    def note(name):
        return lambda value, _: called.append((name, value)) or Slow()

    first.on.setter(note("first"))
    first.brightness.setter(note("first brightness"))
    second.on.setter(note("second"))
    third.on.setter(lambda value, _: called.append(("third", value)))
    line, other = house.rig.session(), house.rig.session(seed="other")
    every = (first.on, first.brightness, second.on, third.on)
    other.put(*({"aid": one.aid, "iid": one.iid, "ev": True} for one in every))
    entries = [{"aid": one.aid, "iid": one.iid, "value": 1} for one in every]
    body = json.dumps({"characteristics": entries})
    line.send(f"PUT /characteristics HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    # What belongs to one accessory is done in its order, the others do not wait for it.
    assert called == [("first", True), ("second", True), ("third", True)]
    house.finish(1, None)
    house.rig.pass_time(2)
    told = {f"{e['aid']}.{e['iid']}": e["status"] for e in json.loads(line.take().body)["characteristics"]}
    assert told == {
        str(first.on.id): HapStatus.TIMED_OUT,
        str(first.brightness.id): HapStatus.TIMED_OUT,
        str(second.on.id): 0,
        str(third.on.id): 0,
    }
    assert [one.value for one in every] == [False, 10, True, True]
    house.finish(0, None)
    assert called[-1] == ("first brightness", 1)
    assert [one.value for one in every] == [True, 10, True, True], "late, but done"
    house.finish(0, HapStatusError(HapStatus.BUSY))
    assert [one.value for one in every] == [True, 10, True, True]
    assert not house.running
    house.rig.pass_time(3)
    heard = [(e["aid"], e["iid"]) for message in other.events() for e in message]
    assert sorted(heard) == sorted([tuple(one.id) for one in (first.on, second.on, third.on)]), "each once"


def test_who_hangs_is_not_asked_for_ever():
    """Polled every ten seconds, a getter that hangs would fill the memory."""
    house = House()
    lamp = house.lamps[0]
    lamp.on.getter(lambda _: Slow())
    line = house.rig.session()
    for _ in range(MAX_RUNNING):
        line.send(f"GET /characteristics?id={lamp.on.id} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        house.rig.pass_time(2)
        assert values(line.take()) == {str(lamp.on.id): HapStatus.TIMED_OUT}
    assert values(line.get(str(lamp.on.id))) == {str(lamp.on.id): HapStatus.BUSY}
    assert len(house.waiting) == MAX_RUNNING
    house.finish(0, True)
    line.send(f"GET /characteristics?id={lamp.on.id} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    house.finish(MAX_RUNNING - 1, True)
    assert values(line.take()) == {str(lamp.on.id): 1}


def test_the_whole_database_shows_what_could_be_had():
    house = House()
    first, second, _ = house.lamps
    first.on.getter(lambda _: Slow())
    second.on.getter(lambda _: True)
    line = house.rig.session()
    line.send(b"GET /accessories HTTP/1.1\r\nHost: a\r\n\r\n")
    house.rig.pass_time(2)
    shown = {
        (accessory["aid"], one["iid"]): one.get("value")
        for accessory in json.loads(line.take().body)["accessories"]
        for service in accessory["services"]
        for one in service["characteristics"]
    }
    assert shown[tuple(first.on.id)] is None
    assert shown[tuple(second.on.id)] == 1


def test_an_error_of_a_waiting_handler_is_reported_once():
    house = House()
    switch = house.lamps[0]
    switch.on.getter(lambda _: Slow())
    line = house.rig.session()
    line.send(f"GET /characteristics?id={switch.on.id} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    house.finish(0, RuntimeError("no bus"))
    assert values(line.take()) == {str(switch.on.id): HapStatus.UNABLE_TO_COMMUNICATE}
    assert [(one, str(error)) for one, error in house.complaints] == [(switch.on.id, "no bus")]


@pytest.mark.parametrize("late", [False, True])
def test_who_is_told_that_a_write_failed_hears_that_the_value_is_there(late):
    """The device has told the application, which set the value; only its answer is missing."""
    house = House()
    light = house.lamps[0].on
    light.setter(lambda _value, _caller: Slow())
    line = house.rig.session()
    aid, iid = light.id
    line.put({"aid": aid, "iid": iid, "ev": True})
    body = b'{"characteristics":[{"aid":%d,"iid":%d,"value":true}]}' % (aid, iid)
    line.send(write_request("PUT", "/characteristics", "a", JSON, body))
    house.rig.submit(UpdateValues({light.id: True}))
    assert not line.messages, "it may still be told that it is done"
    if late:
        house.rig.pass_time(2.0)
    else:
        house.finish(0, HapStatusError(HapStatus.BUSY))
    answer, *events = line.messages
    assert (answer.status, [one.event for one in events]) == (207, [True])
    assert json.loads(events[0].body)["characteristics"] == [{"aid": aid, "iid": iid, "value": 1}]
    line.messages.clear()
    if late:
        house.finish(0, None)
    house.rig.pass_time(5.0)
    assert not line.messages, "and is told so once"


@pytest.mark.parametrize("hangs", [False, True])
def test_what_was_done_before_the_controller_left_counts(hangs):
    house = House()
    quick, slow = house.lamps[0].on, house.lamps[1].on
    quick.setter(lambda _value, _caller: None)
    slow.setter(lambda _value, _caller: Slow())
    line, other = house.rig.session(), house.rig.session(seed="other")
    other.put(*({"aid": one.id.aid, "iid": one.id.iid, "ev": True} for one in (quick, slow)))
    entries = b",".join(b'{"aid":%d,"iid":%d,"value":true}' % one.id for one in (quick, slow))
    line.send(write_request("PUT", "/characteristics", "a", JSON, b'{"characteristics":[%b]}' % entries))
    house.rig.server.receive_eof(line.connection, house.rig.now)
    house.rig.drain()
    if not hangs:
        house.finish(0, None)
    house.rig.pass_time(5.0)
    assert (quick.value, slow.value) == (True, not hangs)
    told = [one["aid"] for event in other.events() for one in event]
    assert told == [one.id.aid for one in ((quick,) if hangs else (quick, slow))]


@pytest.mark.parametrize("given", ["on", 2, 0.5, object()])
def test_whose_getter_gives_no_value_is_told(given):
    house = House()
    light = house.lamps[0].on
    light.getter(lambda _caller: given)
    line = house.rig.session()
    number = f"{light.id.aid}.{light.id.iid}"
    assert values(line.get(number)) == {number: HapStatus.UNABLE_TO_COMMUNICATE}
    ((whose, error),) = house.complaints
    assert whose == light.id
    assert "On" in str(error)


def test_what_is_done_is_not_undone_by_what_takes_longer():
    """A lamp that was switched, and then by hand, is what the hand has made of it, whenever the request ends."""
    house = House()
    quick, slow = house.lamps[0].on, house.lamps[1].on
    quick.setter(lambda _value, _caller: None)
    slow.setter(lambda _value, _caller: Slow())
    line, other = house.rig.session(), house.rig.session(seed="other")
    wanted = [{"aid": one.id.aid, "iid": one.id.iid, "ev": True} for one in (quick, slow)]
    line.put(*wanted)
    other.put(*wanted)
    entries = b",".join(b'{"aid":%d,"iid":%d,"value":true}' % one.id for one in (quick, slow))
    line.send(write_request("PUT", "/characteristics", "a", JSON, b'{"characteristics":[%b]}' % entries))
    assert quick.value is True
    assert [one["value"] for event in other.events() for one in event] == [1]
    house.rig.submit(UpdateValues({quick.id: False}))
    house.rig.pass_time(1.0)
    assert [one["value"] for event in other.events() for one in event] == [0]
    house.finish(0, None)
    house.rig.pass_time(5.0)
    assert (quick.value, slow.value) == (False, True)
    answer, *events = line.messages
    assert answer.status == 204
    assert [json.loads(one.body)["characteristics"] for one in events] == [
        [{"aid": quick.id.aid, "iid": quick.id.iid, "value": 0}]
    ]
