"""The two examples without an event loop, run against each other as programs, and beside those on trio."""

from __future__ import annotations

import re
import runpy
import threading
from pathlib import Path
from typing import Any

import pytest

import hap_sync
from hapcore.errors import Disconnected
from hapcore.ip.accessory import SubscriptionChanged

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_lamp_and_its_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lamp: dict[str, Any] = runpy.run_path(str(EXAMPLES / "sync_lamp.py"))
    controller: dict[str, Any] = runpy.run_path(str(EXAMPLES / "sync_controller.py"))
    servers: list[hap_sync.AccessoryServer] = []
    ready = threading.Event()

    def started(server: hap_sync.AccessoryServer) -> None:
        """Serve until somebody watches and has switched it on; switch it off, and stop."""
        light = lamp["light"]
        light.on.value = False
        news = server.events(timeout=10)
        servers.append(server)
        ready.set()
        assert any(isinstance(event, SubscriptionChanged) for event in news)
        while not light.on.value:
            server.step(1)
        light.on.value = False
        server.stop()

    for _ in ("paired by the first run", "known to the second"):
        ready.clear()
        port = servers[-1].port if servers else 0
        here = {"address": "127.0.0.1", "port": port, "mdns": False, "started": started}
        keep = {"state": "lamp.json", "setup_code": "031-45-154", **here}
        serving = threading.Thread(target=hap_sync.serve, args=(lamp["light"],), kwargs=keep)
        serving.start()
        assert ready.wait(10)
        with pytest.raises(Disconnected):
            controller["main"](f"127.0.0.1:{servers[-1].port}")
        serving.join(10)
        assert not serving.is_alive()
        assert servers[-1].paired
    printed = capsys.readouterr().out
    assert printed.count("on by ") == 2
    assert printed.count(f"{lamp['light'].on.id} is False") == 2
    assert {"lamp.json", "pairings.json"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["lamp", "controller"])
def test_they_are_those_on_trio_without_await(name: str) -> None:
    trio = (EXAMPLES / f"trio_{name}.py").read_text(encoding="utf-8")
    plain = re.sub(r"\b(async|await) ", "", trio.replace("import trio\n\n", "")).replace("trio", "sync")
    plain = re.sub(r"sync\.run\(main(?:, )?(.*)\)", r"main(\1)", plain)
    plain = re.sub(r"sync\.run\(lambda: (.*)\)", r"\1", plain)
    plain = plain.replace("(lamp.accessories())", "lamp.accessories()")
    assert plain == (EXAMPLES / f"sync_{name}.py").read_text(encoding="utf-8")
