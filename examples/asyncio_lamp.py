"""A lamp, served until Ctrl-C: `python asyncio_lamp.py`."""

import asyncio

import hap_asyncio
from hapcore.accessory import Caller
from hapcore.catalogue.services import Lightbulb

light = Lightbulb("Desk lamp", on=False, brightness=40)


@light.on.setter
async def switch(value: bool, caller: Caller) -> None:
    print("on" if value else "off", "by", caller.pairing_id.decode())


if __name__ == "__main__":
    asyncio.run(hap_asyncio.serve(light, setup_code="031-45-154", state="lamp.json"))
