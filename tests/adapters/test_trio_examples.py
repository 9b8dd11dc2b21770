"""The two examples that the README shows, run against each other."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import trio

import hap_trio

EXAMPLES = Path(__file__).parents[2] / "examples"


async def test_the_lamp_and_its_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lamp: dict[str, Any] = runpy.run_path(str(EXAMPLES / "trio_lamp.py"))
    controller: dict[str, Any] = runpy.run_path(str(EXAMPLES / "trio_controller.py"))

    async def serve(task_status: trio.TaskStatus[hap_trio.AccessoryServer]) -> None:
        here = {"state": "lamp.json", "setup_code": "031-45-154", "address": "127.0.0.1", "mdns": False}
        await hap_trio.serve(lamp["light"], task_status=task_status, **here)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve)
        address = f"127.0.0.1:{server.port}"
        for subscriptions in (1, 2):  # paired by the first run, known to the second
            feed = server.events()
            async with trio.open_nursery() as run:
                run.start_soon(controller["main"], address)
                while type(await anext(feed)).__name__ != "SubscriptionChanged":
                    pass
                lamp["light"].on.value = False
                await trio.testing.wait_all_tasks_blocked(0.05)
                run.cancel_scope.cancel()
            assert server.paired, subscriptions
        nursery.cancel_scope.cancel()
    assert capsys.readouterr().out.count("on by ") == 2
    assert {"lamp.json", "pairings.json"} <= names(tmp_path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
