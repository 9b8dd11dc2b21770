"""Foreign programs as the tests see them: started, spoken to in lines, ended, each with a hard time limit."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import trio

HERE = Path(__file__).parent
SETUP_CODE = "031-45-154"
WRONG_CODE = "111-22-334"
#: The longest wait for one line: start-up of a peer on a busy machine, or HAP-python's half second between events.
PATIENCE = 20.0
#: The longest a peer may take to end after it was told to.
PARTING = 5.0


class PeerFailedError(Exception):
    """The foreign controller raised: the name of its exception and its words."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error


class Foreign:
    """A running peer that prints JSON lines and takes commands on stdin."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self.name = name
        self._process = process
        self._lines: list[dict] = []
        self._stderr = bytearray()
        self._ended = False
        self._news = trio.Event()

    async def _read_lines(self) -> None:
        rest = b""
        async for chunk in self._process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            self._lines += [json.loads(line) for line in lines]
            self._tell()
        self._ended = True
        self._tell()

    async def _read_stderr(self) -> None:
        async for chunk in self._process.stderr:
            self._stderr += chunk

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def line(self, **wanted: object) -> dict:
        """Take the first line, printed already or still to come, that has all of `wanted`."""
        with trio.move_on_after(PATIENCE):
            while True:
                for index, line in enumerate(self._lines):
                    if all(line.get(key, self) == value for key, value in wanted.items()):
                        return self._lines.pop(index)
                if self._ended:
                    break
                await self._news.wait()
        raise AssertionError(
            f"{self.name} {'ended' if self._ended else 'was silent'} instead of printing {wanted}; it had printed "
            f"{self._lines}\n{self._stderr.decode(errors='replace')[-4000:]}"
        )

    async def send(self, text: str) -> None:
        """Write one line to its stdin."""
        await self._process.stdin.send_all(text.encode() + b"\n")

    async def command(self, text: str) -> None:
        """Have an accessory do something and wait until it has."""
        await self.send(text)
        await self.line(event="done", command=text.split()[0])

    async def do(self, name: str, **arguments: object) -> object:
        """Have a controller do something: its result, or `PeerFailedError`."""
        await self.send(json.dumps({"do": name, **arguments}))
        with trio.move_on_after(PATIENCE):
            while True:
                for index, line in enumerate(self._lines):
                    if line.get("done") == name:
                        return self._lines.pop(index)["result"]
                    if line.get("failed") == name:
                        self._lines.pop(index)
                        raise PeerFailedError(line["error"], line["message"])
                if self._ended:
                    break
                await self._news.wait()
        raise AssertionError(f"{self.name} did not answer {name}\n{self._stderr.decode(errors='replace')[-4000:]}")

    async def kill(self) -> None:
        """Have it end as in a power cut."""
        self._process.kill()
        with trio.fail_after(PARTING):
            await self._process.wait()

    async def terminate(self) -> int:
        """Send SIGTERM and wait for the end: the exit code."""
        self._process.terminate()
        with trio.fail_after(PARTING):
            return await self._process.wait()

    async def changed(self, wanted: dict[str, object]) -> None:
        """Wait until events have brought all of `wanted`; how many messages it takes is the peer's affair."""
        missing = dict(wanted)
        while missing:
            values = (await self.line(event="changed"))["values"]
            for key, value in values.items():
                if key in missing and value == missing[key]:
                    del missing[key]


@asynccontextmanager
async def running(name: str, command: list[str], environment: dict[str, str] | None = None) -> AsyncIterator[Foreign]:
    """Run one peer for the length of the block."""
    process = await trio.lowlevel.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=os.environ | (environment or {})
    )
    peer = Foreign(name, process)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer._read_lines)
        nursery.start_soon(peer._read_stderr)
        try:
            yield peer
        finally:
            with trio.CancelScope(shield=True):
                with trio.move_on_after(PARTING):
                    await process.stdin.aclose()
                    await process.wait()
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            nursery.cancel_scope.cancel()


class Peers:
    """The installed peers, ready to be started."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def complete(self) -> bool:
        """Whether the installation was carried to its end."""
        return (self._directory / "installed.json").exists()

    @property
    def python(self) -> str:
        """The interpreter that can import the Python peers."""
        return self._interpreter("venv")

    @property
    def homekit_python(self) -> str:
        """The interpreter that can import homekit_python and the zeroconf it knows."""
        return self._interpreter("homekit_python")

    def _interpreter(self, environment: str) -> str:
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        return str(self._directory / environment / scripts / "python")

    @asynccontextmanager
    async def accessory(self, name: str, state: Path) -> AsyncIterator[tuple[Foreign, dict]]:
        """Start the accessory `happython`, `hapnodejs`, `homekitpython` or `homebridge`: it and its first line."""
        async with running(name, self.accessory_command(name, state)) as peer:
            yield peer, await peer.line(event="listening")

    def accessory_command(self, name: str, state: Path) -> list[str]:
        """What starts an accessory; the last two are announced on 127.0.0.1."""
        common = ["--state", str(state), "--setup-code", SETUP_CODE]
        if name == "happython":
            return [self.python, str(HERE / "peers" / "happython_accessory.py"), *common]
        if name == "homekitpython":
            return [self.homekit_python, str(HERE / "peers" / "homekitpython_accessory.py"), *common]
        node = "homebridge" if name == "homebridge" else "node"
        modules = str(self._directory / node / "node_modules")
        return ["node", str(HERE / "peers" / f"{name}_accessory.js"), "--modules", modules, *common]

    @asynccontextmanager
    async def controller(self, name: str = "aiohomekit") -> AsyncIterator[Foreign]:
        """Start the controller `aiohomekit` or `hap-controller`."""
        if name == "aiohomekit":
            command = [self.python, str(HERE / "peers" / "aiohomekit_controller.py")]
        else:
            modules = str(self._directory / "node" / "node_modules")
            command = ["node", str(HERE / "peers" / "hapcontroller_controller.js"), "--modules", modules]
        async with running(name, command) as peer:
            await peer.line(event="ready")
            yield peer
