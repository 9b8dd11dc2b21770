"""A bridge that grows while it runs: `python growing_bridge.py`, until Ctrl-C.

Each file in the folder lamps is a lamp, called after its serial number, with a name in it: `echo Shelf > lamps/A0042`.
Add, rename and remove them at any time. The numbers that rooms and automations hang on belong to the serial number: a
new name changes nothing, and a lamp that comes back is the same as before.
"""

from contextlib import suppress
from pathlib import Path

import trio

import hap_trio
from hapcore.accessory import Accessory, AddAccessories, Caller, RemoveAccessories
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import HapError

FOLDER = Path("lamps")

bridge = Accessory.bridge("Bridge")


def lamp(serial: str, name: str) -> Accessory:
    light = Lightbulb(on=False)

    @light.on.setter
    async def switch(value: bool, _caller: Caller) -> None:
        print(serial, "on" if value else "off")

    return Accessory(name, services=[light], key=serial, serial_number=serial)


def read() -> dict[str, str]:
    """What the folder says: serial numbers and names."""
    FOLDER.mkdir(exist_ok=True)
    return {file.name: file.read_text(errors="replace").strip() for file in sorted(FOLDER.glob("[!.]*"))}


async def follow(server: hap_trio.AccessoryServer, lamps: dict[str, Accessory], names: dict[str, str]) -> None:
    """Make what is served what the folder says."""
    for serial in lamps.keys() - names.keys():
        await server.do(RemoveAccessories(lamps.pop(serial)))
        print(serial, "is gone")
    for serial, name in names.items():
        if not name:  # it is being written
            continue
        try:
            if serial in lamps:
                lamps[serial].name = name
            else:
                await server.do(AddAccessories(new := lamp(serial, name)))
                lamps[serial] = new
                print(serial, "is new")
        except HapError as error:  # a name that is too long, one lamp too many
            print(f"{serial}: {error}")


async def main(every: float = 1.0) -> None:
    # Before anybody can ask: who finds the bridge empty forgets what was behind it.
    lamps = {serial: lamp(serial, name) for serial, name in read().items() if name}
    async with hap_trio.open_server([bridge, *lamps.values()], state="bridge.json") as server:
        while True:
            await trio.sleep(every)
            with suppress(OSError):  # a file that has gone again; the next time all is well
                await follow(server, lamps, read())


if __name__ == "__main__":
    trio.run(main)
