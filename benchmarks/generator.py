"""The load generator: one plain controller that drives every accessory in the same way.

Blocking sockets and hapcore's cryptography, nothing else: no event loop whose cost would depend on the accessory. The
pairing procedures take a function that carries one exchange, so that they run over a socket and over an engine in
memory alike.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hapcore.codec import tlv8
from hapcore.crypto.frames import FrameOpener, FrameSealer, SessionKeys, session_keys
from hapcore.crypto.keys import ed25519_public, hkdf, open_sealed, seal, sign, verify, x25519, x25519_public
from hapcore.crypto.srp import SrpController

SETUP_CODE = "031-45-154"

#: TLV types of the pairing messages (HAP 2.1).
METHOD, IDENTIFIER, SALT, PUBLIC_KEY, PROOF, ENCRYPTED, STATE, ERROR, SIGNATURE = 0, 1, 2, 3, 4, 5, 6, 7, 10

#: Carries one pairing request and returns the body of the answer.
Exchange = Callable[[str, bytes], bytes]


class PairingError(Exception):
    """The accessory answered with a TLV error."""

    def __init__(self, step: str, code: bytes) -> None:
        super().__init__(f"{step}: error {code.hex()}")


@dataclass(frozen=True)
class Keys:
    """What a pairing leaves behind."""

    controller_id: bytes
    controller_ltsk: bytes
    accessory_id: bytes
    accessory_ltpk: bytes


def _answer(exchange: Exchange, path: str, step: str, items: list[tuple[int, bytes]]) -> dict[int, bytes]:
    answer = dict(tlv8.decode_tolerant(exchange(path, tlv8.encode(items))))
    if ERROR in answer:
        raise PairingError(step, answer[ERROR])
    return answer


def pair_setup(exchange: Exchange, code: str = SETUP_CODE) -> Keys:
    """Pair. The draws are repeated until no value begins with a zero byte: some accessories refuse those (HAP 3.3)."""
    path = "/pair-setup"
    while True:
        m2 = _answer(exchange, path, "M2", [(METHOD, b"\0"), (STATE, b"\1")])
        if m2[PUBLIC_KEY].rjust(384, b"\0")[0]:
            break
    while True:
        srp = SrpController(m2[SALT], m2[PUBLIC_KEY], code, os.urandom(32))
        if not srp.awkward:
            break
    m4 = _answer(exchange, path, "M4", [(STATE, b"\3"), (PUBLIC_KEY, srp.public), (PROOF, srp.proof)])
    if not srp.check_m2(m4[PROOF]):
        raise PairingError("M4", b"proof")
    shared = srp.session_key.reveal()
    key = hkdf(shared, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    seed = os.urandom(32)
    public = ed25519_public(seed)
    identifier = b"00000000-0000-4000-8000-%012X" % int.from_bytes(os.urandom(6), "big")
    mine = hkdf(shared, b"Pair-Setup-Controller-Sign-Salt", b"Pair-Setup-Controller-Sign-Info")
    inner = tlv8.encode(
        [(IDENTIFIER, identifier), (PUBLIC_KEY, public), (SIGNATURE, sign(seed, mine + identifier + public))]
    )
    m6 = _answer(exchange, path, "M6", [(STATE, b"\5"), (ENCRYPTED, seal(key, b"PS-Msg05", inner))])
    opened = open_sealed(key, b"PS-Msg06", m6[ENCRYPTED])
    if opened is None:
        raise PairingError("M6", b"tag")
    theirs = dict(tlv8.decode_tolerant(opened))
    info = hkdf(shared, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
    if not verify(theirs[PUBLIC_KEY], info + theirs[IDENTIFIER] + theirs[PUBLIC_KEY], theirs[SIGNATURE]):
        raise PairingError("M6", b"signature")
    return Keys(identifier, seed, theirs[IDENTIFIER], theirs[PUBLIC_KEY])


def pair_verify(exchange: Exchange, keys: Keys) -> SessionKeys:
    """Verify: the keys of the session."""
    path = "/pair-verify"
    private = os.urandom(32)
    public = x25519_public(private)
    m2 = _answer(exchange, path, "M2", [(STATE, b"\1"), (PUBLIC_KEY, public)])
    theirs = m2[PUBLIC_KEY]
    shared = x25519(private, theirs)
    if shared is None:
        raise PairingError("M2", b"key")
    key = hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")
    opened = open_sealed(key, b"PV-Msg02", m2[ENCRYPTED])
    if opened is None:
        raise PairingError("M2", b"tag")
    inner = dict(tlv8.decode_tolerant(opened))
    if not verify(keys.accessory_ltpk, theirs + inner[IDENTIFIER] + public, inner[SIGNATURE]):
        raise PairingError("M2", b"signature")
    signature = sign(keys.controller_ltsk, public + keys.controller_id + theirs)
    mine = tlv8.encode([(IDENTIFIER, keys.controller_id), (SIGNATURE, signature)])
    _answer(exchange, path, "M4", [(STATE, b"\3"), (ENCRYPTED, seal(key, b"PV-Msg03", mine))])
    return session_keys(shared)


def post(path: str, body: bytes) -> bytes:
    """A pairing request as it goes on the wire."""
    return (
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nContent-Type: application/pairing+tlv8\r\n\r\n"
        % (path.encode(), len(body))
    ) + body


def get(target: str) -> bytes:
    """A GET as it goes on the wire before it is sealed."""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def put(body: object) -> bytes:
    """A PUT /characteristics as it goes on the wire before it is sealed."""
    text = json.dumps(body, separators=(",", ":")).encode()
    return (
        b"PUT /characteristics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: application/hap+json\r\n\r\n" % len(text)
    ) + text


def take(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take one complete HTTP response out of `buffer`: status and body. An event has the status 0."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end])
    body = end + 4
    status = 0 if head.startswith(b"EVENT") else int(head[9:12])
    lower = head.lower()
    if (at := lower.find(b"\r\ncontent-length:")) >= 0:
        stop = lower.find(b"\r\n", at + 2)
        length = int(lower[at + 17 : stop if stop >= 0 else None])
        if len(buffer) < body + length:
            return None
        content = bytes(buffer[body : body + length])
        del buffer[: body + length]
        return status, content
    if b"chunked" in lower:
        pieces = []
        position = body
        while True:
            line = buffer.find(b"\r\n", position)
            if line < 0:
                return None
            size = int(buffer[position:line], 16)
            if len(buffer) < line + 4 + size:
                return None
            pieces.append(bytes(buffer[line + 2 : line + 2 + size]))
            position = line + 4 + size
            if not size:
                del buffer[:position]
                return status, b"".join(pieces)
    del buffer[:body]
    return status, b""


class Connection:
    """One TCP connection to an accessory, plain first, sealed after `secure`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self._sealer: FrameSealer | None = None
        self._opener: FrameOpener | None = None

    def secure(self, keys: SessionKeys) -> None:
        """Everything from here on is sealed."""
        self._sealer = FrameSealer(keys.write)
        self._opener = FrameOpener(keys.read)

    def send(self, request: bytes) -> None:
        """Send one request."""
        self.socket.sendall(self._sealer.seal(request) if self._sealer else request)

    def receive(self) -> int:
        """Wait for more bytes; how many of them were content."""
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("the accessory closed the connection")
        opened = self._opener.feed(data) if self._opener else data
        self.buffer += opened
        return len(opened)

    def answer(self) -> tuple[int, bytes]:
        """The next response; events before it are dropped."""
        while True:
            found = take(self.buffer)
            if found is None:
                self.receive()
            elif found[0]:
                return found

    def request(self, request: bytes) -> tuple[int, bytes]:
        """One request and its response."""
        self.send(request)
        return self.answer()

    def exchange(self, path: str, body: bytes) -> bytes:
        """One pairing request."""
        status, answer = self.request(post(path, body))
        if status != 200:
            raise ConnectionError(f"{path} was answered with {status}")
        return answer

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


