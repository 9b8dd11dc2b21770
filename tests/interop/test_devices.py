"""Real accessories as typed objects, and pictures of cameras, asked by our controller on trio."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.interop.foreign_peers import Peers
from tests.interop.test_our_controller import bench

from hapcore.catalogue.values import LockTargetState
from hapcore.errors import Refused, ValueRefused

pytestmark = pytest.mark.trio

both = pytest.mark.parametrize("name", ["happython", "hapnodejs"])


@both
async def test_services_and_values_by_name(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        device = await client.device()
        light, lock = device.lightbulb, device.lock_mechanism
        assert device.name.startswith("Bench")
        assert (light.on, light.brightness) == (rig.on, rig.brightness)
        assert await client.get(light.on) is False
        await client.set(light.on, True)
        await rig.accessory.line(event="written", name="on")
        assert light.brightness is not None
        await client.set(light.brightness, 41)
        assert await client.get(light.brightness) == 41
        assert light.brightness.text(41) == "41 %"
        await client.set(lock.lock_target_state, LockTargetState.SECURED)
        assert (await rig.accessory.line(event="written", name="lock_target"))["value"] == 1
        with pytest.raises(ValueRefused):
            await client.set(light.brightness, 103)
        assert device[rig.echo].name in ("Echo", "characteristic C0FFEE00-0000-4000-8000-0000000000E0")


@both
async def test_pictures(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        assert await client.snapshot(640, 360) == b"\xff\xd8640 by 360"


async def test_a_camera_that_refuses(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, "hapnodejs", tmp_path) as rig:
        client = await rig.pair()
        with pytest.raises(Refused) as refusal:
            await client.snapshot(13, 13)
        assert refusal.value.hap_status == -70412
        with pytest.raises(Refused, match="accessory 99 has no camera"):
            await client.snapshot(640, 360, aid=99)
        assert await client.snapshot(640, 360) == b"\xff\xd8640 by 360"


async def test_what_a_camera_can_do_by_name(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, "hapnodejs", tmp_path) as rig:
        client = await rig.pair()
        camera = (await client.device()).camera_rtp_stream_management
        video = camera.supported_video_stream_configuration
        found = video.fields(await client.get(video))
        assert found is not None
        codec = found["Video codec"]
        assert codec["Codec"] == "H.264"
        assert codec["Parameters"]["Profile"] == ("constrained baseline", "main")
        assert {"Width": 1280, "Height": 720, "Frame rate": 30} in codec["Resolution"]
        status = camera.streaming_status
        assert status.fields(await client.get(status)) == {"Status": "available"}
        rtp = camera.supported_rtp_configuration
        assert rtp.text(await client.get(rtp)) == "Crypto suite: AES_CM_128_HMAC_SHA1_80"
