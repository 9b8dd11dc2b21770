"""Kill accessories and controllers at random moments, many times, and look whether they forgot what was acknowledged.

A program of its own: it forks, which a test runner with threads must not. Prints one JSON line. Arguments: a folder,
how many times, a seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median

import hap_sync
from hapcore.catalogue.services import Lightbulb
from hapcore.crypto.keys import ed25519_public
from hapcore.errors import HapError
from hapcore.state import decode_state

CODE = "031-45-154"
WRONG = "111-22-334"
#: How many pairings are changed, and wrong codes refused, in the time a process lives at most once it is at work.
CHANGES, REFUSALS = 10, 5
#: The machine may get busier or less so: the next one lives longer if this one has acknowledged nothing, else shorter.
LONGER, SHORTER = 1.6, 0.9
#: Pairings that are there at a time, beside the first: there is room for 16.
ROOM = 12


def serve(state: Path, port: int, life: float) -> None:
    """Be the accessory until the alarm, which ends the process as SIGKILL does: nothing is tidied up.

    The alarm is set when the other process says so.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_REAL, life))
    with hap_sync.open_server(
        Lightbulb("Lamp", on=False), state=state, setup_code=CODE, address="127.0.0.1", mdns=False
    ) as server:
        os.write(port, b"%d\n" % server.port)
        server.run()


class Accessory:
    """A forked accessory."""

    def __init__(self, state: Path, life: float) -> None:
        read, write = os.pipe()
        self.process = os.fork()
        if not self.process:
            with suppress(BaseException):
                serve(state, write, life)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as line:
            self.where = f"127.0.0.1:{int(line.readline())}"

    def begin_to_die(self) -> None:
        os.kill(self.process, signal.SIGUSR1)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def took(act: Callable[[], object]) -> float:
    """Seconds that something takes while the machine is as busy as it is."""
    started = time.monotonic()
    with suppress(HapError):
        act()
    return time.monotonic() - started


def paired(state: Path) -> dict[str, bool]:
    """Who is paired, by the file."""
    table = decode_state(state.read_bytes())
    records = [json.loads(value) for key, value in table.items() if key.startswith("pairing/")]
    return {one["identifier"]: one["admin"] for one in records}


def attempts(state: Path) -> int:
    return int(decode_state(state.read_bytes()).get("attempts", b"0"))


def pairings(folder: Path, times: int, dice: random.Random) -> dict[str, int]:
    """Controllers are added and removed until the accessory dies; what was answered must be there afterwards."""
    state = folder / "paired.json"
    found = {"kills": 0, "acknowledged": 0, "ahead": 0, "lost": 0}
    with hap_sync.open_controller(mdns=False) as home:
        first = Accessory(state, 0)
        lamp = home.pair(first.where, CODE, "lamp")
        ours = lamp.pairing.controller_id
        key = ed25519_public(bytes(32))
        took(lamp.pairings)
        change = took(partial(lamp.add_pairing, b"first", key)) + took(partial(lamp.remove_pairing, b"first"))
        first.end()
        known = {ours: True}
        for kill in range(times):
            accessory = Accessory(state, dice.uniform(0.0001, change / 2 * CHANGES))
            lamp = home.connect("lamp", address=accessory.where)
            wanted = before = dict(known)
            lamp.pairings()
            accessory.begin_to_die()
            with suppress(HapError):
                for number in range(1000):
                    others = [name for name in known if name != ours]
                    if others and (len(others) >= ROOM or dice.random() < 0.4):
                        gone = dice.choice(others)
                        wanted = {name: admin for name, admin in known.items() if name != gone}
                        lamp.remove_pairing(gone.encode())
                    else:
                        name, admin = f"{kill}-{number}", dice.random() < 0.5
                        wanted = {**known, name: admin}
                        lamp.add_pairing(name.encode(), key, admin=admin)
                    known = wanted
                    found["acknowledged"] += 1
            lamp.close()
            accessory.end()
            change *= LONGER if known == before else SHORTER
            there = paired(state)
            found["kills"] += 1
            if there == wanted != known:
                found["ahead"] += 1  # done, but the answer did not get out
            elif there != known:
                found["lost"] += 1
            known = there
    return found


