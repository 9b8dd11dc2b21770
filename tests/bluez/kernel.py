"""Build the kernel of `machine.py`: a User Mode Linux with Bluetooth and little else.

    python tests/bluez/kernel.py --into .nox/bluez

writes DIR/linux, or does nothing when it is there and made from the same configuration. Needs Debian's linux-source
and what kernels are built with; as root it installs what is missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "kernel.config"
PACKAGES = ("linux-source", "bluez", "dbus", "make", "gcc", "libc6-dev", "flex", "bison", "bc", "xz-utils", "iproute2")
#: Not needed, and a good part of the sources.
_UNUSED = (
    "*/drivers/gpu/drm/amd/include",
    "*/Documentation/devicetree",
    "*/boot/dts",
    "*/tools/testing",
    "*/tools/perf",
)


def sources() -> Path | None:
    """The newest of Debian's archives."""
    return max(Path("/usr/src").glob("linux-source-*.tar.xz"), default=None)


def install() -> None:
    """What is missing of `PACKAGES`, where that can be done."""
    tools = ("make", "gcc", "flex", "bison", "bc", "xz", "dbus-daemon", "ip")
    if sources() and all(map(shutil.which, tools)) and Path("/etc/dbus-1/system.d/bluetooth.conf").exists():
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SystemExit(f"install these, or run as root on a Debian-like machine: {' '.join(PACKAGES)}")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES])


def run(command: list[str], folder: Path | None = None) -> None:
    """One step; a failure ends the program with what was said."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout.decode(errors='replace')[-4000:]}")


def build(into: Path) -> None:
    """Bring DIR/linux to the wanted state."""
    kernel, stamp = into / "linux", into / "kernel.config"
    if kernel.exists() and stamp.exists() and stamp.read_bytes() == CONFIG.read_bytes():
        print(f"the kernel is in place: {kernel}")
        return
    install()
    archive = sources()
    if archive is None:
        raise SystemExit("there is no /usr/src/linux-source-*.tar.xz")
    into.mkdir(parents=True, exist_ok=True)
    print(f"building a kernel from {archive.name}: a few minutes", flush=True)
    with tempfile.TemporaryDirectory(dir=into) as temporary:
        unused = [f"--exclude={one}" for one in _UNUSED]
        run(["tar", "--extract", f"--file={archive}", f"--directory={temporary}", *unused])
        folder = next(Path(temporary).iterdir())
        make = ["make", "-s", "ARCH=um"]
        run([*make, f"KCONFIG_ALLCONFIG={CONFIG}", "allnoconfig"], folder)
        run([*make, f"-j{os.cpu_count() or 1}", "linux"], folder)
        shutil.copy(folder / "linux", kernel)
    shutil.copy(CONFIG, stamp)
    print(f"built {kernel}")


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description="Build the kernel for the tests on real BlueZ.")
    parser.add_argument("--into", type=Path, default=Path(".nox/bluez"), help="folder to write (default .nox/bluez)")
    build(parser.parse_args().into.resolve())


if __name__ == "__main__":
    main()
