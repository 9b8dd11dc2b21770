"""A switch that shuts this machine down, run at boot by hap-shutdown.service: `python shutdown_switch.py`.

Nobody does that by mistake: admins only, timed writes, and one has to ask twice. The first time, the switch goes back
to off after a second; who switches it on again within 15 seconds means it. "Everything on" and an impatient finger do
nothing. This program has no rights to shut down anything: it leaves a note, and hap-shutdown.path sees to it.
"""

import os
import signal
import socket
from pathlib import Path

import trio

import hap_trio
from hapcore.accessory import Caller, Characteristic
from hapcore.catalogue.characteristics import ON
from hapcore.catalogue.services import Switch

#: Seconds after the first time: the second is too early before the one and too late after the other.
SOON, LATE = 1.0, 15.0
STATE = Path(os.environ.get("STATE_DIRECTORY", "."), "shutdown_switch.json")
NOTE = Path(os.environ.get("RUNTIME_DIRECTORY", "."), "shut-down")

on = Characteristic(ON, False, timed=True, admin_only_write=True)
switch = Switch(f"Shut down {socket.gethostname()}"[:64], on=on)


class Asked:
    """When somebody asked last."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery, self.at = nursery, float("-inf")

    def ask(self, value: bool, _caller: Caller) -> None:
        now = trio.current_time()
        if value and SOON <= now - self.at <= LATE:
            NOTE.touch()
        elif value and now - self.at > LATE:
            self.at = now
            self.nursery.start_soon(self.back)

    async def back(self) -> None:
        await trio.sleep(SOON)
        on.value = False


def tell_systemd(text: str) -> None:
    """What sd_notify does; nothing where systemd has not started us."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), path.replace("@", "\0", 1) if path.startswith("@") else path)


async def main() -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with (
            trio.open_nursery() as nursery,
            hap_trio.open_server(switch, state=STATE, address=os.environ.get("HAP_ADDRESS")) as server,
        ):
            on.setter(Asked(nursery).ask)
            print(f"{switch.label}: port {server.port}, setup code {server.setup_code}", flush=True)
            tell_systemd("READY=1")
            await anext(signals)
            tell_systemd("STOPPING=1")
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
