"""The `hap` command over BlueZ, which is hap_trio's loop in a thread; and the blocking adapter."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.adapters.ble.home import CODE
from tests.bluez.rig import House, on_bluez, open_house

import hap_sync
from hap_asyncio.testing.radio import Air


class Command:
    """`hap`, in processes of their own, with one pairings file."""

    def __init__(self, folder: Path) -> None:
        self._file = str(folder / "pairings.json")

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "hap_trio.cli", *words, "--json"]
        command += [] if words[0] == "discover" else ["-f", self._file]
        return await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)

    async def run(self, *words: str) -> list[dict[str, Any]]:
        """What it printed, line by line."""
        process = await self.start(*words)
        out, err = await process.communicate()
        assert process.returncode == 0, (out, err)
        assert err == b""
        return [json.loads(line) for line in out.splitlines()]


@on_bluez
async def test_the_command(air: Air, tmp_path: Path) -> None:
    async with open_house(air) as house:
        hap, lamp, device_id = Command(tmp_path), house.lamp, house.server.device_id
        on, brightness = (f"{one.id[0]}.{one.id[1]}" for one in (lamp.on, lamp.brightness))
        assert device_id in str(await hap.run("discover", "--ble", "-t", "2"))
        await hap.run("identify", "--ble", "-d", device_id)
        await hap.run("pair", "--ble", "-d", device_id, "-p", CODE, "-a", "lamp")
        assert house.server.paired
        assert "Lamp" in str(await hap.run("accessories", "-a", "lamp"))
        assert "50" in str(await hap.run("get", "-a", "lamp", "-c", on, "-c", brightness))
        await hap.run("put", "-a", "lamp", "-c", on, "true")
        assert lamp.on.value is True
        assert await hap.run("pairings", "list", "-a", "lamp")
        watching = await hap.start("watch", "-a", "lamp", "-c", on, "--count", "1")
        await subscribed(house)
        lamp.on.value = False
        out, err = await watching.communicate()
        assert (watching.returncode, err) == (0, b"")
        assert out
        await hap.run("unpair", "-a", "lamp")
        assert not house.server.paired


async def subscribed(house: House) -> None:
    """Until somebody wants to hear of something."""
    async for event in house.server.events():
        if type(event).__name__ == "SubscriptionChanged":
            return


@on_bluez
async def test_the_blocking_adapter(air: Air) -> None:
    def all_of_it(house: House) -> None:
        with hap_sync.open_controller(mdns=False, ble=True) as controller:
            found = controller.find(house.server.device_id)
            client = controller.pair(found, CODE, "lamp")
            assert client.read([house.lamp.name.id])[house.lamp.name.id].value == "Lamp"
            client.write({house.lamp.on.id: True})

    async with open_house(air) as house:
        await asyncio.to_thread(all_of_it, house)
        assert house.lamp.on.value is True


@on_bluez
async def test_no_such_adapter(air: Air, tmp_path: Path) -> None:
    """One clear line, no traceback."""
    process = await Command(tmp_path).start("discover", "--ble", "--adapter", "hci7", "-t", "2")
    out, err = await process.communicate()
    print(process.returncode, out.decode(), err.decode())
    assert b"Traceback" not in err
    assert process.returncode == 1
