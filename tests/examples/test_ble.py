"""The two examples over Bluetooth LE, run against each other over a virtual air."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import trio

from hap_trio.ble import PeripheralServer
from hap_trio.testing import open_air

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Seconds: a hang shall be told.
LIMIT = 60.0


def test_the_lamp_and_its_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lamp: dict[str, Any] = runpy.run_path(str(EXAMPLES / "ble_lamp.py"))
    controller: dict[str, Any] = runpy.run_path(str(EXAMPLES / "ble_controller.py"))
    light = lamp["light"]
    printed: list[str] = []

    async def until(text: str) -> None:
        while text not in "".join(printed):
            await trio.sleep(0.01)
            printed.append(capsys.readouterr().out)

    async def main() -> None:
        async with open_air() as air, trio.open_nursery() as nursery:

            async def serve(task_status: trio.TaskStatus[PeripheralServer]) -> None:
                await lamp["main"](radio, task_status=task_status)

            radio = await air.peripheral("Desk lamp")
            server: PeripheralServer = await nursery.start(serve)
            for brightness in (55, 66):  # paired by the first run, known to the second
                printed.clear()
                light.on.value = False
                async with trio.open_nursery() as run:
                    run.start_soon(controller["main"], server.device_id, await air.bleak())
                    await until("on by ")
                    light.brightness.value = brightness
                    await until(f"{light.brightness.id} is {brightness}\n")
                    run.cancel_scope.cancel()
                assert server.paired
            nursery.cancel_scope.cancel()

    async def limited() -> None:
        with trio.fail_after(LIMIT):
            await main()

    trio.run(limited)
    assert {path.name for path in tmp_path.iterdir()} >= {"lamp.json", "pairings.json"}
