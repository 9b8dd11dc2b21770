"""The `hap` command and the foreign peers, all in processes of their own: what a person at a terminal would do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import SETUP_CODE, WRONG_CODE, Peers, running

pytestmark = pytest.mark.trio

#: The longest one test may take.
LIMIT = 90
SOURCE = Path(__file__).parents[2] / "src"
ENVIRONMENT = {"PYTHONPATH": str(SOURCE)}
HAP = [sys.executable, "-m", "hap_trio.cli"]


class Terminal:
    """Runs `hap` with one pairings file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def command(self, *words: str) -> list[str]:
        """The command line."""
        return [*HAP, *words, "-f", str(self._file), "--json"]

    async def run(self, *words: str, code: int = 0) -> list[dict]:
        """Run one command to its end; the JSON lines it printed."""
        done = await trio.run_process(
            self.command(*words), capture_stdout=True, capture_stderr=True, check=False, env=os.environ | ENVIRONMENT
        )
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr.decode())
        assert b"Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["happython", "hapnodejs"])
async def test_pair_and_use_a_foreign_accessory(peers: Peers, tmp_path: Path, name: str) -> None:
    state = tmp_path / "peer"
    state.mkdir()
    terminal = Terminal(tmp_path / "pairings.json")
    with trio.fail_after(LIMIT):
        async with peers.accessory(name, state) as (accessory, hello):
            where, ids = f"{hello['host']}:{hello['port']}", hello["ids"]
            await terminal.run("pair", "--address", where, "-p", WRONG_CODE, "-a", "lamp", code=1)
            (paired,) = await terminal.run("pair", "--address", where, "-p", hello["setup_code"], "-a", "lamp")
            assert paired["device_id"].upper() == hello["device_id"].upper()
            assert (await accessory.line(event="paired"))["ok"]
            await terminal.run("accessories", "-a", "lamp")
            (written,) = await terminal.run("put", "-a", "lamp", "-c", ids["on"], "true")
            assert written["status"] == 0
            await accessory.line(event="written", name="on")
            (written,) = await terminal.run("put", "-a", "lamp", "-c", ids["lock_target"], "1", "--timed", "3000")
            assert written["status"] == 0
            (read,) = await terminal.run("get", "-a", "lamp", "-c", ids["on"])
            assert read["value"] is True
            watch = terminal.command("watch", "-a", "lamp", "-c", ids["brightness"], "--count", "1")
            async with running("hap watch", watch, ENVIRONMENT) as watching:
                await watching.line(event="watching")
                await accessory.command("set brightness 77")
                assert (await watching.line(event="change"))["value"] == 77
            assert len(await terminal.run("pairings", "list", "-a", "lamp")) == 1
            await terminal.run("unpair", "-a", "lamp")
            await accessory.line(event="unpaired")
            await terminal.run("get", "-a", "lamp", "-c", ids["on"], code=1)


async def test_aiohomekit_pairs_what_hap_serves(peers: Peers, tmp_path: Path) -> None:
    command = [*HAP, "serve", "lightbulb", "--json", "--no-mdns", "--address", "127.0.0.1"]
    command += ["--setup-code", SETUP_CODE, "--state", str(tmp_path / "lamp.json")]
    with trio.fail_after(LIMIT):
        async with running("hap serve", command, ENVIRONMENT) as server, peers.controller() as controller:
            hello = await server.line(event="listening")
            where = {key: hello[key] for key in ("host", "port", "device_id")}
            await controller.do("pair", setup_code=hello["setup_code"], **where)
            (accessory,) = await controller.do("accessories")
            on = next(
                f"{accessory['aid']}.{one['iid']}"
                for service in accessory["services"]
                for one in service["characteristics"]
                if one["type"].startswith("00000025-")
            )
            assert await controller.do("put", values={on: True}) == {}
            assert (await controller.do("get", ids=[on]))[on]["value"]
            assert await controller.do("remove") is True
            assert await server.terminate() == 0
