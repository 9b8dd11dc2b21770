"""The adapters over their networks in memory: delayed, split, slow, and lost at any byte."""

from __future__ import annotations

import pytest

import hap_asyncio
import hap_asyncio.testing
import hap_sync
import hap_sync.testing
import hap_trio
import hap_trio.testing
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import Disconnected, HapError
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode
from hapcore.testing import Weather

HERE = {"setup_code": "031-45-154", "address": "127.0.0.1", "mdns": False}
CODE = SetupCode("031-45-154")
ROUGH = Weather(delay=(0.05, 0.3), piece=40, rate=5000, room=500, seed=7)


def _lamp() -> Lightbulb:
    return Lightbulb("Lamp", on=False)


async def test_trio(autojump_clock):
    light = _lamp()
    near, far = hap_trio.testing.memory_streams(ROUGH)
    async with hap_trio.open_server(light, **HERE) as server, hap_trio.open_connection(near) as session:
        server.attach(far)
        await session.do(StartPairSetup())
        await session.do(VerifyPairing(await session.do(FinishPairSetup(CODE))))
        await session.accessories()
        await session.write({light.on.id: True})
        async with session.subscribe([light.on.id]) as changes:
            light.on.value = False
            assert (await anext(changes)).value is False


def test_asyncio():
    async def main() -> None:
        light = _lamp()
        near, far = hap_asyncio.testing.memory_streams(ROUGH)
        async with hap_asyncio.open_server(light, **HERE) as server, hap_asyncio.open_connection(*near) as session:
            server.attach(*far)
            await session.do(StartPairSetup())
            await session.do(VerifyPairing(await session.do(FinishPairSetup(CODE))))
            await session.accessories()
            await session.write({light.on.id: True})
            async with session.subscribe([light.on.id]) as changes:
                light.on.value = False
                assert (await anext(changes)).value is False

    hap_asyncio.testing.run(main())


def test_sync():
    light = _lamp()
    near, far = hap_sync.testing.memory_transports(Weather(piece=300))
    with hap_sync.open_server(light, **HERE) as server, hap_sync.open_connection(near) as session:
        server.attach(far)
        session.do(StartPairSetup())
        session.do(VerifyPairing(session.do(FinishPairSetup(CODE))))
        session.accessories()
        session.write({light.on.id: True})
        with session.subscribe([light.on.id]) as changes:
            light.on.value = False
            assert next(changes).value is False


@pytest.mark.parametrize("after", [0, 1, 150, 700, 1400])
async def test_a_connection_lost_while_pairing_on_trio(after, autojump_clock):
    near, far = hap_trio.testing.memory_streams(Weather(lost_after=after))
    async with hap_trio.open_server(_lamp(), **HERE) as server, hap_trio.open_connection(near) as session:
        server.attach(far)
        with pytest.raises(Disconnected):
            await session.do(StartPairSetup())
            await session.do(FinishPairSetup(CODE))
            raise AssertionError("it was to be lost before")


@pytest.mark.parametrize("where", ["controller", "accessory"])
@pytest.mark.parametrize("damage", hap_trio.testing.Damage, ids=lambda damage: damage.name.lower())
async def test_a_broken_transport_does_no_harm_to_others(damage, where, autojump_clock):
    """The caller gets an error or a result in good time, and the server goes on serving."""
    light = _lamp()
    async with hap_trio.open_server(light, **HERE) as server:
        near, far = hap_trio.testing.memory_streams()
        ends = {"controller": near, "accessory": far}
        ends[where] = hap_trio.testing.DamagedStream(ends[where], damage)
        async with hap_trio.open_connection(ends["controller"]) as session:
            server.attach(ends["accessory"])
            try:
                await session.do(StartPairSetup())
                await session.do(FinishPairSetup(CODE))
            except HapError:
                pass
        near, far = hap_trio.testing.memory_streams()
        async with hap_trio.open_connection(near) as session:
            server.attach(far)
            if not server.paired:
                await session.do(StartPairSetup())
                await session.do(FinishPairSetup(CODE))
