"""The controller engine with a scripted accessory: verify, read, write, subscribe, identify, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.controller_peer import (
    ACCESSORY_ID,
    DATABASE,
    PAIRING,
    TLV,
    Accessory,
    Link,
    answer,
    entropy,
    event,
    knowing,
    verified,
)

from hapcore.engine import SendBytes
from hapcore.errors import (
    AccessoryChanged,
    DesynchronisedError,
    LocalProtocolError,
    PairingRefused,
    Refused,
    RemoteProtocolError,
    ValueRefused,
)
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Connection,
    GetAccessories,
    Identify,
    Read,
    ReadResult,
    SessionClosed,
    State,
    Subscribe,
    Unsubscribe,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.ip.controller.access import MAX_CHARACTERISTICS

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


@pytest.mark.parametrize("portion", [0, 1, 7])
def test_verify_then_read(portion: int) -> None:
    link = verified(values(b'{"aid":1,"iid":9,"value":1}'), portion=portion)
    assert link.engine.state is State.SECURED
    assert link.ask(Read([ON])) == {ON: ReadResult(1)}
    assert link.accessory.raw == [b"GET /characteristics?id=1.9 HTTP/1.1\r\nHost: 192.0.2.7\r\n\r\n"]
    assert link.sent[0] != link.accessory.raw[0]


def test_bytes_behind_m4_are_ciphertext() -> None:
    accessory = Accessory()
    accessory.behind_m4 = event(b'{"characteristics":[{"aid":1,"iid":9,"value":1}]}')
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    assert link.ask(VerifyPairing(PAIRING)) is None
    assert change(link) == [(ON, 1)]


def test_clear_text_behind_m4_is_no_event() -> None:
    accessory = Accessory()
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    receive = accessory.receive

    def receive_and_add(data: bytes) -> bytes:
        out = receive(data)
        return out + event(b'{"characteristics":[{"aid":1,"iid":9,"value":1}]}') if accessory.sealer else out

    accessory.receive = receive_and_add  # type: ignore[method-assign]
    number = link.do(VerifyPairing(PAIRING))
    assert isinstance(link.reply(number), type(None))
    assert change(link) == []
    closed = link.outputs[-1]
    assert isinstance(closed, SessionClosed)
    assert isinstance(closed.reason, DesynchronisedError)


def test_events_in_clear_are_not_believed() -> None:
    link = Link(Connection("192.0.2.7", entropy=entropy), Accessory())
    link.feed(event(b'{"characteristics":[{"aid":1,"iid":9,"value":1}]}'))
    assert link.outputs == []
    assert link.engine.state is State.PLAIN


def test_commands_may_be_submitted_ahead() -> None:
    accessory = Accessory([values(b'{"aid":1,"iid":9,"value":0}')])
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    first = link.engine.submit(VerifyPairing(PAIRING), 0.0)
    second = link.engine.submit(Read([ON]), 0.0)
    link.pump()
    assert link.reply(first) is None
    assert link.reply(second) == {ON: ReadResult(0)}


def test_what_depended_on_a_failed_command_fails_with_it() -> None:
    accessory = Accessory([answer(204)])
    accessory.m4 = [(6, b"\x04"), (7, b"\x02")]
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    first = link.engine.submit(VerifyPairing(PAIRING), 0.0)
    second = link.engine.submit(Read([ON]), 0.0)
    identify = link.engine.submit(Identify(), 0.0)
    link.pump()
    error = link.reply(first)
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (2, 4)
    assert link.reply(second) is error
    # Identify is possible without a session too, so it keeps its turn.
    assert link.reply(identify) is None
    assert link.engine.state is State.PLAIN
    accessory.m4 = [(6, b"\x04")]
    assert link.ask(VerifyPairing(PAIRING)) is None


def test_another_accessory_closes() -> None:
    from attrs import evolve

    link = Link(Connection("192.0.2.7", entropy=entropy), Accessory())
    error = link.ask(VerifyPairing(evolve(PAIRING, accessory_id="AA:" + ACCESSORY_ID[3:])))
    assert isinstance(error, AccessoryChanged)
    assert link.engine.state is State.CLOSED
    assert link.outputs[-1] == SessionClosed(error)


def test_accessories_are_kept_for_conversion() -> None:
    link = verified(answer(200, DATABASE), values(b'{"aid":1,"iid":9,"value":1},{"aid":1,"iid":13,"value":"AQID"}'))
    found = link.ask(GetAccessories())
    assert [one.aid for one in found] == [1, 2]
    assert link.engine.accessories == found
    assert link.ask(Read([ON, SETUP])) == {ON: ReadResult(True), SETUP: ReadResult(b"\x01\x02\x03")}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(200, b"not json"), RemoteProtocolError),
        (answer(200, b'{"accessories":[]}'), RemoteProtocolError),
        (answer(200), RemoteProtocolError),
        (answer(500, b'{"status":-70407}'), Refused),
    ],
)
def test_accessories_unreadable(reply: bytes, expected: type[Exception]) -> None:
    link = verified(reply)
    assert type(link.ask(GetAccessories())) is expected
    assert link.engine.state is State.SECURED


def test_write_without_database_sends_natural_values() -> None:
    link = verified(answer(204))
    writes = [
        CharacteristicWrite(ON, True),
        CharacteristicWrite(BRIGHTNESS, 55),
        CharacteristicWrite(HUE, 1e-7),
        CharacteristicWrite(CharacteristicId(1, 20), 'a"b'),
        CharacteristicWrite(SETUP, b"\x00\xff", auth_data=b"\xaa\xbb", remote=True, response=True),
    ]
    assert link.ask(Write(writes)) == {one.id: WriteResult() for one in writes}
    body = (
        b'{"characteristics":[{"aid":1,"iid":9,"value":1},{"aid":1,"iid":10,"value":55},'
        b'{"aid":1,"iid":11,"value":0.0000001},{"aid":1,"iid":20,"value":"a\\"b"},'
        b'{"aid":1,"iid":13,"value":"AP8=","authData":"qrs=","remote":true,"r":true}]}'
    )
    assert link.accessory.raw == [
        b"PUT /characteristics HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: %d\r\n"
        b"Content-Type: application/hap+json\r\n\r\n%b" % (len(body), body)
    ]


def test_write_is_rounded_by_the_database() -> None:
    link = knowing(answer(204))
    link.ask(Write([CharacteristicWrite(BRIGHTNESS, 53), CharacteristicWrite(HUE, 22.3)]))
    assert link.accessory.requests[0].body == (
        b'{"characteristics":[{"aid":1,"iid":10,"value":55},{"aid":1,"iid":11,"value":22.5}]}'
    )


@pytest.mark.parametrize("value", [None, "x", 103, -3, float("nan"), b""])
def test_bad_value_raises_at_submission(value: Any) -> None:
    link = knowing()
    with pytest.raises(ValueRefused):
        link.do(Write([CharacteristicWrite(BRIGHTNESS, value)]))
    assert link.outputs == []
    assert link.sent == []


@pytest.mark.parametrize("value", [None, float("inf"), float("nan"), 2**64, -(2**31) - 1, "\ud800"])
def test_bad_value_without_database(value: Any) -> None:
    with pytest.raises(ValueRefused):
        verified().do(Write([CharacteristicWrite(ON, value)]))


def test_write_results() -> None:
    link = knowing(
        values(b'{"aid":1,"iid":13,"status":0,"value":"AQ=="},{"aid":1,"iid":9,"status":-70404}', status=207)
    )
    result = link.ask(Write([CharacteristicWrite(ON, True), CharacteristicWrite(SETUP, b"", response=True)]))
    assert result == {ON: WriteResult(HapStatus.READ_ONLY), SETUP: WriteResult(HapStatus.SUCCESS, b"\x01")}


def test_timed_write_by_itself_where_the_database_wants_it() -> None:
    link = knowing(answer(200, b'{"status":0}'), answer(204))
    assert link.ask(Write([CharacteristicWrite(TARGET, 1)])) == {TARGET: WriteResult()}
    prepare, execute = link.accessory.requests
    pid = int.from_bytes(entropy("timed-write.pid", 8), "big")
    assert (prepare.method, prepare.target) == ("PUT", "/prepare")
    assert prepare.body == b'{"ttl":10000,"pid":%d}' % pid
    assert execute.body == b'{"characteristics":[{"aid":1,"iid":12,"value":1}],"pid":%d}' % pid


def test_timed_write_on_demand() -> None:
    link = verified(answer(200, b'{"status":0}'), answer(204))
    link.ask(Write([CharacteristicWrite(ON, True)], timed_ms=2500))
    assert link.accessory.requests[0].body.startswith(b'{"ttl":2500,"pid":')


@pytest.mark.parametrize(
    ("reply", "status"), [(answer(200, b'{"status":-70410}'), -70410), (answer(400), None), (answer(429), -70403)]
)
def test_refused_prepare_writes_nothing(reply: bytes, status: int | None) -> None:
    link = verified(reply)
    error = link.ask(Write([CharacteristicWrite(ON, True)], timed_ms=2500))
    assert isinstance(error, Refused)
    assert error.hap_status == status
    assert len(link.accessory.requests) == 1
    assert link.engine.state is State.SECURED


def test_subscribe_asks_each_accessory() -> None:
    other = CharacteristicId(2, 9)
    link = verified(answer(204), values(b'{"aid":2,"iid":9,"status":-70406}', status=207), answer(204), answer(400))
    assert link.ask(Subscribe([ON, other, BRIGHTNESS])) == {
        ON: HapStatus.SUCCESS,
        other: HapStatus.NOTIFICATION_NOT_SUPPORTED,
        BRIGHTNESS: HapStatus.SUCCESS,
    }
    assert [one.body for one in link.accessory.requests] == [
        b'{"characteristics":[{"aid":1,"iid":9,"ev":true},{"aid":1,"iid":10,"ev":true}]}',
        b'{"characteristics":[{"aid":2,"iid":9,"ev":true}]}',
    ]
    # One refused request of two is a status, not the end of the other.
    assert link.ask(Unsubscribe([ON, other])) == {ON: HapStatus.SUCCESS, other: HapStatus.UNABLE_TO_COMMUNICATE}
    assert b'"ev":false' in link.accessory.requests[2].body


def test_subscribe_refused_altogether_fails() -> None:
    link = verified(answer(400, b'{"status":-70409}'), answer(400))
    error = link.ask(Subscribe([ON, (2, 9)]))
    assert isinstance(error, Refused)
    assert (error.status, error.hap_status) == (400, -70409)
    assert link.engine.state is State.SECURED


def test_reads_are_split_by_49() -> None:
    ids = [CharacteristicId(1, number) for number in range(1, 101)]
    replies = [
        values(b",".join(b'{"aid":1,"iid":%d,"value":%d}' % (one.iid, one.iid) for one in reversed(batch)))
        for batch in (ids[:49], ids[49:98], ids[98:])
    ]
    link = verified(*replies)
    result = link.ask(Read(ids))
    assert list(result) == ids
    assert all(result[one].value == one.iid for one in ids)
    assert [one.target.count(",") for one in link.accessory.requests] == [48, 48, 1]


def test_read_twice_the_same_asks_once() -> None:
    link = verified(values(b'{"aid":1,"iid":9,"value":1}'))
    link.ask(Read([ON, ON]))
    assert link.accessory.requests[0].target == "/characteristics?id=1.9"


def test_read_flags() -> None:
    link = verified(
        answer(200, b'{"characteristics":[{"aid":1,"iid":9,"type":"25","value":0},"perms":["pr"],"ev":false]}')
    )
    result = link.ask(Read([ON], meta=True, perms=True, type=True, ev=True))
    assert link.accessory.requests[0].target == "/characteristics?id=1.9&meta=1&perms=1&type=1&ev=1"
    assert result[ON].value == 0
    assert result[ON].fields == {"type": "25", "perms": ["pr"], "ev": False}


def test_no_request_is_a_multiple_of_1024_long() -> None:
    link = verified(*[answer(204)] * 1200)
    for extra in range(900, 2100):
        link.do(Write([CharacteristicWrite(ON, "x" * extra)]))
    assert len(link.accessory.raw) == 1200
    assert not [one for one in link.accessory.raw if not len(one) % 1024]


def test_no_long_query_is_a_multiple_of_1024_long() -> None:
    asked = 0
    for digits in range(1, 20):
        ids = [CharacteristicId(10**17 + number, 10**9 + number) for number in range(32)]
        ids.append(CharacteristicId(10**digits, 1))
        link = verified(values(b""), values(b""))
        assert list(link.ask(Read(ids))) == ids
        asked += len(link.accessory.raw)
        assert not [one for one in link.accessory.raw if not len(one) % 1024]
    assert asked == 20


def test_identify_without_session() -> None:
    link = Link(Connection("192.0.2.7", entropy=entropy), Accessory([answer(204), answer(400, b'{"status":-70401}')]))
    assert link.ask(Identify()) is None
    assert link.sent == [b"POST /identify HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: 0\r\n\r\n"]
    error = link.ask(Identify())
    assert isinstance(error, Refused)
    assert (error.status, error.hap_status) == (400, -70401)


def test_identify_in_a_session_writes_the_characteristic() -> None:
    link = verified(answer(200, DATABASE), answer(204), values(b'{"aid":2,"iid":2,"status":-70402}', status=207))
    assert link.ask(Identify()) is None
    assert [one.target for one in link.accessory.requests] == ["/accessories", "/characteristics"]
    assert link.accessory.requests[1].body == b'{"characteristics":[{"aid":1,"iid":2,"value":1}]}'
    error = link.ask(Identify(aid=2))
    assert isinstance(error, Refused)
    assert error.hap_status == -70402
    assert isinstance(link.ask(Identify(aid=3)), LocalProtocolError)


@pytest.mark.parametrize(
    "command",
    [
        Read([]),
        Read([(0, 1)]),
        Write([]),
        Write([CharacteristicWrite(ON, 1), CharacteristicWrite(ON, 0)]),
        Write([CharacteristicWrite(ON, 1)], timed_ms=0),
        Subscribe([]),
        Identify(aid=0),
    ],
)
def test_impossible_arguments_raise(command: Any) -> None:
    link = verified()
    with pytest.raises(LocalProtocolError):
        link.do(command)
    assert link.outputs == []


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("10.0.0.1", b"10.0.0.1"),
        ("fe80::1%eth0", b"[fe80::1]"),
        ("[2001:db8::1]", b"[2001:db8::1]"),
        ("lamp.local", b"lamp.local"),
    ],
)
def test_host_header(host: str, header: bytes) -> None:
    engine = Connection(host, entropy=entropy)
    engine.submit(Identify(), 0.0)
    output = engine.poll()
    assert isinstance(output, SendBytes)
    assert b"\r\nHost: " + header + b"\r\n" in output.data


@pytest.mark.parametrize("host", ["", "10.0.0.1:80", "a b", "x\r\ny", "h" * 256, "ü"])
def test_bad_host(host: str) -> None:
    with pytest.raises(LocalProtocolError):
        Connection(host, entropy=entropy)


def test_pairing_answers_in_4xx_are_tlv() -> None:
    accessory = Accessory()
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)

    def refuse(_: bytes) -> bytes:
        return answer(400, b"\x06\x01\x02\x07\x01\x02", TLV)

    accessory.receive = refuse  # type: ignore[method-assign]
    error = link.ask(VerifyPairing(PAIRING))
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (2, 2)


@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (answer(470), Refused, 470),
        (answer(400), Refused, 400),
        (answer(400, b"", TLV), Refused, 400),
        (answer(500, b"\x06\x01\x02", "text/plain"), Refused, 500),
        (answer(200, b"\xff", TLV), RemoteProtocolError, None),
        (answer(204), RemoteProtocolError, None),
    ],
)
def test_pairing_answers_without_tlv(reply: bytes, kind: type[Exception], status: int | None) -> None:
    accessory = Accessory()
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    accessory.receive = lambda _: reply  # type: ignore[method-assign]
    error = link.ask(VerifyPairing(PAIRING))
    assert type(error) is kind
    assert getattr(error, "status", None) == status
    assert link.engine.state is State.PLAIN


def test_busy_by_http_status() -> None:
    accessory = Accessory()
    link = Link(Connection("192.0.2.7", entropy=entropy), accessory)
    accessory.receive = lambda _: answer(429)  # type: ignore[method-assign]
    error = link.ask(VerifyPairing(PAIRING))
    assert isinstance(error, PairingRefused)
    assert error.error == 7


def test_authorization_data_does_not_show() -> None:
    shown = repr(CharacteristicWrite(ON, True, auth_data=b"pin 1234"))
    assert "1234" not in shown
    assert "<8 bytes>" in shown


def test_more_characteristics_than_any_bridge_has() -> None:
    with pytest.raises(LocalProtocolError, match="at most"):
        verified().do(Read([ON] * (MAX_CHARACTERISTICS + 1)))
