"""The conformance suite of hap_sync: good transports pass, whatever the network does to them."""

from __future__ import annotations

import socket
import threading

import pytest
from tests.testing.certificate import NAME, contexts

from hap_sync.testing import Network, VirtualClock, Weather, check_transport, memory_transports


def _sockets() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def _tls() -> tuple[socket.socket, socket.socket]:
    client, server = contexts()
    near, far = _sockets()
    accepted: list[socket.socket] = []
    thread = threading.Thread(target=lambda: accepted.append(server.wrap_socket(far, server_side=True)))
    thread.start()
    wrapped = client.wrap_socket(near, server_hostname=NAME)
    thread.join()
    return wrapped, accepted[0]


class _Bare:
    """Nothing but what is asked for: it waits in `recv`, and who wants to use it must wait too."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.recv = sock.recv
        self.sendall = sock.sendall

    def close(self) -> None:
        self._sock.close()


def _bare() -> tuple[_Bare, _Bare]:
    one, other = socket.socketpair()
    return _Bare(one), _Bare(other)


@pytest.mark.parametrize("make", [_sockets, socket.socketpair, _tls, _bare], ids=lambda one: one.__name__)
def test_good_ones_pass(make):
    check_transport(make)


@pytest.mark.parametrize(
    "weather",
    [
        Weather(),
        Weather(piece=200, seed=1),
        Weather(delay=(0.01, 0.2), piece=3000, seed=2),
        Weather(rate=100_000),
        Weather(room=200),
    ],
    ids=["calm", "split", "delayed", "slow", "narrow"],
)
def test_split_and_merged_and_late_is_legal(weather):
    clock = VirtualClock()
    network = Network(weather, clock=clock)
    check_transport(network.transports, limit=60, clock=clock)


def test_in_memory_and_in_threads():
    check_transport(memory_transports)


def test_time_is_turned_by_hand():
    clock = VirtualClock()
    near, far = memory_transports(Weather(delay=(3, 3)), clock=clock)
    near.sendall(b"hello")
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            far.recv(10)
        clock.pass_time(1)
    clock.pass_time(1)
    assert far.recv(10) == b"hello"
    with pytest.raises(ValueError, match="back"):
        clock.pass_time(-1)


def test_the_network_loses_and_is_cut():
    clock = VirtualClock()
    near, far = memory_transports(Weather(lost_after=100), clock=clock)
    near.sendall(bytes(99))
    far.sendall(b"..")
    assert far.recv(1000) == bytes(99)
    assert near.recv(1000) == b"."
    for one in (near, far):
        with pytest.raises(ConnectionResetError):
            one.recv(1000)
        with pytest.raises(ConnectionResetError):
            one.sendall(b"more")
    network = Network(Weather(delay=(1, 1)), clock=clock)
    near, far = network.transports()
    near.sendall(b"never arrives")
    network.cut_now()
    with pytest.raises(ConnectionResetError):
        far.recv(1000)
