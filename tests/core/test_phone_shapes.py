"""Requests in the very shapes that iPhones, hubs and their Siri send, as recorded, into our accessory.

Each test names the section of the reference that recorded its shape. Keys and proofs are made here; what goes around
them (the order of items and headers, the Host, the spacing of JSON, the numbers) is the phone's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.core.accessory_rig import CODE, Draws, Line, Rig
from tests.core.pairing_kit import CONTROLLER
from tests.core.setup_rig import m3_of, m5_of, srp_of

from hapcore.catalogue import services
from hapcore.codec import tlv8
from hapcore.codec.http import Response
from hapcore.crypto import keys
from hapcore.crypto.frames import FrameOpener, FrameSealer, session_keys
from hapcore.ids import HapStatus
from hapcore.ip.accessory import PairingAdded, SessionOpened, UpdateValues, WriteRequested
from hapcore.model.accessory import Accessory
from hapcore.pairing.items import Item
from hapcore.pairing.pairings import encode_list

#: The instance name that phones put into Host, its blanks escaped as DNS does it (HAP 8.2).
HOST = rb"HASS\032Bridge\032AD1C22._hap._tcp.local"
#: A process id of a phone, above 2^63 (HAP 8.2, 9.3).
PID = 12997885735329922147


class Clear(FrameOpener):
    """Opens frames and keeps what was in them."""

    text = b""

    def feed(self, data: bytes) -> bytes:
        found = super().feed(data)
        self.text += found
        return found


class Phone:
    """A line with a phone at its other end."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.line: Line = rig.line()

    def get(self, target: str) -> Response:
        """Nothing but Host goes with a GET (HAP 8.2)."""
        self.line.send(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target.encode(), HOST))
        return self.line.take()

    def send(self, method: str, target: str, body: bytes, kind: bytes = b"application/hap+json") -> Response:
        """Host, Content-Length, Content-Type, in this order (HAP 8.2)."""
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\nContent-Type: %b\r\n\r\n"
        self.line.send(head % (method.encode(), target.encode(), HOST, len(body), kind) + body)
        return self.line.take()

    def tell(self, path: str, *items: tuple[int, bytes]) -> bytes:
        """A pairing message, its items in this order."""
        answer = self.send("POST", path, tlv8.encode(items), b"application/pairing+tlv8")
        assert answer.status == 200
        return answer.body

    def pair(self, minutes: float = 0.0) -> None:
        """M1 is Method and State, M3 State, PublicKey and Proof, M5 EncryptedData and State (HAP 1.2, 4.1)."""
        answer = self.send("POST", "/pair-setup", bytes.fromhex("000100060101"), b"application/pairing+tlv8")
        srp = srp_of(answer.body, CODE.text)
        self.rig.pass_time(60 * minutes)
        third = tlv8.decode(m3_of(srp))
        assert [kind for kind, _ in third] == [Item.STATE, Item.PUBLIC_KEY, Item.PROOF]
        assert tlv8.decode(self.tell("/pair-setup", *third))[0] == (Item.STATE, b"\x04")
        fifth = tlv8.decode(m5_of(srp))[::-1]
        assert [kind for kind, _ in fifth] == [Item.ENCRYPTED_DATA, Item.STATE]
        assert tlv8.decode(self.tell("/pair-setup", *fifth))[0] == (Item.STATE, b"\x06")

    def verify(self) -> None:
        """M1 is PublicKey and State, and M3 has State last, too (HAP 5.1, 12)."""
        private = Draws("ephemeral")("x25519", 32)
        public = keys.x25519_public(private)
        answer = tlv8.decode(self.tell("/pair-verify", (Item.PUBLIC_KEY, public), (Item.STATE, b"\x01")))
        theirs = tlv8.first(answer, Item.PUBLIC_KEY) or b""
        shared = keys.x25519(private, theirs)
        assert shared is not None
        key = keys.hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")
        identifier = CONTROLLER.identifier.encode()
        signature = keys.sign(CONTROLLER.ltsk.reveal(), public + identifier + theirs)
        inner = tlv8.encode([(Item.IDENTIFIER, identifier), (Item.SIGNATURE, signature)])
        sealed = keys.seal(key, b"PV-Msg03", inner)
        done = self.tell("/pair-verify", (Item.ENCRYPTED_DATA, sealed), (Item.STATE, b"\x03"))
        assert done == bytes.fromhex("060104")
        found = session_keys(shared)
        self.clear = self.line.opener = Clear(found.read)
        self.line.sealer = FrameSealer(found.write)

    def raw(self, request: bytes) -> Response:
        """A request as it was recorded."""
        self.line.send(request)
        return self.line.take()