def paired(port: int) -> Keys:
    """Pair over a connection of its own."""
    connection = Connection(port)
    try:
        return pair_setup(connection.exchange)
    finally:
        connection.close()


def verified(port: int, keys: Keys) -> Connection:
    """A verified connection."""
    connection = Connection(port)
    connection.secure(pair_verify(connection.exchange, keys))
    return connection


def unpair(port: int, keys: Keys) -> None:
    """Remove the pairing again."""
    connection = verified(port, keys)
    _answer(connection.exchange, "/pairings", "M2", [(METHOD, b"\4"), (STATE, b"\1"), (IDENTIFIER, keys.controller_id)])
    connection.close()


def database(connection: Connection) -> list[dict]:
    """The accessories."""
    status, body = connection.request(get("/accessories"))
    if status != 200:
        raise ConnectionError(f"/accessories was answered with {status}")
    return json.loads(body)["accessories"]


def find(accessories: list[dict], kind: str, aid: int | None = None) -> tuple[int, int]:
    """Numbers of the first characteristic whose short type is `kind`, such as "25" for On."""
    for accessory in accessories:
        if aid not in (None, accessory["aid"]):
            continue
        for service in accessory["services"]:
            for characteristic in service["characteristics"]:
                if characteristic["type"].partition("-")[0].lstrip("0") == kind:
                    return accessory["aid"], characteristic["iid"]
    raise LookupError(kind)


