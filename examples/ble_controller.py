"""Pair a lamp over Bluetooth LE, switch it on and watch it: `python ble_controller.py AA:BB:CC:DD:EE:FF`."""

import sys
from typing import Any

import trio

import hap_trio


async def main(device_id: str, ble: Any = True) -> None:
    async with hap_trio.open_controller("pairings.json", mdns=False, ble=ble) as home:
        lamp = home.connect("lamp") if "lamp" in home.aliases else await home.pair(device_id, "031-45-154", "lamp")
        device = await lamp.device()
        light = device.lightbulb
        # The link is dropped when it is idle; changes are told all the same, by what the lamp advertises.
        async with lamp.subscribe([one for one in light.characteristics if one.notifies]) as changes:
            await lamp.set(light.on, True)
            async for change in changes:
                print(change.id, "is", change.value)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
