"""The measures of accessories: ours, ours without its optional helpers, and HAP-python."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench import ALL_ACCESSORIES, BUTTON, HAPPYTHON, ON, OURS, PLAIN, Bench
from generator import (
    Connection,
    Keys,
    database,
    find,
    gather_events,
    get,
    paired,
    put,
    repeat,
    repeat_many,
    unpair,
    verified,
)
from program import Program
from report import Row, Table

#: Where the adapter makes no difference to speak of, and where it does.
FEW = (OURS, PLAIN, HAPPYTHON)
ALL = ALL_ACCESSORIES


def pair_setup(bench: Bench) -> Table:
    """M1 to M6 on a connection of its own; the pairing is removed in between, outside the measurement."""
    table = Table("Pair-setup", FEW, HAPPYTHON)
    wall, cpu = Row("wall", "ms"), Row("accessory CPU", "ms", "0.2, plain 1.0")

    def sample(program: Program) -> tuple[float, float]:
        walls, cpus = [], []
        for _ in range(bench.size.setups):
            before, started = program.cpu(), time.perf_counter()
            keys = paired(program.hello["port"])
            walls.append((time.perf_counter() - started) * 1e3)
            cpus.append((program.cpu() - before) * 1e3)
            unpair(program.hello["port"], keys)
        return median(walls), median(cpus)

    with ExitStack() as stack:
        programs = {
            subject: stack.enter_context(Program(bench.accessory_commands[subject], bench.cores[0])) for subject in FEW
        }
        for subject in bench.rounds(FEW):
            program = programs[subject]
            bench.place(program)
            took, used = bench.quietly((program,), partial(sample, program))
            table.add(wall, subject, took)
            table.add(cpu, subject, used)
    return table


def pair_verify(bench: Bench) -> Table:
    """Connect, verify, close, one after the other."""
    table = Table("Pair-verify, a new connection each", FEW, HAPPYTHON)
    count = bench.size.verifies

    def sample(program: Program, keys: Keys) -> tuple[float, float]:
        before, started = program.cpu(), time.perf_counter()
        for _ in range(count):
            verified(program.hello["port"], keys).close()
        return count / (time.perf_counter() - started), (program.cpu() - before) / count * 1e6

    with bench.accessories(subjects=FEW) as found:
        for same in (False, True):
            where = "same core" if same else "two cores"
            for subject in bench.rounds(FEW):
                program, keys = found[subject]
                bench.place(program, same=same)
                rate, used = bench.quietly((program,), partial(sample, program, keys))
                table.add(Row(f"{where}: rate", "/s"), subject, rate)
                table.add(Row(f"{where}: accessory CPU", "us", "0.8"), subject, used)
    return table


def load(bench: Bench, program: Program, lines: list[Connection], requests: list[bytes]) -> tuple[float, float]:
    """Requests per second and CPU microseconds for each."""

    def run(seconds: float) -> tuple[int, float]:
        if len(lines) == 1:
            return repeat(lines[0], requests, seconds)
        return repeat_many(lines, requests, seconds)

    def sample() -> tuple[float, float]:
        before = program.cpu()
        count, took = run(bench.size.seconds)
        return count / took, (program.cpu() - before) / count * 1e6

    run(bench.size.seconds / 5)
    return bench.quietly((program,), sample)


def one_characteristic(kind: str, line: Connection) -> list[bytes]:
    aid, iid = find(database(line), ON)
    if kind == "GET":
        return [get(f"/characteristics?id={aid}.{iid}")]
    rows = [{"aid": aid, "iid": iid, "value": value} for value in (True, False)]
    return [put({"characteristics": [row]}) for row in rows]


def requests(bench: Bench) -> Table:
    """GET and PUT of one characteristic, one connection, one request after the other."""
    table = Table("One connection, one characteristic, sequential", ALL, HAPPYTHON)
    with bench.accessories(subjects=ALL) as found:
        lines = {subject: verified(program.hello["port"], keys) for subject, (program, keys) in found.items()}
        for kind in ("GET", "PUT"):
            wanted = {subject: one_characteristic(kind, line) for subject, line in lines.items()}
            for same in (False, True):
                where = f"{kind}, {'same core' if same else 'two cores'}"
                for subject in bench.rounds(ALL):
                    program = found[subject][0]
                    bench.place(program, same=same)
                    rate, used = load(bench, program, [lines[subject]], wanted[subject])
                    table.add(Row(f"{where}: rate", "/s"), subject, rate)
                    table.add(Row(f"{where}: accessory CPU", "us", "0.6"), subject, used)
    return table


def many(bench: Bench) -> Table:
    """The same with 50 connections, one request in flight on each."""
    count = bench.size.connections
    table = Table(f"{count} connections, one request in flight on each", ALL, HAPPYTHON)
    with bench.accessories(subjects=ALL) as found:
        lines = {
            subject: [verified(program.hello["port"], keys) for _ in range(count)]
            for subject, (program, keys) in found.items()
        }
        for kind in ("GET", "PUT"):
            wanted = {subject: one_characteristic(kind, each[0]) for subject, each in lines.items()}
            for subject in bench.rounds(ALL):
                program = found[subject][0]
                bench.place(program)
                rate, used = load(bench, program, lines[subject], wanted[subject])
                table.add(Row(f"{kind}: rate", "/s"), subject, rate)
                table.add(Row(f"{kind}: accessory CPU", "us", "0.5"), subject, used)
    return table


def events(bench: Bench) -> Table:
    """Button presses as fast as the accessory can, each of which goes to every subscriber at once."""
    table = Table("Immediate events, changes as fast as the accessory can", ALL, HAPPYTHON)

    def sample(program: Program, lines: list[Connection], presses: int) -> tuple[float, float, float]:
        wanted = presses * len(lines)
        delivered, took = 0, 1.0
        before, started = program.cpu(), time.perf_counter()
        program.tell(do="press", count=presses)
        for so_far in gather_events(lines, wanted):
            delivered, took = so_far, time.perf_counter() - started
        program.line()
        used = program.cpu() - before
        return delivered / took, used / max(1, delivered) * 1e6, delivered / wanted

    with bench.accessories(subjects=ALL) as found:
        for count in (1, bench.size.connections):
            what = "1 subscriber" if count == 1 else f"{count} subscribers"
            target = "" if count == 1 else "0.9"
            presses = max(100, bench.size.presses // (1 if count == 1 else 10))
            lines = {
                subject: [_subscribed(program.hello["port"], keys) for _ in range(count)]
                for subject, (program, keys) in found.items()
            }
            for subject in bench.rounds(ALL):
                program = found[subject][0]
                bench.place(program)
                rate, used, share = bench.quietly((program,), partial(sample, program, lines[subject], presses))
                table.add(Row(f"{what}: values delivered", "/s"), subject, rate)
                table.add(Row(f"{what}: accessory CPU per value delivered", "us", target), subject, used)
                table.add(Row(f"{what}: delivered / (changes x subscribers)", ""), subject, share)
            for line in (line for each in lines.values() for line in each):
                line.close()
    return table


def _subscribed(port: int, keys: Keys) -> Connection:
    line = verified(port, keys)
    aid, iid = find(database(line), BUTTON)
    status, _ = line.request(put({"characteristics": [{"aid": aid, "iid": iid, "ev": True}]}))
    if status != 204:
        raise ConnectionError(f"subscribing was answered with {status}")
    return line


def bridge(bench: Bench) -> Table:
    """The whole database of a bridge, 100 temperature sensors and 20 lightbulbs."""
    table = Table("GET /accessories, bridge of 121", FEW, HAPPYTHON)
    request = get("/accessories")

    with bench.accessories("--set", "bridge", subjects=FEW) as found:
        lines = {subject: verified(program.hello["port"], keys) for subject, (program, keys) in found.items()}
        for subject in bench.rounds(FEW):
            program = found[subject][0]
            bench.place(program)
            rate, used = load(bench, program, [lines[subject]], [request])
            table.add(Row("wall", "ms"), subject, 1e3 / rate)
            table.add(Row("accessory CPU", "ms", "1.0"), subject, used / 1e3)
            table.add(Row("body", "bytes"), subject, len(lines[subject].request(request)[1]))
    return table


def start(bench: Bench) -> Table:
    """A fresh process each time: until it listens, then its memory."""
    table = Table("Start and memory", ALL, HAPPYTHON)
    for set_, what in (("light", "1 accessory"), ("bridge", "121 accessories")):
        for subject in bench.rounds(ALL):
            os.sched_setaffinity(0, {bench.cores[1]})
            with Program([*bench.accessory_commands[subject], "--set", set_], bench.cores[0]) as program:
                table.add(Row(f"spawn to listening, {what}: wall", "ms"), subject, program.start_wall * 1e3)
                table.add(Row(f"spawn to listening, {what}: CPU", "ms"), subject, program.start_cpu * 1e3)
                table.add(Row(f"RSS idle, {what}", "MB", "1.1"), subject, program.memory() / 1e6)
                if set_ == "light":
                    _load_memory(bench, table, subject, program)
    return table


def _load_memory(bench: Bench, table: Table, subject: str, program: Program) -> None:
    count, port = bench.size.memory_connections, program.hello["port"]
    keys = paired(port)
    lines = [verified(port, keys)]
    (request,) = one_characteristic("GET", lines[0])
    before = program.memory()
    for _ in range(count - 1):
        lines.append(verified(port, keys))
        lines[-1].request(request)
    after = program.memory()
    table.add(Row(f"RSS with {count} verified connections", "MB", "1.1"), subject, after / 1e6)
    table.add(Row("RSS per verified connection", "KB"), subject, (after - before) / (count - 1) / 1e3)
    for line in lines:
        line.close()
