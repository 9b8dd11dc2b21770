"""Run a command on a Linux of its own, with Bluetooth, D-Bus and BlueZ: the kernel is User Mode Linux.

    python tests/bluez/machine.py [--kernel FILE] [--debug FOLDER] COMMAND ...

The machine has the files of this one, read only, and no other network than itself. No rights are needed, and nothing
outside is changed. `/dev/vhci` is there, for a controller of a virtual air to become the machine's Bluetooth adapter.
The exit status is the command's. The kernel is FILE, or what HAPCORE_UML names; see `kernel.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Where Debian and others keep the daemon, which is on nobody's path.
_BLUETOOTHD = ("/usr/libexec/bluetooth/bluetoothd", "/usr/lib/bluetooth/bluetoothd", "/usr/sbin/bluetoothd")
#: Seconds after which a command that hangs is ended, with its machine.
LIMIT = 600


def missing(kernel: str | None) -> str:
    """What is not there that has to be, in words; empty when all is well."""
    if not kernel:
        return (
            "no kernel: name a User Mode Linux with Bluetooth in HAPCORE_UML, or run `nox -s bluez`, which builds one"
        )
    if not os.access(kernel, os.X_OK):
        return f"{kernel} is no kernel that can be run"
    if bluetoothd() is None:
        return "bluetoothd is not installed (Debian: apt-get install bluez)"
    if shutil.which("dbus-daemon") is None:
        return "dbus-daemon is not installed (Debian: apt-get install dbus)"
    return ""


def bluetoothd() -> str | None:
    """Where the daemon is."""
    return next((path for path in _BLUETOOTHD if os.access(path, os.X_OK)), None)


def run(kernel: str, command: list[str], *, debug: Path | None = None, limit: float = LIMIT) -> int:
    """Run a command and return its exit status; `debug` is a folder for what was said between kernel and adapter."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder)
        passed = {key: value for key, value in os.environ.items() if key.startswith(("HAPCORE_", "PYTHON", "PYTEST"))}
        asked = {
            "command": command,
            "folder": os.getcwd(),  # noqa: PTH109 - as the shell sees it
            "environment": passed,
            "bluetoothd": bluetoothd(),
            "debug": ["--debug"] if debug else [],
        }
        (shared / "command.json").write_text(json.dumps(asked), "utf-8")
        boot = [kernel, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "mem=768M", "con=null"]
        boot += ["con0=null,fd:1", "quiet", "random.trust_cpu=on", f"init={sys.executable}", "--"]
        boot += [str(HERE / "inside.py"), folder]
        # The kernel keeps the machine's memory in a file there; it finds the right folder by itself.
        process = subprocess.Popen(boot, stdin=subprocess.DEVNULL, env={"HOME": folder}, start_new_session=True)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            print(f"the command has not ended after {limit:.0f} seconds", file=sys.stderr)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
        if debug:
            for one in shared.glob("*.log"):
                shutil.copy(one, debug)
        status, log = shared / "status", shared / "daemons.log"
        result = int(status.read_text("utf-8")) if status.exists() else 1
        if result and log.exists():
            print("--- D-Bus and BlueZ:", log.read_text("utf-8", "replace")[-2000:], sep="\n", file=sys.stderr)
        return result


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Run a command on a Linux of its own, with BlueZ.")
    parser.add_argument("--kernel", default=os.environ.get("HAPCORE_UML"))
    parser.add_argument("--debug", type=Path, help="folder for the log of the daemon and of the adapter (btmon's)")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds (default {LIMIT})")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    why_not = missing(options.kernel)
    if why_not:
        raise SystemExit(f"not run on real BlueZ: {why_not}")
    raise SystemExit(run(options.kernel, options.command, debug=options.debug, limit=options.limit))


if __name__ == "__main__":
    main()
