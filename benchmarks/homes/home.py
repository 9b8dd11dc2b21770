"""A home of 300 accessories: what it costs a controller to have it, ours and aiohomekit."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench import Bench
from program import Program
from report import Row, Table

ACCESSORIES = 300
#: Changes a second.
RATE = 100
HERE = Path(__file__).parent
#: Seconds after the last change in which an event may still be held back.
SETTLE = 1.5


def home(bench: Bench) -> Table:
    """From nothing to everything followed, at rest, and with 100 changes a second; the accessories have a core."""
    controllers = {
        "hap_trio": [sys.executable, str(HERE / "with_hap_trio.py")],
        "aiohomekit": [bench.peer_python, str(HERE / "with_aiohomekit.py")],
    }
    table = Table(f"A controller of {ACCESSORIES} accessories", tuple(controllers), "aiohomekit")
    seconds = bench.size.seconds * 10
    for _ in range(bench.size.rounds):
        with Program([sys.executable, str(HERE / "accessories.py"), str(ACCESSORIES)], bench.cores[0]) as accessories:
            for name, command in controllers.items():
                with Program(command, bench.cores[1]) as controller:
                    bench.versions[name] = controller.hello["versions"]
                    accessories.do(do="counts")
                    begun = time.perf_counter()
                    answer = controller.do(do="start", pairings=accessories.hello["pairings"])
                    table.add(
                        Row("start, until everything is followed", "ms"), name, (time.perf_counter() - begun) * 1e3
                    )
                    if answer["count"] != ACCESSORIES:
                        raise RuntimeError(f"{name} reached {answer['count']} accessories")
                    table.add(
                        Row("pieces of input an accessory, start", ""),
                        name,
                        accessories.do(do="counts")["pieces"] / ACCESSORIES,
                    )
                    used = controller.cpu()
                    time.sleep(seconds)
                    table.add(Row("at rest, CPU", "ms/s"), name, (controller.cpu() - used) * 1e3 / seconds)
                    controller.do(do="events")
                    used = controller.cpu()
                    changes = accessories.do(do="change", rate=RATE, seconds=seconds)["done"]
                    time.sleep(SETTLE)
                    table.add(Row("an event, CPU", "us"), name, (controller.cpu() - used) * 1e6 / changes)
                    table.add(Row("events not told", ""), name, changes - controller.do(do="events")["count"])
                    table.add(Row("memory", "MB"), name, controller.memory() / 1e6)
    return table
