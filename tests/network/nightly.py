"""An hour of a home whose accessories, hosts and cables really fail, at random, under one watching controller.

    python tests/network/nightly.py [--minutes 60] [--seed TEXT] [--ours 4]

`nox -s nightly` runs it. Accessories of ours say something four times a second; where HAPCORE_PEERS names the folder of
tests/interop/setup_peers.py, HAP-python, HAP-NodeJS, homekit_python's accessory and Homebridge are there, too. The seed
is printed and decides what happens to whom; not how long the machine takes. All the time these must hold, for each:

- `Available` and `Unavailable` take turns, and nobody is said to have forgotten us;
- what one of ours says is told once and in its order, and what is not told was said within a `Gap`;
- when everything is mended, all of them are available again, and the last value of each is known;
- the controller is alive, complains of nothing, and does not grow.

It ends with status 1 at the first that does not.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import itertools
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.interop.foreign_peers import Peers
from tests.network.hosts import Network, Program, missing, open_network
from tests.network.watched import CODE, Journal, readdress, take

#: Seconds between two faults, on the average.
PACE = 3.0
#: Seconds of faults until everything is mended and looked at.
ROUND = 60.0
#: Seconds in which all are available again when nothing fails any more: a rest of 60, and a slow machine.
RECOVERY = 120.0
#: Seconds for what a value may be kept back, and a poll of what says nothing by itself.
KNOWN = 45.0
POLL = 30.0
#: MB that the controller may be larger at the end than after the first round.
GROWTH = 30.0
PEERS = ("happython", "hapnodejs", "homekitpython", "homebridge")


class Broken(Exception):
    """Something that must hold does not."""


class One(ABC):
    """An accessory on a host of its own."""

    def __init__(self, night: Night, number: int, alias: str) -> None:
        self.night = night
        self.alias = alias
        self.host = night.network.host(alias)
        self.address = f"10.0.0.{10 + number}"
        self.cable = self.host.plug("eth0", self.address + "/24")
        self.state = night.folder / alias
        self.state.mkdir()
        self.journal = Journal()
        self.port = 0
        self.ids: dict[str, str] = {}
        #: What is wrong with it now, and when it was mended.
        self.fault = ""
        self.mended = 0.0
        self.awaited = False
        self.program: Program
        self.start()

    # --- the program ----------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> None:
        """Start it, the first time or again."""
        self.program = self.night.stack.enter_context(self._run(port))
        told = cast("dict[str, Any]", self.program.wait_for(event=self.greeting))
        self.device_id, self.port, self.ids = told["device_id"], told["port"], told["ids"]

    greeting = "listening"

    @abstractmethod
    def _run(self, port: int) -> Program:
        """Start the program."""

    def end(self, how: signal.Signals) -> None:
        """End it."""
        self.program.end(how)
        self.gather()

    def gather(self) -> None:
        """Take what it has told."""
        for told in take(self.program):
            self.said(told)

    def said(self, told: dict[str, Any]) -> None:  # noqa: B027 - not all do
        """It has told something."""

    def tick(self) -> None:  # noqa: B027 - not all do
        """Say something, if it does not do so by itself."""

    def quiet(self) -> None:  # noqa: B027 - not all do
        """Say nothing more, for a moment."""

    def loud(self) -> None:  # noqa: B027 - not all do
        """Say something again."""

    # --- what is told of it ---------------------------------------------------------------------------------------

    def available(self) -> bool:
        """As was told last."""
        return self.journal.states[-1:] != [] and self.journal.states[-1][1] == "Available"

    def note(self, item: dict[str, Any]) -> None:
        """The controller tells something of it."""
        journal = self.journal
        before = journal.states[-1][1] if journal.states else ""
        if item["event"] in ("Available", "Unavailable") and item["event"] == before:
            raise Broken(f"{self.alias} is {before} twice: {item}")
        if "PairingRefused" in item.get("reason", ""):
            raise Broken(f"{self.alias} is said to have forgotten us: {item}")
        if item["event"] == "Gap" and not item["since"] <= item["until"]:
            raise Broken(f"{self.alias}: a gap that ends before it begins: {item}")
        journal.note(item, self.ids)
        if item["event"] == "Available" and self.mended and self.awaited:
            self.night.recovered(self, item["time"] - self.mended)
        self.awaited = item["event"] == "Unavailable" or (self.awaited and item["event"] != "Available")

    @abstractmethod
    def known(self) -> bool:
        """Whether its last value is known."""

    def judge(self) -> None:  # noqa: B027 - not all do
        """Raise `Broken` where something was lost without a word."""

    def forget(self) -> None:
        """What was judged is of no interest any more."""
        journal = self.journal
        journal.said.clear()
        journal.told.clear()
        journal.gaps.clear()
        journal.states[:] = journal.states[-1:]
        del journal.counts[:-1]


class Ours(One):
    """One of ours."""

    greeting = "serving"

    def __init__(self, night: Night, number: int, alias: str) -> None:
        self._number = 0
        self._highest = 0
        self._resting: int | None = None
        super().__init__(night, number, alias)

    def _run(self, port: int) -> Program:
        settings = {"state": str(self.state / "state.json"), "port": port, "first": self._number, "name": self.alias}
        return self.host.run("ticking.py", "serve", json.dumps(settings))

    def said(self, told: dict[str, Any]) -> None:
        if told["event"] == "tick":
            self._number = told["number"]
            self.journal.said[told["number"]] = told["time"]
        elif told["event"] == "stopped":
            self._resting = told["number"]

    def note(self, item: dict[str, Any]) -> None:
        if item["event"] == "ValueChanged" and item["id"] == self.ids["press"]:
            if item["value"] <= self._highest:
                raise Broken(f"{self.alias} said {self._highest}, and {item['value']} is told after it")
            self._highest = item["value"]
        super().note(item)

    def quiet(self) -> None:
        self._resting = None
        self.program.say("stop")

    def loud(self) -> None:
        self.program.say("go")

    def known(self) -> bool:
        return self._resting is not None and self.journal.counts[-1:] == [self._resting]

    def judge(self) -> None:
        journal = self.journal
        if lost := journal.unexplained():
            moments = [journal.said[number] for number in lost]
            raise Broken(f"{self.alias}: lost without a gap: {lost}, said at {moments}; gaps: {journal.gaps}")
        self.night.count(len(journal.said), len(journal.untold()), len(journal.gaps))


class Foreign(One):
    """One of somebody else: it says what it is told to."""

    def __init__(self, night: Night, number: int, alias: str) -> None:
        self._value = 40
        super().__init__(night, number, alias)

    def _run(self, port: int) -> Program:
        command = self.night.peers.accessory_command(self.alias, self.state)
        return self.host.execute(*command, "--host", self.address)

    def start(self, port: int = 0) -> None:
        super().start(port)
        self._value = 40  # so they begin
        self.ids = {"count": self.ids["brightness"], "press": ""}

    def tick(self) -> None:
        self._value = self._value % 100 + 1
        with contextlib.suppress(OSError):
            self.program.say(f"set brightness {self._value}")

    def said(self, told: dict[str, Any]) -> None:
        if told["event"] == "failed":
            raise Broken(f"{self.alias}: {told}")

    def known(self) -> bool:
        return self.journal.counts[-1:] == [self._value]


class Night:
    """All of it."""

    def __init__(self, network: Network, stack: contextlib.ExitStack, folder: Path, seed: str, ours: int) -> None:
        self.network = network
        self.stack = stack
        self.folder = folder
        self.luck = random.Random(seed)
        self.peers = Peers(Path(os.environ.get("HAPCORE_PEERS") or "-").resolve())
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._begun = time.monotonic()
        self._last: dict[str, str] = {}
        self._figures: dict[str, list[float]] = {}
        self._faults = self._said = self._lost = self._gaps = 0
        self.phone = network.host("phone")
        self.cable = self.phone.plug("eth0", "10.0.0.3/24")
        self.ones: list[One] = [Ours(self, number, f"lamp{number}") for number in range(ours)]
        for name in PEERS if self.peers.complete else ():
            self.ones.append(Foreign(self, len(self.ones), name))
        self._by_alias = {one.alias: one for one in self.ones}
        self._addresses = itertools.count(100)
        self.controller = self._watch({one.alias: [one.device_id, CODE] for one in self.ones})
        self._turn_until(lambda: all(one.available() for one in self.ones), RECOVERY, "at the beginning")

    def _watch(self, pair: dict[str, list[str]]) -> Program:
        wanted = json.dumps({"file": str(self.folder / "pairings.json"), "pair": pair, "poll": POLL})
        return self.stack.enter_context(self.phone.run("ticking.py", "watch", "trio", wanted))

    # --- what is counted ------------------------------------------------------------------------------------------

    def recovered(self, one: One, seconds: float) -> None:
        """It is available again."""
        self._figures.setdefault(one.fault or self._last.get(one.alias, ""), []).append(seconds)

    def count(self, said: int, lost: int, gaps: int) -> None:
        """What came of what was said."""
        self._said += said
        self._lost += lost
        self._gaps += gaps

    def memory(self) -> float:
        """MB of the controller."""
        status = Path("/proc", str(self.controller.pid), "status").read_text("utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    # --- time -----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Let a moment pass."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        if not self.controller.pending():
            time.sleep(0.05)
        for one in self.ones:
            one.gather()
        for item in take(self.controller):
            if item["event"] != "paired":
                self._by_alias[item["alias"]].note(item)
        if self.controller.complaints:
            raise Broken("the controller complains:\n" + "\n".join(self.controller.complaints))

    def _turn_until(self, check: Callable[[], bool], limit: float, what: str) -> None:
        end = time.monotonic() + limit
        while not check():
            if time.monotonic() > end:
                lines = [
                    f"{one.alias}: {'' if one.available() else 'un'}available, {one.journal.reasons[-1:]}, at "
                    f"{one.address} port {one.port}, values {one.journal.counts[-3:]}"
                    for one in self.ones
                ]
                raise Broken(f"not within {limit:g} s {what}:\n" + "\n".join(lines))
            self._turn()

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something done later."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), what))

    def say(self, text: str) -> None:
        """Print what happens."""
        print(f"{time.monotonic() - self._begun:7.1f} {text}", flush=True)

    # --- faults ---------------------------------------------------------------------------------------------------

    def _mend(self, one: One) -> None:
        one.fault = ""
        one.mended = time.monotonic()

    def hurt(self, minutes: float) -> None:
        """One fault, of somebody who has none."""
        well = [one for one in self.ones if not one.fault]
        if not well:
            return
        one = self.luck.choice(well)
        kinds = [self.restart, self.restart, self.move, self.pull, self.lose, self.delay, self.cut_power, self.swap]
        fault = self.luck.choice([*kinds, self.pull_ours, self.restart_ours] if minutes > 1 else kinds)
        self._faults += 1
        fault(one)

    def _begin(self, one: One, kind: str, text: str) -> None:
        one.fault = self._last[one.alias] = kind
        one.mended = 0.0
        self.say(f"{one.alias}: {text}")

    def restart(self, one: One) -> None:
        """Its program ends, one way or the other, and starts again, here or there."""
        how = self.luck.choice([signal.SIGKILL, signal.SIGTERM])
        away = self.luck.choice([0.0, 0.5, 3.0, 15.0])
        port = self.luck.choice([one.port, 0])
        self._begin(one, "restart", f"{how.name}, again after {away:g} s, port {port or 'any'}")
        one.end(how)
        self.after(away, lambda: (one.start(port), self._mend(one)))

    def move(self, one: One) -> None:
        """Its host gets another address."""
        address = f"10.0.0.{next(self._addresses) % 100 + 100}"
        self._begin(one, "move", f"to {address}")
        if isinstance(one, Foreign):  # they listen where they began to
            one.end(signal.SIGKILL)
        readdress(one.host, address + "/24")
        one.address = address
        if isinstance(one, Foreign):
            one.start()
        self._mend(one)

    def swap(self, one: One) -> None:
        """It and another one get each other's addresses."""
        others = [other for other in self.ones if not other.fault and other is not one]
        if not others:
            return
        other = self.luck.choice(others)
        self._begin(one, "swap", f"and {other.alias} get each other's addresses")
        self._begin(other, "swap", "the same")
        for each in (one, other):
            each.end(signal.SIGKILL)
            each.host.ip("address", "flush", "dev", "eth0")
        one.address, other.address = other.address, one.address
        ports = other.port, one.port
        for each, port in zip((one, other), ports, strict=True):
            each.host.ip("address", "add", each.address + "/24", "dev", "eth0")
            each.start(port)
            self._mend(each)

    def pull(self, one: One) -> None:
        """Its cable is pulled."""
        away = self.luck.choice([0.5, 1.0, 5.0, 10.0, 30.0])
        self._begin(one, "pull", f"cable pulled for {away:g} s")
        one.cable.pull()
        self.after(away, lambda: (one.cable.put_back(), self._mend(one)))

    def pull_ours(self, one: One) -> None:
        """The controller's cable is pulled."""
        away = self.luck.choice([1.0, 5.0, 20.0])
        self.say(f"controller: cable pulled for {away:g} s")
        self.cable.pull()
        self.after(away, self._put_back)

    def _put_back(self) -> None:
        self.cable.put_back()
        for one in self.ones:
            if not one.fault:
                self._last[one.alias], one.mended = "ours", time.monotonic()

    def restart_ours(self, one: One) -> None:
        """The controller is killed, and starts again with what it has stored."""
        self._turn()
        self.controller.end(signal.SIGKILL)
        self.say("controller: killed, and started again")
        for each in self.ones:
            each.gather()
            each.forget()
            each.journal.states.clear()
            each.awaited = False
        self.controller = self._watch({})

    def lose(self, one: One) -> None:
        """Frames are lost."""
        share, during = self.luck.choice([0.05, 0.1, 0.3]), self.luck.choice([5.0, 20.0])
        self._begin(one, "loss", f"loses {share:.0%} of its frames for {during:g} s")
        one.cable.lossy(share)
        self.after(during, lambda: (one.cable.lossy(0.0), self._mend(one)))

    def delay(self, one: One) -> None:
        """Frames take long."""
        delay, during = self.luck.choice([0.05, 0.5]), self.luck.choice([5.0, 20.0])
        self._begin(one, "delay", f"frames take {delay:g} s for {during:g} s")
        one.cable.slow(delay)
        self.after(during, lambda: (one.cable.slow(0.0), self._mend(one)))

    def cut_power(self, one: One) -> None:
        """Nobody says goodbye, and nobody knows of any connection afterwards."""
        away = self.luck.choice([1.0, 5.0, 20.0])
        self._begin(one, "power", f"no power for {away:g} s")
        one.cable.pull()
        one.end(signal.SIGKILL)
        self.after(away, lambda: (one.cable.put_back(), one.start(one.port), self._mend(one)))

    # --- the night ------------------------------------------------------------------------------------------------

    def pass_round(self, until: float) -> None:
        """Faults for a while, then everything is mended and looked at."""
        end = min(time.monotonic() + ROUND, until)
        due = tick = 0.0
        while (now := time.monotonic()) < end:
            if now >= due:
                self.hurt((until - self._begun) / 60)
                due = now + self.luck.expovariate(1 / PACE)
            if now >= tick:
                for one in self.ones:
                    if not one.fault:
                        one.tick()
                tick = now + 1.0
            self._turn()
        self._turn_until(lambda: not self._later, RECOVERY, "everything is mended")
        self._turn_until(lambda: all(one.available() for one in self.ones), RECOVERY, "all are available again")
        for one in self.ones:
            one.quiet()
        self._turn_until(lambda: all(one.known() for one in self.ones), KNOWN, "the last values are known")
        for one in self.ones:
            one.judge()
            one.forget()
            one.loud()
        self.say(f"all {len(self.ones)} are well; the controller has {self.memory():.1f} MB")

    def summary(self) -> str:
        """What came of it."""
        lines = [
            f"{self._faults} faults; {self._said} numbers said, {self._lost} not told, all within {self._gaps} gaps",
            "seconds from the end of a fault to availability, where it was lost: median [least..most]",
        ]
        for kind, values in sorted(self._figures.items()):
            lines.append(
                f"  {kind:8} {median(values):6.2f} [{min(values):.2f}..{max(values):.2f}], {len(values)} times"
            )
        return "\n".join(lines)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--ours", type=int, default=4)
    given = parser.parse_args()
    if lacking := missing():
        raise SystemExit(lacking)
    print(f"seed {given.seed}", flush=True)
    with open_network() as network, tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        try:
            night = Night(network, stack, Path(folder), given.seed, given.ours)
            night.say(f"{len(night.ones)} accessories: {', '.join(one.alias for one in night.ones)}")
            until = time.monotonic() + given.minutes * 60
            at_first = 0.0
            while time.monotonic() < until:
                night.pass_round(until)
                at_first = at_first or night.memory()
                if night.memory() > at_first + GROWTH:
                    raise Broken(f"the controller grew from {at_first:.1f} to {night.memory():.1f} MB")
        except Broken as error:
            print(f"BROKEN (seed {given.seed}): {error}", flush=True)
            raise SystemExit(1) from None
        print(night.summary())


if __name__ == "__main__":
    main()
