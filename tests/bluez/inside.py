"""The first process of the machine: brings up D-Bus and BlueZ, runs one command, switches off.

Everything is in the root of the machine outside, which is read only here; what has to be written goes into memory, and
into the one folder the two share. There are `command.json`, before, and `status`, after.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

#: Where programs may write; gone when the machine is off.
MEMORY = "/run/memory"
#: Where D-Bus listens.
BUS = "/run/dbus/system_bus_socket"
#: reboot(2)'s word for switching off.
_POWER_OFF = 0x4321FEDC
_libc = ctypes.CDLL(None, use_errno=True)


def mount(what: str, where: str, kind: str, options: str = "") -> None:
    """mount(2). Raises `OSError`."""
    if _libc.mount(what.encode(), where.encode(), kind.encode(), 0, options.encode()):
        raise OSError(ctypes.get_errno(), f"mounting {kind} at {where}")


def start(log: IO[bytes], *command: str) -> None:
    """A daemon; what it says is for whoever wants to know why something failed."""
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def prepare(shared: str) -> None:
    """File systems, and the environment of all programs."""
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    if not Path("/dev/vhci").exists():
        mount("devtmpfs", "/dev", "devtmpfs")
    mount("tmpfs", "/run", "tmpfs")
    mount("tmpfs", "/var/lib/bluetooth", "tmpfs")
    mount("hostfs", shared, "hostfs", shared)
    for folder in (MEMORY, "/run/dbus"):
        Path(folder).mkdir()
    os.environ.update(
        HOME=MEMORY,
        TMPDIR=MEMORY,
        PYTHONDONTWRITEBYTECODE="1",
        HAPCORE_MACHINE="uml",
        PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    )
    # One line's end is one character, as in a file.
    console = termios.tcgetattr(1)
    console[1] &= ~termios.OPOST
    termios.tcsetattr(1, termios.TCSANOW, console)


def run(shared: Path) -> int:
    """The command, with everything it needs."""
    asked = json.loads((shared / "command.json").read_text("utf-8"))
    prepare(str(shared))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False, stderr=subprocess.DEVNULL)
    with (shared / "daemons.log").open("wb") as log:
        start(log, "dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog")
        while not Path(BUS).exists():
            time.sleep(0.01)
        start(log, asked["bluetoothd"], "--nodetach", *asked["debug"])
        if asked["debug"]:
            start(log, "btmon", "--write", str(shared / "btmon.log"))
    return subprocess.run(asked["command"], cwd=asked["folder"], env=os.environ | asked["environment"]).returncode


def main() -> None:
    """Say how it went, and switch off whatever has happened."""
    shared = Path(sys.argv[1])
    try:
        (shared / "status").write_text(str(run(shared)), "utf-8")
    finally:
        sys.stdout.flush()
        _libc.reboot(_POWER_OFF)


if __name__ == "__main__":
    main()
