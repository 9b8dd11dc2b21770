"""Your accessory and a controller in memory: no network, no waiting, no event loop; time passes when you say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar, Unpack

from attrs import evolve

from hapcore.accessory.handlers import Consultation
from hapcore.discovery import Advertise, ServiceRecord
from hapcore.engine import Command, Event
from hapcore.ip.accessory import Server
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, Settings, make_server
from hapcore.pairing.records import new_controller_identity
from hapcore.testing.chance import seeded_entropy
from hapcore.testing.network import CALM, Link, Weather
from hapcore.testing.news import News
from hapcore.testing.remote import Remote
from hapcore.testing.stage import Plug, Runner, Stage

__all__ = ["Device", "Pair", "Wait"]

R = TypeVar("R")
#: Runs what a handler awaits, and returns what comes of it.
Wait: TypeAlias = Callable[[Awaitable[object]], object]
SETUP_CODE = "031-45-154"


class Device(Serving[News[Event]]):
    """The accessory of a `Pair`, as the adapters' `AccessoryServer` would be."""

    def __init__(self, engine: Server, stage: Stage, wait: Wait, errors: list[Exception]) -> None:
        super().__init__(engine, partial(News[Event], stage))
        #: What mDNS would announce.
        self.record: ServiceRecord = engine.record
        self._stage = stage
        self._wait_for = wait
        self._errors = errors
        self._runner = Runner(engine, self._report, stage)
        self._post, self._cross = self._runner.post, lambda function: function()
        self._begin()
        stage.settle()

    def do(self, command: Command[R]) -> R:
        """Carry out a command of `hapcore.ip.accessory`, such as `UpdateValues`."""
        return self._runner.do(command)

    def attach(self, link: Link) -> None:
        """Serve a controller at the far end of this connection."""
        engine = self._engine
        number = engine.connection_opened(self._stage.now)
        inputs = partial(engine.receive_data, number), partial(engine.receive_eof, number)
        self._runner.adopt(Plug(link.ends[1], number, *inputs))

    def leave(self) -> None:
        """Stop, and be gone."""
        self.stop()
        self._stage.settle()
        self._runner.leave()

    def _advertise(self, event: Advertise) -> None:
        self.record = event.record

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        following: Awaitable[object] | None = awaited
        while following is not None:
            try:
                result = self._wait_for(following)
            except Exception as error:  # noqa: BLE001 - the handler's own, for the controller and the test to see
                following = consultation.raised(error)
            else:
                following = consultation.returned(result)

    def _complain(self, what: str, error: Exception) -> None:
        error.add_note(f"raised by {what}")
        self._errors.append(error)


class Pair:
    """What you serve, and a controller for it, in one process and in virtual time.

    `what` is what `serve()` takes; so are `settings`. `weather` is how their connections behave, `wait` runs what async
    handlers wait for (such as `asyncio.Runner().run`); without one a handler must not really wait. Every run draws the
    same random numbers. Raises `LocalProtocolError` for an accessory that HAP does not allow.
    """

    def __init__(
        self, what: Served, *, weather: Weather = CALM, wait: Wait | None = None, **settings: Unpack[Settings]
    ) -> None:
        self._what = what
        self._wait = wait or _at_once
        self._settings: Settings = {"setup_code": SETUP_CODE, **settings}
        self._entropy = seeded_entropy("pair")
        self._stage = Stage(weather)
        #: What handlers raised, but for `HapStatusError`, which is an answer. The `hap_pair` fixture raises the first.
        self.errors: list[Exception] = []
        #: What the accessory has stored: its identity and its pairings.
        self.stored = self._stage.stored
        self.accessory = self._served()
        #: Not paired until `pair()`, or its own `pair(setup_code)`.
        self.controller = self.new_controller()

    @property
    def now(self) -> float:
        """Seconds since the beginning, in virtual time."""
        return self._stage.now

    def pair(self) -> Remote:
        """Pair the controller."""
        self.controller.pair(self.accessory.setup_code)
        return self.controller

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what is due on the way happens at its time."""
        self._stage.pass_time(seconds)

    def new_controller(self) -> Remote:
        """A controller that is not paired."""
        return Remote(self._stage, lambda link: self.accessory.attach(link), self._entropy)  # the accessory may restart

    def add_controller(self, *, admin: bool = False) -> Remote:
        """Another controller, which the first one has the accessory add to its pairings."""
        identity = new_controller_identity(self._entropy)
        self.controller.add_pairing(identity.identifier.encode(), identity.ltpk, admin=admin)
        added = self.new_controller()
        if self.controller.pairing is not None:
            added.pairing = evolve(
                self.controller.pairing, controller_id=identity.identifier, controller_ltsk=identity.ltsk
            )
        return added

    def cut(self) -> None:
        """Break every connection, as when the network fails; controllers connect again when they are used."""
        self._stage.network.cut(self.now)
        self._stage.settle()

    def restart(self) -> None:
        """Switch the accessory off and on: connections are gone; what it has stored, and your objects, are there."""
        self._stage.network.cut(self.now)
        self.accessory.leave()
        self.accessory = self._served()

    def close(self) -> None:
        """End everything; the accessory's objects can be served again."""
        self.accessory.leave()

    def _served(self) -> Device:
        engine = make_server(self._what, self._settings, self.stored, self._entropy)
        return Device(engine, self._stage, self._wait, self.errors)


def _at_once(awaited: Awaitable[object]) -> object:
    """Run what never really waits."""
    steps = awaited.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    close: Callable[[], object] = getattr(steps, "close", lambda: None)
    close()
    raise RuntimeError("this handler waits for an event loop: give the pair a function that runs it, `wait=`")
