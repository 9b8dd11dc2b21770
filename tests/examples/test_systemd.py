"""The switch that shuts a machine down: its units are right, and what systemd would start is started and used."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import trio
from tests.docs.programs import environment, line
from tests.examples.screen import STRICT
from tests.examples.visit import EXAMPLES, LIMIT, LOOPBACK, controlling, load

from hapcore.catalogue.characteristics import ON
from hapcore.ids import HapStatus
from hapcore.model.metadata import Permission

FOLDER = EXAMPLES / "systemd"
INSTALLED = "/usr/local/lib/hap-shutdown"


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=True, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string((FOLDER / name).read_text(encoding="utf-8"))
    return read


SERVICE, PATH = unit("hap-shutdown.service"), unit("hap-shutdown.path")


def here(text: str) -> str:
    """Paths of an installed program, as paths of this source tree."""
    return text.replace(f"{INSTALLED}/venv/bin/python", sys.executable).replace(INSTALLED, str(FOLDER))


class Started:
    """The process, and what it says to systemd."""

    def __init__(self, process: subprocess.Popen[str], notified: socket.socket, state: Path, runtime: Path) -> None:
        self.process, self.notified, self.state, self.runtime = process, notified, state, runtime

    def told(self) -> str:
        return self.notified.recv(4096).decode()

    def note(self) -> bool:
        return (self.runtime / "shut-down").exists()


@contextmanager
def started(tmp_path: Path) -> Iterator[Started]:
    """What ExecStart says, with the folders and variables that systemd would give it."""
    folders = {name: tmp_path / name.lower() for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, exist_ok=True)
    given = {
        "HAP_ADDRESS": LOOPBACK,
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        **{k: str(v) for k, v in folders.items()},
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        (tmp_path / "notify").unlink(missing_ok=True)
        notified.bind(given["NOTIFY_SOCKET"])
        notified.settimeout(LIMIT)
        with subprocess.Popen(
            shlex.split(here(SERVICE["Service"]["ExecStart"])),
            cwd="/",
            env=environment() | given,
            umask=int(SERVICE["Service"]["UMask"], 8),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            try:
                yield Started(process, notified, *folders.values())
            finally:
                process.kill()


def ended(program: Started) -> None:
    """As `systemctl stop` does it."""
    program.process.send_signal(signal.SIGTERM)
    assert program.told() == "STOPPING=1"
    _, trouble = program.process.communicate(timeout=LIMIT)
    assert program.process.returncode == 0, trouble
    assert not trouble


async def test_it_is_started_and_shuts_down_who_asks_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with trio.fail_after(LIMIT), started(tmp_path) as program:
        assert program.told() == "READY=1"
        said = line(program.process)
        assert said.startswith("Shut down ")
        port, code = said.rpartition(": port ")[2].split(", setup code ")
        server = SimpleNamespace(port=int(port), setup_code=code)
        async with controlling(server) as home:
            on = home.find(ON)
            found = next(one.find(ON.uuid) for one in home.accessories[0].services if one.find(ON.uuid))
            assert Permission.TIMED_WRITE in found.metadata.perms
            async with home.session() as untimed:
                assert (await untimed.write({on: True}))[on].status == HapStatus.INVALID_VALUE
            async with home.session(await home.guest()) as guest:
                refused = await guest.write({on: True}, timed=5000)
                assert refused[on].status == HapStatus.INSUFFICIENT_PRIVILEGES

            async with home.client.subscribe([on]) as changes:
                for _ in range(3):  # impatient
                    assert await home.write(ON, True) == 0
                assert await home.write(ON, False) == 0
                assert await home.write(ON, True) == 0
                assert not program.note()
                assert (await anext(changes)).value is False
                assert not program.note()
                assert await home.write(ON, True) == 0
                assert program.note()
        await trio.to_thread.run_sync(ended, program)
    assert [one.name for one in program.state.iterdir() if one.suffix == ".json"] == ["shutdown_switch.json"]
    assert (program.state / "shutdown_switch.json").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in program.runtime.iterdir()] == ["shut-down"]
    # systemd empties its folder; the next boot knows the controllers, and shuts nothing down.
    (program.runtime / "shut-down").unlink()
    with trio.fail_after(LIMIT), started(tmp_path) as program:
        assert program.told() == "READY=1"
        port = line(program.process).rpartition(": port ")[2].partition(",")[0]
        async with controlling(SimpleNamespace(port=int(port))) as home:
            assert await home.read(ON) is False
            assert not program.note()
        await trio.to_thread.run_sync(ended, program)


async def test_who_waits_too_long_begins_anew(tmp_path, monkeypatch, autojump_clock):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    switch = load("systemd/shutdown_switch.py")
    async with trio.open_nursery() as nursery:
        asked = switch.Asked(nursery)
        for pause in (0, switch.LATE + 0.1, 0.9 * switch.SOON):
            await trio.sleep(pause)
            asked.ask(True, None)
            assert not switch.NOTE.exists()
        await trio.sleep(switch.LATE - switch.SOON)
        asked.ask(False, None)
        assert not switch.NOTE.exists()
        asked.ask(True, None)
        assert switch.NOTE.exists()


def test_the_note_is_where_the_path_unit_looks(monkeypatch):
    assert SERVICE["Service"]["RuntimeDirectory"] == "hap-shutdown"
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/hap-shutdown")
    assert PATH["Path"]["PathExists"] == str(load("systemd/shutdown_switch.py").NOTE)
    assert PATH["Path"]["Unit"] == "poweroff.target"
    assert {one["Install"]["WantedBy"] for one in (SERVICE, PATH)} == {"multi-user.target"}


def test_it_has_no_rights():
    service = SERVICE["Service"]
    assert service["DynamicUser"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert "User" not in service


def test_systemd_understands_the_units(tmp_path):
    if (analyze := shutil.which("systemd-analyze")) is None:
        assert not STRICT, "systemd-analyze is not there"
        return
    for name in ("hap-shutdown.service", "hap-shutdown.path"):
        (tmp_path / name).write_text(here((FOLDER / name).read_text(encoding="utf-8")), encoding="utf-8")
    files = [str(one) for one in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        [analyze, "verify", *files], capture_output=True, encoding="utf-8", check=False, env={**os.environ, "LANG": "C"}
    )
    trouble = [one for one in (done.stdout + done.stderr).splitlines() if "hap-shutdown" in one]
    assert not trouble
