"""A session of our own two engines, as bytes on the wire with the times of each, and the keys of it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from hapcore.catalogue import services as s
from hapcore.codec import tlv8
from hapcore.decode import Direction
from hapcore.engine import Command, Done, Failed, SendBytes
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId
from hapcore.ip.accessory import AnswerRead, AnswerWrite, Config, ReadRequested, Server, UpdateValues, WriteRequested
from hapcore.ip.controller import (
    CharacteristicWrite,
    Connection,
    FinishPairSetup,
    GetAccessories,
    ListPairings,
    Read,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.model.accessory import Accessory
from hapcore.pairing.keylog import SessionKeysMade, write_line
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode

CODE = SetupCode("031-45-154")
#: 20 November 2025, 12:00 UTC.
START = 1763640000.0
TO_ACCESSORY, TO_CONTROLLER = Direction.TO_ACCESSORY, Direction.TO_CONTROLLER
ENDPOINTS = tlv8.encode(
    [
        (1, bytes(range(16))),
        (3, tlv8.encode([(1, b"\0"), (2, b"192.168.1.4"), (3, b"\x10\x27"), (4, b"\x12\x27")])),
        (4, tlv8.encode([(1, b"\0"), (2, b"SRTP-master-key!"), (3, b"master-salt-14")])),
    ]
)


def draws(seed: str):
    """Entropy that is the same in every run."""
    counts: dict[str, int] = {}

    def draw(label: str, length: int) -> bytes:
        counts[label] = counts.get(label, 0) + 1
        return hashlib.shake_256(f"{seed}/{label}/{counts[label]}".encode()).digest(length)

    return draw


class Talk:
    """One connection: what was sent, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[Direction, bytes, float]] = []
        self.keys = b""


class House:
    """An accessory and its controllers; every call passes a quarter of a second."""

    def __init__(self, *, rooms: int = 1, server: Callable[..., Server] = Server) -> None:
        self.lamp = s.Lightbulb("Lamp", on=False, brightness=40)
        camera = s.CameraRTPStreamManagement(
            supported_video_stream_configuration=b"",
            supported_audio_stream_configuration=b"",
            supported_rtp_configuration=b"\x02\x01\x00",
            selected_rtp_stream_configuration=b"",
            setup_endpoints=b"",
            streaming_status=b"\x01\x01\x00",
        )
        lights = [s.Lightbulb(f"Room {number}", on=False, key=f"room-{number}") for number in range(1, rooms)]
        self.server = server(
            [Accessory("Lamp", services=[self.lamp, camera, *lights])],
            config=Config(name="Lamp", setup_code=CODE),
            state={},
            entropy=draws("accessory"),
        )
        self.draws = draws("controller")
        self.now = START
        self.pairing: Pairing | None = None
        #: The keys that the accessory's engine told.
        self.told: list[SessionKeysMade] = []
        while self.server.poll() is not None:
            pass

    @property
    def accessory_id(self) -> str:
        return self.server.device_id

    def find(self, short: str) -> CharacteristicId:
        """The first characteristic of that type."""
        full = short.rjust(8, "0") + "-0000-1000-8000-0026BB765291"
        return next(one.id for one in self.server.database.characteristics if one.type.uuid == full)

    def connect(self) -> Line:
        return Line(self)

    def pair(self) -> Talk:
        line = self.connect()
        line.do(StartPairSetup())
        pairing = line.do(FinishPairSetup(CODE))
        assert isinstance(pairing, Pairing)
        self.pairing = pairing
        return line.talk


class Line:
    """A connection of the controller, and what it says."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.talk = Talk()
        self.controller = Connection("192.168.1.9", entropy=house.draws)
        self.controller.tells_keys = True
        self.number = house.server.connection_opened(house.now)
        self.replies: dict[int, object] = {}

    def do(self, command: Command[object]) -> object:
        number = self.controller.submit(command, self.house.now)
        self.run()
        reply = self.replies.pop(number)
        if isinstance(reply, HapError):
            raise reply
        return reply

    def verify(self) -> None:
        assert self.house.pairing is not None
        self.do(VerifyPairing(self.house.pairing))

    def change(self, on: bool) -> None:
        """The accessory changes by itself."""
        self.house.server.submit(UpdateValues({self.house.find("25"): on}), self.house.now)
        self.house.now += 2.0
        self.house.server.handle_timeout(self.house.now)
        self.run()

    def run(self) -> None:
        house, server = self.house, self.house.server
        busy = True
        while busy:
            busy = False
            house.now += 0.125
            while (output := self.controller.poll()) is not None:
                busy = True
                if isinstance(output, SendBytes):
                    self.talk.sent.append((TO_ACCESSORY, output.data, house.now))
                    server.receive_data(self.number, output.data, house.now)
                elif isinstance(output, Done):
                    self.replies[output.command] = output.result
                elif isinstance(output, Failed):
                    self.replies[output.command] = output.error
                elif isinstance(output, SessionKeysMade):
                    self.talk.keys = write_line(output, house.now)
            house.now += 0.125
            answers: deque[bytes] = deque()
            while (output := server.poll()) is not None:
                busy = True
                if isinstance(output, SendBytes):
                    answers.append(output.data)
                elif isinstance(output, SessionKeysMade):
                    house.told.append(output)
                elif isinstance(output, WriteRequested):
                    server.submit(AnswerWrite(output.request, {}), house.now)
                elif isinstance(output, ReadRequested):
                    server.submit(AnswerRead(output.request, {}), house.now)
            for data in answers:
                self.talk.sent.append((TO_CONTROLLER, data, house.now))
                self.controller.receive_data(data, house.now)


def whole(rooms: int = 1) -> tuple[House, Talk, Talk]:
    """A pairing on one connection and a session on another: reads, writes, events, pairings, a camera's set-up."""
    house = House(rooms=rooms)
    setup = house.pair()
    line = house.connect()
    line.verify()
    on, level = house.find("25"), house.find("8")
    line.do(GetAccessories())
    line.do(Read([on, level]))
    line.do(Subscribe([on]))
    line.change(True)
    line.do(Write([CharacteristicWrite(level, 70), CharacteristicWrite(house.find("118"), ENDPOINTS)]))
    line.do(ListPairings())
    return house, setup, line.talk


__all__ = ["CODE", "START", "House", "Line", "Talk", "whole"]
