"""A doorbell, and a button beside it: `python doorbell.py`, then type 1, 2, or hold, or light. Ctrl-C ends it.

Presses are events and nothing else: who reads is told null, and two equal presses are two events. The buttons are
watched by a thread of their own, as libraries for GPIO have one; `call_soon` is its way into the server.
"""

import sys
import threading
from collections.abc import Iterable

import hap_sync
from hapcore.accessory import Accessory
from hapcore.catalogue.services import Doorbell, StatelessProgrammableSwitch
from hapcore.catalogue.values import ProgrammableSwitchEvent as Press

bell = Doorbell("Doorbell", primary=True)
light = StatelessProgrammableSwitch("Light")
door = Accessory("Front door", services=[bell, light])

BUTTONS = {
    "1": (bell.programmable_switch_event, Press.SINGLE_PRESS),
    "2": (bell.programmable_switch_event, Press.DOUBLE_PRESS),
    "hold": (bell.programmable_switch_event, Press.LONG_PRESS),
    "light": (light.programmable_switch_event, Press.SINGLE_PRESS),
}


def watch(server: hap_sync.AccessoryServer, presses: Iterable[str]) -> None:
    for line in presses:
        if (pressed := BUTTONS.get(line.strip())) is not None:
            button, how = pressed
            server.call_soon(button.set, how)


def main(presses: Iterable[str] = sys.stdin) -> None:
    with hap_sync.open_server(door, state="doorbell.json") as server:
        threading.Thread(target=watch, args=(server, presses), daemon=True).start()
        server.run()


if __name__ == "__main__":
    main()
