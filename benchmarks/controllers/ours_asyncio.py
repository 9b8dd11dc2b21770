"""hap_asyncio as the controller under test. Commands and answers are those of aiohomekit.py beside it."""

from __future__ import annotations

import asyncio
import sys
import time

import rig

import hap_asyncio

IMPORTED = time.perf_counter()


async def main() -> None:
    """Carry out the commands."""
    async with hap_asyncio.open_controller(mdns=False) as controller:
        ours = rig.Awaiting(controller)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        rig.hello(IMPORTED)
        while line := await reader.readline():
            await ours.obey(line)


if __name__ == "__main__":
    asyncio.run(main())
