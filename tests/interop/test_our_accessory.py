"""More of our accessory against aiohomekit, on trio; test_accessories.py has what every adapter is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import SETUP_CODE, Foreign, PeerFailedError, Peers
from tests.interop.lamp import Lamp

import hap_trio

pytestmark = pytest.mark.trio

#: The longest one test may take.
LIMIT = 60


class Bench:
    """Our running accessory and aiohomekit, not paired yet."""

    def __init__(self, lamp: Lamp, server: hap_trio.AccessoryServer, controller: Foreign) -> None:
        self.lamp = lamp
        self.server = server
        self.controller = controller
        self.where = {"host": "127.0.0.1", "port": server.port, "device_id": server.device_id}
        self.on, self.brightness = str(lamp.on.id), str(lamp.brightness.id)
        self.button, self.lock, self.echo = str(lamp.press.id), str(lamp.lock_target.id), str(lamp.echo.id)

    async def pair(self) -> dict:
        """Pair; what aiohomekit knows then."""
        return await self.controller.do("pair", setup_code=SETUP_CODE, **self.where)


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Lamp, hap_trio.AccessoryServer]]:
    lamp = Lamp()
    async with hap_trio.open_server(
        lamp.accessory,
        state=directory / "state.json",
        setup_code=SETUP_CODE,
        address="127.0.0.1",
        mdns=False,
    ) as server:
        yield lamp, server


@asynccontextmanager
async def bench(peers: Peers, directory: Path) -> AsyncIterator[Bench]:
    with trio.fail_after(LIMIT):
        async with peers.controller() as controller, serving(directory) as (lamp, server):
            yield Bench(lamp, server, controller)


async def test_bad_requests_get_statuses(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        answer = await rig.controller.do("get", ids=[rig.on, "1.9999"])
        assert not answer[rig.on]["value"]
        assert answer["1.9999"]["status"] == -70409
        refused = await rig.controller.do("put", values={rig.brightness: 101})
        assert refused[rig.brightness]["status"] == -70410
        assert rig.lamp.brightness.value == 40


async def test_paired_again_after_removal(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        await rig.controller.do("get", ids=[rig.on])
        assert await rig.controller.do("remove") is True
        await rig.pair()
        assert not (await rig.controller.do("get", ids=[rig.on]))[rig.on]["value"]


async def test_paired_accessory_refuses_another_pairing(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        with pytest.raises(PeerFailedError, match="UnavailableError"):
            await rig.pair()


async def test_identify_before_pairing(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.controller.do("identify", **rig.where)
        assert rig.lamp.identified == 1
        await rig.pair()
        with pytest.raises(PeerFailedError):
            await rig.controller.do("identify", **rig.where)
        assert rig.lamp.identified == 1


async def test_paired_accessory_restarts(peers: Peers, tmp_path: Path) -> None:
    with trio.fail_after(LIMIT):
        async with peers.controller() as controller:
            async with serving(tmp_path) as (lamp, server):
                await Bench(lamp, server, controller).pair()
                device_id = server.device_id
                lamp.on.value = True
                assert (await controller.do("get", ids=[str(lamp.on.id)]))[str(lamp.on.id)]["value"]
            async with serving(tmp_path) as (lamp, server):
                assert (server.device_id, server.paired) == (device_id, True)
                await controller.do("moved", port=server.port)
                assert not (await controller.do("get", ids=[str(lamp.on.id)]))[str(lamp.on.id)]["value"]
