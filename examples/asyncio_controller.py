"""Pair a lamp, switch it on and watch it: `python asyncio_controller.py HOST:PORT`."""

import asyncio
import sys

import hap_asyncio
from hapcore.catalogue.characteristics import ON


async def main(address: str) -> None:
    async with hap_asyncio.open_controller("pairings.json") as home:
        lamp = home.connect("lamp") if "lamp" in home.aliases else await home.pair(address, "031-45-154", "lamp")
        services = (await lamp.accessories())[0].services
        on = next(found.id for service in services if (found := service.find(ON.uuid)))
        async with lamp.subscribe([on]) as changes:
            await lamp.write({on: True})
            async for change in changes:
                print(change.id, "is", change.value)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
