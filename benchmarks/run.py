"""hapcore beside HAP-python and aiohomekit, in one run: see README.md in this directory."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import accessory_side  # noqa: E402 - found through the path above
import alone  # noqa: E402
import captures  # noqa: E402
import changes  # noqa: E402
import controller_side  # noqa: E402
import house  # noqa: E402
import recorder  # noqa: E402
import slow  # noqa: E402
from bench import FULL, QUICK, Bench  # noqa: E402
from homes.home import home  # noqa: E402

import adapters  # noqa: E402

MEASURES = {
    "floor": alone.floor,
    "adapters": adapters.both,
    "pair-setup": accessory_side.pair_setup,
    "pair-verify": accessory_side.pair_verify,
    "requests": accessory_side.requests,
    "many": accessory_side.many,
    "events": accessory_side.events,
    "bridge": accessory_side.bridge,
    "start": accessory_side.start,
    "house": house.house,
    "changes": changes.changes,
    "controller": controller_side.controller,
    "home": home,
    "recorder": recorder.recorder,
    "decode": captures.decode,
    "slow": slow.slow,
    "imports": alone.imports,
}
#: Those that need no peers.
ALONE = {"floor", "adapters", "recorder", "decode", "slow", "changes"}


def versions() -> dict[str, str]:
    """What the runner itself has."""
    found = {"Python": platform.python_version(), "machine": platform.machine(), "kernel": platform.release()}
    for name in ("trio", "cryptography", "orjson", "gmpy2"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found


def prepare(parser: argparse.ArgumentParser, *, quick: bool, alone: bool) -> Bench:
    """Find the peers, unless ours are measured alone, and make sure that they run on our version of Python."""
    size = QUICK if quick else FULL
    if alone:
        return Bench(size, None)
    peers = os.environ.get("HAPCORE_PEERS")
    if not peers:
        parser.error("HAPCORE_PEERS is not set; see benchmarks/README.md")
    bench = Bench(size, Path(peers).resolve())
    asked = subprocess.run(
        [bench.peer_python, "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    )
    if asked.stdout.strip() != platform.python_version():
        parser.error(f"the peers have Python {asked.stdout.strip()}: install them with this interpreter")
    return bench


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small samples: whether it works, not how fast it is")
    parser.add_argument("--only", action="append", choices=MEASURES, help="one measure; may be given several times")
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    options = parser.parse_args()
    names = options.only or list(MEASURES)
    bench = prepare(parser, quick=options.quick, alone=ALONE.issuperset(names))
    before, started = os.getloadavg(), time.time()
    tables = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = MEASURES[name](bench)
        for table in found if isinstance(found, tuple) else (found,):
            tables.append(table)
            print(table.text(), flush=True)
    others = sorted(bench.others) or [0.0]
    about = {
        "runner": versions(),
        "programs": bench.versions,
        "cores": os.cpu_count(),
        "load before": before,
        "load after": os.getloadavg(),
        "cores used by others during samples": {
            "median": round(median(others), 2),
            "90 %": round(others[int(len(others) * 0.9)], 2),
            "most": round(others[-1], 2),
        },
        "seconds": round(time.time() - started),
        "size": vars(bench.size),
    }
    print(json.dumps(about, indent=1))
    if options.json:
        options.json.write_text(json.dumps({"about": about, "tables": [table.plain() for table in tables]}), "utf-8")


if __name__ == "__main__":
    main()
