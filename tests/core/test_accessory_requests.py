"""What the accessory engine answers: paths, methods, reads, writes, timed writes (HAP 8, 9)."""

from __future__ import annotations

import base64
import json

import pytest
from tests.core.accessory_rig import JSON, TLV8, Rig

from hapcore.codec.http import write_request
from hapcore.ids import HapStatus
from hapcore.ip.accessory import (
    AnswerRead,
    AnswerWrite,
    CharacteristicsWritten,
    CharacteristicWrite,
    IdentifyRequested,
    PeerMisbehaved,
    ReadRequested,
    WriteRequested,
)


def body(answer):
    return json.loads(answer.body)


def statuses(answer):
    assert answer.status == 207, answer
    return {f"{e['aid']}.{e['iid']}": e["status"] for e in body(answer)["characteristics"]}


PROTECTED = [
    ("GET", "/accessories"),
    ("GET", "/characteristics?id=1.10"),
    ("PUT", "/characteristics"),
    ("PUT", "/prepare"),
    ("POST", "/resource"),
]


@pytest.mark.parametrize(("method", "target"), PROTECTED)
def test_protected_paths_want_a_session(method, target):
    answer = Rig().line().ask(method, target, None if method == "GET" else {})
    assert (answer.status, body(answer)) == (470, {"status": -70411})


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/pairings", 470),
        ("POST", "/accessories", 470),
        ("GET", "/nowhere", 470),
        ("GET", "/pair-setup", 405),
        ("GET", "/pair-verify", 405),
        ("PUT", "/identify", 405),
        ("POST", "/configured", 204),
    ],
)
def test_plain_connection(method, target, status):
    answer = Rig().line().ask(method, target)
    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/accessories?x", 404),
        ("GET", "/Accessories", 404),
        ("DELETE", "/accessories", 405),
        ("POST", "/characteristics", 405),
        ("GET", "/pairings", 405),
        ("POST", "/pair-setup", 400),
        ("POST", "/pair-verify", 400),
        ("GET", "/characteristics", 400),
        ("PUT", "/characteristics", 400),
        ("PUT", "/prepare", 400),
    ],
)
def test_secured_connection(method, target, status):
    answer = Rig().session().ask(method, target)
    assert (answer.status, answer.body) == (status, b"")


def test_identify_while_unpaired_only():
    rig = Rig()
    line = rig.line()
    assert line.ask("POST", "/identify", b"").status == 204
    assert rig.said(IdentifyRequested) == [IdentifyRequested(line.connection)]
    rig.pairing()
    answer = line.ask("POST", "/identify", b"")
    assert (answer.status, body(answer)) == (400, {"status": -70401})


def test_a_camera_snapshot_is_refused_clearly():
    answer = Rig().session().ask("POST", "/resource", {"resource-type": "image", "image-width": 1, "image-height": 1})
    assert (answer.status, body(answer)) == (404, {"status": -70409})


# Reading


def test_read():
    line = Rig().session()
    answer = line.get("1.10", "1.11")
    assert answer.status == 200
    assert body(answer)["characteristics"] == [{"aid": 1, "iid": 10, "value": 0}, {"aid": 1, "iid": 11, "value": 40}]


def test_read_flags():
    entry = body(Rig().session().get("1.11", meta=1, perms=1, type=1, ev=1))["characteristics"][0]
    assert entry == {
        "aid": 1,
        "iid": 11,
        "type": "8",
        "format": "int",
        "unit": "percentage",
        "minValue": 0,
        "maxValue": 100,
        "minStep": 1,
        "perms": ["pr", "pw", "ev"],
        "ev": False,
        "value": 40,
    }


def test_read_errors_give_every_entry_a_status():
    answer = Rig().session().get("1.10", "1.15", "9.9", "1.99")
    assert statuses(answer) == {"1.10": 0, "1.15": -70405, "9.9": -70409, "1.99": -70409}
    assert body(answer)["characteristics"][0]["value"] == 0


def test_a_button_reads_null():
    assert body(Rig().session().get("1.12"))["characteristics"] == [{"aid": 1, "iid": 12, "value": None}]


def test_admins_only():
    line = Rig().session(admin=False)
    assert statuses(line.get("1.14")) == {"1.14": -70401}
    assert statuses(line.put({"aid": 1, "iid": 14, "value": 1})) == {"1.14": -70401}
    assert statuses(line.put({"aid": 1, "iid": 14, "ev": True})) == {"1.14": -70401}
    shown = {
        c["iid"]: c.get("value")
        for s in body(line.ask("GET", "/accessories"))["accessories"][0]["services"]
        for c in s["characteristics"]
    }
    assert shown[14] is None
    assert body(Rig().session().get("1.14"))["characteristics"][0]["value"] == 0


