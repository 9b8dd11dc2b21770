"""A product tested in plain, synchronous functions: both engines in memory, no socket, no loop, a clock of the test.

python -m pytest examples/test_in_memory.py
"""

from __future__ import annotations

import os
from typing import TypeVar, cast

from hapcore.catalogue.services import Lightbulb
from hapcore.engine import Command, CommandId, Done, Event, Failed, SendBytes
from hapcore.ids import HapStatus, Value
from hapcore.ip import accessory, controller
from hapcore.model.accessory import Accessory
from hapcore.model.service import Service

R = TypeVar("R")


def entropy(label: str, length: int) -> bytes:
    """Random bytes; return recorded ones by their label, and every run sends the same bytes."""
    del label
    return os.urandom(length)


class Pair:
    """An accessory, a controller, and the wire between them; paired and verified."""

    def __init__(self, service: Service) -> None:
        self.now = 0.0
        self.replies: dict[CommandId, Done | Failed] = {}
        self.events: list[Event] = []
        lamp = accessory.Server(
            [Accessory.of(service)], config=accessory.Config(name="Lamp"), state={}, entropy=entropy
        )
        self.lamp, self.home = lamp, controller.Connection("192.0.2.7", entropy=entropy)
        self.number = self.lamp.connection_opened(self.now)
        self.do(controller.StartPairSetup())
        self.do(controller.VerifyPairing(self.do(controller.FinishPairSetup(self.lamp.setup_code))))
        self.do(controller.GetAccessories())

    def carry(self) -> None:
        """Carry bytes both ways until both sides are silent. Storing needs no care: nothing is to be kept."""
        busy = True
        while busy:
            busy = False
            while (output := self.lamp.poll()) is not None:
                busy = True
                if isinstance(output, SendBytes):
                    self.home.receive_data(output.data, self.now)
                elif isinstance(output, Event):
                    self.events.append(output)
            while (output := self.home.poll()) is not None:
                busy = True
                if isinstance(output, SendBytes):
                    self.lamp.receive_data(self.number, output.data, self.now)
                elif isinstance(output, Done | Failed):
                    self.replies[output.command] = output
                elif isinstance(output, Event):
                    self.events.append(output)

    def do(self, command: Command[R], *, after: float = 0.0) -> R:
        """A command of the controller: its result, or the error it fails with, `after` so many seconds."""
        number = self.home.submit(command, self.now)
        self.carry()
        self.pass_time(after)
        reply = self.replies.pop(number)
        if isinstance(reply, Failed):
            raise reply.error
        return cast("R", reply.result)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, in no time."""
        self.now += seconds
        self.lamp.handle_timeout(self.now)
        self.home.handle_timeout(self.now)
        self.carry()

    def changes(self) -> list[Value]:
        """The values that events have told the controller since the last call."""
        told = [event.value for event in self.events if isinstance(event, controller.CharacteristicChanged)]
        self.events.clear()
        return told


def test_a_controller_switches_the_lamp() -> None:
    light = Lightbulb("Desk lamp", on=False)
    pair = Pair(light)
    pair.do(controller.Write([controller.CharacteristicWrite(light.on.id, True)]))
    assert light.on.value is True


def test_changes_within_a_second_are_told_together() -> None:
    light = Lightbulb("Desk lamp", on=False, brightness=10)
    pair = Pair(light)
    pair.do(controller.Subscribe([light.brightness.id]))
    for level in (20, 30, 40):
        pair.lamp.submit(accessory.UpdateValues({light.brightness.id: level}), pair.now)
        pair.carry()
    assert pair.changes() == [20]
    pair.pass_time(1.0)
    assert pair.changes() == [40]


def test_a_handler_that_never_answers_costs_nine_seconds() -> None:
    light = Lightbulb("Desk lamp", on=False)
    light.on.setter(lambda _value, _caller: None)  # so the engine asks, with WriteRequested; nobody answers
    pair = Pair(light)
    write = controller.Write([controller.CharacteristicWrite(light.on.id, True)])
    (result,) = pair.do(write, after=9.0).values()
    assert result.status == HapStatus.TIMED_OUT
