"""A camera with a lamp, over loopback, with each adapter: typed objects, values in their types, pictures."""

from __future__ import annotations

import asyncio

import pytest
import trio

import hap_asyncio
import hap_sync
import hap_trio
from hapcore.catalogue.services import CameraRTPStreamManagement, Lightbulb
from hapcore.errors import Refused
from hapcore.model.accessory import Accessory

HERE = {"address": "127.0.0.1", "mdns": False}
#: Longer than one frame, than one portion from a socket, and than any buffer.
PICTURE = b"\xff\xd8" + bytes(range(256)) * 8192
#: Seconds: a hang shall be told.
LIMIT = 30


def door() -> tuple[Accessory, Lightbulb]:
    light = Lightbulb("Porch", on=False, brightness=40)
    camera = Accessory("Door", services=[CameraRTPStreamManagement(), light])
    camera.snapshot(lambda wanted, _: PICTURE[: wanted.width * wanted.height])
    return camera, light


def test_on_trio() -> None:
    async def main() -> None:
        camera, light = door()
        with trio.fail_after(LIMIT):
            async with hap_trio.open_server(camera, **HERE) as server, hap_trio.open_controller(mdns=False) as home:
                client = await home.pair(f"127.0.0.1:{server.port}", server.setup_code, "door")
                device = await client.device()
                seen = device.lightbulb
                async with client.subscribe([seen.on]) as changes:
                    light.on.value = True
                    change = await anext(aiter(changes))
                    assert (device[change.id], seen.on.typed(change.value)) == (seen.on, True)
                await client.set(seen.on, False)
                assert await client.get(seen.on) is light.on.value is False
                assert await client.snapshot(2048, 1024) == PICTURE[: 2048 * 1024]
                with pytest.raises(Refused, match="accessory 2 has no camera"):
                    await client.snapshot(2, 2, aid=2)

    trio.run(main)


def test_on_asyncio() -> None:
    async def main() -> None:
        camera, light = door()
        async with (
            asyncio.timeout(LIMIT),
            hap_asyncio.open_server(camera, **HERE) as server,
            hap_asyncio.open_controller(mdns=False) as home,
        ):
            client = await home.pair(f"127.0.0.1:{server.port}", server.setup_code, "door")
            device = await client.device()
            seen = device.lightbulb
            async with client.subscribe([seen.on]) as changes:
                light.on.value = True
                change = await anext(aiter(changes))
                assert (device[change.id], seen.on.typed(change.value)) == (seen.on, True)
            await client.set(seen.on, False)
            assert await client.get(seen.on) is light.on.value is False
            assert await client.snapshot(2048, 1024) == PICTURE[: 2048 * 1024]
            with pytest.raises(Refused, match="accessory 2 has no camera"):
                await client.snapshot(2, 2, aid=2)

    asyncio.run(main())


def test_blocking() -> None:
    camera, light = door()
    with hap_sync.open_server(camera, **HERE) as server, hap_sync.open_controller(mdns=False) as home:
        client = home.pair(f"127.0.0.1:{server.port}", server.setup_code, "door")
        device = client.device()
        seen = device.lightbulb
        with client.subscribe([seen.on]) as changes:
            light.on.value = True
            change = changes.wait(LIMIT)
            assert (device[change.id], seen.on.typed(change.value)) == (seen.on, True)
        client.set(seen.on, False)
        assert client.get(seen.on) is light.on.value is False
        assert client.snapshot(2048, 1024) == PICTURE[: 2048 * 1024]
        with pytest.raises(Refused, match="accessory 2 has no camera"):
            client.snapshot(2, 2, aid=2)