@pytest.fixture(params=["whole", "byte by byte"])
def phone(request: pytest.FixtureRequest) -> Phone:
    """Unpaired; what it sends comes whole, or a byte at a time."""
    if request.param == "whole":
        return Phone(Rig())
    return Phone(Rig(cut=_bytes))


def _bytes(data: bytes) -> Iterator[bytes]:
    # What is long goes in pieces: a thousand calls for every key say no more.
    step = 1 if len(data) < 200 else 7
    return (data[at : at + step] for at in range(0, len(data), step))


@pytest.fixture
def paired() -> Phone:
    """Paired and verified."""
    phone = Phone(Rig())
    phone.pair()
    phone.verify()
    return phone


def test_the_whole_way_in(phone: Phone) -> None:
    """HAP 4.1, 5.1, 8.2: pairing, verifying, reading, all in a phone's shapes."""
    phone.pair()
    (added,) = phone.rig.said(PairingAdded)
    assert added == PairingAdded(CONTROLLER.identifier.encode(), admin=True)
    phone.verify()
    assert len(phone.rig.said(SessionOpened)) == 1
    assert phone.get("/accessories").status == 200
    assert json.loads(phone.get("/characteristics?id=1.10").body)["characteristics"][0]["aid"] == 1


def test_a_person_who_takes_minutes_to_find_the_label(phone: Phone) -> None:
    """HAP 4.2: since iOS 12 a phone connects first and asks for the code then."""
    phone.pair(minutes=10)
    phone.verify()


def test_a_phone_that_forgets_that_it_has_begun() -> None:
    """HAP 4.3, seen with iOS 12.1: M1 again in the middle, and the second run is the one that counts."""
    phone = Phone(Rig())
    first = phone.send("POST", "/pair-setup", bytes.fromhex("000100060101"), b"application/pairing+tlv8").body
    phone.pair()
    assert tlv8.first(tlv8.decode(first), Item.PUBLIC_KEY)
    assert phone.rig.server.paired


def test_the_identifier_comes_back_as_it_was_given(paired: Phone) -> None:
    """HAP 6: iOS 16 drops an accessory that changes the case of its id."""
    answer = tlv8.decode(paired.tell("/pairings", *tlv8.decode(encode_list())))
    assert tlv8.first(answer, Item.IDENTIFIER) == b"3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162"


def test_subscribing_byte_for_byte() -> None:
    """HAP 13.13: the recorded request, its 49 bytes of JSON without a blank; the answer is one line."""
    light = services.Lightbulb(on=False)
    phone = Phone(Rig(accessories=[Accessory("Lamp", services=[light])]))
    phone.pair()
    phone.verify()
    answer = phone.raw(
        b"PUT /characteristics HTTP/1.1\r\n"
        b"Host: HASS12\\032AD1C22._hap._tcp.local\r\n"
        b"Content-Length: 49\r\n"
        b"Content-Type: application/hap+json\r\n\r\n"
        b'{"characteristics":[{"aid":1,"iid":9,"ev":true}]}'
    )
    assert answer.status == 204
    assert phone.clear.text == b"HTTP/1.1 204 No Content\r\n\r\n"
    phone.rig.submit(UpdateValues({light.on.id: True}))
    (event,) = phone.line.events()
    assert event[0]["iid"] == 9
    # HAP 13.13: the event in the form that Apple's accessories give it.
    assert phone.clear.text.partition(b"\r\n\r\n")[2].startswith(
        b"EVENT/1.0 200 OK\r\nContent-Type: application/hap+json"
    )


