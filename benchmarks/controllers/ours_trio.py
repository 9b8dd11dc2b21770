"""hap_trio as the controller under test. Commands and answers are those of aiohomekit.py beside it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version

parser = argparse.ArgumentParser()
parser.add_argument("--plain", action="store_true", help="without orjson and gmpy2, as if they were not installed")
options = parser.parse_args()
if options.plain:
    sys.modules["orjson"] = sys.modules["gmpy2"] = None

_started = time.perf_counter()
import trio  # noqa: E402 - the import is part of what is measured

import hap_trio  # noqa: E402
from hapcore.errors import HapError  # noqa: E402

IMPORT = time.perf_counter() - _started


def versions() -> dict[str, str]:
    """What this process runs on."""
    found = {}
    for name in ("hapcore", "trio", "cryptography", "orjson", "gmpy2"):
        if options.plain and name in ("orjson", "gmpy2"):
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Rig:
    """One controller and its pairing, in memory."""

    def __init__(self, controller: hap_trio.Controller) -> None:
        self.controller = controller
        self.client: hap_trio.Client | None = None

    async def pair(self, command: dict) -> int:
        """Pair-setup alone."""
        self.client = await self.controller.pair(f"127.0.0.1:{command['port']}", "031-45-154", "bench")
        return 1

    async def verify(self, command: dict) -> int:
        """A new connection each time, verified and nothing more."""
        for _ in range(command["count"]):
            await self.client.aclose()
            await self.client._ready()
        return command["count"]

    async def read(self, command: dict) -> int:
        """The value of one characteristic."""
        wanted = tuple(map(int, command["id"].split(".")))
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            answer = await self.client.read([wanted])
            assert answer[wanted].status == 0, answer
            count += 1
        return count

    async def write(self, command: dict) -> int:
        """One characteristic, true and false in turn."""
        wanted = tuple(map(int, command["id"].split(".")))
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            answer = await self.client.write({wanted: count & 1 == 0})
            assert answer[wanted].status == 0, answer
            count += 1
        return count

    async def accessories(self, command: dict) -> int:
        """The whole database."""
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            await self.client.accessories()
            count += 1
        return count

    async def unpair(self, _command: dict) -> int:
        """Remove ourselves."""
        await self.controller.remove("bench")
        return 1


async def main() -> None:
    """Carry out the commands."""
    async with hap_trio.open_controller(mdns=False) as controller:
        rig = Rig(controller)
        first = {"imported": IMPORT, "python": sys.version.split()[0], "versions": versions()}
        print(json.dumps(first), flush=True)
        stream = trio.lowlevel.FdStream(sys.stdin.fileno())
        rest = b""
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                command = json.loads(line)
                wall, cpu = time.perf_counter(), time.process_time()
                try:
                    count = await getattr(rig, command["do"])(command)
                except (HapError, AssertionError) as error:
                    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
                    continue
                answer = {"count": count, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    trio.run(main)
