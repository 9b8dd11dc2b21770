"""Events of the accessory engine: to whom, when, in which order (HAP 9.6, 8.10)."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import JSON, Rig

from hapcore.codec.http import write_request
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.ip.accessory import AnswerWrite, SubscriptionChanged, UpdateValues, WriteRequested
from hapcore.ip.accessory.notifier import MAX_PRESSES


def entry(iid, value):
    return {"aid": 1, "iid": iid, "value": value}


def watching(rig, *iids, seed="phone"):
    line = rig.session(seed=seed)
    assert line.put(*({"aid": 1, "iid": iid, "ev": True} for iid in iids)).status == 204
    return line


def update(rig, **values):
    rig.submit(UpdateValues({getattr(rig.lamp, name).id: value for name, value in values.items()}))


def test_a_change_reaches_the_subscribed_at_once():
    rig = Rig()
    line, other = watching(rig, 10), rig.session(seed="other")
    update(rig, on=True, level=7)
    assert line.events() == [[entry(10, 1)]]
    assert not other.messages
    assert line.raw


def test_the_first_event_goes_at_once_and_the_rest_of_the_second_together():
    rig = Rig()
    line = watching(rig, 10, 11)
    update(rig, level=1)
    assert line.events() == [[entry(11, 1)]]
    for level in (2, 3, 4):
        rig.pass_time(0.1)
        update(rig, level=level)
    update(rig, on=True)
    rig.pass_time(0.69)
    assert line.events() == []
    rig.pass_time(0.02)
    assert line.events() == [[entry(11, 4), entry(10, 1)]]
    rig.pass_time(5)
    assert line.events() == []


def test_what_did_not_change_is_no_event():
    rig = Rig()
    line = watching(rig, 10, 11)
    update(rig, on=False, level=40)
    assert line.events() == []
    assert rig.server.next_timeout() is None


def test_every_press_of_a_button_counts():
    rig = Rig()
    line = watching(rig, 12)
    for _ in range(3):
        update(rig, button=0)
    assert line.events() == [[entry(12, 0)]] * 3
    assert line.get("1.12").body == b'{"characteristics":[{"aid":1,"iid":12,"value":null}]}'


def test_the_writer_is_not_told_what_it_said():
    rig = Rig()
    writer, other, same = watching(rig, 10), watching(rig, 10, seed="other"), watching(rig, 10)
    assert writer.put(entry(10, True)).status == 204
    assert writer.events() == []
    assert other.events() == [[entry(10, 1)]]
    assert same.events() == [[entry(10, 1)]], "another connection of the same controller does not know it"


def test_a_setter_that_stores_what_is_being_written_makes_no_echo():
    rig = Rig()
    rig.lamp.asked.setter(lambda value, caller: None)

    def application(event):
        if isinstance(event, WriteRequested):
            rig.server.submit(UpdateValues({(1, 17): event.writes[0].value}), rig.now)
            rig.server.submit(AnswerWrite(event.request), rig.now)

    rig.application = application
    writer, other = watching(rig, 17), watching(rig, 17, seed="other")
    assert writer.put(entry(17, 5)).status == 204
    assert writer.events() == []
    assert other.events() == [[entry(17, 5)]]


def test_a_setter_that_stores_something_else_tells_the_writer():
    rig = Rig()
    rig.lamp.asked.setter(lambda value, caller: None)

    def application(event):
        if isinstance(event, WriteRequested):
            rig.server.submit(AnswerWrite(event.request, values={(1, 17): 9}), rig.now)
            rig.server.submit(UpdateValues({(1, 17): 9}), rig.now)

    rig.application = application
    writer = watching(rig, 17)
    line_request = write_request(
        "PUT", "/characteristics", "h", JSON, b'{"characteristics":[{"aid":1,"iid":17,"value":5}]}'
    )
    writer.send(line_request)
    assert writer.messages.pop(0).status == 204
    assert writer.events() == [[entry(17, 9)]]


def test_no_event_inside_a_response():
    rig = Rig()
    rig.lamp.asked.setter(lambda value, caller: None)
    line = watching(rig, 10, 12, 17)
    line.send(
        write_request("PUT", "/characteristics", "h", JSON, b'{"characteristics":[{"aid":1,"iid":17,"value":5}]}')
    )
    update(rig, on=True)
    update(rig, button=1)
    rig.pass_time(3)
    assert not line.messages
    (question,) = rig.said(WriteRequested)
    rig.submit(AnswerWrite(question.request))
    assert line.messages.pop(0).status == 204
    assert line.events() == [[entry(12, 1)], [entry(10, 1)]]


def test_no_event_while_a_request_is_half_way_in():
    rig = Rig()
    line = watching(rig, 10)
    line.send(b"GET /characteristics?id=1.11 HT")
    update(rig, on=True)
    assert not line.messages
    line.send(b"TP/1.1\r\n\r\n")
    assert [message.event for message in line.messages] == [False, True]


def test_no_event_to_a_slow_peer_until_it_takes_again():
    rig = Rig()
    line = watching(rig, 10, 11, 12)
    rig.server.pause_sending(line.connection, rig.now)
    for number in range(1000):
        update(rig, level=number % 100, on=number % 2 == 0)
        update(rig, button=number % 3)
    rig.pass_time(10)
    assert not line.messages
    rig.server.resume_sending(line.connection, rig.now)
    rig.drain()
    events = line.events()
    assert len(events) == MAX_PRESSES + 1, "the newest presses, and one message with the latest values"
    assert events[-1] == [entry(11, 99), entry(10, 0)]


def test_unsubscribing_and_closing():
    rig = Rig()
    line, other = watching(rig, 10, 11), watching(rig, 10, seed="other")
    assert line.put({"aid": 1, "iid": 10, "ev": False}).status == 204
    rig.server.receive_eof(other.connection, rig.now)
    rig.drain()
    update(rig, on=True)
    assert line.events() == []
    assert [(e.id.iid, e.enabled) for e in rig.said(SubscriptionChanged)] == [
        (10, True),
        (11, True),
        (10, True),
        (10, False),
    ]
    update(rig, level=1)
    assert line.events() == [[entry(11, 1)]]


def test_subscribing_twice_is_once():
    rig = Rig()
    line = watching(rig, 10, 10)
    assert len(rig.said(SubscriptionChanged)) == 1
    update(rig, on=True)
    assert line.events() == [[entry(10, 1)]]


def test_a_demoted_admin_hears_no_more_of_what_only_admins_may_read():
    rig = Rig()
    admin, line = rig.session(seed="admin"), watching(rig, 14, 10, seed="other")
    other = next(
        p for p in rig.server.pairings if p.identifier == line.rig.pairing(seed="other").controller_id.encode()
    )
    from hapcore.pairing.pairings import encode_add

    assert admin.tlv("/pairings", encode_add(other.identifier, other.ltpk, False)) == {6: b"\x02"}
    update(rig, secret=3, on=True)
    assert line.events() == [[entry(10, 1)]]


def test_one_update_of_many_values_is_one_message():
    rig = Rig()
    lines = [watching(rig, 10, 11, seed=f"phone {number}") for number in range(5)]
    update(rig, on=True, level=3)
    assert [line.events() for line in lines] == [[[entry(10, 1), entry(11, 3)]]] * 5


@pytest.mark.parametrize(
    ("values", "error"),
    [({(1, 10): True, (1, 11): 101}, ValueRefused), ({(1, 10): True, (9, 9): 1}, LocalProtocolError)],
)
def test_an_impossible_update_changes_nothing(values, error):
    rig = Rig()
    line = watching(rig, 10, 11)
    with pytest.raises(error):
        rig.server.submit(UpdateValues(values), rig.now)
    rig.drain()
    assert line.events() == []
    assert rig.lamp.on.value is False
