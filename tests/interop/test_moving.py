"""Moving in: pairings of another controller, and back; accessories of other libraries, still paired afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio
from tests.cli.program import ENVIRONMENT
from tests.interop.foreign_peers import Peers
from tests.interop.lamp import Lamp
from tests.interop.test_our_accessory import LIMIT, bench
from tests.interop.test_peers import pair

import hap_trio

pytestmark = pytest.mark.trio


async def hap(*arguments: str | Path) -> str:
    """Run the command to its end; it must do well."""
    command = [sys.executable, "-m", "hap_trio.cli", *map(str, arguments)]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done
    return done.stdout.decode()


def left_behind(name: str, folder: Path) -> list[str | Path]:
    """The files of the accessory, as arguments."""
    if name == "happython":
        return [folder / "happython.json"]
    (information,) = folder.rglob("AccessoryInfo.*.json")
    (cache,) = folder.rglob("IdentifierCache.*.json")
    return [information, "--identifiers", cache]


async def test_there_and_back(peers: Peers, tmp_path: Path) -> None:
    ours, theirs, back = tmp_path / "ours.json", tmp_path / "theirs.json", tmp_path / "back.json"
    with trio.fail_after(LIMIT):
        async with bench(peers, tmp_path) as rig:
            await rig.pair()
            record = await rig.controller.do("record")
            await rig.controller.do("close")
            await trio.Path(theirs).write_text(json.dumps({"lamp": record}))
            await hap("import", theirs, "-f", ours)
            where = f"127.0.0.1:{rig.server.port}"
            await hap("put", "-f", ours, "-a", "lamp", "-c", rig.on, "true", "--address", where)
            assert rig.lamp.on.value is True
            # Somebody else may have moved it meanwhile; the file says where our controller saw it last.
            await hap("export", "--to", "aiohomekit", "-f", ours, "-o", back)
            returned = json.loads(await trio.Path(back).read_text())["lamp"]
            assert returned == {**record, "AccessoryIPs": [record["AccessoryIP"]]}
            await rig.controller.do("adopt", record=returned)
            assert (await rig.controller.do("get", ids=[rig.on]))[rig.on]["value"] in (True, 1)


@pytest.mark.parametrize("name", ["happython", "hapnodejs"])
async def test_an_accessory_that_moves_in_is_still_paired(peers: Peers, tmp_path: Path, name: str) -> None:
    """aiohomekit pairs with the other library's accessory; ours goes on, and it notices nothing but another port."""
    state = tmp_path / "state.json"
    with trio.fail_after(LIMIT):
        async with peers.controller() as controller:
            async with peers.accessory(name, tmp_path) as (_, hello):
                there = {key: hello[key] for key in ("host", "port", "device_id")}
                await pair(controller, setup_code=hello["setup_code"], **there)
                known = await controller.do("pairings")
                await controller.do("close")
            await hap("import-state", *left_behind(name, tmp_path), "--state", state)
            lamp = Lamp()
            where = {"address": "127.0.0.1", "mdns": False}
            async with hap_trio.open_server(lamp.accessory, state=state, **where) as server:
                assert server.device_id == hello["device_id"]
                assert server.paired
                await controller.do("moved", port=server.port)
                await controller.do("accessories")
                await controller.do("put", values={str(lamp.on.id): True})
                assert lamp.on.value is True
                assert await controller.do("pairings") == known
                if name == "hapnodejs":  # it keeps the numbers, and they come along
                    assert str(lamp.on.id) == hello["ids"]["on"]
