"""A lamp over Bluetooth LE, served until Ctrl-C: `python ble_lamp.py [usb:0]`, the controller as Bumble names it."""

import sys
from typing import Any

import trio

import hap_trio.ble
from hapcore.accessory import Caller
from hapcore.catalogue.services import Lightbulb

light = Lightbulb("Desk lamp", on=False, brightness=40)
# Changes while nobody is connected: that of On is broadcast with its value, of this one the state number goes up.
light.brightness.disconnected_events = True


@light.on.setter
async def switch(value: bool, caller: Caller) -> None:
    print("on" if value else "off", "by", caller.pairing_id.decode())


async def main(radio: Any = "usb:0", **more: Any) -> None:
    await hap_trio.ble.serve(light, setup_code="031-45-154", state="lamp.json", radio=radio, **more)


if __name__ == "__main__":
    trio.run(main, sys.argv[1] if len(sys.argv) > 1 else "usb:0")
