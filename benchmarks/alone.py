"""The measures without a peer at the other end: importing, and the floors."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import floors
from bench import Bench
from program import SOURCE
from report import Row, Table


def imports(bench: Bench) -> Table:
    """Fresh interpreters that import one thing; what an empty one takes is taken off."""
    ours, theirs = sys.executable, bench.peer_python
    modules = {
        "hapcore, accessory engine and model": (ours, "hapcore.ip.accessory, hapcore.model.database"),
        "hapcore, controller engine": (ours, "hapcore.ip.controller"),
        "hap_trio": (ours, "hap_trio"),
        "hap_trio and the catalogue": (ours, "hap_trio, hapcore.catalogue.services"),
        "hap_asyncio": (ours, "hap_asyncio"),
        "hap_sync": (ours, "hap_sync"),
        "trio alone": (ours, "trio"),
        "HAP-python": (theirs, "pyhap.accessory_driver"),
        "aiohomekit, IP controller": (theirs, "aiohomekit.controller.ip.controller"),
        "asyncio alone": (theirs, "asyncio"),
    }
    table = Table("Import alone, over an empty process", ("wall", "CPU"))
    environment = dict(os.environ, PYTHONPATH=str(SOURCE))

    def run(python: str, code: str) -> tuple[float, float]:
        before, started = os.times(), time.perf_counter()
        subprocess.run([python, "-c", code], env=environment, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - started, used

    for number in range(bench.size.rounds * bench.size.imports):
        for label, (python, names) in modules.items():
            empty, full = run(python, "pass"), run(python, f"import {names}")
            if number:  # the first one fills the caches
                table.add(Row(label, "ms"), "wall", (full[0] - empty[0]) * 1e3)
                table.add(Row(label, "ms"), "CPU", (full[1] - empty[1]) * 1e3)
    return table


def floor(bench: Bench) -> Table:
    """The cipher, the echo, the engine alone."""
    table = Table("Floors", ("CPU us", "rate/s"))
    count = int(bench.size.seconds * 20000)
    for _ in range(bench.size.rounds):
        os.sched_setaffinity(0, {bench.cores[1]})
        table.add(Row("AEAD, seal and open 200 B", ""), "CPU us", floors.aead(count))
        table.add(Row("frames, seal and open 200 B", ""), "CPU us", floors.frames(count))
        for kind in ("blocking", "asyncio", "trio", "trio-stream"):
            for same in (False, True):
                cores = (bench.cores[0], bench.cores[0 if same else 1])
                rate, used = floors.echo(kind, bench.size.seconds / 2, cores)
                row = Row(f"echo of 200 B, {kind}, {'same core' if same else 'two cores'}", "")
                table.add(row, "CPU us", used)
                table.add(row, "rate/s", rate)
        os.sched_setaffinity(0, {bench.cores[1]})
        bare = floors.Bare()
        for kind, target in (("GET", "20"), ("PUT", "")):
            bare.serve(kind, count // 10)
            rate, used = bare.serve(kind, count)
            table.add(Row(f"bare engine, {kind} in memory", "", target), "CPU us", used)
            table.add(Row(f"bare engine, {kind} in memory", "", target), "rate/s", rate)
    return table
