"""Pair a lamp, switch it on and watch it: `python sync_controller.py HOST:PORT`."""

import sys

import hap_sync


def main(address: str) -> None:
    with hap_sync.open_controller("pairings.json") as home:
        lamp = home.connect("lamp") if "lamp" in home.aliases else home.pair(address, "031-45-154", "lamp")
        device = lamp.device()
        light = device.lightbulb
        with lamp.subscribe([light.on]) as changes:
            lamp.set(light.on, True)
            for change in changes:
                print(change.id, "is", change.value)


if __name__ == "__main__":
    main(sys.argv[1])
