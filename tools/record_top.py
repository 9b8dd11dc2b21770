"""Draw docs/top.svg: the screen of `hap top` with the devices of `hap serve busy-home`."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic

import trio

import hap_trio
from hap_trio.cli.top.board import Board
from hap_trio.cli.top.screen import Top
from hap_trio.cli.top.watcher import Watcher

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "top.svg"
#: Seconds to let the devices change by themselves.
LIFE = 12.0


async def pair(file: Path, ports: dict[str, tuple[int, str]]) -> None:
    """Make the served accessories ours."""
    async with hap_trio.open_controller(file, mdns=False) as home:
        for alias, (port, code) in ports.items():
            await home.pair(f"127.0.0.1:{port}", code, alias)


async def draw(board: Board, watcher: Watcher) -> None:
    """The screen after a while, with a room chosen."""
    app = Top(board, partial(watcher.absorb, board), watcher.write, monotonic)
    async with app.run_test(size=(118, 26)) as pilot:
        await asyncio.sleep(LIFE)
        await pilot.press("down", "enter", "down", "down")
        app.beat()
        await pilot.pause()
        picture = app.export_screenshot(title="hap top")
        # A picture loads nothing from elsewhere; the reader's own monospaced font is fine.
        PICTURE.write_text(re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    """Serve, pair, watch, draw."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"desk lamp": "lightbulb", "house": "busy-home", "office": "busy-home"}
        running, ports = [], {}
        for alias, kind in kinds.items():
            command = [
                sys.executable,
                "-m",
                "hap_trio.cli",
                "serve",
                kind,
                "--address",
                "127.0.0.1",
                "--no-mdns",
                "--json",
            ]
            program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            running.append(program)
            assert program.stdout is not None
            line = json.loads(program.stdout.readline())
            ports[alias] = line["port"], line["setup_code"]
        file = Path(folder, "pairings.json")
        trio.run(pair, file, ports)
        running[-1].kill()  # one that is away
        watcher = Watcher(partial(hap_trio.open_controller, file, mdns=False), monotonic)
        thread = Thread(target=trio.run, args=(watcher.run,))
        thread.start()
        try:
            asyncio.run(draw(Board(tuple(kinds)), watcher))
        finally:
            watcher.stop()
            thread.join()
            for program in running:
                program.kill()
                program.wait()


if __name__ == "__main__":
    main()
