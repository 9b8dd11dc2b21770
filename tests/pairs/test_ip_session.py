"""Controller and accessory engines back to back, in virtual time: the life of a pairing, and ways to go wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import sha512
from typing import Any

import pytest

from hapcore.engine import (
    CloseConnection,
    Command,
    CommandId,
    ConnectionId,
    Done,
    Engine,
    Event,
    Failed,
    Forget,
    Output,
    Persist,
    SendBytes,
)
from hapcore.entropy import Entropy
from hapcore.errors import AccessoryChanged, Disconnected, PairingRefused, Refused, TimedOut
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip import accessory as server_side
from hapcore.ip.accessory import Config, Server
from hapcore.ip.controller import (
    AddPairing,
    CharacteristicChanged,
    CharacteristicWrite,
    Close,
    Connection,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    ReadResult,
    RemovePairing,
    SessionClosed,
    StartPairSetup,
    State,
    Subscribe,
    Unsubscribe,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata
from hapcore.model.service import Service, ServiceType
from hapcore.pairing.records import Pairing, PairingEntry, new_controller_identity
from hapcore.setup_code import SetupCode

CODE = "031-45-154"
BASE = "-1111-4222-8333-444455556666"


def kind(number: int, name: str, meta: Metadata, python: type[Any]) -> CharacteristicType[Any]:
    return CharacteristicType(name, f"{number:08X}{BASE}", meta, python)


ON = kind(1, "On", Metadata(Format.BOOL, ["pr", "pw", "ev"]), bool)
LEVEL = kind(2, "Level", Metadata(Format.INT, ["pr", "pw", "ev"], min=0, max=100, step=5), int)
HUE = kind(3, "Hue", Metadata(Format.FLOAT, ["pr", "pw", "ev"], min=0, max=360, step=0.1), float)
LOCK = kind(4, "Lock", Metadata(Format.BOOL, ["pr", "pw", "ev", "tw"]), bool)
POINT = kind(5, "Point", Metadata(Format.TLV8, ["pr", "pw", "wr"]), bytes)
SECRET = kind(6, "Secret", Metadata(Format.STRING, ["pr"]), str)
LAMP = ServiceType("Lamp", f"00000100{BASE}")

ON_ID, LEVEL_ID, HUE_ID, LOCK_ID, POINT_ID, SECRET_ID = (CharacteristicId(1, iid) for iid in range(101, 107))
OTHER_ON = CharacteristicId(2, 101)


def draws(seed: str) -> Entropy:
    """Fresh bytes for every draw, the same in every run."""
    count = 0

    def entropy(label: str, length: int) -> bytes:
        nonlocal count
        count += 1
        out = b""
        while len(out) < length:
            out += sha512(f"{seed}/{label}/{count}/{len(out)}".encode()).digest()
        return out[:length]

    return entropy


def lamp(name: str) -> Accessory:
    characteristics = [
        Characteristic(ON, False, iid=101),
        Characteristic(LEVEL, 50, iid=102),
        Characteristic(HUE, 1.5, iid=103),
        Characteristic(LOCK, False, iid=104),
        Characteristic(POINT, b"", iid=105),
        Characteristic(SECRET, "s", admin_only_read=True, iid=106),
    ]
    return Accessory(name, services=[Service(LAMP, characteristics, iid=100)])


class Home:
    """One accessory server, any number of controllers, a store, and a clock that is turned by hand."""

    def __init__(self, *, portion: int = 0, name: str = "home") -> None:
        self.now = 1000.0
        self.portion = portion
        self.store: dict[str, bytes] = {}
        self.order: list[str] = []
        self.events: list[Event] = []
        self.server = Server(
            [Accessory.bridge("Bridge"), lamp("Two")] if name == "bridge" else [lamp("One")],
            config=Config(name="Home", setup_code=SetupCode(CODE), setup_id="ABCD"),
            state={},
            entropy=draws(name),
        )
        self.lines: dict[ConnectionId, Line] = {}
        self.answer: Callable[[Event], Command[Any] | None] = lambda _: None
        self.run()

    def connect(self, **options: Any) -> Line:
        connection = self.server.connection_opened(self.now)
        line = Line(self, connection, Connection("127.0.0.1", entropy=draws(f"controller {connection}"), **options))
        self.lines[connection] = line
        self.run()
        return line

    def run(self) -> None:
        """Carry everything until nobody has anything to say."""
        busy = True
        while busy:
            busy = self._server_speaks()
            for line in list(self.lines.values()):
                busy = line.speak() or busy

    def _server_speaks(self) -> bool:
        spoke = False
        while (output := self.server.poll()) is not None:
            spoke = True
            if isinstance(output, Persist):
                self.store[output.key] = output.value
                self.order.append("persist")
            elif isinstance(output, Forget):
                self.store.pop(output.key, None)
                self.order.append("forget")
            elif isinstance(output, SendBytes):
                self.order.append("send")
                self.lines[output.connection].hear(output.data)
            elif isinstance(output, CloseConnection):
                self.lines[output.connection].hear_eof()
            elif isinstance(output, Event):
                self.events.append(output)
                command = self.answer(output)
                if command is not None:
                    self.server.submit(command, self.now)
        return spoke

    def advance(self, seconds: float) -> None:
        """Turn the clock, stopping at each deadline on the way."""
        end = self.now + seconds
        engines: list[Engine] = [self.server, *(line.engine for line in self.lines.values())]
        while True:
            due = min((at for one in engines if (at := one.next_timeout()) is not None), default=end)
            self.now = max(self.now, min(due, end))
            for one in engines:
                at = one.next_timeout()
                if at is not None and at <= self.now:
                    one.handle_timeout(self.now)  # type: ignore[attr-defined]
            self.run()
            if due >= end:
                return

    def pair(self, **options: Any) -> tuple[Line, Pairing]:
        """A new pairing, and a verified connection with the database known."""
        line = self.connect(**options)
        assert line.ask(StartPairSetup(expected_id=self.server.device_id)) is None
        pairing = line.ask(FinishPairSetup(SetupCode(CODE)))
        assert isinstance(pairing, Pairing), pairing
        assert line.ask(VerifyPairing(pairing)) is None
        line.ask(GetAccessories())
        return line, pairing


class Line:
    """One connection: a controller engine and what it said."""

    def __init__(self, home: Home, connection: ConnectionId, engine: Connection) -> None:
        self.home = home
        self.connection = connection
        self.engine = engine
        self.outputs: list[Output] = []
        self.cut = False
        self._mail: deque[bytes | None] = deque()

    def hear(self, data: bytes) -> None:
        size = self.home.portion or len(data)
        self._mail += [data[start : start + size] for start in range(0, len(data), size)]

    def hear_eof(self) -> None:
        self._mail.append(None)

    def speak(self) -> bool:
        spoke = bool(self._mail)
        while self._mail:
            data = self._mail.popleft()
            if data is None:
                self.engine.receive_eof(self.home.now)
            elif not self.cut:
                self.engine.receive_data(data, self.home.now)
        while (output := self.engine.poll()) is not None:
            spoke = True
            if isinstance(output, SendBytes):
                if not self.cut:
                    size = self.home.portion or len(output.data)
                    for start in range(0, len(output.data), size):
                        self.home.server.receive_data(self.connection, output.data[start : start + size], self.home.now)
            elif isinstance(output, CloseConnection):
                self.home.server.receive_eof(self.connection, self.home.now)
            else:
                self.outputs.append(output)
        return spoke

    def do(self, command: Command[Any]) -> CommandId:
        number = self.engine.submit(command, self.home.now)
        self.home.run()
        return number

    def ask(self, command: Command[Any]) -> Any:
        return self.reply(self.do(command))

    def reply(self, number: CommandId) -> Any:
        replies = [one for one in self.outputs if isinstance(one, Done | Failed) and one.command == number]
        assert len(replies) == 1, replies
        return replies[0].result if isinstance(replies[0], Done) else replies[0].error

    def changes(self) -> list[tuple[CharacteristicId, Any]]:
        return [(one.id, one.value) for one in self.outputs if isinstance(one, CharacteristicChanged)]

    def closed(self) -> list[Any]:
        return [one.reason for one in self.outputs if isinstance(one, SessionClosed)]


@pytest.mark.parametrize("portion", [0, 1, 5])
def test_a_whole_life(portion: int) -> None:
    home = Home(portion=portion)
    line = home.connect()
    assert line.ask(Identify()) is None
    line, pairing = home.pair()
    assert home.server.paired
    assert line.engine.accessories[0].aid == 1
    assert line.ask(Read([ON_ID, LEVEL_ID, HUE_ID])) == {
        ON_ID: ReadResult(False),
        LEVEL_ID: ReadResult(50),
        HUE_ID: ReadResult(1.5),
    }
    written = line.ask(Write([CharacteristicWrite(ON_ID, True), CharacteristicWrite(HUE_ID, 22.200001)]))
    assert written == {ON_ID: WriteResult(), HUE_ID: WriteResult()}
    assert {one: result.value for one, result in line.ask(Read([ON_ID, HUE_ID])).items()} == {ON_ID: True, HUE_ID: 22.2}
    assert line.ask(ListPairings()) == (
        PairingEntry(pairing.controller_id.encode(), pairing.controller_ltpk, admin=True),
    )
    assert line.ask(RemovePairing(pairing.controller_id.encode())) is None
    assert line.closed() == [None]
    assert not home.server.paired
    late = home.connect()
    error = late.ask(VerifyPairing(pairing))
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (2, 4)
    home.pair()


def test_the_pairing_is_stored_before_the_last_answer() -> None:
    home = Home()
    line = home.connect()
    line.do(StartPairSetup())
    home.order.clear()
    line.do(FinishPairSetup(SetupCode(CODE)))
    last = len(home.order) - 1 - home.order[::-1].index("send")
    assert "persist" in home.order[:last]
    assert home.order.index("send") < last


def test_a_person_may_take_an_hour_for_the_code() -> None:
    home = Home()
    line = home.connect()
    line.do(StartPairSetup())
    home.advance(3600.0)
    assert isinstance(line.ask(FinishPairSetup(SetupCode(CODE))), Pairing)


def test_wrong_code_then_the_right_one() -> None:
    home = Home()
    line = home.connect()
    line.do(StartPairSetup())
    error = line.ask(FinishPairSetup(SetupCode("482-15-637")))
    assert isinstance(error, PairingRefused)
    assert (error.error, error.step) == (2, 4)
    assert not home.server.paired
    line.do(StartPairSetup())
    pairing = line.ask(FinishPairSetup(SetupCode(CODE)))
    assert line.ask(VerifyPairing(pairing)) is None


def test_paired_and_busy_accessories_refuse_setup() -> None:
    home = Home()
    first, second = home.connect(), home.connect()
    first.do(StartPairSetup())
    busy = second.ask(StartPairSetup())
    assert isinstance(busy, PairingRefused)
    assert busy.error == 7
    first.ask(FinishPairSetup(SetupCode(CODE)))
    taken = second.ask(StartPairSetup())
    assert isinstance(taken, PairingRefused)
    assert taken.error == 6
    refused = second.ask(Identify())
    assert isinstance(refused, Refused)
    assert (refused.status, refused.hap_status) == (400, -70401)


def test_another_home_at_the_same_address() -> None:
    _, pairing = Home().pair()
    elsewhere = Home(name="elsewhere")
    line = elsewhere.connect()
    assert isinstance(line.ask(VerifyPairing(pairing)), AccessoryChanged)
    assert line.engine.state is State.CLOSED


def test_timed_write() -> None:
    home = Home()
    line, _ = home.pair()
    home.events.clear()
    assert line.ask(Write([CharacteristicWrite(LOCK_ID, True)])) == {LOCK_ID: WriteResult()}
    assert line.ask(Write([CharacteristicWrite(LOCK_ID, False)], timed_ms=500)) == {LOCK_ID: WriteResult()}
    writes = [one.writes for one in home.events if isinstance(one, server_side.CharacteristicsWritten)]
    assert [(one.value, one.timed) for (one,) in writes] == [(True, True), (False, True)]
    # A controller that does not know the database writes it untimed and is told.
    pairing = home.server.pairings[0]
    assert pairing.admin


def test_untimed_write_of_a_timed_characteristic_is_refused() -> None:
    home = Home()
    _, pairing = home.pair()
    line = home.connect()
    line.do(VerifyPairing(pairing))
    result = line.ask(Write([CharacteristicWrite(LOCK_ID, True), CharacteristicWrite(ON_ID, True)]))
    assert result == {LOCK_ID: WriteResult(HapStatus.INVALID_VALUE), ON_ID: WriteResult()}


def test_write_response() -> None:
    home = Home()
    line, _ = home.pair()
    result = line.ask(Write([CharacteristicWrite(POINT_ID, b"\x01\x01\x05", response=True)]))
    assert result == {POINT_ID: WriteResult(HapStatus.SUCCESS, b"\x01\x01\x05")}


def test_unknown_ids() -> None:
    home = Home()
    line, _ = home.pair()
    nowhere = CharacteristicId(9, 9)
    assert line.ask(Read([nowhere, ON_ID])) == {
        nowhere: ReadResult(None, HapStatus.DOES_NOT_EXIST),
        ON_ID: ReadResult(False),
    }
    assert line.ask(Write([CharacteristicWrite(nowhere, 1)])) == {nowhere: WriteResult(HapStatus.DOES_NOT_EXIST)}
    assert line.ask(Subscribe([nowhere, POINT_ID])) == {
        nowhere: HapStatus.DOES_NOT_EXIST,
        POINT_ID: HapStatus.NOTIFICATION_NOT_SUPPORTED,
    }


def test_events_reach_the_others() -> None:
    home = Home()
    writer, pairing = home.pair()
    watcher = home.connect()
    watcher.do(VerifyPairing(pairing))
    watcher.do(GetAccessories())
    assert watcher.ask(Subscribe([ON_ID, LEVEL_ID])) == {ON_ID: HapStatus.SUCCESS, LEVEL_ID: HapStatus.SUCCESS}
    writer.do(Subscribe([ON_ID]))
    writer.do(Write([CharacteristicWrite(ON_ID, True)]))
    home.advance(2.0)
    assert watcher.changes() == [(ON_ID, True)]
    assert writer.changes() == []
    home.server.submit(server_side.UpdateValues({LEVEL_ID: 75, ON_ID: False}), home.now)
    home.advance(2.0)
    assert sorted(watcher.changes()[1:]) == [(ON_ID, False), (LEVEL_ID, 75)]
    assert writer.changes() == [(ON_ID, False)]
    watcher.do(Unsubscribe([ON_ID, LEVEL_ID]))
    home.server.submit(server_side.UpdateValues({LEVEL_ID: 5}), home.now)
    home.advance(2.0)
    assert len(watcher.changes()) == 3


def test_users_and_admins() -> None:
    home = Home()
    admin, pairing = home.pair()
    guest = new_controller_identity(draws("guest"))
    assert admin.ask(AddPairing(guest.identifier.encode(), guest.ltpk)) is None
    line = home.connect()
    as_guest = Pairing(pairing.accessory_id, pairing.accessory_ltpk, guest.identifier, guest.ltsk)
    assert line.ask(VerifyPairing(as_guest)) is None
    refused = line.ask(ListPairings())
    assert isinstance(refused, PairingRefused)
    assert refused.error == 2
    assert line.ask(Read([SECRET_ID, ON_ID])) == {
        SECRET_ID: ReadResult(None, HapStatus.INSUFFICIENT_PRIVILEGES),
        ON_ID: ReadResult(False),
    }
    assert [one.admin for one in admin.ask(ListPairings())] == [True, False]
    waiting = line.engine.submit(Read([ON_ID]), home.now)
    assert admin.ask(RemovePairing(guest.identifier.encode())) is None
    assert line.engine.state is State.CLOSED
    line.reply(waiting)
    assert admin.engine.state is State.SECURED


def test_bridge() -> None:
    home = Home(name="bridge")
    line, _ = home.pair()
    assert [one.aid for one in line.engine.accessories] == [1, 2]
    assert line.ask(Subscribe([OTHER_ON])) == {OTHER_ON: HapStatus.SUCCESS}
    home.server.submit(server_side.UpdateValues({OTHER_ON: True}), home.now)
    home.advance(1.0)
    assert line.changes() == [(OTHER_ON, True)]
    assert line.ask(Identify(aid=2)) is None


def test_slow_application_is_answered_in_time() -> None:
    home = Home()
    line, _ = home.pair()
    home.server.database.find(*ON_ID).write_handled = True
    number = line.do(Write([CharacteristicWrite(ON_ID, True)]))
    assert [one for one in line.outputs if isinstance(one, Done | Failed) and one.command == number] == []
    home.advance(9.5)
    assert line.reply(number) == {ON_ID: WriteResult(HapStatus.TIMED_OUT)}
    assert line.engine.state is State.SECURED


def test_silence_times_out() -> None:
    home = Home()
    line, _ = home.pair(request_timeout=4.0)
    line.cut = True
    numbers = [line.do(Read([ON_ID])), line.do(Subscribe([ON_ID]))]
    home.advance(3.9)
    assert line.engine.state is State.SECURED
    home.advance(0.2)
    for number in numbers:
        assert type(line.reply(number)) is TimedOut
    assert len(line.closed()) == 1


def test_eof_in_the_middle() -> None:
    home = Home()
    line, _ = home.pair()
    line.cut = True
    number = line.do(Read([ON_ID]))
    line.engine.receive_eof(home.now)
    home.run()
    assert type(line.reply(number)) is Disconnected


def test_close_ends_the_session_on_the_other_side() -> None:
    home = Home()
    line, _ = home.pair()
    home.events.clear()
    assert line.ask(Close()) is None
    assert [type(one) for one in home.events] == [server_side.SessionClosed]
    assert type(line.ask(Read([ON_ID]))) is Disconnected


def test_shutdown_of_the_accessory() -> None:
    home = Home()
    line, _ = home.pair()
    home.server.submit(server_side.Shutdown(), home.now)
    home.run()
    assert len(line.closed()) == 1
    assert type(line.closed()[0]) is Disconnected