def repeat(connection: Connection, requests: list[bytes], seconds: float) -> tuple[int, float]:
    """Requests one after the other, in turn, for so long: how many, and how long it really took."""
    count = 0
    turn = len(requests)
    started = time.perf_counter()
    until = started + seconds
    while True:
        status, body = connection.request(requests[count % turn])
        if status not in (200, 204, 207):
            raise ConnectionError(f"answered with {status}: {body[:200]!r}")
        count += 1
        now = time.perf_counter()
        if now >= until:
            return count, now - started


def repeat_many(connections: list[Connection], requests: list[bytes], seconds: float) -> tuple[int, float]:
    """The same with one request in flight on each of the connections."""
    poller = select.epoll()
    by_number = {}
    for connection in connections:
        by_number[connection.socket.fileno()] = connection
        poller.register(connection.socket.fileno(), select.EPOLLIN)
    turn = len(requests)
    count = 0
    started = time.perf_counter()
    until = started + seconds
    waiting = len(connections)
    for connection in connections:
        connection.send(requests[0])
    stopping = False
    while waiting:
        for number, _ in poller.poll(30):
            connection = by_number[number]
            connection.receive()
            while (found := take(connection.buffer)) is not None:
                status, body = found
                if status not in (200, 204, 207):
                    raise ConnectionError(f"answered with {status}: {body[:200]!r}")
                count += 1
                if stopping:
                    waiting -= 1
                else:
                    connection.send(requests[count % turn])
        stopping = stopping or time.perf_counter() >= until
    poller.close()
    return count, time.perf_counter() - started


def gather_events(connections: list[Connection], wanted: int, quiet: float = 1.0) -> Iterator[int]:
    """Count the values of the events that come in: yields the sum so far until `wanted`, or nothing for `quiet` s."""
    poller = select.epoll()
    by_number = {}
    for connection in connections:
        by_number[connection.socket.fileno()] = connection
        poller.register(connection.socket.fileno(), select.EPOLLIN)
    count = 0
    while count < wanted:
        ready = poller.poll(quiet)
        if not ready:
            break
        for number, _ in ready:
            connection = by_number[number]
            connection.receive()
            buffer = connection.buffer
            # The last message may be cut: what is left of it holds no complete value.
            last = buffer.rfind(b"}")
            count += buffer.count(b'"iid"', 0, last)
            del buffer[: last + 1]
        yield count
    poller.close()
