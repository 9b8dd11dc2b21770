"""Shapes of recordings that none of the collected files has: forged frames, events, coalescing, early answers.

What the accessory says in them is what is known of Apple's; so they test the engine as well as the player.
"""

from __future__ import annotations

import base64

import pytest
from tests.replay.made_up import DONE, Recording, event, get, http, put, values
from tests.replay.recordings import to_accessory

from hapcore.replay import bytewise, play_controller, read, whole

ON = {"aid": 1, "iid": 0x33}
BRIGHTNESS = {"aid": 1, "iid": 0x34}
POINT = {"aid": 1, "iid": 0x62}
FAULT = {"aid": 1, "iid": 0x65}
GUARDED = {"aid": 1, "iid": 0x68}
MULTI = "HTTP/1.1 207 Multi-Status"


def differences(recording, cut=whole):
    return [(one.track, one.reason) for one in to_accessory(recording.script(), cut).differences]


@pytest.fixture(params=[whole, bytewise], ids=["whole", "bytewise"])
def cut(request):
    return request.param


def b64(text):
    return base64.b64encode(bytes.fromhex(text)).decode()


def test_values_set_from_inside_are_concluded(cut):
    made = Recording()
    line = made.line()
    for number in (1, 0, 1):
        line.ask(get("1.51"))
        line.hears(values({**ON, "value": number}))
    assert not differences(made, cut)


def test_what_a_write_explains_is_not_concluded():
    """The recorded accessory forgot a write, ours does not: that must show."""
    made = Recording()
    line = made.line()
    line.ask(put({**BRIGHTNESS, "value": 7}))
    line.hears(DONE)
    line.ask(get("1.52"))
    line.hears(values({**BRIGHTNESS, "value": 7}))
    assert not differences(made)
    line.ask(put({**BRIGHTNESS, "value": 8}))
    line.hears(http(MULTI, {"characteristics": [{**BRIGHTNESS, "status": -70410}]}))
    assert differences(made) == [("c0", "HTTP status 204 instead of 207")]
    line.ask(get("1.52"))
    line.hears(values({**BRIGHTNESS, "value": 7}))
    assert differences(made)[1:] == [("c0", "1.52 value: 8 instead of 7")]


@pytest.mark.parametrize(
    ("forge", "what"),
    [
        (lambda line: line.own.seal(get("1.51").encode())[:-1] + b"\0", "bad tag"),
        (lambda line: (1025).to_bytes(2, "little") + bytes(1025 + 16), "too long"),
        (lambda line: get("1.51").encode(), "clear text on a secured connection"),
        (lambda line: line.ask(get("1.51")), "replayed"),
    ],
    ids=["bad tag", "too long", "clear text", "replayed"],
)
def test_forged_frames_end_the_connection(cut, forge, what):
    made = Recording()
    line = made.line()
    frame = forge(line)
    if what == "replayed":
        line.hears(values({**ON, "value": 0}))
    line.send(frame, what)
    line.closed()
    assert not differences(made, cut)


def test_a_connection_that_should_have_been_closed():
    made = Recording()
    line = made.line()
    line.ask(get("1.51"))
    line.hears(values({**ON, "value": 0}))
    line.closed()
    assert differences(made) == [("c0", "the connection should be closed")]


def test_frames_in_pieces_and_two_requests_at_once(cut):
    made = Recording()
    line = made.line()
    sealed = line.own.seal(get("1.51").encode())
    line.send(sealed[:1], "half of the length")
    line.send(sealed[1:9], "some")
    line.send(sealed[9:], "the rest")
    line.hears(values({**ON, "value": 0}))
    line.ask(get("1.51"))
    line.ask(get("1.52"))
    line.hears(values({**ON, "value": 0}), values({**BRIGHTNESS, "value": 0}))
    assert not differences(made, cut)


