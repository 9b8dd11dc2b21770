"""Pair-setup over HTTP and the management of pairings, controller's side."""

from __future__ import annotations

import pytest
from tests.core.controller_peer import (
    CONTROLLER_ID,
    PAIRING,
    TLV,
    Accessory,
    Link,
    answer,
    entropy,
    verified,
)

from hapcore.codec import tlv8
from hapcore.codec.http import RequestReader, write_response
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    LocalProtocolError,
    PairingRefused,
    Refused,
    RemoteProtocolError,
)
from hapcore.ip.controller import (
    AddPairing,
    Connection,
    FinishPairSetup,
    ListPairings,
    Read,
    RemovePairing,
    SessionClosed,
    StartPairSetup,
    State,
    VerifyPairing,
)
from hapcore.pairing.records import Pairing, PairingEntry, new_controller_identity, new_identity
from hapcore.pairing.setup import CodeVerifier, SetupDesk
from hapcore.setup_code import SetupCode

CODE = "031-45-154"


class SetupAccessory(Accessory):
    """Lets a setup desk answer; `zeros` answers to M1 carry a key that starts with a zero byte."""

    def __init__(self, *, paired: bool = False, zeros: int = 0) -> None:
        super().__init__()
        self.identity = new_identity(entropy)
        self.desk = SetupDesk(self.identity, CodeVerifier(CODE, entropy), entropy)
        self.paired = paired
        self.zeros = zeros
        self.bodies: list[bytes] = []
        self.requests_reader = RequestReader()

    def receive(self, data: bytes) -> bytes:
        if b"/pair-setup" not in data:
            return super().receive(data)
        self.requests_reader.feed(data)
        request = self.requests_reader.next()
        assert request is not None
        assert (request.method, request.content_type) == ("POST", TLV)
        self.bodies.append(request.body)
        step = self.desk.receive(0, request.body, paired=self.paired, failed_attempts=0, now=0.0)
        reply = step.reply
        if reply is None:
            return answer(400)
        if len(self.bodies) <= self.zeros:
            items = [(kind, b"\x07" * 383 if kind == 3 else value) for kind, value in tlv8.decode(reply)]
            reply = tlv8.encode(items)
        return write_response(200, TLV, reply)


def connect(accessory: Accessory) -> Link:
    return Link(Connection("192.0.2.7", entropy=entropy), accessory)


def test_setup_in_two_phases() -> None:
    accessory = SetupAccessory()
    link = connect(accessory)
    assert link.ask(StartPairSetup(expected_id=accessory.identity.device_id.lower())) is None
    assert link.engine.state is State.CODE_WANTED
    assert tlv8.decode(accessory.bodies[0]) == [(0, b"\0"), (6, b"\x01")]
    link.now = 600.0
    pairing = link.ask(FinishPairSetup(SetupCode(CODE)))
    assert isinstance(pairing, Pairing)
    assert pairing.accessory_id == accessory.identity.device_id
    assert pairing.accessory_ltpk == accessory.identity.ltpk
    assert link.engine.state is State.PLAIN
    # The same connection can go on with pair-verify.
    error = link.ask(VerifyPairing(pairing))
    assert isinstance(error, AccessoryChanged), "the scripted verify has another identity"


def test_setup_keeps_a_given_identity() -> None:
    identity = new_controller_identity(lambda _, length: bytes(range(1, length + 1)))
    link = connect(SetupAccessory())
    link.do(StartPairSetup(identity=identity))
    pairing = link.ask(FinishPairSetup(SetupCode(CODE)))
    assert pairing.controller_id == identity.identifier
    assert pairing.controller_ltsk == identity.ltsk


def test_wrong_code_wants_a_new_start() -> None:
    link = connect(SetupAccessory())
    link.do(StartPairSetup())
    error = link.ask(FinishPairSetup(SetupCode("111-22-333")))
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (2, 4)
    assert "111" not in str(error)
    with pytest.raises(LocalProtocolError):
        link.do(FinishPairSetup(SetupCode(CODE)))
    assert link.ask(StartPairSetup()) is None
    assert isinstance(link.ask(FinishPairSetup(SetupCode(CODE))), Pairing)


def test_start_again_when_the_key_begins_with_zero() -> None:
    accessory = SetupAccessory(zeros=1)
    link = connect(accessory)
    assert link.ask(StartPairSetup()) is None
    assert [tlv8.first(tlv8.decode(one), 6) for one in accessory.bodies] == [b"\x01", b"\x01"]
    assert isinstance(link.ask(FinishPairSetup(SetupCode(CODE))), Pairing)


def test_start_again_has_an_end() -> None:
    accessory = SetupAccessory(zeros=99)
    assert connect(accessory).ask(StartPairSetup()) is None
    assert len(accessory.bodies) == 3


