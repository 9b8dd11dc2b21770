"""A controller for the tests of the examples: blocking, over TCP, made from examples/own_controller.py."""

from __future__ import annotations

from typing import Self, cast

from examples.own_controller import Blocking

from hapcore.catalogue.characteristics import ON
from hapcore.engine import Event
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Close,
    FinishPairSetup,
    GetAccessories,
    Read,
    SessionClosed,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode


class Home:
    """A verified session with a lamp on the loopback interface."""

    def __init__(self, port: int, pairing: Pairing) -> None:
        self.port = port
        self.pairing = pairing
        self.lamp = Blocking("127.0.0.1", port)
        self.lamp.do(VerifyPairing(pairing))
        services = self.lamp.do(GetAccessories())[0].services
        self.on = next(found.id for service in services if (found := service.find(ON.uuid)))

    @classmethod
    def pair(cls, port: str, code: str) -> Self:
        """Pair the lamp that printed its port and its setup code."""
        return cls(int(port), cls.pairing_of(port, code))

    @staticmethod
    def pairing_of(port: str, code: str) -> Pairing:
        """Pair whatever printed its port and its setup code."""
        setup = Blocking("127.0.0.1", int(port))
        setup.do(StartPairSetup())
        pairing = setup.do(FinishPairSetup(SetupCode(code)))
        setup.do(Close())
        return pairing

    def again(self) -> Home:
        """Another connection of the same controller."""
        return Home(self.port, self.pairing)

    def switch(self, on: bool) -> None:
        """Write On; the write must succeed."""
        (result,) = self.lamp.do(Write([CharacteristicWrite(self.on, on)])).values()
        assert result.status == 0

    def lit(self) -> object:
        """Read On."""
        return self.lamp.do(Read([self.on]))[self.on].value

    def watch(self) -> None:
        """Subscribe to On."""
        self.lamp.do(Subscribe([self.on]))

    def changed(self) -> object:
        """Wait for an event about On and return what it says."""
        while True:
            events = self.lamp.events
            while (output := self.lamp.engine.poll()) is not None:
                events.append(cast("Event", output))  # nothing is asked, so nothing else comes
            while events:
                if isinstance(event := events.pop(0), CharacteristicChanged):
                    return event.value
                assert not isinstance(event, SessionClosed), event
            self.lamp._wait()

    def close(self) -> None:
        """End the session."""
        self.lamp.do(Close())
