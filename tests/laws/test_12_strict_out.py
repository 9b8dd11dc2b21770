"""Law 12: what we send has one exact shape; what we accept may come in many."""

from __future__ import annotations

import json

import pytest
from tests.core.accessory_rig import Draws, Rig

from hapcore.engine import Done, SendBytes
from hapcore.ip.controller import CharacteristicWrite, Connection, Read, StartPairSetup, Subscribe, VerifyPairing, Write


class Tap:
    """Our controller on our accessory, with an ear on the clear text between them."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.line = self.rig.line()
        self.engine = Connection("192.0.2.1", entropy=Draws("controller"))
        self.requests: list[bytes] = []
        feed = self.rig.server._serve

        def listen(session):
            self.requests.append(bytes(session.reader._inbox.data))
            feed(session)

        self.rig.server._serve = listen

    def do(self, command: object) -> Done:
        self.engine.submit(command, 0.0)
        while True:
            output = self.engine.poll()
            if isinstance(output, SendBytes):
                self.rig.server.receive_data(self.line.connection, output.data, self.rig.now)
                while (reply := self.rig.server.poll()) is not None:
                    if isinstance(reply, SendBytes):
                        self.engine.receive_data(reply.data, 0.0)
            elif isinstance(output, Done):
                return output
            else:
                assert output is not None


def test_pair_setup_as_phones_write_it() -> None:
    tap = Tap()
    tap.do(StartPairSetup())
    assert tap.requests[0] == (
        b"POST /pair-setup HTTP/1.1\r\nHost: 192.0.2.1\r\nContent-Length: 6\r\n"
        b"Content-Type: application/pairing+tlv8\r\n\r\n\x00\x01\x00\x06\x01\x01"
    )


def test_requests_of_a_session() -> None:
    tap = Tap()
    tap.do(VerifyPairing(tap.rig.pairing()))
    tap.requests.clear()
    tap.do(Read([(1, 10), (1, 11)]))
    tap.do(Write([CharacteristicWrite((1, 10), True), CharacteristicWrite((1, 11), 7)]))
    tap.do(Subscribe([(1, 10)]))
    bodies = [
        b'{"characteristics":[{"aid":1,"iid":10,"value":1},{"aid":1,"iid":11,"value":7}]}',
        b'{"characteristics":[{"aid":1,"iid":10,"ev":true}]}',
    ]
    head = (
        b"PUT /characteristics HTTP/1.1\r\nHost: 192.0.2.1\r\nContent-Length: %d\r\n"
        b"Content-Type: application/hap+json\r\n\r\n"
    )
    assert tap.requests == [
        b"GET /characteristics?id=1.10,1.11 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
        *(head % len(body) + body for body in bodies),
    ]


@pytest.mark.parametrize("request_", ["read", "accessories"])
def test_our_json_is_compact_with_booleans_as_numbers(request_: str) -> None:
    line = Rig().session()
    answer = line.get("1.10") if request_ == "read" else line.ask("GET", "/accessories")
    text = answer.body.decode()
    assert json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False) == text
    assert '"value":true' not in text
    assert '"value":false' not in text


def test_a_request_is_one_write() -> None:
    engine = Connection("192.0.2.1", entropy=Draws())
    engine.submit(StartPairSetup(), 0.0)
    assert isinstance(engine.poll(), SendBytes)
    assert engine.poll() is None