@pytest.mark.parametrize("ids", [[], [""]])
def test_reading_nothing(ids):
    line = Rig().session()
    assert line.get(*ids).status == 204
    assert line.ask("GET", "/characteristics?").status == 204


@pytest.mark.parametrize(
    "query",
    [
        "id=1",
        "id=1.",
        "id=.1",
        "id=a.b",
        "id=1.1,",
        "id=,1.1",
        "id=1.1;1.2",
        "ID=1.1",
        "id=1.1&meta=2",
        "x=1",
        "id=1.1%2C1.2",
        f"id=1.{2**64}",
    ],
)
def test_malformed_queries(query):
    assert Rig().session().ask("GET", f"/characteristics?{query}").status == 400


def test_too_many_ids():
    line = Rig().session()
    answer = line.ask("GET", "/characteristics?id=" + ",".join(["1.1"] * 1000))
    assert answer.status == 207
    line.send(b"GET /characteristics?id=" + b",".join([b"1.1"] * 1500) + b" HTTP/1.1\r\n\r\n")
    assert len(body(line.take())["characteristics"]) == 1500


def test_the_application_is_asked_for_values_it_fetches():
    rig = Rig()
    rig.lamp.asked.getter(lambda caller: 0)
    line = rig.session()
    line.send(b"GET /characteristics?id=1.10,1.17,1.17 HTTP/1.1\r\n\r\n")
    (question,) = rig.said(ReadRequested)
    assert question.ids == ((1, 17),)
    assert not line.messages
    assert rig.submit(AnswerRead(question.request, {(1, 17): 7})) is True
    assert [e["value"] for e in body(line.take())["characteristics"]] == [0, 7, 7]
    assert rig.submit(AnswerRead(question.request, {(1, 17): 7})) is False


@pytest.mark.parametrize(
    ("results", "status"),
    [({(1, 17): HapStatus.BUSY}, -70403), ({}, -70402), ({(1, 17): 999}, -70402), ({(1, 17): "x"}, -70402)],
)
def test_values_that_cannot_be_had(results, status):
    rig = Rig()
    rig.lamp.asked.getter(lambda caller: 0)
    rig.application = lambda event: (
        isinstance(event, ReadRequested) and rig.server.submit(AnswerRead(event.request, results), rig.now)
    )
    line = rig.session()
    assert statuses(line.get("1.17")) == {"1.17": status}
    accessories = body(line.ask("GET", "/accessories"))["accessories"]
    assert [c["value"] for s in accessories[0]["services"] for c in s["characteristics"] if c["iid"] == 17] == [None]


def test_an_application_that_does_not_answer_costs_only_its_own_characteristic():
    rig = Rig(answer_deadline=9.0)
    rig.lamp.asked.getter(lambda caller: 0)
    line, other = rig.session(), rig.session(seed="other")
    line.send(b"GET /characteristics?id=1.10,1.17 HTTP/1.1\r\n\r\n")
    assert other.get("1.10").status == 200
    rig.pass_time(8.9)
    assert not line.messages
    rig.pass_time(0.2)
    assert statuses(line.take()) == {"1.10": 0, "1.17": -70408}


# Writing


def test_write():
    rig = Rig()
    answer = rig.session().put({"aid": 1, "iid": 10, "value": True}, {"aid": 1, "iid": 11, "value": 55})
    assert (answer.status, answer.body) == (204, b"")
    assert (rig.lamp.on.value, rig.lamp.level.value) == (True, 55)
    (written,) = rig.said(CharacteristicsWritten)
    assert written.writes == (CharacteristicWrite((1, 10), True), CharacteristicWrite((1, 11), 55))


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"iid": 99, "value": 1}, -70409),
        ({"iid": 10}, -70410),
        ({"iid": 13, "value": True}, -70410),
        ({"iid": 16, "value": 1}, -70404),
        ({"iid": 11, "value": 101}, -70410),
        ({"iid": 11, "value": "x"}, -70410),
        ({"iid": 13, "ev": True}, -70406),
        ({"iid": 13, "ev": False}, -70406),
        ({"iid": 10, "value": True, "authData": "%"}, -70410),
        ({"iid": 18, "value": True}, -70411),
        ({"iid": 10, "value": True, "r": True}, -70405),
    ],
)
def test_write_refusals(entry, status):
    rig = Rig()
    answer = rig.session().put({"aid": 1, **entry}, {"aid": 1, "iid": 11, "value": 1})
    assert statuses(answer) == {f"1.{entry['iid']}": status, "1.11": 0}
    assert rig.lamp.level.value == 1


