"""A scripted accessory for tests of the controller engine, and a link that pumps bytes between the two.

Pair-verify and the frames are made by hand from the primitives here, independently of the machines under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hapcore.codec import tlv8
from hapcore.codec.http import Request, RequestReader, write_response
from hapcore.crypto import keys
from hapcore.crypto.frames import FrameOpener, FrameSealer, session_keys
from hapcore.crypto.secret import Secret
from hapcore.engine import CloseConnection, Command, CommandId, Done, Failed, Output, SendBytes
from hapcore.ip.controller import Connection, VerifyPairing
from hapcore.pairing.records import Pairing

JSON = "application/hap+json"
TLV = "application/pairing+tlv8"
ACCESSORY_SEED = bytes(range(32))
CONTROLLER_SEED = bytes(range(32, 64))
ACCESSORY_ID = "12:34:56:78:9A:BC"
CONTROLLER_ID = "6F1C8B8A-5C0B-4C39-9C3C-0B8A2A3E7D10"
PAIRING = Pairing(
    accessory_id=ACCESSORY_ID,
    accessory_ltpk=keys.ed25519_public(ACCESSORY_SEED),
    controller_id=CONTROLLER_ID,
    controller_ltsk=Secret(CONTROLLER_SEED),
)
DATABASE = (
    b'{"accessories":[{"aid":1,"services":['
    b'{"iid":1,"type":"3E","characteristics":[{"iid":2,"type":"14","format":"bool","perms":["pw"]}]},'
    b'{"iid":8,"type":"43","characteristics":['
    b'{"iid":9,"type":"25","format":"bool","perms":["pr","pw","ev"],"value":0},'
    b'{"iid":10,"type":"8","format":"int","perms":["pr","pw","ev"],"minValue":0,"maxValue":100,"minStep":5,"value":50},'
    b'{"iid":11,"type":"13","format":"float","perms":["pr","pw","ev"],"minValue":0,"maxValue":360,"minStep":0.5},'
    b'{"iid":12,"type":"1E","format":"uint8","perms":["pr","pw","ev","tw"],"minValue":0,"maxValue":1},'
    b'{"iid":13,"type":"118","format":"tlv8","perms":["pr","pw","wr"]},'
    b'{"iid":14,"type":"73","format":"uint8","perms":["pr","ev"],"value":null}]}]},'
    b'{"aid":2,"services":[{"iid":1,"type":"3E","characteristics":[{"iid":2,"type":"14","format":"bool","perms":["pw"]}]}]}]}'
)


def entropy(label: str, length: int) -> bytes:
    """The same draw for the same label, always."""
    return (label.encode() * length)[:length]


def event(body: bytes) -> bytes:
    """An event message."""
    return b"EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def answer(status: int, body: bytes = b"", content_type: str = JSON) -> bytes:
    """An HTTP answer with any status, also ones the library never sends."""
    head = f"HTTP/1.1 {status} Whatever\r\n"
    if body:
        head += f"Content-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Accessory:
    """Verifies by hand; answers what is asked in the session with `answers`, in turn, and notes what was asked.

    `answers` holds bytes (one whole answer), or None (say nothing).
    """

    def __init__(self, answers: Iterable[bytes | None] = ()) -> None:
        self.answers = list(answers)
        self.reader = RequestReader()
        self.requests: list[Request] = []
        self.raw: list[bytes] = []
        self.opener: FrameOpener | None = None
        self.sealer: FrameSealer | None = None
        self._ephemeral = b"\x11" * 32
        self._controller_key = b""
        self._shared = b""
        self.m2: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]] = lambda items: items
        self.m4: list[tuple[int, bytes]] = [(6, b"\x04")]
        #: Bytes to put behind M4 in the same portion, in clear.
        self.behind_m4 = b""

    def receive(self, data: bytes) -> bytes:
        """Bytes of the controller in, bytes for the controller out."""
        if self.opener is not None:
            data = self.opener.feed(data)
        self.raw.append(data)
        self.reader.feed(data)
        out = b""
        while (request := self.reader.next()) is not None:
            self.requests.append(request)
            if request.target == "/pair-verify" and self.sealer is None:
                out += self._verify(request.body)
            else:
                reply = self.answers.pop(0) if self.answers else None
                if reply:
                    out += self.sealed(reply)
        return out

    def sealed(self, data: bytes) -> bytes:
        """`data` as it goes over the connection."""
        return data if self.sealer is None else self.sealer.seal(data)

    def _verify(self, body: bytes) -> bytes:
        items = tlv8.decode(body)
        public = keys.x25519_public(self._ephemeral)
        if tlv8.first(items, 6) == b"\x01":
            self._controller_key = tlv8.first(items, 3) or b""
            shared = keys.x25519(self._ephemeral, self._controller_key)
            assert shared is not None
            self._shared = shared
            key = keys.hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")
            identifier = ACCESSORY_ID.encode()
            signature = keys.sign(ACCESSORY_SEED, public + identifier + self._controller_key)
            inner = tlv8.encode([(1, identifier), (10, signature)])
            sealed = keys.seal(key, b"PV-Msg02", inner)
            return write_response(200, TLV, tlv8.encode(self.m2([(6, b"\x02"), (3, public), (5, sealed)])))
        key = keys.hkdf(self._shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")
        plain = keys.open_sealed(key, b"PV-Msg03", tlv8.first(items, 5) or b"")
        assert plain is not None
        inner_items = tlv8.decode(plain)
        assert tlv8.first(inner_items, 1) == CONTROLLER_ID.encode()
        signed = self._controller_key + CONTROLLER_ID.encode() + public
        assert keys.verify(keys.ed25519_public(CONTROLLER_SEED), signed, tlv8.first(inner_items, 10) or b"")
        out = write_response(200, TLV, tlv8.encode(self.m4))
        if tlv8.first(self.m4, 7) is None:
            session = session_keys(self._shared)
            self.sealer, self.opener = FrameSealer(session.read), FrameOpener(session.write)
        return out + self.sealed(self.behind_m4)


class Link:
    """An engine and an accessory, tied together; `outputs` is all the engine said but for the bytes."""

    def __init__(self, engine: Connection, accessory: Accessory, *, portion: int = 0) -> None:
        self.engine = engine
        self.accessory = accessory
        self.portion = portion
        self.now = 0.0
        self.outputs: list[Output] = []
        self.sent: list[bytes] = []

    def do(self, command: Command[Any]) -> CommandId:
        """Submit and pump."""
        number = self.engine.submit(command, self.now)
        self.pump()
        return number

    def ask(self, command: Command[Any]) -> Any:
        """Submit, pump, and give the result, or the error the command failed with."""
        return self.reply(self.do(command))

    def reply(self, number: CommandId) -> Any:
        """The one reply to a command."""
        replies = [one for one in self.outputs if isinstance(one, Done | Failed) and one.command == number]
        assert len(replies) == 1, replies
        return replies[0].result if isinstance(replies[0], Done) else replies[0].error

    def pump(self) -> None:
        """Carry bytes until nobody says anything any more."""
        while (output := self.engine.poll()) is not None:
            if isinstance(output, SendBytes):
                self.sent.append(output.data)
                self.feed(self.accessory.receive(output.data), pump=False)
            else:
                self.outputs.append(output)

    def feed(self, data: bytes, *, pump: bool = True) -> None:
        """Bytes for the engine, in portions if so wanted."""
        size = self.portion or max(1, len(data))
        for start in range(0, len(data), size):
            self.engine.receive_data(data[start : start + size], self.now)
        if pump:
            self.pump()

    def say(self, data: bytes) -> None:
        """The accessory says something unasked."""
        self.feed(self.accessory.sealed(data))

    def events(self) -> list[Output]:
        """Everything but replies and effects."""
        return [one for one in self.outputs if not isinstance(one, Done | Failed | CloseConnection)]


def verified(*answers: bytes | None, portion: int = 0, **options: Any) -> Link:
    """A link with a session; `answers` are for what comes next."""
    accessory = Accessory(answers)
    link = Link(Connection("192.0.2.7", entropy=entropy, **options), accessory, portion=portion)
    assert link.ask(VerifyPairing(PAIRING)) is None
    accessory.requests.clear()
    accessory.raw.clear()
    link.sent.clear()
    link.outputs.clear()
    return link


def knowing(*answers: bytes | None, portion: int = 0, **options: Any) -> Link:
    """A link with a session whose engine knows `DATABASE`."""
    from hapcore.codec.json import read_tolerant
    from hapcore.model.remote import read_accessories

    return verified(*answers, portion=portion, database=read_accessories(read_tolerant(DATABASE)), **options)
