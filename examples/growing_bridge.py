"""A bridge that grows while it runs: `python growing_bridge.py`, until Ctrl-C.

Each file in the folder lamps is a lamp, called after its serial number, with a name in it: `echo Shelf > lamps/A0042`.
Add, rename and remove them at any time. The numbers that rooms and automations hang on belong to the serial number: a
new name changes nothing, and a lamp that comes back is the same as before.
"""

from collections.abc import Mapping
from pathlib import Path

import trio

import hap_trio
from hapcore.accessory.commands import ReplaceDatabase
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import HapError
from hapcore.ids import Caller
from hapcore.model.accessory import Accessory
from hapcore.model.information import NAME

FOLDER = Path("lamps")

bridge = Accessory.bridge("Bridge")


def lamp(serial: str, name: str) -> Accessory:
    light = Lightbulb(on=False)

    @light.on.setter
    async def switch(value: bool, _caller: Caller) -> None:
        print(serial, "on" if value else "off")

    return Accessory(name, services=[light], key=serial, serial_number=serial)


def read(known: Mapping[str, Accessory]) -> dict[str, Accessory]:
    """The lamps of the folder by their serial numbers; those that are `known` go on as they are."""
    FOLDER.mkdir(exist_ok=True)
    lamps: dict[str, Accessory] = {}
    for file in sorted(FOLDER.glob("[!.]*")):
        serial, name = file.name, file.read_text().strip()
        if serial in known:
            lamps[serial] = known[serial]
            known[serial].information[NAME].value = name or known[serial].name
        elif name:  # else it is being written
            lamps[serial] = lamp(serial, name)
    return lamps


async def main(every: float = 1.0) -> None:
    lamps = read({})  # before anybody can ask: who finds the bridge empty forgets what was behind it
    async with hap_trio.open_server([bridge, *lamps.values()], state="bridge.json") as server:
        while True:
            await trio.sleep(every)
            try:
                found = read(lamps)
                if found.keys() != lamps.keys():
                    await server.do(ReplaceDatabase([bridge, *found.values()]))
                    print(len(found), "lamps")
                lamps = found
            except (HapError, OSError, UnicodeError) as error:  # what is wrong with a lamp: the others stay
                print(error)


if __name__ == "__main__":
    trio.run(main)
