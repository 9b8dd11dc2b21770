"""hap_sync over anything that has recv and sendall."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.adapters.sync_home import CODE, open_lamp

import hap_sync
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import Disconnected, TimedOut
from hapcore.ip.controller import FinishPairSetup, GetAccessories, Identify, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode


class Memory:
    """One end of a pipe in memory. Without a file descriptor; nothing to read is a BlockingIOError."""

    def __init__(self) -> None:
        self.inbox: deque[bytes] = deque()
        self.other: Memory
        self.closed = False

    def recv(self, size: int) -> bytes:
        if not self.inbox:
            if self.closed or self.other.closed:
                return b""
            raise self.nothing()
        data = self.inbox.popleft()
        if len(data) > size:
            self.inbox.appendleft(data[size:])
        return data[:size]

    def nothing(self) -> Exception:
        return BlockingIOError()

    def sendall(self, data: bytes) -> None:
        if self.other.closed:
            raise BrokenPipeError(32, "Broken pipe")
        self.other.inbox.append(data)

    def close(self) -> None:
        self.closed = True


class Patient(Memory):
    """The same for who waits in recv(), for as long as it was told."""

    waits: float = -1

    def settimeout(self, seconds: float) -> None:
        self.waits = seconds

    def nothing(self) -> Exception:
        assert 0 <= self.waits <= 1
        return TimeoutError()


class Plain:
    """A socket behind two methods."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def recv(self, size: int) -> bytes:
        return self.sock.recv(size)

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data)

    def close(self) -> None:
        self.sock.close()


class Watched(Plain):
    """The same with a descriptor to wait for."""

    def fileno(self) -> int:
        return self.sock.fileno()


