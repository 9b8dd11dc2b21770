"""hap_sync under test. First line, commands and end are those of ours_trio.py beside it."""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from pathlib import Path

import served

import hap_sync

IMPORTED = time.perf_counter()


def press(server: hap_sync.AccessoryServer, count: int) -> None:
    """Change the button so often, in the thread that serves."""
    for number in range(count):
        served.step(number)
        server.step()
    served.say(done=count)


def listen(server: hap_sync.AccessoryServer) -> None:
    """Be the thread that waits for commands, which is asleep while requests are measured."""
    for line in sys.stdin:
        server.call_soon(partial(press, server, json.loads(line)["count"]))
    server.call_soon(server.stop)


def main(state: Path) -> None:
    """Serve until stdin ends."""
    with hap_sync.open_server(served.served(), state=state, **served.SETTINGS) as server:
        threading.Thread(target=listen, args=(server,), daemon=True).start()
        served.hello(server.port, IMPORTED)
        server.run()


if __name__ == "__main__":
    served.run(main)
