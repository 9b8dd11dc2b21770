"""What all measures share: the programs, the cores, the rounds, and an eye on what else the machine does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from generator import Keys, paired
from program import HERE, Program

R = TypeVar("R")

OURS, PLAIN, ASYNCIO, SYNC = "hap_trio", "hap_trio plain", "hap_asyncio", "hap_sync"
HAPPYTHON, AIOHOMEKIT = "HAP-python", "aiohomekit"
ALL_ACCESSORIES = (OURS, PLAIN, ASYNCIO, SYNC, HAPPYTHON)
#: The engine alone: without any transport, and in the shortest loop around sockets.
MEMORY, BARE = "engine in memory", "bare loop"

#: Short types of the characteristics that are read, written and pressed.
ON, BUTTON = "25", "73"
#: A sample during which other processes used more than this many cores is taken again, at most so often.
NOISE, AGAIN = 0.3, 2
#: The kernel counts the CPU time of the whole machine in hundredths of a second: shorter samples cannot be judged.
SHORTEST = 0.1


@dataclass(frozen=True)
class Size:
    """How much work one sample is."""

    rounds: int
    seconds: float
    setups: int
    verifies: int
    presses: int
    imports: int
    connections: int = 50
    memory_connections: int = 100


FULL = Size(rounds=5, seconds=1.0, setups=5, verifies=300, presses=20000, imports=5)
QUICK = Size(rounds=2, seconds=0.3, setups=2, verifies=50, presses=2000, imports=2)


def _busy() -> float:
    """Seconds of CPU time the whole machine has used."""
    user, nice, system, _idle, _wait, irq, soft, *_ = map(int, Path("/proc/stat").read_text("ascii").split()[1:9])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


class Bench:
    """One run."""

    def __init__(self, size: Size, peers: Path | None) -> None:
        """Without `peers`, only measures of ours alone can be taken."""
        self.size = size
        self.peer_python = str(peers / "venv" / "bin" / "python") if peers else ""
        self.accessory_commands = _ours("accessories") | {
            HAPPYTHON: [self.peer_python, str(HERE / "accessories" / "happython.py")]
        }
        self.controller_commands = _ours("controllers") | {
            AIOHOMEKIT: [self.peer_python, str(HERE / "controllers" / "aiohomekit.py")]
        }
        cores = sorted(os.sched_getaffinity(0))
        #: Where the program under test runs, and where the load comes from.
        self.cores = (cores[0], cores[-1])
        self.versions: dict[str, object] = {}
        #: Cores used by other processes during each sample.
        self.others: list[float] = []

    def rounds(self, subjects: tuple[str, ...]) -> Iterator[str]:
        """Interleaved: every subject once a round, each round in another order."""
        for number in range(self.size.rounds):
            shift = number % len(subjects)
            yield from subjects[shift:] + subjects[:shift]

    @contextmanager
    def accessories(self, *arguments: str, subjects: tuple[str, ...]) -> Iterator[dict[str, tuple[Program, Keys]]]:
        """A paired accessory of each kind."""
        with ExitStack() as stack:
            found = {}
            for subject in subjects:
                command = [*self.accessory_commands[subject], *arguments]
                program = stack.enter_context(Program(command, self.cores[0]))
                self.versions[subject] = program.hello["versions"] | {"Python": program.hello["python"]}
                found[subject] = (program, paired(program.hello["port"]))
            yield found

    def place(self, program: Program, *, same: bool = False) -> None:
        """Program and load on one core, or each on its own."""
        program.pin(self.cores[0])
        os.sched_setaffinity(0, {self.cores[0] if same else self.cores[1]})

    def quietly(self, programs: tuple[Program, ...], sample: Callable[[], R]) -> R:
        """Take a sample, and take it again if the rest of the machine was busy meanwhile."""
        attempt = 0
        while True:
            busy, ours, started = _busy(), _used(programs), time.perf_counter()
            result = sample()
            took = time.perf_counter() - started
            others = max(0.0, (_busy() - busy) - (_used(programs) - ours)) / took
            if others <= NOISE or attempt == AGAIN or took < SHORTEST:
                if took >= SHORTEST:
                    self.others.append(others)
                return result
            attempt += 1


def _ours(role: str) -> dict[str, list[str]]:
    """How to start those of our programs that stand in the folder `role`."""

    def command(file: str, *options: str) -> list[str]:
        return [sys.executable, str(HERE / role / file), *options]

    return {
        OURS: command("ours_trio.py"),
        PLAIN: command("ours_trio.py", "--plain"),
        ASYNCIO: command("ours_asyncio.py"),
        SYNC: command("ours_sync.py"),
        BARE: command("bare.py"),
    }


def _used(programs: tuple[Program, ...]) -> float:
    return time.process_time() + sum(program.cpu() for program in programs)
