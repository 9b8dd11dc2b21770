"""The conformance suite of hap_asyncio: good transports pass, whatever the network does to them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from tests.testing.certificate import NAME, contexts

from hap_asyncio.testing import Network, VirtualLoop, Weather, check_transport, memory_streams, run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _sockets(tls: bool = False) -> tuple[Streams, Streams]:
    accepted: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
    client, server = contexts() if tls else (None, None)
    more: dict[str, Any] = {"server_hostname": NAME} if tls else {}

    async def accept(*streams: Any) -> None:
        accepted.set_result(streams)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=server)
    near = await asyncio.open_connection(*listener.sockets[0].getsockname(), ssl=client, **more)
    far = await accepted
    listener.close()
    return near, far


async def _tls() -> tuple[Streams, Streams]:
    return await _sockets(tls=True)


async def _socketpair() -> tuple[Streams, Streams]:
    one, other = socket.socketpair()
    return await asyncio.open_connection(sock=one), await asyncio.open_connection(sock=other)


@pytest.mark.parametrize("make", [_sockets, _socketpair, _tls], ids=lambda one: one.__name__)
def test_good_ones_pass(make):
    asyncio.run(check_transport(make))


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
    network = Network(weather)

    async def make():
        return network.streams()

    run(check_transport(make, limit=60))


def test_virtual_time():
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        order: list[str] = []
        loop.call_later(3600, order.append, "an hour")
        loop.call_later(60, order.append, "a minute")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4000):
                await loop.create_future()
        assert loop.time() == pytest.approx(4000)
        await loop.run_in_executor(None, order.append, "a thread")
        return order

    assert run(main()) == ["a minute", "an hour", "a thread"]


def test_the_network_loses_and_is_cut():
    async def main() -> None:
        (reader, writer), (far_reader, far_writer) = memory_streams(Weather(lost_after=100))
        writer.write(bytes(99))
        far_writer.write(b"..")
        assert await far_reader.read(1000) == bytes(99)
        assert await reader.read(1000) == b"."
        for one in (reader, far_reader):
            with pytest.raises(ConnectionResetError):
                await one.read(1000)
        writer.write(b"more")
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        network = Network(Weather(delay=(1, 1)))
        (_, writer), (far_reader, _) = network.streams()
        writer.write(b"never arrives")
        reading = asyncio.create_task(far_reader.read(1000))
        await asyncio.sleep(0.5)
        network.cut_now()
        with pytest.raises(ConnectionResetError):
            await reading

    run(main())