def test_another_accessory_than_discovered() -> None:
    link = connect(SetupAccessory())
    link.do(StartPairSetup(expected_id="00:00:00:00:00:00"))
    error = link.ask(FinishPairSetup(SetupCode(CODE)))
    assert isinstance(error, AccessoryChanged)
    assert link.outputs[-1] == SessionClosed(error)


def test_paired_already() -> None:
    error = connect(SetupAccessory(paired=True)).ask(StartPairSetup())
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (6, 2)


def test_finish_depends_on_start() -> None:
    link = connect(SetupAccessory(paired=True))
    link.engine.submit(StartPairSetup(), 0.0)
    finish = link.engine.submit(FinishPairSetup(SetupCode(CODE)), 0.0)
    link.pump()
    assert isinstance(link.reply(finish), PairingRefused)


# --- pairings -------------------------------------------------------------------------------------------------------


def done(*items: tuple[int, bytes]) -> bytes:
    return write_response(200, TLV, tlv8.encode([(6, b"\x02"), *items]))


def test_list_pairings() -> None:
    records = [(1, b"me"), (3, b"\x01" * 32), (11, b"\x01"), (255, b""), (1, b"you"), (3, b"\x02" * 32), (11, b"\0")]
    link = verified(done(*records))
    assert link.ask(ListPairings()) == (
        PairingEntry(b"me", b"\x01" * 32, admin=True),
        PairingEntry(b"you", b"\x02" * 32, admin=False),
    )
    assert link.accessory.raw[0] == (
        b"POST /pairings HTTP/1.1\r\nHost: 192.0.2.7\r\nContent-Length: 6\r\n"
        b"Content-Type: application/pairing+tlv8\r\n\r\n\x06\x01\x01\x00\x01\x05"
    )


def test_add_pairing() -> None:
    link = verified(done(), done((7, b"\x04")))
    assert link.ask(AddPairing(b"new", b"\x03" * 32, admin=True)) is None
    assert tlv8.decode(link.accessory.requests[0].body) == [
        (6, b"\x01"),
        (0, b"\x03"),
        (1, b"new"),
        (3, b"\x03" * 32),
        (11, b"\x01"),
    ]
    error = link.ask(AddPairing(b"more", b"\x03" * 32))
    assert isinstance(error, PairingRefused)
    assert error.error == 4
    assert link.engine.state is State.SECURED


@pytest.mark.parametrize(
    "command",
    [
        AddPairing(b"", b"\x01" * 32),
        AddPairing(b"x" * 37, b"\x01" * 32),
        AddPairing(b"x", bytes(32)),
        AddPairing(b"x", b"\x01" * 31),
        RemovePairing(b""),
    ],
)
def test_impossible_pairings_raise(command: AddPairing | RemovePairing) -> None:
    link = verified()
    with pytest.raises(LocalProtocolError):
        link.do(command)
    assert link.sent == []


def test_removing_another_keeps_the_session() -> None:
    link = verified(done(), done())
    assert link.ask(RemovePairing(b"other")) is None
    assert link.engine.state is State.SECURED


def test_removing_ourselves_ends_the_session() -> None:
    link = verified(done())
    own = link.engine.submit(RemovePairing(CONTROLLER_ID.encode()), 0.0)
    late = link.engine.submit(Read([(1, 9)]), 0.0)
    link.pump()
    assert link.reply(own) is None
    assert type(link.reply(late)) is Disconnected
    assert link.outputs[-1] == SessionClosed(None)
    link.engine.receive_eof(1.0)
    link.pump()
    assert link.outputs[-1] == SessionClosed(None)
    assert len([one for one in link.outputs if isinstance(one, SessionClosed)]) == 1


def test_removing_ourselves_without_answer_is_a_disconnect() -> None:
    link = verified(None)
    number = link.do(RemovePairing(CONTROLLER_ID.encode()))
    link.engine.receive_eof(1.0)
    link.pump()
    assert type(link.reply(number)) is Disconnected


def test_pairings_without_rights() -> None:
    link = verified(done((7, b"\x02")), answer(470))
    error = link.ask(ListPairings())
    assert isinstance(error, PairingRefused)
    assert error.error == 2
    refused = link.ask(ListPairings())
    assert type(refused) is Refused
    assert link.engine.state is State.CLOSED


def test_unreadable_list() -> None:
    link = verified(done((1, b"me"), (3, b"short")))
    assert type(link.ask(ListPairings())) is RemoteProtocolError
    assert link.engine.state is State.SECURED


def test_no_secret_shows() -> None:
    shown = repr((VerifyPairing(PAIRING), FinishPairSetup(SetupCode(CODE))))
    assert PAIRING.controller_ltsk.reveal().hex() not in shown
    assert repr(PAIRING.controller_ltsk.reveal()) not in shown
    assert CODE not in shown
