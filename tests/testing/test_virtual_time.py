"""Virtual time: it is skipped where nobody does anything, and stands still while a thread works."""

from __future__ import annotations

import asyncio
import time
from types import ModuleType

import pytest
import trio

import hap_asyncio
import hap_asyncio.testing
import hap_sync
import hap_sync.testing
import hap_trio
import hap_trio.testing
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import Disconnected
from hapcore.testing import Weather, substituted

HERE = {"address": "127.0.0.1", "mdns": False}


def work() -> int:
    """Takes a few hundredths of a real second."""
    return sum(range(1_000_000))


def test_a_thread_on_trio():
    async def main(start: float) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1000)
            begin = trio.current_time()
            assert await trio.to_thread.run_sync(work) == await trio.to_thread.run_sync(work)
            assert trio.current_time() == begin
        return trio.current_time() - begin + start

    real = trio.to_thread.run_sync
    assert hap_trio.testing.run(main, 1.0) == 1001.0
    assert trio.to_thread.run_sync is real


def test_a_thread_on_asyncio():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        sleeping = asyncio.create_task(asyncio.sleep(1000))
        begin = loop.time()
        assert await asyncio.to_thread(work) == await loop.run_in_executor(None, work)
        assert loop.time() == begin
        await sleeping
        return loop.time() - begin

    assert hap_asyncio.testing.run(main()) == pytest.approx(1000.0)


def test_blocking_code():
    light = Lightbulb("Lamp", on=False)
    began = time.monotonic()
    with hap_sync.testing.virtual_time() as clock, hap_sync.open_server(light, **HERE) as server:
        server.run(3600)
        assert clock() == pytest.approx(3600.0)
        server.run(3600)
        assert clock() == pytest.approx(7200.0)
    assert time.monotonic() - began < 60
    assert hap_sync.loop.time is time


def test_a_home_in_memory_on_trio(tmp_path):
    light = Lightbulb("Lamp", on=False)

    async def main() -> float:
        network = hap_trio.testing.Network(Weather(delay=(1, 2)))
        with network.dialled():
            async with (
                hap_trio.open_server(light, state=tmp_path / "lamp.json", **HERE) as server,
                hap_trio.open_controller(tmp_path / "pairings.json", mdns=False) as home,
            ):
                network.hosts["lamp"] = server.attach
                lamp = await home.pair("lamp:80", server.setup_code, "lamp")
                await lamp.write({light.on.id: True})
                with pytest.raises(Disconnected, match="no such host"):
                    await home.identify("127.0.0.1:80")
        return trio.current_time()

    assert 8 < hap_trio.testing.run(main) < 60
    assert light.on.value is True


def test_a_home_in_memory_on_asyncio(tmp_path):
    light = Lightbulb("Lamp", on=False)

    async def main() -> float:
        network = hap_asyncio.testing.Network(Weather(delay=(1, 2)))
        with network.dialled():
            async with (
                hap_asyncio.open_server(light, state=tmp_path / "lamp.json", **HERE) as server,
                hap_asyncio.open_controller(tmp_path / "pairings.json", mdns=False) as home,
            ):
                network.hosts["lamp"] = server.attach
                lamp = await home.pair("lamp:80", server.setup_code, "lamp")
                await lamp.write({light.on.id: True})
                with pytest.raises(Disconnected, match="no such host"):
                    await home.identify("127.0.0.1:80")
        return asyncio.get_running_loop().time()

    assert 8 < hap_asyncio.testing.run(main()) < 60
    assert light.on.value is True


def test_who_is_not_found_is_not_replaced():
    with pytest.raises(LookupError, match="hap_sync"), substituted({}, "hap_sync", "dial", None, None):
        pass


def test_what_is_loaded_within_the_block_is_put_right_too() -> None:
    """A module that takes the name from its neighbour while that has the substitute."""
    first, second = ModuleType("kit.first"), ModuleType("kit.second")
    vars(first)["dial"] = dial = object()
    modules: dict[str, object] = {"kit.first": first}
    with substituted(modules, "kit", "dial", dial, object()):
        vars(second)["dial"] = vars(first)["dial"]
        modules["kit.second"] = second
    assert vars(first)["dial"] is vars(second)["dial"] is dial
