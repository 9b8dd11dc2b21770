"""A lamp, served until Ctrl-C: `python sync_lamp.py`."""

import hap_sync
from hapcore.accessory import Caller
from hapcore.catalogue.services import Lightbulb

light = Lightbulb("Desk lamp", on=False, brightness=40)


@light.on.setter
def switch(value: bool, caller: Caller) -> None:
    print("on" if value else "off", "by", caller.pairing_id.decode())


if __name__ == "__main__":
    hap_sync.serve(light, setup_code="031-45-154", state="lamp.json")