def failures(folder: Path, times: int, dice: random.Random) -> dict[str, int]:
    """Wrong codes: every refusal that a controller has seen is counted for ever."""
    state = folder / "unpaired.json"
    found = {"kills": 0, "acknowledged": 0, "ahead": 0, "lost": 0}
    first = Accessory(state, 0)
    with hap_sync.open_controller(mdns=False) as home:
        wrong = partial(home.pair, alias="lamp", setup_code=WRONG)
        refusal = median(took(partial(wrong, first.where)) for _ in range(3))
        first.end()
        for _ in range(times):
            accessory = Accessory(state, dice.uniform(1, REFUSALS) * max(refusal, 0.005))
            before, seen = attempts(state), 0
            accessory.begin_to_die()
            for _ in range(50):
                try:
                    home.pair(accessory.where, WRONG, "lamp")
                except HapError as error:
                    if getattr(error, "step", None) != 4:
                        break
                    seen += 1
            accessory.end()
            refusal *= SHORTER if seen else LONGER
            found["kills"] += 1
            found["acknowledged"] += seen
            counted = attempts(state) - before
            found["ahead"] += counted > seen
            found["lost"] += counted < seen
    return found


def controller(book: Path, where: str, life: float, told: int) -> None:
    """Pair, and say so; the alarm ends the process as SIGKILL does."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with hap_sync.open_controller(book, mdns=False) as home:
        signal.setitimer(signal.ITIMER_REAL, life)
        home.pair(where, CODE, "lamp")
        os.write(told, b"paired")


def controllers(folder: Path, times: int, dice: random.Random) -> dict[str, int]:
    """A controller dies while it pairs: what is in its file works, what is half done is taken back and done anew."""
    state, book = folder / "half.json", folder / "pairings.json"
    found = {"kills": 0, "acknowledged": 0, "usable": 0, "nothing": 0, "half": 0, "lost": 0}
    accessory = Accessory(state, 0)
    with hap_sync.open_controller(mdns=False) as home:
        pairing = took(partial(home.pair, accessory.where, CODE, "lamp"))
        home.remove("lamp", address=accessory.where)
    for _ in range(times):
        read, write = os.pipe()
        process = os.fork()
        if not process:
            with suppress(BaseException):
                controller(book, accessory.where, dice.uniform(0.001, pairing * 1.3), write)
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as line:
            acknowledged = line.read() == b"paired"
        os.waitpid(process, 0)
        pairing *= SHORTER if acknowledged else LONGER
        found["kills"] += 1
        found["acknowledged"] += acknowledged
        with hap_sync.open_controller(book, mdns=False) as home:
            if "lamp" in home.aliases:
                found["usable"] += 1
                home.connect("lamp", address=accessory.where).accessories()  # raises if it does not work
                home.remove("lamp", address=accessory.where)
            elif acknowledged:
                found["lost"] += 1
            elif not paired(state):
                found["nothing"] += 1
            else:  # the accessory has stored it, and its key has not reached the controller
                found["half"] += 1
                home.pair(accessory.where, CODE, "lamp")  # raises if it is refused
                home.connect("lamp", address=accessory.where).accessories()
                home.remove("lamp", address=accessory.where)
    with hap_sync.open_controller(book, mdns=False) as home:
        home.pair(accessory.where, CODE, "lamp")
    accessory.end()
    return found


def main() -> None:
    folder, times, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    report = {
        "pairings": pairings(folder, times, dice),
        "failures": failures(folder, max(times // 20, 3), dice),
        "controllers": controllers(folder, max(times // 4, 3), dice),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
