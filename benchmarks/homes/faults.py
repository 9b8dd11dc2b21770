"""How long a watched accessory is away after a real fault, and what is lost of what it says meanwhile.

    python benchmarks/homes/faults.py [--rounds 5] [--adapter trio] [--long] [--only TEXT]

Two hosts in network namespaces (see tests/network/hosts.py: root's rights on a Linux), an accessory that says something
four times a second, a controller that watches over it as usual. Prints a table of medians [least..most]; `--long` pulls
the cable for 300 s, too, `--only` measures what has that text in its name. It fails where anything is lost without a
`Gap`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.network import watched
from tests.network.hosts import missing, open_network
from tests.network.watched import Figures, Watched, open_watched

FAULTS: dict[str, Callable[[Watched], None]] = {
    "killed, started again": watched.killed,
    "ended, started again": watched.ended,
    "killed, on another port": watched.elsewhere,
    "another address": watched.moved,
    "another accessory at its address": watched.displaced,
    "cable pulled, 1 s": watched.pulled(1),
    "cable pulled, 10 s": watched.pulled(10),
    "10 s, of 5 frames 1 is lost": watched.lossy,
}
LONG = {"cable pulled, 300 s": watched.pulled(300)}
#: Seconds to get over the longest of them.
LIMIT = 180.0


def measure(fault: Callable[[Watched], None], adapter: str) -> Figures:
    """One fault, on a network of its own."""
    with (
        open_network() as network,
        tempfile.TemporaryDirectory() as folder,
        open_watched(network, Path(folder), adapter) as home,
    ):
        home.hold(11.0)  # a connection that has just begun is not believed to hold
        fault(home)
        return home.settle(LIMIT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", action="store_true", help="300 s without a cable, too")
    parser.add_argument("--adapter", choices=("trio", "asyncio", "sync"), default="trio")
    parser.add_argument("--only", default="", help="what has this in its name")
    given = parser.parse_args()
    if lacking := missing():
        raise SystemExit(lacking)
    print("| fault | unavailable after, s | back, s after its end | heard, s after its end | said | lost | gaps |")
    print("|---|---|---|---|---|---|---|")
    for name, fault in (FAULTS | (LONG if given.long else {})).items():
        if given.only not in name:
            continue
        found = [measure(fault, given.adapter) for _ in range(given.rounds)]
        cells = [
            _cell([one.noticed for one in found]),
            _cell([one.back for one in found]),
            _cell([one.heard for one in found]),
            *(_cell([getattr(one, column) for one in found], 0) for column in ("said", "lost", "gaps")),
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _cell(values: list[float | None], digits: int = 2) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "never"
    text = f"{median(there):.{digits}f} [{min(there):.{digits}f}..{max(there):.{digits}f}]"
    return text if len(there) == len(values) else f"{text}, {len(there)} times of {len(values)}"


if __name__ == "__main__":
    main()
