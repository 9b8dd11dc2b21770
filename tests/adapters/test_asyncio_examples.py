"""The two examples on asyncio, run against each other, and beside those on trio."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.asyncio_home import run, settled

import hap_asyncio

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_lamp_and_its_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(story())
    assert {"lamp.json", "pairings.json"} <= {path.name for path in tmp_path.iterdir()}


async def story() -> None:
    printed = hap_asyncio.Feed[str]()

    def load(name: str, printing: str) -> dict[str, Any]:
        program = runpy.run_path(str(EXAMPLES / name))
        program[printing].__globals__["print"] = lambda *words: printed.put(" ".join(map(str, words)))
        return program

    lamp, controller = load("asyncio_lamp.py", "switch"), load("asyncio_controller.py", "main")
    ready = asyncio.get_running_loop().create_future()
    here = {"state": "lamp.json", "setup_code": "031-45-154", "address": "127.0.0.1", "mdns": False}
    serving = asyncio.create_task(hap_asyncio.serve(lamp["light"], started=ready.set_result, **here))
    server: hap_asyncio.AccessoryServer = await ready
    for _ in ("paired by the first run", "known to the second"):
        watching = asyncio.create_task(controller["main"](f"127.0.0.1:{server.port}"))
        assert (await anext(printed)).startswith("on by ")
        await settled()
        lamp["light"].on.value = False
        assert await anext(printed) == f"{lamp['light'].on.id} is False"
        watching.cancel()
        await asyncio.wait([watching])
        assert watching.cancelled()
    serving.cancel()
    await asyncio.wait([serving])
    assert serving.cancelled()


@pytest.mark.parametrize("name", ["lamp", "controller"])
def test_they_are_the_trio_examples_but_for_the_import_and_the_run(name: str) -> None:
    def lines(adapter: str) -> list[str]:
        text = (EXAMPLES / f"{adapter}_{name}.py").read_text(encoding="utf-8")
        text = text.replace("asyncio.run(main(sys.argv[1]))", "asyncio.run(main, sys.argv[1])")
        text = text.replace("asyncio.run(hap_asyncio", "asyncio.run(lambda: hap_asyncio").replace(adapter, "ADAPTER")
        return sorted(line for line in text.splitlines() if line)

    assert lines("asyncio") == lines("trio")
