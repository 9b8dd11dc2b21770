"""Pair a lamp, switch it on and watch it: `python sync_controller.py HOST:PORT`."""

import sys

import hap_sync
from hapcore.catalogue.characteristics import ON


def main(address: str) -> None:
    with hap_sync.open_controller("pairings.json") as home:
        lamp = home.connect("lamp") if "lamp" in home.aliases else home.pair(address, "031-45-154", "lamp")
        services = lamp.accessories()[0].services
        on = next(found.id for service in services if (found := service.find(ON.uuid)))
        with lamp.subscribe([on]) as changes:
            lamp.write({on: True})
            for change in changes:
                print(change.id, "is", change.value)


if __name__ == "__main__":
    main(sys.argv[1])
