"""Our accessory over Bluetooth LE against aiohomekit's controller: real ATT between them, no radio."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import HERE, SETUP_CODE, WRONG_CODE, Foreign, PeerFailedError, Peers, running

pytestmark = pytest.mark.trio

#: The longest one test may take.
LIMIT = 60
SRC = Path(__file__).parents[2] / "src"


class Bench:
    """aiohomekit and the lamp, in a process of their own."""

    def __init__(self, peer: Foreign, ready: dict) -> None:
        self.peer = peer
        self.device_id = ready["device_id"]
        self.on, self.brightness, self.name = (ready["ids"][name] for name in ("on", "brightness", "name"))

    async def told(self, what: str) -> None:
        """Wait until the accessory has told its application."""
        await self.peer.line(event="told", what=what)


@asynccontextmanager
async def bench(peers: Peers, mtu: int = 517, *options: str) -> AsyncIterator[Bench]:
    program = str(HERE / "peers" / "aiohomekit_ble.py")
    command = [peers.python, program, "--mtu", str(mtu), "--setup-code", SETUP_CODE, *options]
    with trio.fail_after(LIMIT):
        async with running(
            "aiohomekit over Bluetooth LE", command, {"PYTHONPATH": os.pathsep.join((str(SRC), str(SRC.parent)))}
        ) as peer:
            yield Bench(peer, await peer.line(event="ready"))


async def test_discover_and_identify(peers: Peers) -> None:
    async with bench(peers) as rig:
        found = await rig.peer.do("discover")
        assert found == {"id": rig.device_id.lower(), "name": "Lamp", "category": 5, "status": 1}
        # aiohomekit asks for the value after the write, of a characteristic that cannot be read.
        with contextlib.suppress(PeerFailedError):
            await rig.peer.do("identify")
        await rig.told("identify")


@pytest.mark.parametrize("mtu", [23, 185, 517])
async def test_pair_read_write(peers: Peers, mtu: int) -> None:
    async with bench(peers, mtu) as rig:
        assert await rig.peer.do("pair", setup_code=SETUP_CODE) == rig.device_id
        await rig.told("PairingAdded")
        accessories = await rig.peer.do("accessories")
        found = {f"1.{one['iid']}": one for each in accessories[0]["services"] for one in each["characteristics"]}
        assert found[rig.on]["perms"] == ["pr", "pw", "ev"]
        assert found[rig.brightness]["maxValue"] == 100
        values = await rig.peer.do("get", ids=[rig.on, rig.brightness, rig.name])
        assert values == {rig.on: {"value": False}, rig.brightness: {"value": 40}, rig.name: {"value": "Lamp"}}
        assert await rig.peer.do("put", values={rig.on: True, rig.brightness: 80}) == {}
        values = await rig.peer.do("get", ids=[rig.on, rig.brightness])
        assert values == {rig.on: {"value": True}, rig.brightness: {"value": 80}}
        assert len(await rig.peer.do("pairings")) == 1


async def test_a_wrong_setup_code(peers: Peers) -> None:
    async with bench(peers) as rig:
        with pytest.raises(PeerFailedError):
            await rig.peer.do("pair", setup_code=WRONG_CODE)
        assert await rig.peer.do("pair", setup_code=SETUP_CODE) == rig.device_id


async def test_events_connected_disconnected_and_broadcast(peers: Peers) -> None:
    async with bench(peers) as rig:
        await rig.peer.do("pair", setup_code=SETUP_CODE)
        await rig.peer.do("accessories")
        await rig.peer.do("subscribe", ids=[rig.on, rig.brightness])
        await rig.told("SubscriptionChanged")
        await rig.told("SubscriptionChanged")
        await rig.peer.do("change", what="brightness", value=50)
        await rig.peer.changed({rig.brightness: 50})

        # Nobody is connected: the state number is advertised, and aiohomekit comes to read.
        await rig.peer.do("close")
        await rig.told("SessionClosed")
        assert await rig.peer.do("links") == 1
        await rig.peer.do("change", what="brightness", value=77)
        await rig.peer.changed({rig.brightness: 77})
        assert await rig.peer.do("links") == 2
        await rig.told("SubscriptionChanged")
        await rig.told("SubscriptionChanged")

        # The value itself is advertised, encrypted: nobody comes.
        await rig.peer.do("close")
        await rig.told("SessionClosed")
        await rig.peer.do("change", what="on", value=True)
        await rig.peer.changed({rig.on: True})
        assert await rig.peer.do("links") == 2


async def test_removed_and_paired_again(peers: Peers) -> None:
    async with bench(peers) as rig:
        await rig.peer.do("pair", setup_code=SETUP_CODE)
        await rig.peer.do("accessories")
        assert await rig.peer.do("remove") is True
        await rig.told("PairingRemoved")
        assert await rig.peer.do("pair", setup_code=SETUP_CODE) == rig.device_id
