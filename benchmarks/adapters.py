"""What each of our adapters adds to the bare engine: the same session in memory, in the shortest loop, in each adapter.

Nobody else takes part: the load for the accessories is the generator, the accessory for the controllers the bare loop.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial

from accessory_side import load, one_characteristic
from bench import ASYNCIO, BARE, MEMORY, OURS, SYNC, Bench
from controller_side import number_of_on, pair
from floors import Bare, Played
from generator import verified
from program import Program
from report import Row, Table

LOOPS = (BARE, OURS, ASYNCIO, SYNC)
SUBJECTS = (MEMORY, *LOOPS)
#: What the engine in memory does in a second; about as long as the other samples.
IN_MEMORY = 20000


def both(bench: Bench) -> tuple[Table, Table]:
    """As accessories, then as controllers."""
    return accessories(bench), controllers(bench)


def accessories(bench: Bench) -> Table:
    """GET and PUT of one characteristic that has a setter: one request after the other, and many at once."""
    table = Table("Accessories: adapters and the bare engine", SUBJECTS, (BARE, MEMORY))
    count = int(bench.size.seconds * IN_MEMORY)
    engine = Bare(asked=True)
    with bench.accessories(subjects=LOOPS) as found:
        lines = {
            subject: [verified(program.hello["port"], keys) for _ in range(bench.size.connections)]
            for subject, (program, keys) in found.items()
        }
        for kind in ("GET", "PUT"):
            wanted = {subject: one_characteristic(kind, each[0]) for subject, each in lines.items()}
            ways = [("two cores", 1, False), ("same core", 1, True), (f"{bench.size.connections} lines", None, False)]
            for subject in bench.rounds(SUBJECTS):
                if subject == MEMORY:
                    os.sched_setaffinity(0, {bench.cores[1]})
                    rate, used = bench.quietly((), partial(engine.serve, kind, count))
                    for where, *_ in ways:
                        _add(table, f"{kind}, {where}", subject, rate, used)
                    continue
                program = found[subject][0]
                for where, many, same in ways:
                    bench.place(program, same=same)
                    rate, used = load(bench, program, lines[subject][:many], wanted[subject])
                    _add(table, f"{kind}, {where}", subject, rate, used)
    return table


def controllers(bench: Bench) -> Table:
    """Reading and writing one characteristic, one after the other, each against a bare loop of its own."""
    table = Table("Controllers: adapters and the bare engine", SUBJECTS, (BARE, MEMORY))
    count = int(bench.size.seconds * IN_MEMORY)
    with ExitStack() as stack:
        found: dict[str, tuple[Program, Program, str]] = {}
        for subject in LOOPS:
            accessory = stack.enter_context(Program(bench.accessory_commands[BARE], bench.cores[0]))
            program = stack.enter_context(Program(bench.controller_commands[subject], bench.cores[1]))
            found[subject] = (accessory, program, number_of_on(accessory.hello["port"]))
            pair(program, accessory)
        for kind in ("read", "write"):
            engine = Played(kind, count)
            for subject in bench.rounds(SUBJECTS):
                for where, core in (("two cores", 1), ("same core", 0)):
                    if subject != MEMORY:
                        accessory, program, number = found[subject]
                        program.pin(bench.cores[core])
                        work = partial(program.do, do=kind, id=number, seconds=bench.size.seconds)
                        answer = bench.quietly((accessory, program), work)
                        rate, used = answer["count"] / answer["wall"], answer["cpu"] / answer["count"] * 1e6
                    elif core:
                        os.sched_setaffinity(0, {bench.cores[1]})
                        rate, used = bench.quietly((), engine.play)
                    _add(table, f"{kind}, {where}", subject, rate, used)
    return table


def _add(table: Table, what: str, subject: str, rate: float, used: float) -> None:
    table.add(Row(f"{what}: rate", "/s"), subject, rate)
    table.add(Row(f"{what}: CPU", "us"), subject, used)
