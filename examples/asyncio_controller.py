"""Pair a lamp, switch it on and watch it: `python asyncio_controller.py HOST:PORT`."""

import asyncio
import sys

import hap_asyncio


async def main(address: str) -> None:
    async with hap_asyncio.open_controller("pairings.json") as home:
        lamp = home.connect("lamp") if "lamp" in home.aliases else await home.pair(address, "031-45-154", "lamp")
        device = await lamp.device()
        light = device.lightbulb
        async with lamp.subscribe([light.on]) as changes:
            await lamp.set(light.on, True)
            async for change in changes:
                print(change.id, "is", change.value)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