def test_accessory_ids_as_large_as_hash_values() -> None:
    """HAP 8.2, 13.13: bridges whose ids are hashes are read as 99096807.3 and 3762173001.7."""
    rig = Rig(accessories=[Accessory.bridge("Bridge"), *(_lamp(aid) for aid in (99096807, 3762173001, 2**63 + 5))])
    phone = Phone(rig)
    phone.pair()
    phone.verify()
    for aid in (99096807, 3762173001, 2**63 + 5):
        answer = phone.get(f"/characteristics?id={aid}.3,{aid}.4")
        assert answer.status in (200, 207)
        assert [(one["aid"], one["iid"]) for one in json.loads(answer.body)["characteristics"]] == [(aid, 3), (aid, 4)]
    answer = phone.raw(b"GET /characteristics?id=3762173001.7 HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST)
    assert json.loads(answer.body)["characteristics"][0]["iid"] == 7


def _lamp(aid: int) -> Accessory:
    return Accessory(f"Lamp {aid}", services=[services.Lightbulb(on=False)], aid=aid)


def _prepare(phone: Phone, pid: int = PID) -> Response:
    """HAP 13.13: ttl before pid."""
    return phone.send("PUT", "/prepare", b'{"ttl":5000,"pid":%d}' % pid)


def _execute(phone: Phone, pid: int) -> Response:
    body = b'{"characteristics":[{"aid":1,"iid":13,"value":true}],"pid":%d}' % pid
    return phone.send("PUT", "/characteristics", body)


def test_a_process_id_above_a_signed_integer(paired: Phone) -> None:
    """HAP 9.3, 12: every bit of it counts, as a double would not have it."""
    answer = _prepare(paired)
    assert (answer.status, answer.body) == (200, b'{"status":0}')
    assert _execute(paired, PID).status == 204
    assert paired.rig.lamp.lock.value is True
    for wrong in (PID - 1, PID + 1, PID - 2**63):
        _prepare(paired)
        refused = _execute(paired, wrong)
        assert refused.status == 207
        (entry,) = json.loads(refused.body)["characteristics"]
        assert entry["status"] == HapStatus.INVALID_VALUE


def test_the_five_seconds_of_a_prepared_write(paired: Phone) -> None:
    """HAP 9.3: ttl 5000."""
    _prepare(paired)
    paired.rig.pass_time(4.9)
    assert _execute(paired, PID).status == 204
    _prepare(paired)
    paired.rig.pass_time(5.1)
    assert _execute(paired, PID).status == 207


def test_a_picture_of_what_has_no_camera(paired: Phone) -> None:
    """HAP 8.2: the recorded request for a snapshot; it is refused, and the connection goes on."""
    body = b'{"image-height":360,"resource-type":"image","image-width":640,"aid":1411620844}'
    assert 400 <= paired.send("POST", "/resource", body).status < 500
    assert paired.get("/characteristics?id=1.10").status == 200


def test_a_write_through_a_hub(paired: Phone) -> None:
    """HAP 9.5: the entry says `remote`, and the application is told."""
    paired.rig.lamp.asked.setter(lambda value, caller: None)
    body = b'{"characteristics":[{"aid":1,"iid":17,"value":3,"remote":true}]}'
    paired.line.send(
        b"PUT /characteristics HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n"
        b"Content-Type: application/hap+json\r\n\r\n%b" % (HOST, len(body), body)
    )
    (asked,) = paired.rig.said(WriteRequested)
    assert asked.writes[0].remote


def test_all_of_an_accessory_at_once_and_again_after_a_reconnect(paired: Phone) -> None:
    """HAP 9.6: subscriptions, an accessory in a request, and again with each connection; then everything is read."""
    body = b'{"characteristics":[{"aid":1,"iid":10,"ev":true},{"aid":1,"iid":11,"ev":true}]}'
    for _ in range(2):
        assert paired.send("PUT", "/characteristics", body).status == 204
        answer = paired.get("/characteristics?id=1.10,1.11,1.16")
        assert answer.status == 200
        paired.rig.server.receive_eof(paired.line.connection, paired.rig.now)
        paired.rig.drain()
        paired.line = paired.rig.line()
        paired.verify()


def test_what_phones_read(paired: Phone) -> None:
    """HAP 8.3: a length rather than chunks, which iOS has stalled on; no header that it does not need."""
    answer = paired.get("/accessories")
    head, _, body = paired.clear.text.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert sorted(line.partition(b":")[0] for line in lines[1:]) == [b"Content-Length", b"Content-Type"]
    assert body == answer.body


def test_a_switch_written_as_a_number(paired: Phone) -> None:
    """HAP 8.8: a boolean comes as true, or as 1."""
    for value, meant in ((b"1", True), (b"0", False), (b"true", True)):
        body = b'{"characteristics":[{"aid":1,"iid":10,"value":%b}]}' % value
        assert paired.send("PUT", "/characteristics", body).status == 204
        assert paired.rig.lamp.on.value is meant


def test_identify_before_pairing(phone: Phone) -> None:
    """HAP 8.9: a POST without a body, and so without the headers of one."""
    phone.line.send(b"POST /identify HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST)
    assert phone.line.take().status == 204
