"""The peers among themselves: when this fails, the rig or an installation is broken, not our library."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import WRONG_CODE, Foreign, PeerFailedError, Peers

pytestmark = pytest.mark.trio


async def pair(controller: Foreign, **arguments: object) -> None:
    """Pair, patiently: these two disagree about leading zeros, and refuse the right code about once in a hundred."""
    for _ in range(3):
        with contextlib.suppress(PeerFailedError):
            await controller.do("pair", **arguments)
            return
    await controller.do("pair", **arguments)


@pytest.mark.parametrize("name", ["happython", "hapnodejs"])
async def test_aiohomekit_uses_the_other_peers(peers: Peers, tmp_path: Path, name: str) -> None:
    with trio.fail_after(60):
        async with peers.accessory(name, tmp_path) as (accessory, hello), peers.controller() as controller:
            there = {key: hello[key] for key in ("host", "port", "device_id")}
            ids = hello["ids"]
            with pytest.raises(PeerFailedError, match="AuthenticationError"):
                await controller.do("pair", setup_code=WRONG_CODE, **there)
            await pair(controller, setup_code=hello["setup_code"], **there)
            assert await controller.do("put", values={ids["on"]: True}) == {}
            await accessory.line(event="written", name="on", value=True)
            assert bool((await controller.do("get", ids=[ids["on"]]))[ids["on"]]["value"])
            await controller.do("subscribe", ids=[ids["brightness"], ids["button"]])
            await accessory.command("set brightness 77")
            await accessory.command("press 1")
            await controller.changed({ids["brightness"]: 77, ids["button"]: 1})
            with pytest.raises(PeerFailedError, match="AuthenticationError"):
                await controller.do("stranger")
            assert len(await controller.do("pairings")) == 1
            await controller.do("close")
            assert await controller.do("remove") is True
