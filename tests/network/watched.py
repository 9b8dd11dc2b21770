"""An accessory that is watched over while its network, or it itself, fails; and what became of what it said.

with open_watched(network, directory) as watched:
    watched.restart()
    print(watched.settle())
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from attrs import define, field, frozen
from tests.network.hosts import PATIENCE, Cable, Host, Network, Program

CODE = "031-45-154"
ALIAS = "lamp"
#: Seconds in which an accessory may keep a value back because it told another just before (HAP 9.6), on a slow machine.
_HELD = 5.0
#: Seconds between two looks at what is waited for, where nothing is told meanwhile.
_GLANCE = 0.25


@frozen
class Figures:
    """What a fault cost. Times are seconds."""

    #: From the fault to `Unavailable`; None where it never was.
    noticed: float | None
    #: From the end of the fault to `Available`; None where it never was unavailable.
    back: float | None
    #: From the end of the fault to the first number that the accessory said afterwards.
    heard: float
    #: What the accessory said, and what of it was not told; all of that is within a `Gap`.
    said: int
    lost: int
    gaps: int


@define
class Journal:
    """What an accessory said, and what was told of it: each with its time."""

    said: dict[int, float] = field(factory=dict)
    told: dict[int, float] = field(factory=dict)
    #: Each with the time, and what it is.
    states: list[tuple[float, str]] = field(factory=list)
    reasons: list[str] = field(factory=list)
    gaps: list[tuple[float, float]] = field(factory=list)
    counts: list[int] = field(factory=list)

    def untold(self) -> list[int]:
        """The numbers that were said after the controller followed, and not told."""
        first = self.states[0][0]
        return [number for number, when in self.said.items() if when > first and number not in self.told]

    def unexplained(self) -> list[int]:
        """Those of them that no `Gap` excuses: there must be none."""
        return [
            number
            for number in self.untold()
            if not any(since <= self.said[number] <= until for since, until in self.gaps)
        ]

    def note(self, item: dict[str, Any], ids: dict[str, str]) -> None:
        """What the controller tells."""
        match item["event"]:
            case "ValueChanged" if item["id"] == ids["press"]:
                self.told[item["value"]] = item["time"]
            case "ValueChanged" if item["id"] == ids["count"]:
                self.counts.append(item["value"])
            case "Gap":
                self.gaps.append((item["since"], item["until"]))
            case "Unavailable":
                self.states.append((item["time"], "Unavailable"))
                self.reasons.append(item["reason"])
            case "Available":
                self.states.append((item["time"], "Available"))


def take(program: Program) -> list[dict[str, Any]]:
    """All that a program has told by now."""
    told = []
    while program.pending():
        try:
            told.append(cast("dict[str, Any]", program.next(PATIENCE)))
        except AssertionError:  # it has ended
            break
    return told


class Watched:
    """The accessory, at 10.0.0.2, and the controller."""

    def __init__(
        self, network: Network, directory: Path, adapter: str, stack: contextlib.ExitStack, settings: dict[str, Any]
    ) -> None:
        self.network = network
        self._directory = directory
        self.lamp, self.phone = network.host("lamp"), network.host("phone")
        self.cable = self.lamp.plug("eth0", "10.0.0.2/24")
        self.phones = self.phone.plug("eth0", "10.0.0.3/24")
        self._stack = stack
        self.journal = Journal()
        self._number = self._untold = 0
        self.port = 0
        self.accessory = self._serve()
        pair = {ALIAS: [self.device_id, CODE]}
        wanted = json.dumps({"file": str(directory / "pairings.json"), "pair": pair, **settings})
        self.controller = stack.enter_context(self.phone.run("ticking.py", "watch", adapter, wanted))
        self._begun = self._over = time.monotonic()
        self.wait(self.available)

    # --- what is done to it ---------------------------------------------------------------------------------------

    def fault(self) -> None:
        """It begins now."""
        self._begun = self._over = time.monotonic()

    def over(self) -> None:
        """It ends now."""
        self._over = time.monotonic()

    def restart(self, how: signal.Signals = signal.SIGTERM, port: int | None = None) -> None:
        """End the accessory, and start it again, on the same port if not said otherwise (0: any)."""
        self.fault()
        self.stop(how)
        self.start(port)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the accessory."""
        self.accessory.end(how)
        self._gather()

    def start(self, port: int | None = None) -> None:
        """Start it again."""
        self.accessory = self._serve(self.port if port is None else port)
        self.over()

    def invite(self, address: str, port: int) -> None:
        """Have another accessory there, on a host of its own."""
        host = self.network.host("stranger")
        host.plug("eth0", address)
        settings = json.dumps({"name": "Stranger", "port": port})
        stranger = self._stack.enter_context(host.run("peer.py", "serve", "trio", settings))
        assert stranger.wait_for(event="serving")["device_id"] != self.device_id

    def _serve(self, port: int = 0) -> Program:
        settings = {"state": str(self._directory / "accessory.json"), "port": port, "first": self._number}
        accessory = self._stack.enter_context(self.lamp.run("ticking.py", "serve", json.dumps(settings)))
        serving = cast("dict[str, Any]", accessory.wait_for(event="serving"))
        self.port, self.device_id, self.ids = serving["port"], serving["device_id"], serving["ids"]
        return accessory

    # --- what comes of it -----------------------------------------------------------------------------------------

    def available(self) -> bool:
        """Whether it is, as was told."""
        states = self.journal.states
        return bool(states) and states[-1][1] == "Available"

    def hears(self) -> bool:
        """Whether it is available, and a number was told that was said after the end of the fault."""
        return self.available() and self._first_heard() is not None

    def _first_heard(self) -> float | None:
        said, told = self.journal.said, self.journal.told
        return min((when for number, when in told.items() if said.get(number, 0.0) > self._over), default=None)

    def wait(self, check: Callable[[], bool], limit: float = PATIENCE) -> None:
        """Until that is so."""
        end = time.monotonic() + limit
        while not check():
            if time.monotonic() >= end:
                raise AssertionError(f"not within {limit:g} s: {check.__name__}\n{self.controller.said()}")
            if not self.controller.pending():
                with contextlib.suppress(AssertionError):
                    self._note(cast("dict[str, Any]", self.controller.next(_GLANCE)))
            self._gather()

    def hold(self, seconds: float) -> None:
        """Let it be as it is for so long."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end, seconds + PATIENCE)

    def settle(self, limit: float = PATIENCE) -> Figures:
        """Wait until it is available and heard, have it stop, and see that all is known; then it goes on.

        Raises `AssertionError` where something was lost without a `Gap`, or the last value is another one.
        """
        self.wait(self.hears, limit)
        self.accessory.say("stop")
        last = cast("int", self._until_stopped())
        self.wait(lambda: self.journal.counts[-1:] == [last], _HELD)
        self._gather()
        journal = self.journal
        assert journal.unexplained() == [], f"lost without a gap: {journal.unexplained()}, gaps: {journal.gaps}"
        states = [(when, what) for when, what in journal.states if when > self._begun]
        noticed = next((when for when, what in states if what == "Unavailable"), None)
        back = [when for when, what in states if what == "Available"]
        heard = self._first_heard()
        assert heard is not None
        untold = journal.untold()
        figures = Figures(
            None if noticed is None else noticed - self._begun,
            back[-1] - self._over if back else None,
            heard - self._over,
            sum(when > self._begun for when in journal.said.values()),
            len(untold) - self._untold,
            sum(until > self._begun for _, until in journal.gaps),
        )
        self._untold = len(untold)
        self.accessory.say("go")
        return figures

    def _until_stopped(self) -> object:
        while True:
            told = cast("dict[str, Any]", self.accessory.next())
            if told["event"] == "stopped":
                return told["number"]
            self._said(told)

    def _gather(self) -> None:
        for told in take(self.accessory):
            self._said(told)
        for told in take(self.controller):
            self._note(told)

    def _said(self, told: dict[str, Any]) -> None:
        if told["event"] == "tick":
            self._number = told["number"]
            self.journal.said[told["number"]] = told["time"]

    def _note(self, told: dict[str, Any]) -> None:
        self.journal.note(told, self.ids)


@contextlib.contextmanager
def open_watched(
    network: Network, directory: Path, adapter: str = "trio", **settings: object
) -> Generator[Watched, None, None]:
    """Both, paired and available; `settings` are those of `supervise()`."""
    with contextlib.ExitStack() as stack:
        yield Watched(network, directory, adapter, stack, settings)


# --- the faults --------------------------------------------------------------------------------------------------


def killed(watched: Watched) -> None:
    """The accessory is killed, and started again."""
    watched.restart(signal.SIGKILL)


def ended(watched: Watched) -> None:
    """The accessory ends in good order, and starts again."""
    watched.restart(signal.SIGTERM)


def elsewhere(watched: Watched) -> None:
    """The accessory is killed, and started on another port."""
    watched.restart(signal.SIGKILL, port=0)


def moved(watched: Watched) -> None:
    """The accessory's host gets another address."""
    watched.fault()
    readdress(watched.lamp, "10.0.0.7/24")
    watched.over()


def pulled(seconds: float) -> Callable[[Watched], None]:
    """The accessory's cable is pulled for so long."""

    def pull(watched: Watched) -> None:
        watched.fault()
        unplugged(watched.cable, seconds)
        watched.over()

    return pull


def displaced(watched: Watched) -> None:
    """The accessory is killed, and started at another address; another accessory is where it was."""
    port = watched.port
    watched.fault()
    watched.stop(signal.SIGKILL)
    readdress(watched.lamp, "10.0.0.7/24")
    watched.invite("10.0.0.2/24", port)
    watched.start()


def lossy(watched: Watched) -> None:
    """For ten seconds one frame of five is lost, each way."""
    watched.fault()
    watched.cable.lossy(0.2)
    time.sleep(10)
    watched.cable.lossy(0.0)
    watched.over()


def readdress(host: Host, address: str) -> None:
    """Give a host this address and no other."""
    host.ip("address", "flush", "dev", "eth0")
    host.ip("address", "add", address, "dev", "eth0")


def unplugged(cable: Cable, seconds: float) -> None:
    """Pull a cable for so long."""
    cable.pull()
    time.sleep(seconds)
    cable.put_back()
