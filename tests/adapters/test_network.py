"""What an accessory does on the network, of each adapter on loopback: where it listens, what is left of connections."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any, TypeAlias

import pytest
import trio

import hap_asyncio
import hap_sync
import hap_trio
from hap_sync.entropy import system_entropy
from hap_sync.listening import listen
from hapcore.catalogue.services import Lightbulb
from hapcore.codec.http import ResponseReader, write_request
from hapcore.discovery import ServiceRecord
from hapcore.ip.accessory import KeepAlive
from hapcore.pairing.setup import PairSetupController

LIMIT = 20.0
CODE = "031-45-154"
#: The port, and what ends it.
Started: TypeAlias = tuple[int, Callable[[], object]]
#: Serves with these settings until it is ended.
Way: TypeAlias = Callable[[dict[str, Any], Queue[Started]], None]


def _trio(settings: dict[str, Any], started: Queue[Started]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(lambda **task: hap_trio.serve(Lightbulb(on=False), **settings, **task))
            token = trio.lowlevel.current_trio_token()
            started.put((server.port, lambda: token.run_sync_soon(nursery.cancel_scope.cancel)))

    trio.run(main)


def _asyncio(settings: dict[str, Any], started: Queue[Started]) -> None:
    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with pytest.raises(asyncio.CancelledError):
            await hap_asyncio.serve(
                Lightbulb(on=False),
                started=lambda server: started.put((server.port, lambda: loop.call_soon_threadsafe(task.cancel))),
                **settings,
            )

    asyncio.run(main())


def _sync(settings: dict[str, Any], started: Queue[Started]) -> None:
    hap_sync.serve(
        Lightbulb(on=False),
        started=lambda server: started.put((server.port, lambda: server.call_soon(server.stop))),
        **settings,
    )


@pytest.fixture(params=[_trio, _asyncio, _sync], ids=["trio", "asyncio", "sync"])
def way(request: pytest.FixtureRequest) -> Way:
    """Each adapter."""
    way: Way = request.param
    return way


@pytest.fixture
def serve(way: Way) -> Callable[..., Any]:
    """`with serve(...) as port:` serves a lamp from a thread of its own."""

    @contextmanager
    def serve(**settings: object) -> Generator[int, None, None]:
        started: Queue[Started] = Queue()
        given = {"mdns": False, "setup_code": CODE, **settings}
        thread = threading.Thread(target=way, args=(given, started))
        thread.start()
        try:
            port, end = started.get(timeout=LIMIT)
            yield port
            end()
        finally:
            thread.join(LIMIT)
        assert not thread.is_alive()

    return serve


def _ask(sock: socket.socket) -> bytes:
    sock.sendall(b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n")
    return sock.recv(4096)


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), LIMIT) as sock:
            return _ask(sock).startswith(b"HTTP/1.1 470")
    except ConnectionRefusedError:
        return False


# Where it listens


def test_everywhere_means_both_families(serve: Callable[..., Any]) -> None:
    with serve() as port:
        assert _answers("127.0.0.1", port)
        assert not socket.has_dualstack_ipv6() or _answers("::1", port)


def test_several_addresses_share_a_port_and_no_other_is_listened_on(serve: Callable[..., Any]) -> None:
    addresses = ["127.0.0.1", "127.0.0.2"] if sys.platform == "linux" else ["127.0.0.1"]
    with serve(address=addresses) as port:
        assert all(_answers(address, port) for address in addresses)
        assert not _answers("::1", port)
        assert sys.platform != "linux" or not _answers("127.0.0.3", port)


def test_an_interface_by_its_name(serve: Callable[..., Any]) -> None:
    if sys.platform == "linux":
        with serve(address="lo") as port:
            assert _answers("127.0.0.1", port)
            assert _answers("127.0.0.3", port)


def test_an_address_of_somebody_else_leaves_no_socket_open() -> None:
    with pytest.raises(OSError, match=r"assign"):
        listen({"address": ["127.0.0.1", "198.51.100.77"]})  # a warning of an unclosed socket would fail this


def test_keep_alive_is_off_unless_asked_for() -> None:
    for keepalive, on in ((None, 0), (KeepAlive(idle=30, interval=5, count=3), 1)):
        (listener,) = listen({"address": "127.0.0.1", "keepalive": keepalive})
        with listener, socket.create_connection(listener.getsockname(), LIMIT):
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert bool(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == on
                if on and sys.platform == "linux":
                    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
                    told = [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options]
                    assert told == [30, 5, 3, 45_000]


# Connections


def _states(port: int) -> set[str]:
    """What the connections of a server are in, as Linux says: 01 is established, 08 waits for us to close it."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    return {row[3] for row in rows if row[1].endswith(f":{port:04X}")} - {"0A"}


