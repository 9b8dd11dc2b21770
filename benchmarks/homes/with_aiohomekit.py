"""aiohomekit with a whole home: every accessory connected, its database read, everything that has events subscribed to.

It leaves polling to its user; this one polls every value of every accessory once a minute, as Home Assistant does.
First line: `{"versions": ...}`. Commands, one JSON object a line, each with an answer:

    start   pairings           until all are there: `{"count": N, "values": M}`
    events                     changes heard since the last time: `{"count": N}`
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from importlib.metadata import version

from aiohomekit.characteristic_cache import CharacteristicCacheMemory
from aiohomekit.controller.ip.controller import IpController
from aiohomekit.model.characteristics import CharacteristicPermissions

POLL = 60.0


class Home:
    """All pairings of one controller."""

    def __init__(self):
        self.controller = IpController(CharacteristicCacheMemory(), None)
        self.heard = 0
        self.tasks = []

    async def start(self, pairings):
        """Connect to all, a few at a time."""
        limit = asyncio.Semaphore(30)
        counts = await asyncio.gather(*(self._one(alias, data, limit) for alias, data in pairings.items()))
        return {"count": len(counts), "values": sum(counts)}

    async def _one(self, alias, data, limit):
        async with limit:
            pairing = self.controller.load_pairing(alias, data)
            accessories = await pairing.list_accessories_and_characteristics()
            readable, events = [], []
            for accessory in accessories:
                for service in accessory["services"]:
                    for one in service["characteristics"]:
                        key = (accessory["aid"], one["iid"])
                        if CharacteristicPermissions.paired_read in one["perms"]:
                            readable.append(key)
                        if CharacteristicPermissions.events in one["perms"]:
                            events.append(key)
            pairing.dispatcher_connect(self._hear)
            await pairing.subscribe(events)
            values = await pairing.get_characteristics(readable)
        self.tasks.append(asyncio.create_task(self._poll(pairing, readable)))
        return len(values)

    def _hear(self, changes):
        self.heard += len(changes)

    async def _poll(self, pairing, readable):
        while True:
            await asyncio.sleep(POLL)
            self.heard -= 1  # its own answer is dispatched as well
            await pairing.get_characteristics(readable)

    async def events(self):
        """What was heard since the last time."""
        heard, self.heard = self.heard, 0
        return {"count": heard}


async def main():
    """Carry out the commands."""
    home = Home()
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"versions": {"aiohomekit": version("aiohomekit")}}), flush=True)
    while line := await reader.readline():
        command = json.loads(line)
        answer = await getattr(home, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
    for task in home.tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    asyncio.run(main())
