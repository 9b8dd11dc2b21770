"""`hap proxy` between two foreign programs: an accessory of others behind it, a controller of others before it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import Peers, running
from tests.interop.test_hap_command import ENVIRONMENT, HAP, Terminal

pytestmark = pytest.mark.trio

LIMIT = 90
OTHER_CODE = "482-15-739"


def rights(accessory: dict) -> dict:
    """The characteristics of a database as aiohomekit or `hap accessories` show it: number, permissions."""
    services = accessory["services"]
    return {one["iid"]: sorted(one["perms"]) for each in services for one in each["characteristics"]}


@pytest.mark.parametrize("name", ["happython", "hapnodejs"])
async def test_aiohomekit_uses_a_foreign_accessory_through_the_proxy(peers: Peers, tmp_path: Path, name: str) -> None:
    state = tmp_path / "peer"
    state.mkdir()
    terminal = Terminal(tmp_path / "pairings.json")
    tape = str(tmp_path / "tape.jsonl")
    command = [*terminal.command("proxy", "lamp"), "--listen", "127.0.0.1", "--no-mdns", "--setup-code", OTHER_CODE]
    with trio.fail_after(LIMIT):
        async with peers.accessory(name, state) as (accessory, hello):
            where, ids = f"{hello['host']}:{hello['port']}", hello["ids"]
            await terminal.run("pair", "--address", where, "-p", hello["setup_code"], "-a", "lamp")
            (plain,) = await terminal.run("accessories", "-a", "lamp")
            command += ["--address", where, "--record", tape]
            async with running("hap proxy", command, ENVIRONMENT) as proxy, peers.controller() as controller:
                there = await proxy.line(event="listening")
                await controller.do(
                    "pair", setup_code=OTHER_CODE, **{k: there[k] for k in ("host", "port", "device_id")}
                )
                assert rights((await controller.do("accessories"))[0]) == rights(plain)
                assert await controller.do("put", values={ids["on"]: True, ids["brightness"]: 33}) == {}
                await accessory.line(event="written", name="on")
                await accessory.line(event="written", name="brightness", value=33)
                found = await controller.do("get", ids=[ids["on"], ids["brightness"]])
                assert [bool(found[ids["on"]]["value"]), found[ids["brightness"]]["value"]] == [True, 33]
                timed = await controller.do("timed", values={ids["lock_target"]: 1}, ttl=5000)
                assert timed["prepared"]["status"] == 0
                await accessory.line(event="written", name="lock_target", value=1)
                assert await controller.do("put", values={ids["lock_target"]: 0}) != {}  # not without `prepare`
                answer = await controller.do("respond", values={ids["echo"]: "abc"})
                assert answer["characteristics"][0]["value"] == "cba"
                await controller.do("subscribe", ids=[ids["brightness"], ids["button"]])
                await accessory.command("set brightness 77")
                await accessory.command("press 1")
                await controller.changed({ids["brightness"]: 77, ids["button"]: 1})
                assert len(await controller.do("pairings")) == 1
                assert (await proxy.line(event="message", kind="event"))["touched"]
                assert await controller.do("remove") is True
                assert await proxy.terminate() == 0
            done = await trio.run_process(
                [*HAP, "replay", tape], capture_stdout=True, check=False, env=os.environ | ENVIRONMENT
            )
            assert done.returncode == 0, done.stdout.decode()
