"""A camera with a lamp, over loopback, with each adapter: typed objects, values in their types, pictures."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from tests.cli.program import hap

import hap_asyncio
import hap_sync
import hap_trio
from hap_sync.recording import Recording
from hapcore.catalogue.services import CameraRTPStreamManagement, Lightbulb, Television
from hapcore.catalogue.values import Active
from hapcore.errors import Refused
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata

HERE = {"address": "127.0.0.1", "mdns": False}
#: Longer than one frame, than one portion from a socket, and than any buffer.
PICTURE = b"\xff\xd8" + bytes(range(256)) * 8192
TUNE = Metadata(Format.DATA, ["pr", "pw"])
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


def test_a_recording_of_it_replays_and_tells_no_secret(tmp_path: Path) -> None:
    tape = tmp_path / "door.jsonl"
    tune = b"the tune of the door"
    player = Television("Player", active_identifier=0)
    echo = CharacteristicType("Tune", "C0FFEE00-0000-4000-8000-0000000000E0", TUNE, bytes)
    player.add(Characteristic(echo, b"nothing"))

    async def main() -> None:
        with trio.fail_after(LIMIT), Recording(tape) as recording:
            async with (
                hap_trio.open_server(player, **HERE) as server,
                hap_trio.open_controller(mdns=False, engine=recording) as home,
            ):
                client = await home.pair(f"127.0.0.1:{server.port}", server.setup_code, "door")
                seen = (await client.device()).television
                await client.set(seen[echo], tune)
                assert await client.get(seen[echo]) == tune
                await client.set(seen.active, Active.ACTIVE)
                assert await client.get(seen.active) is Active.ACTIVE

    trio.run(main)
    said = tape.read_text(encoding="utf-8")
    assert said.count("controller.SetValue") == 2
    assert tune.hex() not in said
    assert b64encode(tune).decode() not in said
    replayed = hap("replay", tape)
    assert replayed.returncode == 0, replayed
