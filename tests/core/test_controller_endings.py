"""Events at any time, and every way for a connection to end: each command has one end, of the right kind."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.controller_peer import (
    PAIRING,
    Accessory,
    Link,
    answer,
    entropy,
    event,
    knowing,
    verified,
)

from hapcore.engine import CloseConnection, Done, Failed
from hapcore.errors import (
    DesynchronisedError,
    Disconnected,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from hapcore.ids import CharacteristicId
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Close,
    Connection,
    EventUnreadable,
    GetAccessories,
    Read,
    ReadResult,
    SessionClosed,
    State,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.ip.controller.connection import MAX_WAITING, PAIRING_TIMEOUT, REQUEST_TIMEOUT

ON = CharacteristicId(1, 9)
BRIGHTNESS = CharacteristicId(1, 10)
HUE = CharacteristicId(1, 11)
TARGET = CharacteristicId(1, 12)
SETUP = CharacteristicId(1, 13)
SWITCH = CharacteristicId(1, 14)


def values(body: bytes, status: int = 200) -> bytes:
    """An answer with a list of characteristics."""
    return answer(status, b'{"characteristics":[%b]}' % body)


def change(link: Link) -> list[tuple[CharacteristicId, Any]]:
    """The changes reported so far."""
    return [(one.id, one.value) for one in link.outputs if isinstance(one, CharacteristicChanged)]


# --- events ---------------------------------------------------------------------------------------------------------


def test_event_between_request_and_answer() -> None:
    link = knowing(None)
    number = link.do(Read([ON]))
    link.say(
        event(b'{"characteristics":[{"aid":1,"iid":10,"value":7}]}')
        + values(b'{"aid":1,"iid":9,"value":1}')
        + event(b'{"characteristics":[{"aid":1,"iid":10,"value":8}]}')
    )
    kinds = [type(one) for one in link.outputs]
    assert kinds == [CharacteristicChanged, Done, CharacteristicChanged]
    assert link.reply(number) == {ON: ReadResult(True)}
    assert change(link) == [(BRIGHTNESS, 7), (BRIGHTNESS, 8)]


def test_first_of_several_values_is_reported_last() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":1,"iid":10,"value":3},{"aid":1,"iid":10,"value":2}]}'))
    assert change(link) == [(BRIGHTNESS, 2), (BRIGHTNESS, 3)]


def test_null_is_no_change_but_a_press() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":1,"iid":10,"value":null},{"aid":1,"iid":14,"value":null}]}'))
    assert change(link) == [(SWITCH, None)]


def test_equal_presses_are_all_reported() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":1,"iid":14,"value":0},{"aid":1,"iid":14,"value":0}]}'))
    assert change(link) == [(SWITCH, 0), (SWITCH, 0)]


def test_event_for_unknown_ids_is_reported() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":77,"iid":88,"value":"x"}]}'))
    assert change(link) == [(CharacteristicId(77, 88), "x")]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"characteristics":[]}'])
def test_empty_events_keep_alive(body: bytes) -> None:
    link = knowing()
    link.say(event(body))
    assert link.outputs == []


@pytest.mark.parametrize("body", [b"[]", b"{]", b'{"characteristics":1}', b"\xff"])
def test_unreadable_event_is_reported_and_survived(body: bytes) -> None:
    link = knowing(values(b'{"aid":1,"iid":9,"value":1}'))
    link.say(event(body))
    assert [type(one) for one in link.outputs] == [EventUnreadable]
    assert link.ask(Read([ON])) == {ON: ReadResult(True)}


# --- endings --------------------------------------------------------------------------------------------------------


def three_commands(link: Link) -> list[Any]:
    """One command in flight, two waiting."""
    return [link.do(Read([ON])), link.do(Read([HUE])), link.do(Subscribe([ON]))]


def test_eof_fails_everything_once() -> None:
    link = verified(None)
    numbers = three_commands(link)
    link.engine.receive_eof(1.0)
    link.engine.receive_eof(1.0)
    link.pump()
    for number in numbers:
        assert type(link.reply(number)) is Disconnected
    assert link.outputs[-2] == CloseConnection(link.outputs[-2].connection)  # type: ignore[attr-defined]
    assert isinstance(link.outputs[-1], SessionClosed)
    assert link.engine.next_timeout() is None
    assert type(link.ask(Read([ON]))) is Disconnected


def test_eof_while_idle() -> None:
    link = verified()
    link.engine.receive_eof(1.0)
    link.pump()
    assert [type(one) for one in link.outputs] == [CloseConnection, SessionClosed]


def test_eof_inside_an_answer() -> None:
    link = verified(None)
    number = link.do(Read([ON]))
    link.say(values(b'{"aid":1,"iid":9,"value":1}')[:-1])
    link.engine.receive_eof(1.0)
    link.pump()
    assert "in the middle" in str(link.reply(number))


def test_timeout_fails_everything() -> None:
    link = verified(None)
    link.now = 5.0
    numbers = three_commands(link)
    assert link.engine.next_timeout() == 5.0 + REQUEST_TIMEOUT
    link.say(event(b"{}"))
    link.engine.handle_timeout(5.0 + REQUEST_TIMEOUT - 0.001)
    link.pump()
    assert link.outputs == []
    link.engine.handle_timeout(5.0 + REQUEST_TIMEOUT)
    link.pump()
    for number in numbers:
        assert type(link.reply(number)) is TimedOut
    assert isinstance(link.outputs[-1], SessionClosed)
    assert link.engine.state is State.CLOSED


def test_no_timeout_without_request() -> None:
    link = verified(values(b'{"aid":1,"iid":9,"value":1}'))
    assert link.engine.next_timeout() is None
    link.ask(Read([ON]))
    assert link.engine.next_timeout() is None
    link.engine.handle_timeout(1e9)
    assert link.engine.state is State.SECURED


def test_pairing_steps_and_the_database_get_more_time() -> None:
    engine = Connection("192.0.2.7", entropy=entropy)
    engine.submit(VerifyPairing(PAIRING), 1.0)
    assert engine.next_timeout() == 1.0 + PAIRING_TIMEOUT
    link = verified(None)
    link.do(GetAccessories())
    assert link.engine.next_timeout() == PAIRING_TIMEOUT


def test_tag_failure_is_desynchronised() -> None:
    link = verified(None)
    numbers = three_commands(link)
    sealed = bytearray(link.accessory.sealed(values(b"")))
    sealed[-1] ^= 1
    link.feed(bytes(sealed))
    for number in numbers:
        assert type(link.reply(number)) is DesynchronisedError


def test_replayed_frame_is_desynchronised() -> None:
    link = verified()
    sealed = link.accessory.sealed(event(b"{}"))
    link.feed(sealed + sealed)
    closed = link.outputs[-1]
    assert isinstance(closed, SessionClosed)
    assert isinstance(closed.reason, DesynchronisedError)


@pytest.mark.parametrize("portion", [0, 1])
def test_good_frames_before_a_bad_one_count(portion: int) -> None:
    link = verified(None, portion=portion)
    number = link.do(Read([ON]))
    good = link.accessory.sealed(values(b'{"aid":1,"iid":9,"value":1}'))
    link.feed(good + b"\x01\x00" + bytes(17))
    assert link.reply(number) == {ON: ReadResult(1)}
    assert link.engine.state is State.CLOSED


def test_too_long_frame_is_desynchronised() -> None:
    link = verified()
    link.feed(b"\x01\x04")
    closed = link.outputs[-1]
    assert isinstance(closed, SessionClosed)
    assert isinstance(closed.reason, DesynchronisedError)


def test_garbage_in_an_answer_closes() -> None:
    link = verified(None)
    number = link.do(Read([ON]))
    link.say(b"HELO\r\n\r\n")
    assert type(link.reply(number)) is RemoteProtocolError
    assert link.engine.state is State.CLOSED


def test_answer_to_nothing_closes() -> None:
    link = verified()
    link.say(answer(204))
    assert isinstance(link.outputs[-1], SessionClosed)
    assert "nothing was asked" in str(link.outputs[-1].reason)


@pytest.mark.parametrize("status", [470, 401])
def test_unauthorised_is_refused_and_closes(status: int) -> None:
    link = verified(answer(status, b'{"status":-70411}'))
    numbers = three_commands(link)
    error = link.reply(numbers[0])
    assert isinstance(error, Refused)
    assert (error.status, error.hap_status) == (status, -70411)
    assert "not authorised" in str(error)
    assert SessionClosed(error) in link.outputs
    assert [type(link.reply(number)) for number in numbers[1:]] == [Disconnected, Disconnected]


def test_unauthorised_counts_whatever_else_the_answer_says() -> None:
    link = verified(answer(470, b'{"characteristics":[{"aid":1,"iid":9,"status":-70411}]}'))
    assert type(link.ask(Read([ON]))) is Refused
    assert link.engine.state is State.CLOSED


def test_unauthorised_half_way_is_no_result() -> None:
    link = verified(answer(204), answer(470))
    assert type(link.ask(Subscribe([ON, (2, 9)]))) is Refused
    assert link.engine.state is State.CLOSED


@pytest.mark.parametrize(
    ("reply", "status", "hap_status"),
    [
        (answer(404, b'{"status":-70409}'), 404, -70409),
        (answer(400), 400, None),
        (answer(503, b"<html>", "text/html"), 503, None),
        (answer(500, b'{"status":70407}'), 500, -70407),
        (answer(429), 429, -70403),
        (answer(302), 302, None),
    ],
)
def test_refused_keeps_the_connection(reply: bytes, status: int, hap_status: int | None) -> None:
    link = verified(reply, values(b'{"aid":1,"iid":9,"value":1}'))
    error = link.ask(Read([ON]))
    assert type(error) is Refused
    assert (error.status, error.hap_status) == (status, hap_status)
    assert link.ask(Read([ON])) == {ON: ReadResult(1)}


def test_close_fails_the_rest() -> None:
    link = verified(None)
    numbers = three_commands(link)
    assert link.ask(Close()) is None
    for number in numbers:
        assert type(link.reply(number)) is Disconnected
    assert SessionClosed(None) in link.outputs
    link.outputs.clear()
    assert link.ask(Close()) is None
    assert [type(one) for one in link.outputs] == [Done]


def test_waiting_commands_have_a_limit() -> None:
    link = verified(None)
    link.do(Read([ON]))
    for _ in range(MAX_WAITING):
        link.do(Read([ON]))
    with pytest.raises(LocalProtocolError, match="waiting"):
        link.do(Read([ON]))
    link.do(Close())
    assert sum(isinstance(one, Failed) for one in link.outputs) == MAX_WAITING + 1


def test_many_failing_at_once_do_not_recurse() -> None:
    def broken(label: str, length: int) -> bytes:
        return b"" if label.startswith("timed") else entropy(label, length)

    accessory = Accessory([None])
    link = Link(Connection("192.0.2.7", entropy=broken), accessory)
    link.ask(VerifyPairing(PAIRING))
    link.do(Read([ON]))
    for _ in range(MAX_WAITING):
        link.do(Write([CharacteristicWrite(ON, True)], timed_ms=100))
    link.say(values(b""))
    assert sum(isinstance(one, Failed) for one in link.outputs) == MAX_WAITING
    assert link.engine.state is State.SECURED


def test_time_never_runs_back() -> None:
    link = verified(None)
    link.now = 100.0
    link.do(Read([ON]))
    link.now = 1.0
    link.say(event(b"{}"))
    assert link.engine.next_timeout() == 100.0 + REQUEST_TIMEOUT
