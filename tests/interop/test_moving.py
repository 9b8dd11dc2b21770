"""Pairings made by another controller go on with ours, and back: `hap import` and `hap export`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio
from tests.cli.program import ENVIRONMENT
from tests.interop.foreign_peers import Peers
from tests.interop.test_our_accessory import LIMIT, bench

pytestmark = pytest.mark.trio


async def hap(*arguments: str | Path) -> str:
    """Run the command to its end; it must do well."""
    command = [sys.executable, "-m", "hap_trio.cli", *map(str, arguments)]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done
    return done.stdout.decode()


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
