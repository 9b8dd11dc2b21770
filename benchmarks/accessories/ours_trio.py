"""hap_trio under test: one of the sets of served.py, on 127.0.0.1, without mDNS.

First line: `{"port": ..., "imported": ..., "versions": ...}`. Command: `{"do": "press", "count": N}` makes N changes,
letting the loop run after each, and answers `{"done": N}`. Ends with its stdin.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

import served
import trio

import hap_trio

IMPORTED = time.perf_counter()


async def main(state: Path) -> None:
    """Serve until stdin ends."""
    async with hap_trio.open_server(served.served(), state=state, **served.SETTINGS) as server:
        served.hello(server.port, IMPORTED)
        rest = b""
        async for chunk in trio.lowlevel.FdStream(sys.stdin.fileno()):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                count = json.loads(line)["count"]
                for number in range(count):
                    served.step(number)
                    await trio.lowlevel.checkpoint()
                served.say(done=count)


if __name__ == "__main__":
    served.run(partial(trio.run, main))
