"""An accessory that is watched over comes back on another port, over real sockets and real mDNS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio
from tests.adapters.trio_home import CODE, lamp, open_lamp

import hap_trio
from hapcore.home.supervision import Available, Gap, Source, Unavailable, ValueChanged


async def until(happenings: hap_trio.Feed[Any], kind: type) -> list[Any]:
    """What happens until something of that kind does."""
    told: list[Any] = []
    async for item in happenings:
        told.append(item)
        if isinstance(item, kind):
            return told
    raise AssertionError("it ended")


async def test_it_comes_back_on_another_port(tmp_path: Path) -> None:
    state, light = tmp_path / "lamp.json", lamp()
    async with (
        hap_trio.open_mdns(["127.0.0.1"], probe=False) as mdns,
        hap_trio.open_controller(mdns=mdns) as home,
        home.supervise() as happenings,
    ):
        with trio.fail_after(20):
            async with open_lamp(light, state=state, mdns=mdns) as (_, server):
                await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")  # it is watched over from now on
                await until(happenings, Available)
                first = server.port
            (gone,) = await until(happenings, Unavailable)
            light.on.value = True
            async with open_lamp(light, state=state, mdns=mdns) as (_, server):
                assert server.port != first
                begun = trio.current_time()
                changed, gap, back = await until(happenings, Available)
                took = trio.current_time() - begun
                assert changed == ValueChanged("lamp", light.on.id, True, Source.READ)
                assert isinstance(gap, Gap)
                assert back.alias == gone.alias == "lamp"
                assert home.record("lamp").port == server.port
                assert took < 3.0
