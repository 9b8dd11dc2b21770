"""The conformance suite of hap_trio: good transports pass, whatever the network does to them."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from tests.testing.certificate import NAME, contexts

from hap_sync.listening import listen
from hap_trio.stream import SocketStream, dial
from hap_trio.testing import MemoryStream, Network, Weather, check_transport, memory_streams


async def _sockets() -> tuple[SocketStream, SocketStream]:
    (listener,) = listen({"address": "127.0.0.1"})
    with listener:
        near = await dial(*listener.getsockname()[:2])
        listener.setblocking(True)
        far, _ = listener.accept()
    return near, SocketStream(far)


async def _tls() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    near, far = await _sockets()
    return _wrapped(near, far)


async def _tls_in_memory() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    return _wrapped(*trio.testing.memory_stream_pair())


def _wrapped(near: trio.abc.Stream, far: trio.abc.Stream) -> tuple[trio.abc.Stream, trio.abc.Stream]:
    client, server = contexts()
    return trio.SSLStream(near, client, server_hostname=NAME), trio.SSLStream(far, server, server_side=True)


async def _trio_sockets() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    one, other = trio.socket.socketpair()
    return trio.SocketStream(one), trio.SocketStream(other)


async def _trio_memory() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    return trio.testing.memory_stream_pair()


@pytest.mark.parametrize(
    "make", [_sockets, _trio_sockets, _trio_memory, _tls, _tls_in_memory], ids=lambda one: one.__name__
)
async def test_good_ones_pass(make):
    await check_transport(make)


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
async def test_split_and_merged_and_late_is_legal(weather, autojump_clock):
    network = Network(weather)

    async def make() -> tuple[MemoryStream, MemoryStream]:
        return network.streams()

    await check_transport(make, limit=60)


async def test_the_network_repeats_itself(autojump_clock):
    async def arrivals(seed: int) -> list[tuple[float, int]]:
        near, far = memory_streams(Weather(delay=(0.1, 2), piece=50, seed=seed))
        await near.send_all(bytes(1000))
        await near.aclose()
        start = trio.current_time()
        seen = []
        while data := await far.receive_some():
            seen.append((round(trio.current_time() - start, 6), len(data)))
        return seen

    once = await arrivals(1)
    assert once == await arrivals(1)
    assert once != await arrivals(2)
    assert max(size for _, size in once) <= 50
    assert sum(size for _, size in once) == 1000
    assert 0.1 <= once[0][0] <= once[-1][0] <= 2


async def test_a_connection_breaks_after_so_many_bytes(autojump_clock):
    near, far = memory_streams(Weather(lost_after=100))
    await near.send_all(bytes(99))
    await far.send_all(b"..")
    assert await far.receive_some() == bytes(99)
    assert await near.receive_some() == b"."
    for end in (near, far):
        with pytest.raises(trio.BrokenResourceError):
            await end.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await end.send_all(b"more")


async def test_a_network_can_be_cut(autojump_clock):
    network = Network(Weather(delay=(1, 1)))
    near, far = network.streams()
    await near.send_all(b"never arrives")
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await far.receive_some()

        await trio.testing.wait_all_tasks_blocked()
        network.cut_now()
