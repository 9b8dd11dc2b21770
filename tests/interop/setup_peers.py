"""Install the foreign peers, pinned, into a directory of their own.

    python tests/interop/setup_peers.py --into .nox/interop-peers

makes a virtual environment with the Python peers under DIR/venv (of the interpreter that runs this file) and installs
the Node.js peers under DIR/node; homekit_python, whose mDNS is of another time, and Homebridge, which brings a
HAP-NodeJS of its own, have each a folder for themselves. Running it again with everything in place does nothing. The
tests and the benchmarks find DIR through the environment variable HAPCORE_PEERS.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

PYTHON_PEERS = (
    "aiohomekit==4.0.1",
    "HAP-python[QRCode]==5.0.0",
    # What our accessory over Bluetooth LE needs beside them, in one process with aiohomekit.
    "attrs>=24.2",
    "bumble==0.0.236",
)
NODE_PEERS = ("hap-nodejs@1.2.0", "hap-controller@0.10.2")
#: Its accessory calls what zeroconf has not had for years.
HOMEKIT_PYTHON = ("homekit==0.19.0", "zeroconf==0.24.0")
HOMEBRIDGE = ("homebridge@1.11.1",)
DEFAULT = Path(".nox/interop-peers")
#: Written last: a directory with this file in it is complete.
STAMP = "installed.json"


def wanted() -> dict[str, object]:
    """What a complete directory says about itself."""
    return {"python": list(sys.version_info[:2]), "pip": list(PYTHON_PEERS), "npm": list(NODE_PEERS)}


def run(command: list[str], cwd: Path) -> None:
    """Run one installation step; its output goes to ours, a failure ends the program."""
    print("+", " ".join(command), flush=True)
    if subprocess.run(command, cwd=cwd, check=False).returncode:
        raise SystemExit(f"installing the peers failed at: {' '.join(command)}")


def _npm() -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed for the Node.js peers: install Node.js 20 or later")
    return npm


def _python(environment: Path, packages: Sequence[str]) -> None:
    venv.create(environment, with_pip=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    run([str(environment / scripts / "python"), "-m", "pip", "install", "-q", *packages], environment)


def _node(folder: Path, packages: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n', "utf-8")
    run([_npm(), "install", "--no-audit", "--no-fund", "--loglevel=error", *packages], folder)


def install_apart(folder: Path, packages: Sequence[str], put: Callable[[Path, Sequence[str]], None]) -> None:
    """Install what has a folder for itself, if it is not there."""
    stamp = folder / STAMP
    if stamp.exists() and json.loads(stamp.read_text("utf-8")) == list(packages):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    put(folder, packages)
    stamp.write_text(json.dumps(list(packages)), "utf-8")


def install(into: Path) -> None:
    """Bring `into` to the wanted state."""
    install_apart(into / "homekit_python", HOMEKIT_PYTHON, _python)
    install_apart(into / "homebridge", HOMEBRIDGE, _node)
    stamp = into / STAMP
    if stamp.exists() and json.loads(stamp.read_text("utf-8")) == wanted():
        print(f"peers are in place in {into}")
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(into / "venv", ignore_errors=True)
    into.mkdir(parents=True, exist_ok=True)
    _python(into / "venv", PYTHON_PEERS)
    _node(into / "node", NODE_PEERS)
    stamp.write_text(json.dumps(wanted()), "utf-8")


def main() -> None:
    """Parse the command line and install."""
    parser = argparse.ArgumentParser(description="Install the foreign peers of the interop tests and benchmarks.")
    parser.add_argument("--into", type=Path, default=DEFAULT, help=f"directory to install into (default {DEFAULT})")
    install(parser.parse_args().into.resolve())


if __name__ == "__main__":
    main()
