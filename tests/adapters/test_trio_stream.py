"""TCP for the pump: a proper trio stream, and the ends of connecting."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from hap_sync.listening import listen
from hap_trio.stream import SocketStream, accept, dial
from hapcore.errors import Disconnected, LocalProtocolError
from hapcore.home.target import split_address


async def connected() -> tuple[SocketStream, SocketStream]:
    with listen({"address": "127.0.0.1"})[0] as listener:
        return await dial(*listener.getsockname()), await accept(listener)


async def clogged() -> tuple[SocketStream, SocketStream]:
    left, right = await connected()
    for stream in (left, right):
        while stream.send_nowait(bytes(1 << 16)):
            pass
    return left, right


async def test_is_a_trio_stream_in_every_respect() -> None:
    await trio.testing.check_two_way_stream(connected, clogged)


async def test_send_nowait_takes_what_fits() -> None:
    left, right = await connected()
    async with left, right:
        assert left.send_nowait(b"hello") == 5
        assert await right.receive_some() == b"hello"
        taken = 0
        while sent := left.send_nowait(bytes(1 << 20)):
            taken += sent
        assert left.send_nowait(b"more") == 0
        received = 0
        while received < taken:
            received += len(await right.receive_some(1 << 20))


async def test_sending_says_that_the_connection_is_gone() -> None:
    left, right = await connected()
    async with left:
        await right.aclose()
        assert await left.receive_some() == b""
        left.send_nowait(b"makes the other side say so")
        with pytest.raises(trio.BrokenResourceError, match="connection lost"):
            await left.send_all(bytes(1 << 24))
    with pytest.raises(trio.ClosedResourceError):
        left.send_nowait(b"x")


async def test_dial_says_why_nobody_answers() -> None:
    with listen({"address": "127.0.0.1"})[0] as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Disconnected, match=f"cannot connect to 127.0.0.1, port {port}: Connection refused"):
        await dial("127.0.0.1", port)


async def test_dial_gives_up(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(host: str, port: int) -> trio.SocketStream:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    with pytest.raises(Disconnected, match="no answer within 5 s"):
        await dial("192.0.2.1", 1)


async def test_listens_on_all_addresses() -> None:
    with listen({})[0] as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            async with await dial(host, port):
                await (await accept(listener)).aclose()


async def test_accept_outlives_a_moment_without_room(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crowded(socket.socket):
        left = 1

        def accept(self) -> tuple[socket.socket, object]:
            if Crowded.left:
                Crowded.left -= 1
                raise OSError(24, "Too many open files")
            return super().accept()

    with Crowded() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        async with await dial(*listener.getsockname()), await accept(listener):
            assert trio.current_time() > 0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7:51826", ("192.0.2.7", 51826)),
        ("lamp.local:1", ("lamp.local", 1)),
        ("[2001:db8::7]:65535", ("2001:db8::7", 65535)),
    ],
)
def test_reads_addresses(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "lamp", ":1", "lamp:", "lamp:0", "lamp:65536", "lamp:x", "lamp:-1", "lamp:9999999", "2001:db8::7:1", "[]:1"],
)
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="HOST:PORT"):
        split_address(text)
