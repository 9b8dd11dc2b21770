"""A bridge of 150: how long it takes to build, what it needs, and how soon it is back after a kill."""

from __future__ import annotations

import os
import tempfile
import time

from bench import ALL_ACCESSORIES, HAPPYTHON, ON, Bench
from generator import Keys, database, find, get, paired, put, verified
from program import Program
from report import Row, Table

#: Seconds in which a pairing is in the file: ours is there before it is told, others write it later.
WRITTEN = 1.0


def house(bench: Bench) -> Table:
    """Processes of their own; the second start of each pair finds the state of the first, which was killed."""
    subjects = ALL_ACCESSORIES
    table = Table("A bridge of 150 accessories", subjects, HAPPYTHON)
    os.sched_setaffinity(0, {bench.cores[1]})
    for subject in bench.rounds(subjects):
        with tempfile.TemporaryDirectory() as folder:
            command = [*bench.accessory_commands[subject], "--set", "full", "--state", folder]
            with Program(command, bench.cores[0]) as program:
                bench.versions[subject] = program.hello["versions"] | {"Python": program.hello["python"]}
                table.add(Row("import", "ms"), subject, program.hello["imported"] * 1e3)
                table.add(Row("build and listen, first start", "ms"), subject, program.hello["built"] * 1e3)
                table.add(Row("RSS idle", "MB", "1.1"), subject, program.memory() / 1e6)
                port = program.hello["port"]
                keys = paired(port)
                _follow_all(port, keys)
                table.add(
                    Row("RSS when all of it was read and is followed", "MB", "1.1"), subject, program.memory() / 1e6
                )
                time.sleep(WRITTEN)
                program.kill()
            started = time.perf_counter()
            with Program([*command, "--port", str(port)], bench.cores[0], wait=False) as program:
                _first_answer(port, keys, started)
                table.add(Row("killed, started: to the first answer", "ms", "1.0"), subject, _since(started))
                program.greet()
                table.add(Row("build and listen, with state", "ms"), subject, program.hello["built"] * 1e3)
                table.add(Row("killed, started: CPU", "ms"), subject, program.cpu() * 1e3)
    return table


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3


def _follow_all(port: int, keys: Keys) -> None:
    line = verified(port, keys)
    for accessory in database(line)[1:]:
        aid, iid = find([accessory], ON)
        status, body = line.request(put({"characteristics": [{"aid": aid, "iid": iid, "ev": True}]}))
        if status != 204:
            raise ConnectionError(f"subscribing was answered with {status}: {body[:200]!r}")
    line.close()


def _first_answer(port: int, keys: Keys, started: float) -> None:
    """As a phone that tries again and again: connect, verify, read one value."""
    while True:
        try:
            line = verified(port, keys)
            break
        except ConnectionRefusedError:
            if time.perf_counter() > started + 60:
                raise
            time.sleep(0.001)
    status, body = line.request(get("/characteristics?id=2.9"))
    if status not in (200, 207):
        raise ConnectionError(f"the first request was answered with {status}: {body[:200]!r}")
    line.close()
