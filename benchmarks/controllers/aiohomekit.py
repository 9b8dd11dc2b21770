"""aiohomekit under test, as its users call it, without mDNS.

First line: `{"imported": ..., "versions": ...}`. Commands, one JSON object a line, each answered with
`{"count": N, "wall": seconds, "cpu": seconds}` of the work itself:

    pair         port, device_id     pair-setup; remove it again with unpair
    verify       count               that many new connections with pair-verify
    read         id, seconds         one characteristic, one request after the other
    write        id, seconds         the same, true and false in turn
    accessories  seconds             the whole database
    unpair
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

# This file has the name of the library: its directory must not be searched for it.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

_started = time.perf_counter()
from aiohomekit.characteristic_cache import CharacteristicCacheMemory  # noqa: E402 - the import is measured
from aiohomekit.controller.ip.controller import IpController  # noqa: E402
from aiohomekit.model.categories import Categories  # noqa: E402
from aiohomekit.model.feature_flags import FeatureFlags  # noqa: E402
from aiohomekit.model.status_flags import StatusFlags  # noqa: E402
from aiohomekit.zeroconf import HomeKitService  # noqa: E402

IMPORT = time.perf_counter() - _started


class Rig:
    """One controller and its pairing."""

    def __init__(self):
        self.controller = IpController(CharacteristicCacheMemory(), None)
        self.pairing = None

    async def pair(self, command):
        """Pair-setup alone."""
        discovery = self.controller._make_discovery(
            HomeKitService(
                name="Light",
                id=command["device_id"].lower(),
                model="Light",
                feature_flags=FeatureFlags(0),
                status_flags=StatusFlags.UNPAIRED,
                config_num=1,
                state_num=1,
                category=Categories.LIGHTBULB,
                protocol_version="1.1",
                type="_hap._tcp.local.",
                address="127.0.0.1",
                addresses=["127.0.0.1"],
                port=command["port"],
            )
        )
        try:
            finish = await discovery.async_start_pairing("bench")
            self.pairing = await finish("031-45-154")
        finally:
            await discovery.close()
        return 1

    async def verify(self, command):
        """It never reopens a pairing that was closed, so each connection has a pairing object of its own."""
        data = self.pairing.pairing_data
        for _ in range(command["count"]):
            await self.pairing.close()
            self.pairing = self.controller.load_pairing("bench", data)
            await self.pairing._ensure_connected()
        return command["count"]

    async def read(self, command):
        """The value of one characteristic."""
        wanted = [tuple(map(int, command["id"].split(".")))]
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            answer = await self.pairing.get_characteristics(wanted)
            assert "value" in answer[wanted[0]], answer
            count += 1
        return count

    async def write(self, command):
        """One characteristic, true and false in turn."""
        aid, iid = map(int, command["id"].split("."))
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            refused = await self.pairing.put_characteristics([(aid, iid, count & 1 == 0)])
            assert not refused, refused
            count += 1
        return count

    async def accessories(self, command):
        """The whole database."""
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            await self.pairing.list_accessories_and_characteristics()
            count += 1
        return count

    async def unpair(self, _command):
        """Remove ourselves."""
        await self.pairing.remove_pairing(self.pairing.pairing_data["iOSPairingId"])
        self.controller.pairings.clear()
        self.controller.aliases.clear()
        return 1


async def main():
    """Carry out the commands."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    rig = Rig()
    versions = {name: version(name) for name in ("aiohomekit", "cryptography", "orjson")}
    print(json.dumps({"imported": IMPORT, "python": sys.version.split()[0], "versions": versions}), flush=True)
    while line := await reader.readline():
        command = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            count = await getattr(rig, command["do"])(command)
        except Exception as error:  # noqa: BLE001 - the bench has to hear of it
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
            continue
        answer = {"count": count, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
