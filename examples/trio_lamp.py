"""A lamp, served until Ctrl-C: `python trio_lamp.py`."""

import trio

import hap_trio
from hapcore.accessory import Caller
from hapcore.catalogue.services import Lightbulb

light = Lightbulb("Desk lamp", on=False, brightness=40)


@light.on.setter
async def switch(value: bool, caller: Caller) -> None:
    print("on" if value else "off", "by", caller.pairing_id.decode())


if __name__ == "__main__":
    trio.run(lambda: hap_trio.serve(light, setup_code="031-45-154", state="lamp.json"))
