"""One test for each row of the table of wire quirks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.core.controller_peer import (
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

from hapcore.errors import PairingRefused, Refused
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Connection,
    Read,
    ReadResult,
    Subscribe,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.ip.controller.reading import status_of
from hapcore.ip.quirks import WIRE_QUIRKS

ON = CharacteristicId(1, 9)
BRIGHTNESS = CharacteristicId(1, 10)
TESTS: dict[str, Callable[[], None]] = {}


def quirk(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(test: Callable[[], None]) -> Callable[[], None]:
        assert name not in TESTS
        TESTS[name] = test
        return test

    return keep


def read(reply: bytes, *ids: CharacteristicId, **flags: bool) -> Any:
    return verified(reply).ask(Read(ids or (ON,), **flags))


def write(reply: bytes, *ids: CharacteristicId) -> Any:
    return verified(reply).ask(Write([CharacteristicWrite(one, 1) for one in ids or (ON,)]))


@quirk("early-braces")
def _() -> None:
    body = b'{"characteristics":[{"aid":1,"iid":9,"value":0},"ev":false,{"aid":1,"iid":10,"value":75},"unit":"lux"]}'
    assert read(answer(200, body), ON, BRIGHTNESS, meta=True, ev=True) == {
        ON: ReadResult(0, HapStatus.SUCCESS, {"ev": False}),
        BRIGHTNESS: ReadResult(75, HapStatus.SUCCESS, {"unit": "lux"}),
    }


@quirk("positive-status")
def _() -> None:
    reply = answer(207, b'{"characteristics":[{"aid":1,"iid":9,"status":70411}]}')
    assert write(reply) == {ON: WriteResult(HapStatus.INSUFFICIENT_AUTHORIZATION)}
    assert read(reply) == {ON: ReadResult(None, HapStatus.INSUFFICIENT_AUTHORIZATION)}


@quirk("unknown-status")
def _() -> None:
    assert write(answer(207, b'{"characteristics":[{"aid":1,"iid":9,"status":-6}]}')) == {ON: WriteResult(-6)}
    assert status_of(-70402.0) is HapStatus.UNABLE_TO_COMMUNICATE
    assert status_of("no") is HapStatus.UNABLE_TO_COMMUNICATE


@quirk("status-at-top")
def _() -> None:
    reply = answer(207, b'{"status":-70407}')
    assert read(reply, ON, BRIGHTNESS) == dict.fromkeys((ON, BRIGHTNESS), ReadResult(None, HapStatus.OUT_OF_RESOURCES))
    assert write(reply, ON) == {ON: WriteResult(HapStatus.OUT_OF_RESOURCES)}


@quirk("missing-status")
def _() -> None:
    reply = answer(207, b'{"characteristics":[{"aid":1,"iid":9,"value":1},{"aid":1,"iid":10,"status":-70402}]}')
    assert read(reply, ON, BRIGHTNESS) == {
        ON: ReadResult(1),
        BRIGHTNESS: ReadResult(None, HapStatus.UNABLE_TO_COMMUNICATE),
    }
    # A write that lists failures alone, and a read that leaves something out.
    assert write(reply, ON, CharacteristicId(1, 99))[CharacteristicId(1, 99)] == WriteResult()
    assert read(reply, CharacteristicId(1, 99)) == {
        CharacteristicId(1, 99): ReadResult(None, HapStatus.UNABLE_TO_COMMUNICATE)
    }


@quirk("entry-no-object")
def _() -> None:
    reply = answer(
        200,
        b'{"characteristics":[true,null,[1],{"aid":1},{"aid":[1],"iid":9},{"aid":"1","iid":9,"value":5},'
        b'{"aid":1,"iid":9,"value":1},false]}',
    )
    assert read(reply) == {ON: ReadResult(1)}
    link = knowing()
    link.say(event(b'{"characteristics":[true,7,{"iid":3},{"aid":1,"iid":10},{"aid":1,"iid":10,"value":1}]}'))
    assert link.outputs == [CharacteristicChanged(BRIGHTNESS, 1)]


@quirk("any-order")
def _() -> None:
    reply = answer(
        200,
        b'{"characteristics":[{"value":5,"iid":10,"aid":1},{"aid":7,"iid":7,"value":9},{"iid":9,"value":1,"aid":1}]}',
    )
    result = read(reply, ON, BRIGHTNESS)
    assert list(result.items()) == [(ON, ReadResult(1)), (BRIGHTNESS, ReadResult(5))]


@quirk("all-failed-400")
def _() -> None:
    reply = answer(400, b'{"characteristics":[{"aid":1,"iid":9,"status":-70409}]}')
    assert read(reply) == {ON: ReadResult(None, HapStatus.DOES_NOT_EXIST)}
    assert write(reply) == {ON: WriteResult(HapStatus.DOES_NOT_EXIST)}


@quirk("refused-prepare-200")
def _() -> None:
    link = verified(answer(200, b'{"status":-70410}'))
    error = link.ask(Write([CharacteristicWrite(ON, 1)], timed_ms=100))
    assert isinstance(error, Refused)
    assert error.hap_status == -70410


@quirk("pairing-4xx")
def _() -> None:
    accessory = Accessory()
    accessory.receive = lambda _: answer(405, b"\x06\x01\x02\x07\x01\x06", f"{TLV}; charset=x")  # type: ignore[method-assign]
    error = Link(Connection("192.0.2.7", entropy=entropy), accessory).ask(VerifyPairing(PAIRING))
    assert isinstance(error, PairingRefused)
    assert error.error == 6


@quirk("empty-event")
def _() -> None:
    link = knowing(None)
    link.do(Read([ON]))
    link.say(event(b"") + event(b"") + answer(200, b'{"characteristics":[{"aid":1,"iid":9,"value":1}]}'))
    assert len(link.outputs) == 1


@quirk("reversed-duplicates")
def _() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":1,"iid":10,"value":3},{"aid":1,"iid":10,"value":2}]}'))
    assert link.outputs[-1] == CharacteristicChanged(BRIGHTNESS, 3)


@quirk("null-event")
def _() -> None:
    link = knowing()
    link.say(event(b'{"characteristics":[{"aid":1,"iid":10,"value":null},{"aid":9,"iid":9,"value":null}]}'))
    assert link.outputs == []


@quirk("multiple-of-1024")
def _() -> None:
    body = len(b'{"characteristics":[{"aid":1,"iid":9,"value":""}]}')
    head = len(b"PUT /characteristics HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: 999\r\n")
    head += len(b"Content-Type: application/hap+json\r\n\r\n")
    link = verified(answer(204))
    link.ask(Write([CharacteristicWrite(ON, "x" * (1024 - head - body))]))
    assert len(link.accessory.raw[0]) == 1025
    assert link.accessory.raw[0].endswith(b'x"}]} ')


@quirk("many-ids")
def _() -> None:
    link = verified(answer(200), answer(200))
    link.ask(Read([(1, number) for number in range(1, 51)]))
    assert [one.target.count(".") for one in link.accessory.requests] == [49, 1]


@quirk("one-aid-per-subscription")
def _() -> None:
    link = verified(answer(204), answer(204))
    link.ask(Subscribe([(1, 9), (2, 9), (1, 10)]))
    assert [one.body.count(b'"aid"') for one in link.accessory.requests] == [2, 1]


@quirk("no-port-in-host")
def _() -> None:
    link = verified(answer(200, DATABASE))
    link.ask(Read([ON]))
    assert b"\r\nHost: 192.0.2.7\r\n" in link.accessory.raw[0]


@quirk("number-for-bool")
def _() -> None:
    for link in (verified(answer(204), answer(204)), knowing(answer(204), answer(204))):
        link.ask(Write([CharacteristicWrite(ON, True)]))
        link.ask(Write([CharacteristicWrite(ON, False)]))
        assert [one.body[-4:] for one in link.accessory.requests] == [b":1}]}"[-4:], b":0}]}"[-4:]]


def test_every_row_has_a_test() -> None:
    assert [row.id for row in WIRE_QUIRKS] == list(TESTS)
    assert all(row.device and row.source and row.what for row in WIRE_QUIRKS)


@pytest.mark.parametrize("name", TESTS)
def test_quirk(name: str) -> None:
    TESTS[name]()
