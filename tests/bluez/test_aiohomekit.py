"""aiohomekit's controller over BlueZ, and our accessory on a controller of its own."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

import pytest
from tests.interop.foreign_peers import SETUP_CODE, Peers
from tests.interop.test_ble import bench

pytestmark = pytest.mark.trio


@pytest.fixture
def peers() -> Peers:
    """The installed peers."""
    return Peers(Path(os.environ["HAPCORE_PEERS"]).resolve())


@pytest.mark.parametrize("mtu", [23, 517])
async def test_pair_read_write_notify_remove(peers: Peers, mtu: int) -> None:
    async with bench(peers, mtu, "--bluez") as rig:
        found = await rig.peer.do("discover")
        assert found == {"id": rig.device_id.lower(), "name": "Lamp", "category": 5, "status": 1}
        assert await rig.peer.do("pair", setup_code=SETUP_CODE) == rig.device_id
        await rig.told("PairingAdded")
        accessories = await rig.peer.do("accessories")
        rows = {f"1.{one['iid']}": one for each in accessories[0]["services"] for one in each["characteristics"]}
        assert rows[rig.on]["perms"] == ["pr", "pw", "ev"]
        values = await rig.peer.do("get", ids=[rig.on, rig.brightness, rig.name])
        assert values == {rig.on: {"value": False}, rig.brightness: {"value": 40}, rig.name: {"value": "Lamp"}}
        assert await rig.peer.do("put", values={rig.on: True, rig.brightness: 80}) == {}
        values = await rig.peer.do("get", ids=[rig.on, rig.brightness])
        assert values == {rig.on: {"value": True}, rig.brightness: {"value": 80}}
        await rig.peer.do("subscribe", ids=[rig.on, rig.brightness])
        await rig.told("SubscriptionChanged")
        await rig.told("SubscriptionChanged")
        await rig.peer.do("change", what="brightness", value=50)
        await rig.peer.changed({rig.brightness: 50})
        assert len(await rig.peer.do("pairings")) == 1
        times = await rig.peer.do("measure", ids=[rig.on], count=50)
        print(f"\naiohomekit, MTU {mtu}: a read takes {statistics.median(times):.1f} ms (median of {len(times)})")
        assert await rig.peer.do("remove") is True
        await rig.told("PairingRemoved")


async def test_disconnected_events(peers: Peers) -> None:
    """Nobody is connected: the state number is advertised, and aiohomekit comes to read."""
    async with bench(peers, 517, "--bluez") as rig:
        await rig.peer.do("discover")
        await rig.peer.do("pair", setup_code=SETUP_CODE)
        await rig.peer.do("accessories")
        await rig.peer.do("subscribe", ids=[rig.on, rig.brightness])
        await rig.told("SubscriptionChanged")
        await rig.told("SubscriptionChanged")
        await rig.peer.do("close")
        await rig.told("SessionClosed")
        await rig.peer.do("change", what="brightness", value=77)
        await rig.peer.changed({rig.brightness: 77})