def test_no_connection_is_left_half_closed(serve: Callable[..., Any]) -> None:
    """Controllers go in every way there is: in good order, in the middle of a request, with a reset, half."""
    with serve() as port:
        for way in range(20):
            sock = socket.create_connection(("127.0.0.1", port), LIMIT)
            if way % 4 == 0:
                _ask(sock)
            elif way % 4 == 1:
                sock.sendall(b"POST /pair-setup HTTP/1.1\r\nContent-Le")
            elif way % 4 == 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                sock.sendall(b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n")
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
            sock.close()
        with socket.create_connection(("127.0.0.1", port), LIMIT) as last:
            assert _ask(last)  # by now the server has seen what became of all the others
            if sys.platform == "linux":
                # CLOSE_WAIT is what must not be left; those that were answered may be closing for a minute.
                assert "08" not in _states(port)
                assert "01" in _states(port)


def test_header_and_body_leave_in_one_write(serve: Callable[..., Any]) -> None:
    """Two would be two segments: some controllers take the first for an answer without a body."""
    m1 = write_request("POST", "/pair-setup", "lamp", "application/pairing+tlv8", b"\x00\x01\x00\x06\x01\x01")
    with serve() as port, socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.sendall(m1)
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        assert len(answer.partition(b"\r\n\r\n")[2]) > 400
        if sys.platform == "linux":
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            (data_segments,) = struct.unpack_from("I", info, 152)
            assert data_segments == 1


# Announcing


class Announcer:
    """In the place of mDNS: notes what has reached the controller, and was not read yet, when a record is announced."""

    def __init__(self, controller: socket.socket) -> None:
        self._controller = controller
        self.announced: Queue[tuple[int, bytes]] = Queue()

    async def announce(self, record: ServiceRecord, _port: int, _addresses: Sequence[str] = ()) -> None:
        self.note(record)

    async def withdraw(self, _device_id: str) -> None:
        """Nothing to say goodbye for."""

    def note(self, record: ServiceRecord) -> None:
        try:
            there = self._controller.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # not connected yet, or nothing there
            there = b""
        self.announced.put((int(record.status_flags), there))


class BlockingAnnouncer(Announcer):
    """The same for who does not await."""

    def announce(self, record: ServiceRecord, _port: int, addresses: Sequence[str] = ()) -> Future[None]:  # type: ignore[override]
        self.note(record)
        return Future()

    def withdraw(self, _device_id: str) -> None:  # type: ignore[override]  # as above
        """Nothing to say goodbye for."""


def test_paired_is_announced_when_the_last_answer_is_out(serve: Callable[..., Any], way: Way) -> None:
    setup = PairSetupController(system_entropy)
    with socket.socket() as sock:
        mdns = (BlockingAnnouncer if way is _sync else Announcer)(sock)
        with serve(mdns=mdns, address="127.0.0.1") as port:
            assert mdns.announced.get(timeout=LIMIT)[0] == 1
            sock.settimeout(LIMIT)
            sock.connect(("127.0.0.1", port))

            def post(body: bytes) -> None:
                sock.sendall(write_request("POST", "/pair-setup", "lamp", "application/pairing+tlv8", body))

            def answer() -> bytes:
                reader = ResponseReader()
                while (message := reader.next()) is None:
                    reader.feed(sock.recv(4096))
                return bytes(message.body)

            post(setup.m1())
            assert setup.receive_m2(answer())
            post(setup.m3(CODE))
            post(setup.m5(answer()))
            flags, there = mdns.announced.get(timeout=LIMIT)
            assert flags == 0
            assert there.startswith(b"HTTP/1.1 200")
            setup.finish(answer())