def test_a_folded_header():
    made = Recording()
    line = made.line()
    line.ask("GET /characteristics?id=1.51 HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")
    line.hears("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert ("c0", "no answer") not in differences(made)
    assert ("c0", "HTTP status 400 instead of 200") not in differences(made)


def test_events_of_writes_and_from_inside(cut):
    """The writer hears nothing; a second change within a second waits for its end, and only the last counts."""
    made = Recording()
    first, second = made.line(), made.line()
    for line in (first, second):
        line.ask(put({**ON, "ev": True}, {**BRIGHTNESS, "ev": True}), at=10.1)
        line.hears(DONE)
    second.ask(put({**ON, "value": True}), at=11.0)
    second.hears(DONE)
    first.hears(event({**ON, "value": 1}), at=11.002)
    second.ask(put({**ON, "value": False}), at=11.2)
    second.hears(DONE)
    second.ask(put({**BRIGHTNESS, "value": 9}), at=11.3)
    second.hears(DONE)
    first.silent(0.6, at=11.9)
    first.hears(event({**ON, "value": 0}, {**BRIGHTNESS, "value": 9}), at=12.003)
    second.silent(0.5, at=12.5)
    # Set from inside: everybody hears it.
    first.hears(event({**ON, "value": 1}), at=14.0)
    second.hears(event({**ON, "value": 1}), at=14.0)
    first.ask(get("1.51"))
    first.hears(values({**ON, "value": 1}))
    assert not differences(made, cut)


def test_an_event_too_few_and_one_too_many():
    made = Recording()
    first, second = made.line(), made.line()
    first.ask(put({**ON, "ev": True}), at=10.1)
    first.hears(DONE)
    second.ask(put({**ON, "value": True}), at=11.0)
    second.hears(DONE)
    first.silent(0.5, at=12.0)
    second.hears(event({**ON, "value": 1}), at=13.0)
    found = differences(made)
    assert ("c0", "a message where none came") in found
    assert ("c1", "no answer") in found


def test_handlers_that_fail(cut):
    made = Recording()
    line = made.line()
    for number, status in ((1, -70402), (3, -70410), (4, -70407), (5, -70411), (6, -70403)):
        line.ask(put({**FAULT, "value": number}))
        line.hears(http(MULTI, {"characteristics": [{**FAULT, "status": status}]}))
    line.ask(get("1.51", "1.101"))
    line.hears(http(MULTI, {"characteristics": [{**ON, "status": 0, "value": 0}, {**FAULT, "status": -70403}]}))
    line.ask(get("1.101"))
    line.hears(values({**FAULT, "value": 0}))
    assert not differences(made, cut)


def test_write_response_and_authorization_data(cut):
    made = Recording()
    line = made.line()
    line.ask(put({**POINT, "value": b64("010105"), "r": True}))
    line.hears(http(MULTI, {"characteristics": [{**POINT, "status": 0, "value": b64("0101057f0101")}]}))
    line.ask(get("1.98"))
    line.hears(values({**POINT, "value": b64("0101057f0101")}))
    line.ask(put({**GUARDED, "value": True}))
    line.hears(http(MULTI, {"characteristics": [{**GUARDED, "status": -70411}]}))
    line.ask(put({**GUARDED, "value": True, "authData": b64("aabb")}))
    line.hears(DONE)
    assert not differences(made, cut)


def test_an_answer_that_came_only_when_another_connection_had_closed():
    """As with the eighteenth connection to Apple's accessory; ours serves more, and says so once."""
    made = Recording()
    first, second = made.line(), made.line()
    second.ask(get("1.51"), at=11.0)
    second.silent(0.5, at=11.6)
    first.close(at=11.7)
    second.hears(values({**ON, "value": 0}), at=11.8)
    assert differences(made) == [("c1", "a message where none came")]


def test_our_controller_reads_an_event_between_and_with_answers():
    made = Recording()
    line = made.line()
    line.ask(put({**ON, "ev": True}))
    line.hears(DONE)
    line.hears(event({**ON, "value": 1}), at=12.0)
    line.ask(get("1.51"))
    line.hears(event({**BRIGHTNESS, "value": 3}), values({**ON, "value": 1}))
    line.ask("GET /characteristics?id= HTTP/1.1\r\nHost: a\r\n\r\n")
    line.hears(DONE)
    line.ask(get("1.52"))
    line.hears(values({**BRIGHTNESS, "value": 3}))
    line.closed()
    for way in (whole, bytewise):
        outcome = play_controller(made.script(), cut=way)
        assert not outcome.differences, str(outcome.first)
        assert outcome.skipped == 1


def test_our_controller_is_judged():
    """A wrong frame, an answer too few: the player must notice."""
    made = Recording()
    line = made.line()
    line.ask(get("1.51"))
    line.theirs.count(b"\1\0" + bytes(17))
    line.hears(values({**ON, "value": 1}))
    outcome = play_controller(made.script())
    assert len(outcome.differences) == 1
    assert "DesynchronisedError" in outcome.differences[0].reason


def test_the_eighteenth_connection_waits_until_one_is_closed(cut):
    """Apple's accessory takes 17 at a time; TCP accepts more, and nobody answers them."""
    request = "GET /accessories HTTP/1.1\r\nHost: a\r\n\r\n"
    refusal = http("HTTP/1.1 470 Connection Authorization Required", {"status": -70411})

    def connections(answered_at_once):
        for number in range(18):
            start = 20 + number / 10
            log = [{"t": start, "dir": ">", "raw": request.encode().hex(), "encrypted": False, "text": request}]
            last = number == 17
            if last and not answered_at_once:
                log.append({"t": start + 0.5, "dir": "<", "nothing_for": 0.5})
            at = 31.0 if last and not answered_at_once else start + 0.01
            log.append({"t": at, "dir": "<", "raw": refusal.encode().hex(), "encrypted": False, "text": refusal})
            log.append({"t": 30.0 + number / 10 + 2 * last, "dir": ">", "closed": "eof"})
            yield {"id": f"c{number}", "log": log}

    def played(**how):
        made = Recording()
        base = made.json()
        base["cases"][1] = {"name": "made up", "note": "", "connections": list(connections(**how))}
        return [(one.track, one.reason) for one in to_accessory(read(base), cut).differences]

    assert played(answered_at_once=False) == []
    assert played(answered_at_once=True) == [("c17", "no answer"), ("c17", "a message too much")]
