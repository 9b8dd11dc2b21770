"""hap_asyncio under test. First line, commands and end are those of ours_trio.py beside it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import served

import hap_asyncio

IMPORTED = time.perf_counter()


async def main(state: Path) -> None:
    """Serve until stdin ends."""
    async with hap_asyncio.open_server(served.served(), state=state, **served.SETTINGS) as server:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        served.hello(server.port, IMPORTED)
        while line := await reader.readline():
            count = json.loads(line)["count"]
            for number in range(count):
                served.step(number)
                await asyncio.sleep(0)
            served.say(done=count)


if __name__ == "__main__":
    served.run(lambda state: asyncio.run(main(state)))
