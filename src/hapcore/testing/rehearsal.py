"""A whole session of two engines over a transport: what all the other checks are for."""

from __future__ import annotations

from typing import Final

from hapcore.catalogue.services import Lightbulb
from hapcore.engine import Command, Done, Engine, Failed, Output, SendBytes
from hapcore.ip.accessory import Config, Server, UpdateValues
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Connection,
    FinishPairSetup,
    GetAccessories,
    Read,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.model.accessory import Accessory
from hapcore.pairing.records import Pairing
from hapcore.testing.chance import seeded_entropy
from hapcore.testing.steps import Receive, Script, Send

__all__ = ["SessionFailed", "rehearse"]

#: Lamps behind the bridge: their descriptions fill many frames.
LAMPS: Final = 25


class SessionFailed(Exception):
    """The session went wrong although every byte arrived."""


class _Desk:
    """Both engines, with what they want sent and what they said."""

    def __init__(self) -> None:
        self.lamps = [Lightbulb(f"Lamp {number}", on=False) for number in range(LAMPS)]
        accessories = [Accessory.bridge("Bridge"), *map(Accessory.of, self.lamps)]
        entropy = seeded_entropy("rehearsal")
        self.server = Server(accessories, config=Config(name="Bridge"), state={}, entropy=entropy)
        self.controller = Connection("localhost", entropy=entropy)
        self.number = self.server.connection_opened(0.0)
        self.said: list[Output] = []

    def unsent(self, engine: Engine) -> bytes:
        """What this engine wants sent now."""
        data = b""
        while (output := engine.poll()) is not None:
            if isinstance(output, SendBytes):
                data += output.data
            else:
                self.said.append(output)
        return data


def rehearse(here: int, there: int) -> Script:
    """The controller is `here`, the accessory `there`."""
    desk = _Desk()
    yield from _do(desk, StartPairSetup(), here, there)
    yield from _do(desk, FinishPairSetup(desk.server.setup_code), here, there)
    pairing = next(one.result for one in desk.said if isinstance(one, Done) and isinstance(one.result, Pairing))
    ids = [lamp.on.id for lamp in desk.lamps]
    yield from _do(desk, VerifyPairing(pairing), here, there)
    yield from _do(desk, GetAccessories(), here, there)
    yield from _do(desk, Subscribe(ids[:1]), here, there)
    yield from _do(desk, Write([CharacteristicWrite(one, True) for one in ids]), here, there)
    yield from _do(desk, Read(ids), here, there)
    desk.server.submit(UpdateValues({ids[0]: False}), 0.0)
    yield from _carry(desk, here, there)
    if not any(isinstance(one, CharacteristicChanged) for one in desk.said):
        raise SessionFailed("no event arrived")


def _do(desk: _Desk, command: Command[object], here: int, there: int) -> Script:
    desk.controller.submit(command, 0.0)
    yield from _carry(desk, here, there)
    for one in desk.said:
        if isinstance(one, Failed):
            raise SessionFailed(f"{type(command).__name__} failed: {one.error}")


def _carry(desk: _Desk, here: int, there: int) -> Script:
    """Carry what both have to say until neither has."""
    while True:
        requests, answers = desk.unsent(desk.controller), desk.unsent(desk.server)
        if requests:
            receive = Receive(there, len(requests))
            yield (Send(here, requests),), (receive,)
            desk.server.receive_data(desk.number, bytes(receive.data), 0.0)
        if answers:
            receive = Receive(here, len(answers))
            yield (Send(there, answers),), (receive,)
            desk.controller.receive_data(bytes(receive.data), 0.0)
        if not (requests or answers):
            return
