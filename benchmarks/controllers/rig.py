"""What the controllers of ours under test have in common: the option, the first line, carrying out the commands.

Commands and answers are those of aiohomekit.py beside it. The time that `import` takes is counted from here on, with
orjson and gmpy2 hidden if so wanted.
"""

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

STARTED = time.perf_counter()
from hapcore.errors import HapError  # noqa: E402 - the import is part of what is measured
from hapcore.ip.controller import Close  # noqa: E402

CODE = "031-45-154"


def hello(imported: float) -> None:
    """Print the first line: `imported` is when the last import was done."""
    found = {}
    for name in ("hapcore", "trio", "cryptography", "orjson", "gmpy2"):
        if options.plain and name in ("orjson", "gmpy2"):
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    first = {"imported": imported - STARTED, "python": sys.version.split()[0], "versions": found}
    print(json.dumps(first), flush=True)


class Awaiting:
    """One controller and its pairing, in memory, where calls are awaited."""

    def __init__(self, controller) -> None:
        self.controller = controller
        self.client = None

    async def pair(self, command: dict) -> int:
        """Pair-setup alone."""
        self.client = await self.controller.pair(f"127.0.0.1:{command['port']}", CODE, "bench")
        return 1

    async def verify(self, command: dict) -> int:
        """A new connection each time, verified and nothing more."""
        for _ in range(command["count"]):
            await self.client.do(Close())  # connects and verifies first
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

    async def obey(self, line: bytes) -> None:
        """Carry out one command and print what it took."""
        command = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            count = await getattr(self, command["do"])(command)
        except (HapError, AssertionError) as error:
            _refuse(error)
        else:
            _answer(count, wall, cpu)


class Blocking:
    """The same where calls block."""

    def __init__(self, controller) -> None:
        self.controller = controller
        self.client = None

    def pair(self, command: dict) -> int:
        """Pair-setup alone."""
        self.client = self.controller.pair(f"127.0.0.1:{command['port']}", CODE, "bench")
        return 1

    def verify(self, command: dict) -> int:
        """A new connection each time, verified and nothing more."""
        for _ in range(command["count"]):
            self.client.do(Close())  # connects and verifies first
        return command["count"]

    def read(self, command: dict) -> int:
        """The value of one characteristic."""
        wanted = tuple(map(int, command["id"].split(".")))
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            answer = self.client.read([wanted])
            assert answer[wanted].status == 0, answer
            count += 1
        return count

    def write(self, command: dict) -> int:
        """One characteristic, true and false in turn."""
        wanted = tuple(map(int, command["id"].split(".")))
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            answer = self.client.write({wanted: count & 1 == 0})
            assert answer[wanted].status == 0, answer
            count += 1
        return count

    def accessories(self, command: dict) -> int:
        """The whole database."""
        until = time.perf_counter() + command["seconds"]
        count = 0
        while time.perf_counter() < until:
            self.client.accessories()
            count += 1
        return count

    def unpair(self, _command: dict) -> int:
        """Remove ourselves."""
        self.controller.remove("bench")
        return 1

    def obey(self, line: str) -> None:
        """Carry out one command and print what it took."""
        command = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            count = getattr(self, command["do"])(command)
        except (HapError, AssertionError) as error:
            _refuse(error)
        else:
            _answer(count, wall, cpu)


def _answer(count: int, wall: float, cpu: float) -> None:
    answer = {"count": count, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps(answer), flush=True)


def _refuse(error: Exception) -> None:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
