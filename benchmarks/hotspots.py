"""Where our accessory spends its time: `python benchmarks/hotspots.py GET|PUT|verify [--adapter trio|asyncio|sync]`.

Runs accessories/ours_trio.py, or another adapter, under cProfile, drives it, and prints the functions that took most
CPU time by themselves. The profiler makes every Python call dearer, so the shares count, not the times.
"""

from __future__ import annotations

import argparse
import os
import pstats
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from accessory_side import one_characteristic  # noqa: E402 - found through the path above
from generator import paired, verified  # noqa: E402
from program import Program  # noqa: E402


def main() -> None:
    """Run, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["GET", "PUT", "verify"])
    parser.add_argument("--adapter", choices=["trio", "asyncio", "sync"], default="trio")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--lines", type=int, default=30)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "profile"
        accessory = HERE / "accessories" / f"ours_{options.adapter}.py"
        command = [sys.executable, str(accessory), "--profile", str(file)]
        with Program(command, cores[0]) as program:
            port = program.hello["port"]
            keys = paired(port)
            if options.what == "verify":
                for _ in range(options.requests):
                    verified(port, keys).close()
            else:
                line = verified(port, keys)
                requests = one_characteristic(options.what, line)
                for number in range(options.requests):
                    line.request(requests[number % len(requests)])
        stats = pstats.Stats(str(file))
    stats.strip_dirs().sort_stats("tottime").print_stats(options.lines)


if __name__ == "__main__":
    main()