def test_the_status_of_the_value_wins_over_that_of_the_event():
    rig = Rig()
    assert rig.session().put({"aid": 1, "iid": 15, "value": 1, "ev": True}).status == 204


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"characteristics":[]}',
        '{"characteristics":{}}',
        '{"characteristics":[1]}',
        '{"characteristics":[{"aid":1}]}',
        '{"characteristics":[{"aid":1,"iid":10,"value":null}]}',
        '{"characteristics":[{"aid":1,"iid":10,"value":[]}]}',
        '{"characteristics":[{"aid":1,"iid":10,"value":{}}]}',
        '{"characteristics":[{"aid":1,"iid":10,"ev":2}]}',
        '{"characteristics":[{"aid":1,"iid":10,"ev":"true"}]}',
        '{"characteristics":[{"aid":-1,"iid":10,"value":1}]}',
        '{"characteristics":[{"aid":1.0,"iid":10,"value":1}]}',
        '{"characteristics":[{"aid":true,"iid":10,"value":1}]}',
        '{"characteristics":[{"aid":1,"iid":10,"value":1,"authData":1}]}',
        '{"characteristics":[{"aid":1,"iid":11,"value":1e2}]}',
        '{"characteristics":[{"aid":1,"iid":11,"value":NaN}]}',
        '{"characteristics":[{"aid":1,"iid":11,"value":1}]}x',
        '{"characteristics":[{"aid":1,"iid":11,"value":1}],"pid":1,"pid":1}',
        '{"characteristics":[{"aid":1,"iid":11,"value":1}],"pid":-1}',
        "[" * 100_000,
    ],
)
def test_malformed_write_bodies(text):
    rig = Rig()
    line = rig.session()
    assert line.ask("PUT", "/characteristics", text).status == 400
    assert (rig.lamp.on.value, rig.lamp.level.value) == (False, 40)
    assert line.get("1.10").status == 200


def test_the_application_decides_about_writes():
    rig = Rig()
    rig.lamp.asked.setter(lambda value, caller: None)
    rig.lamp.guarded.setter(lambda value, caller: None)
    line = rig.session()
    entries = (
        b'{"aid":1,"iid":17,"value":5},{"aid":1,"iid":10,"value":1},'
        b'{"aid":1,"iid":18,"value":true,"authData":"qrs=","remote":true}'
    )
    text = b'{"characteristics":[%b]}' % entries
    line.send(write_request("PUT", "/characteristics", "127.0.0.1", JSON, text))
    (question,) = rig.said(WriteRequested)
    assert question.writes == (
        CharacteristicWrite((1, 17), 5),
        CharacteristicWrite((1, 18), True, b"\xaa\xbb", remote=True),
    )
    assert question.caller.admin
    assert (rig.lamp.on.value, rig.lamp.asked.value) == (True, 0)
    rig.submit(AnswerWrite(question.request, {(1, 18): HapStatus.INSUFFICIENT_AUTHORIZATION}))
    assert statuses(line.take()) == {"1.17": 0, "1.10": 0, "1.18": -70411}
    assert (rig.lamp.asked.value, rig.lamp.guarded.value) == (5, False)


def test_write_response():
    rig = Rig()
    rig.lamp.control.setter(lambda value, caller: None)
    rig.application = lambda event: (
        isinstance(event, WriteRequested)
        and rig.server.submit(
            AnswerWrite(
                event.request, values={(1, 19): b"\x01\x01\x02"} if event.writes[0].value == b"\x06\x01\x01" else {}
            ),
            rig.now,
        )
    )
    line = rig.session()
    answer = line.put({"aid": 1, "iid": 19, "value": base64.b64encode(b"\x06\x01\x01").decode(), "r": True})
    assert answer.status == 207
    assert body(answer)["characteristics"] == [{"aid": 1, "iid": 19, "status": 0, "value": "AQEC"}]
    answer = line.put({"aid": 1, "iid": 19, "value": "AQEA", "r": True}, {"aid": 1, "iid": 10, "value": 1})
    assert body(answer)["characteristics"] == [
        {"aid": 1, "iid": 19, "status": 0, "value": "AQEA"},
        {"aid": 1, "iid": 10, "status": 0},
    ]
    assert line.put({"aid": 1, "iid": 19, "value": "AQEA"}).status == 204


