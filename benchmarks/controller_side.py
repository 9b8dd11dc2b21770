"""The measures of controllers, ours and aiohomekit, each with a HAP-python of its own at the other end."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench import AIOHOMEKIT, ASYNCIO, HAPPYTHON, ON, OURS, PLAIN, SYNC, Bench
from generator import database, find, paired, unpair, verified
from program import Program
from report import Row, Table

SUBJECTS = (OURS, PLAIN, ASYNCIO, SYNC, AIOHOMEKIT)
#: How often a refused pairing is tried again: HAP-python refuses one in a hundred over a leading zero.
ATTEMPTS = 5


def controller(bench: Bench) -> Table:
    """Pairing, verifying, reading, writing, the whole database: what each costs the controller."""
    table = Table("Controllers against HAP-python", SUBJECTS, AIOHOMEKIT)
    with ExitStack() as stack:
        found: dict[str, tuple[Program, Program, str]] = {}
        for subject in SUBJECTS:
            accessory = stack.enter_context(Program(bench.accessory_commands[HAPPYTHON], bench.cores[0]))
            program = stack.enter_context(Program(bench.controller_commands[subject], bench.cores[1]))
            bench.versions[f"{subject} (controller)"] = program.hello["versions"] | {"Python": program.hello["python"]}
            found[subject] = (accessory, program, number_of_on(accessory.hello["port"]))
        for subject in bench.rounds(SUBJECTS):
            accessory, program, _ = found[subject]
            took, used = bench.quietly((accessory, program), partial(_pairings, bench, accessory, program))
            table.add(Row("pair-setup, wall", "ms"), subject, took)
            table.add(Row("pair-setup, own CPU", "ms"), subject, used)
        for accessory, program, _ in found.values():
            pair(program, accessory)
        jobs: list[tuple[str, dict[str, object], str]] = [
            ("pair-verify", {"do": "verify", "count": max(1, bench.size.verifies // 3)}, ""),
            ("read", {"do": "read", "seconds": bench.size.seconds}, "1.0"),
            ("write", {"do": "write", "seconds": bench.size.seconds}, "1.0"),
            ("GET /accessories", {"do": "accessories", "seconds": bench.size.seconds}, ""),
        ]
        for what, command, target in jobs:
            for same in (False, True):
                where = f"{what}, {'same core' if same else 'two cores'}"
                for subject in bench.rounds(SUBJECTS):
                    accessory, program, number = found[subject]
                    program.pin(bench.cores[0 if same else 1])
                    answer = bench.quietly((accessory, program), partial(program.do, id=number, **command))
                    count = answer["count"]
                    table.add(Row(f"{where}: rate", "/s"), subject, count / answer["wall"])
                    table.add(Row(f"{where}: own CPU", "us", target), subject, answer["cpu"] / count * 1e6)
    return table


def number_of_on(port: int) -> str:
    keys = paired(port)
    line = verified(port, keys)
    aid, iid = find(database(line), ON)
    line.close()
    unpair(port, keys)
    return f"{aid}.{iid}"


def _pairings(bench: Bench, accessory: Program, program: Program) -> tuple[float, float]:
    walls, cpus = [], []
    for _ in range(bench.size.setups):
        answer = pair(program, accessory)
        walls.append(answer["wall"] * 1e3)
        cpus.append(answer["cpu"] * 1e3)
        program.do(do="unpair")
    return median(walls), median(cpus)


def pair(program: Program, accessory: Program) -> dict:
    for _ in range(ATTEMPTS):
        try:
            return program.do(do="pair", port=accessory.hello["port"], device_id="00:00:00:00:00:00")
        except RuntimeError as error:
            print(f"  {error}; once more", file=sys.stderr)
    raise SystemExit(f"pairing was refused {ATTEMPTS} times in a row")
