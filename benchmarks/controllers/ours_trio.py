"""hap_trio as the controller under test. Commands and answers are those of aiohomekit.py beside it."""

from __future__ import annotations

import sys
import time

import rig
import trio

import hap_trio

IMPORTED = time.perf_counter()


async def main() -> None:
    """Carry out the commands."""
    async with hap_trio.open_controller(mdns=False) as controller:
        ours = rig.Awaiting(controller)
        rig.hello(IMPORTED)
        rest = b""
        async for chunk in trio.lowlevel.FdStream(sys.stdin.fileno()):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                await ours.obey(line)


if __name__ == "__main__":
    trio.run(main)