def test_a_write_the_application_sits_on_times_out():
    rig = Rig(answer_deadline=2.0)
    rig.lamp.asked.setter(lambda value, caller: None)
    line = rig.session()
    text = b'{"characteristics":[{"aid":1,"iid":17,"value":5}]}'
    line.send(write_request("PUT", "/characteristics", "127.0.0.1", JSON, text))
    assert not line.messages
    rig.pass_time(2.0)
    assert statuses(line.take()) == {"1.17": -70408}
    assert rig.lamp.asked.value == 0


# Timed writes


def prepare(line, pid, ttl=5000):
    answer = line.ask("PUT", "/prepare", {"ttl": ttl, "pid": pid})
    assert (answer.status, body(answer)) == (200, {"status": 0})


def test_timed_write():
    rig = Rig()
    line = rig.session()
    prepare(line, 2**64 - 1)
    assert line.put({"aid": 1, "iid": 13, "value": True}, pid=2**64 - 1).status == 204
    assert rig.lamp.lock.value is True
    assert rig.said(CharacteristicsWritten)[0].writes[0].timed
    assert statuses(line.put({"aid": 1, "iid": 13, "value": False}, pid=2**64 - 1)) == {"1.13": -70410}


def test_a_prepared_write_expires_exactly():
    rig = Rig()
    line = rig.session()
    prepare(line, 1, ttl=1000)
    rig.now += 1.001
    assert statuses(line.put({"aid": 1, "iid": 13, "value": True}, pid=1)) == {"1.13": -70410}
    prepare(line, 1, ttl=1000)
    rig.now += 0.999
    assert line.put({"aid": 1, "iid": 13, "value": True}, pid=1).status == 204


def test_a_wrong_pid_clears_the_slot_and_runs_nothing():
    rig = Rig()
    line = rig.session()
    prepare(line, 1)
    assert statuses(line.put({"aid": 1, "iid": 10, "value": True}, pid=2)) == {"1.10": -70410}
    assert statuses(line.put({"aid": 1, "iid": 10, "value": True}, pid=1)) == {"1.10": -70410}
    assert rig.lamp.on.value is False


def test_an_ordinary_write_leaves_the_slot():
    line = Rig().session()
    prepare(line, 1)
    assert line.put({"aid": 1, "iid": 10, "value": True}).status == 204
    assert line.put({"aid": 1, "iid": 13, "value": True}, pid=1).status == 204


def test_a_slot_belongs_to_its_connection():
    rig = Rig()
    one, two = rig.session(), rig.session(seed="two")
    prepare(one, 1)
    assert statuses(two.put({"aid": 1, "iid": 13, "value": True}, pid=1)) == {"1.13": -70410}
    assert one.put({"aid": 1, "iid": 13, "value": True}, pid=1).status == 204


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"ttl":1}',
        '{"pid":1}',
        '{"ttl":-1,"pid":1}',
        '{"ttl":"1","pid":1}',
        '{"ttl":1.5,"pid":1}',
        '{"ttl":1,"pid":1,"pid":1}',
        '{"ttl":9007199254740992,"pid":1}',
        "[]",
    ],
)
def test_bad_prepare(text):
    assert Rig().session().ask("PUT", "/prepare", text).status == 400


# HTTP


def test_a_folded_header_is_answered_and_the_connection_goes_on():
    rig = Rig()
    line = rig.session()
    line.send(b"GET /accessories HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")
    assert line.take().status == 400
    assert line.get("1.10").status == 200
    assert len(rig.said(PeerMisbehaved)) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nbroken\r\n\r\n",
        b"PUT /prepare HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /prepare HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"PUT /prepare HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
        b"\x00\x01\x02",
        b"GET /" + b"a" * 100_000,
    ],
)
def test_what_is_no_http_ends_the_connection(data):
    rig = Rig()
    line, other = rig.session(), rig.session(seed="other")
    line.send(data)
    assert line.closed
    assert not line.messages
    assert other.get("1.10").status == 200


def test_requests_sent_ahead_are_answered_in_order():
    line = Rig().session()
    line.send(b"".join(b"GET /characteristics?id=1.%d HTTP/1.1\r\n\r\n" % iid for iid in (10, 99, 11)))
    assert [message.status for message in line.messages] == [200, 207, 200]


def test_the_kind_of_content_does_not_matter_but_its_length_does():
    line = Rig().line()
    assert line.ask("POST", "/pair-verify", b"\x06\x01\x01", kind="text/plain").status == 400
    line.send(b"POST /pair-setup HTTP/1.1\r\nContent-Type: " + TLV8.encode() + b"\r\n\r\n")
    assert line.take().status == 400
    assert JSON != TLV8
