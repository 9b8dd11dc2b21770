"""Every check of this project. `nox -l` lists them, `nox` runs the ordinary ones, `nox -s interop` foreign peers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
ROOT = Path(__file__).parent

# Interpreters that pyenv installed are not on the path by themselves; nox should find them all the same.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
for _folder in sorted(_PYENV.glob("versions/3.*/bin")):
    os.environ["PATH"] = f"{_folder}{os.pathsep}{os.environ['PATH']}"

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "laws", "tests", "docs", "build"]


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, and the layers of the architecture."""
    session.install("-q", "-e", ".[all,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright; and what they know of the code of users."""
    session.install("-q", "-e", ".[all,types]")
    session.run("mypy")
    session.run("pyright")
    session.run("pytest", "-q", "tests/typing")


@nox.session
def laws(session: nox.Session) -> None:
    """The laws of the architecture."""
    session.install("-q", "-e", ".[all,test]")
    session.run("pytest", "-q", "tests/laws")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite with branch coverage, on every installed Python."""
    session.install("-q", "-e", ".[all,test]")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "report")


@nox.session
def plain(session: nox.Session) -> None:
    """The suite without the optional accelerators: same results, only slower."""
    session.install("-q", "-e", ".[cli,asyncio,ble,ble-accessory,test]")
    session.run("pip", "uninstall", "-q", "-y", "orjson", "gmpy2", success_codes=[0, 1])
    session.run("pytest", "-q", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every example: Qt is installed; Tk, Xvfb and systemd-analyze must be there. No test may be skipped."""
    session.install("-q", "-e", ".[all,test]", "PySide6-Essentials>=6.8")
    session.run("pytest", "-q", "tests/examples", *session.posargs, env={"HAPCORE_WINDOWS": "1"})


@nox.session
def browser(session: nox.Session) -> None:
    """The page that `hap decode --html` writes, in a real browser: chromium and chromedriver must be there."""
    session.install("-q", "-e", ".[all,test]", "selenium>=4.25")
    page = ["tests/decode/test_report_in_browser.py", "tests/decode/test_report.py"]
    session.run("pytest", "-q", *page, *session.posargs, env={"HAPCORE_BROWSER": "1"})


@nox.session
def interop(session: nox.Session) -> None:
    """Foreign peers, real and unmodified, in processes of their own."""
    session.install("-q", "-e", ".[all,test]")
    peers = ROOT / ".nox" / "interop-peers"
    session.run("python", "tests/interop/setup_peers.py", "--into", str(peers))
    session.run("pytest", "-q", "tests/interop", *session.posargs, env={"HAPCORE_PEERS": str(peers)})


@nox.session
def bluez(session: nox.Session) -> None:
    """Bluetooth LE over real BlueZ, on a Linux of its own: HAPCORE_UML names its kernel, or one is built and kept."""
    kernel = os.environ.get("HAPCORE_UML")
    if not kernel and shutil.which("apt-get") is None:
        session.skip("no kernel: HAPCORE_UML names none, and this is no Debian-like machine to build one on")
    session.install("-q", "-e", ".[all,test]")
    if not kernel:
        session.run("python", "tests/bluez/kernel.py", "--into", str(ROOT / ".nox" / "bluez-kernel"))
        kernel = str(ROOT / ".nox" / "bluez-kernel" / "linux")
    peers = os.environ.get("HAPCORE_PEERS") or str(ROOT / ".nox" / "interop-peers")
    session.run("python", "tests/interop/setup_peers.py", "--into", peers)
    tests = [f"{session.bin}/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/bluez", *session.posargs]
    session.run("python", "tests/bluez/machine.py", "--kernel", kernel, *tests, env={"HAPCORE_PEERS": peers})


@nox.session
def network(session: nox.Session) -> None:
    """Hosts on a network, in namespaces of this Linux, which takes root's rights; nothing outside is touched."""
    session.install("-q", "-e", ".[all,test]")
    lacking = session.run("python", "tests/network/hosts.py", silent=True)
    if lacking and lacking.strip():
        session.skip(lacking.strip())
    session.run("pytest", "-q", "-p", "no:cacheprovider", "tests/network", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """An hour of random real faults (`-- --minutes 5` takes less): namespaces, so root's rights; foreign peers, too."""
    session.install("-q", "-e", ".[all,test]")
    lacking = session.run("python", "tests/network/hosts.py", silent=True)
    if lacking and lacking.strip():
        session.skip(lacking.strip())
    peers = os.environ.get("HAPCORE_PEERS") or str(ROOT / ".nox" / "interop-peers")
    session.run("python", "tests/interop/setup_peers.py", "--into", peers)
    session.run("python", "tests/network/nightly.py", *session.posargs, env={"HAPCORE_PEERS": peers})


@nox.session
def docs(session: nox.Session) -> None:
    """Generated code and pages are up to date, and the examples in the texts run."""
    session.install("-q", "-e", ".[all,test]")
    session.run("python", "tools/generate_catalogue.py", "--check")
    session.run("python", "tools/generate_docs.py", "--check")
    session.run("pytest", "-q", "tests/docs")


@nox.session
def build(session: nox.Session) -> None:
    """The distribution builds, and what it installs works without the source tree."""
    session.install("-q", "build", "twine")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist))
    session.run("twine", "check", "--strict", *map(str, dist.glob("*")))
    wheel = next(dist.glob("*.whl"))
    session.install("-q", f"{wheel}[cli]")
    with session.chdir(session.create_tmp()):
        session.run("hap", "demo")


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, side by side with other libraries in one run."""
    session.install("-q", "-e", ".[all]")
    peers = ROOT / ".nox" / "interop-peers"
    session.run("python", "tests/interop/setup_peers.py", "--into", str(peers))
    session.run("python", "benchmarks/run.py", *session.posargs, env={"HAPCORE_PEERS": str(peers)})