class Buffered(Watched):
    """The same, but it takes all there is and gives it out in small pieces, as TLS does."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.received = b""

    def recv(self, size: int) -> bytes:
        self.received = self.received or self.sock.recv(100_000)
        piece, self.received = self.received[:100], self.received[100:]
        return piece

    def pending(self) -> int:
        return len(self.received)


def memory(kind: type[Memory]) -> tuple[Memory, Memory]:
    one, two = kind(), kind()
    one.other, two.other = two, one
    return one, two


def watched(kind: type[Watched]) -> tuple[Watched, Watched]:
    one, two = socket.socketpair()
    return kind(one), kind(two)


PAIRS = {
    "sockets": socket.socketpair,
    "polled": lambda: memory(Memory),
    "patient": lambda: memory(Patient),
    "watched": lambda: watched(Watched),
    "buffered": lambda: watched(Buffered),
}


def tell_the_story(session: hap_sync.Session, light: Lightbulb) -> None:
    """Pair, verify, read, write, subscribe."""
    session.do(StartPairSetup())
    session.do(VerifyPairing(session.do(FinishPairSetup(SetupCode(CODE)))))
    session.do(GetAccessories())
    on = light.on.id
    assert session.read([on])[on].value is False
    session.write({light.brightness.id: 7})
    with session.subscribe([on]):
        session.identify()
        assert light.brightness.value == 7


@pytest.mark.parametrize("kind", PAIRS)
def test_both_ends_in_one_thread(kind: str) -> None:
    near, far = PAIRS[kind]()
    with open_lamp() as (light, server):
        ended = server.attach(near)
        with hap_sync.open_connection(far, "lamp") as session:
            tell_the_story(session, light)
            assert not ended()
            with session.subscribe([light.on.id]) as changes:
                light.on.value = True
                assert next(changes).value is True
        with pytest.raises(Disconnected, match="is closed"):
            session.do(GetAccessories())
        server.run(timeout=0.02)
        assert ended()
        assert not server._pump._wires  # the end was heard
        with pytest.raises((OSError, ValueError)):
            far.recv(1) if isinstance(far, socket.socket | Plain) else far.sendall(b"late")


def test_what_cannot_be_waited_for_is_asked_now_and_then() -> None:
    asked: list[int] = []

    class Counting(Memory):
        def recv(self, size: int) -> bytes:
            asked.append(size)
            return super().recv(size)

    near, _ = memory(Counting)
    with open_lamp() as (_, server):
        server.attach(near)
        server.run(timeout=0.05)
        assert 1 < len(asked) < 20


@contextmanager
def lamp_in_a_thread() -> Iterator[tuple[Lightbulb, hap_sync.AccessoryServer]]:
    started: list[Any] = []
    ready = threading.Event()

    def live() -> None:
        with open_lamp() as (light, server):
            started.append((light, server))
            ready.set()
            server.run()

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(10)
    (light, server) = started[0]
    try:
        yield light, server
    finally:
        server.call_soon(server.stop)
        thread.join(10)
        assert not thread.is_alive()


def test_a_client_alone_may_block_in_recv() -> None:
    """Two methods and nothing else: enough where there is nothing else to be served in the thread."""
    with lamp_in_a_thread() as (light, server):
        sock = socket.create_connection(("127.0.0.1", server.port))
        with hap_sync.open_connection(Plain(sock)) as session:
            tell_the_story(session, light)
        assert sock.fileno() == -1


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lamp")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "lamp.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(pem)
    return ours, ssl.create_default_context(cafile=pem)


def tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    ours, theirs = contexts
    near, far = socket.socketpair()
    wrapped: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: wrapped.append(ours.wrap_socket(near, server_side=True)))
    thread.start()
    client = theirs.wrap_socket(far, server_hostname="127.0.0.1")
    thread.join(10)
    return wrapped[0], client


def test_over_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    near, far = tls(contexts)
    with open_lamp() as (light, server):
        server.attach(near)
        with hap_sync.open_connection(far) as session:
            tell_the_story(session, light)
            long = session.read([light.on.id, *[light.brightness.id] * 500], meta=True)  # several TLS records
            assert long[light.on.id].value is False


@pytest.mark.parametrize(
    ("recv", "logged"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), ""),
        (RuntimeError("the modem is gone"), "the modem is gone"),
        ("text", "recv() returned str, not bytes"),
        (None, "recv() returned NoneType, not bytes"),
    ],
    ids=str,
)
def test_a_transport_that_fails_to_read_is_a_lost_connection(
    recv: object, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Memory):
        def recv(self, size: int) -> Any:
            if isinstance(recv, Exception):
                raise recv
            return recv

    one, two = Broken(), Memory()
    one.other, two.other = two, one
    with hap_sync.open_connection(one) as session:
        with pytest.raises(Disconnected):
            session.do(Identify())
        assert session.closed
    assert one.closed
    assert (logged in caplog.text) if logged else not caplog.text


def test_a_transport_that_fails_to_write_disturbs_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Memory):
        def sendall(self, data: bytes) -> None:
            raise RuntimeError("the modem is gone")

        def close(self) -> None:
            raise RuntimeError("it is really gone")

    with open_lamp() as (light, server):
        broken, far = Broken(), Memory()
        broken.other, far.other = far, broken
        server.attach(broken)
        far.sendall(b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n")
        near, other = socket.socketpair()
        server.attach(near)
        with hap_sync.open_connection(other) as session:
            tell_the_story(session, light)
        assert len(server._pump._wires) <= 1
    assert "the modem is gone" in caplog.text


@pytest.mark.parametrize("secured", [False, True])
def test_the_last_words_go_out_before_the_end(secured: bool, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    near, far = tls(contexts) if secured else socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with open_lamp() as (_, server):
        server.attach(near)
        wire = next(iter(server._pump._wires.values()))
        server._pump._send(wire, bytes(1_000_000))
        server.stop()
        got = 0
        far.setblocking(False)
        while server._pump._slow:
            server.step(0.01)
            try:
                while data := far.recv(100_000):
                    got += len(data)
            except (BlockingIOError, ssl.SSLWantReadError, BrokenPipeError):
                pass
        with suppress(ssl.SSLEOFError, BrokenPipeError):  # closed without TLS's own last words: HAP needs none
            while data := far.recv(100_000):
                got += len(data)
        far.close()
        assert got == 1_000_000


def test_who_stops_sending_still_gets_his_answers() -> None:
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with open_lamp() as (_, server):
        server.attach(near)
        server._pump._send(next(iter(server._pump._wires.values())), bytes(50_000))
        far.shutdown(socket.SHUT_WR)
        server.step(10)
        assert not server._pump._wires  # to the engine it is over
        got = 0
        while server._pump._slow:
            got += len(far.recv(1000))
            server.step(0)
        while data := far.recv(1000):
            got += len(data)
        far.close()
        assert got == 50_000


def test_an_accessory_that_never_answers_times_out() -> None:
    near, far = socket.socketpair()
    with near, hap_sync.open_connection(far, request_timeout=0.05) as session:
        with pytest.raises(TimedOut):
            session.do(Identify())
        assert session.closed
        with pytest.raises(Disconnected, match="is closed"):
            session.do(Identify())
