"""A running accessory between what it was told and what its store has made of it."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import CODE, Draws

from hapcore.accessory.commands import AddAccessories, RemoveAccessories
from hapcore.catalogue.services import Switch
from hapcore.engine import Command, Forget, Output, Persist
from hapcore.feed import Backlog
from hapcore.ip.accessory import Config, Server
from hapcore.ip.accessory.serving import Serving
from hapcore.model.accessory import Accessory


class Feed(Backlog):
    def wake(self) -> None:
        """Nobody waits."""


class Slow(Serving):
    """Its store takes as long as the test wants: nothing else comes out of the engine meanwhile."""

    def __init__(self, *accessories: Accessory) -> None:
        engine = Server(accessories, config=Config(name="Bridge", setup_code=CODE), state={}, entropy=Draws())
        super().__init__(engine, lambda: Feed(1000))
        self.storing = False
        self.complaints: list[Exception] = []
        self.let_go()
        self._begin()

    def _post(self, command: Command[object]) -> None:
        self._engine.submit(command, 0.0)
        self.drain()

    def _cross(self, call: object) -> None:
        raise AssertionError

    def drain(self) -> None:
        while not self.storing and (output := self._engine.poll()) is not None:
            if isinstance(output, Persist | Forget):
                self.storing = True
            else:
                self._report(output)

    def let_go(self) -> None:
        """The store gets through with everything."""
        self.storing = True
        while self.storing:
            self.storing = False
            self.drain()

    def _advertise(self, event: Output) -> None:
        """To nobody."""

    def _wait(self, consultation: object, awaited: object) -> None:
        raise AssertionError

    def _complain(self, what: str, error: Exception) -> None:
        self.complaints.append(error)


@pytest.fixture
def bridge() -> Accessory:
    return Accessory.bridge("Bridge")


def test_a_value_of_what_is_being_removed_tells_nobody(bridge):
    window = Switch("Window", on=False)
    server = Slow(bridge, Accessory.of(window))
    server._post(RemoveAccessories(window))
    assert server.storing
    window.on.value = True
    assert window.on.value is True
    server.let_go()
    window.on.value = False


def test_who_has_stopped_is_told_nothing_any_more(bridge):
    door, window = Switch("Door", on=False), Switch("Window", on=False)
    server = Slow(bridge, Accessory.of(door))
    server._post(AddAccessories(window))
    assert server.storing
    server.stop()
    server.let_go()
    server._post = None
    for one in (door, window):
        one.on.value = True
