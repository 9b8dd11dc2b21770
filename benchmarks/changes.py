"""A hundred thousand changes over controllers that come and go: is any value missed in the end, does any go back?"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable

from bench import ASYNCIO, HAPPYTHON, OURS, SYNC, Bench
from generator import Connection, Keys, database, get, put, take, verified
from program import Program
from report import Row, Table

SUBJECTS = (OURS, ASYNCIO, SYNC, HAPPYTHON)
CONTROLLERS = 8
#: Changes between two breaths of the accessory, and seconds of one: so that a run lasts some reconnections.
BURST, BREATH = 500, 0.05
#: Seconds of a connection, and of the time between two.
STAY, AWAY = (0.2, 2.5), (0.0, 0.3)
#: Seconds until everybody must know everything: events are sent once a second.
SETTLING = 10.0
#: Short type of the characteristic that only ever goes up.
LEVEL = "93"


class Watcher(threading.Thread):
    """A controller: connects, subscribes to everything, reads everything, listens for a while, is cut off; and again.

    What it knows is what stood on the wire, in the order in which it stood there.
    """

    def __init__(self, port: int, keys: Keys, ids: list[tuple[int, int]], seed: int) -> None:
        super().__init__(daemon=True)
        self._port, self._keys, self._ids = port, keys, ids
        self._dice = random.Random(seed)
        #: The last values are known, and to be waited for.
        self.truth: dict[tuple[int, int], float] | None = None
        self.view: dict[tuple[int, int], float] = {}
        self.sessions = self.values = self.backwards = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                last = self.truth is not None
                self._session(time.perf_counter() + (SETTLING if last else self._dice.uniform(*STAY)), last=last)
                if last:
                    return
                time.sleep(self._dice.uniform(*AWAY))
        except Exception as error:  # noqa: BLE001 - the main thread tells
            self.error = error

    @property
    def missed(self) -> int:
        """Characteristics of which the last value never came."""
        return sum(self.view.get(one) != value for one, value in (self.truth or {}).items())

    def _session(self, until: float, *, last: bool) -> None:
        line = verified(self._port, self._keys)
        self.sessions += 1
        line.send(put({"characteristics": [{"aid": aid, "iid": iid, "ev": True} for aid, iid in self._ids]}))
        self._answer(line)
        line.send(get("/characteristics?id=" + ",".join(f"{aid}.{iid}" for aid, iid in self._ids)))
        self._answer(line)
        while (left := until - time.perf_counter()) > 0 and not (last and not self.missed):
            line.socket.settimeout(left)
            try:
                line.receive()
            except TimeoutError:
                break
            while (found := take(line.buffer)) is not None:
                self._note(found[1])
        line.close()  # with what is on its way

    def _answer(self, line: Connection) -> None:
        """Wait for the answer to what was asked; what comes before it is older."""
        while True:
            while (found := take(line.buffer)) is not None:
                status, body = found
                if body:
                    self._note(body)
                if status:
                    return
            line.receive()

    def _note(self, body: bytes) -> None:
        for entry in json.loads(body)["characteristics"]:
            if "value" in entry:
                one, value = (entry["aid"], entry["iid"]), entry["value"]
                self.values += 1
                self.backwards += value < self.view.get(one, 0)
                self.view[one] = value


def changes(bench: Bench) -> Table:
    """Whatever the accessory is, and whichever of our adapters."""
    subjects = SUBJECTS if bench.peer_python else SUBJECTS[:-1]
    count = bench.size.presses * 5
    table = Table(f"{count:,} changes, {CONTROLLERS} controllers that come and go", subjects)
    with bench.accessories("--set", "counters", subjects=subjects) as found:
        for subject in subjects:
            program, keys = found[subject]
            bench.place(program)
            _run(table, subject, program, keys, count)
    return table


def _run(table: Table, subject: str, program: Program, keys: Keys, count: int) -> None:
    port = program.hello["port"]
    line = verified(port, keys)
    ids = [*_levels(database(line))]
    line.close()
    watchers = [Watcher(port, keys, ids, seed) for seed in range(CONTROLLERS)]
    for watcher in watchers:
        watcher.start()
    before, started = program.cpu(), time.perf_counter()
    for _ in range(count // BURST):
        program.do(do="press", count=BURST)
        time.sleep(BREATH)
    took, used = time.perf_counter() - started, program.cpu() - before
    line = verified(port, keys)
    body = line.request(get("/characteristics?id=" + ",".join(f"{aid}.{iid}" for aid, iid in ids)))[1]
    truth = {(one["aid"], one["iid"]): one["value"] for one in json.loads(body)["characteristics"]}
    line.close()
    if sum(truth.values()) != count:
        raise ValueError(f"{subject} has made {sum(truth.values())} changes of {count}")
    for watcher in watchers:
        watcher.truth = truth
    for watcher in watchers:
        watcher.join(SETTLING * 3)
        if watcher.error is not None:
            raise watcher.error
    table.add(Row("connections", ""), subject, sum(one.sessions for one in watchers))
    table.add(Row("values told", ""), subject, sum(one.values for one in watchers))
    table.add(Row("values that went back", "", "0"), subject, sum(one.backwards for one in watchers))
    table.add(Row("last values never told", "", "0"), subject, sum(one.missed for one in watchers))
    table.add(Row("wall", "s"), subject, took)
    table.add(Row("accessory CPU per change", "us"), subject, used / count * 1e6)


def _levels(accessories: list[dict]) -> Iterable[tuple[int, int]]:
    for accessory in accessories:
        for service in accessory["services"]:
            for one in service["characteristics"]:
                if one["type"].partition("-")[0].lstrip("0") == LEVEL:
                    yield accessory["aid"], one["iid"]
