"""A toy engine that only echoes, and a store like a slow disk: for the tests of the adapters' pumps."""

from __future__ import annotations

import threading

from attrs import field, frozen

from hap_sync.store import MemoryStore
from hapcore.engine import (
    CloseConnection,
    Command,
    CommandId,
    ConnectionId,
    Done,
    Effect,
    Engine,
    Event,
    Failed,
    Output,
    Persist,
    SendBytes,
)
from hapcore.errors import Disconnected, LocalProtocolError

ONE = ConnectionId(1)


@frozen
class Do(Command[object]):
    """Emit `outputs`, then be done with `result`, or never where it is Ellipsis."""

    outputs: tuple[Output, ...] = ()
    result: object = None


@frozen
class Heard(Event):
    data: bytes = field(default=b"")


class Echo(Engine):
    """Sends back what comes, and notes what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.due: float | None = None

    def submit(self, command: Command[object], now: float) -> CommandId:
        assert isinstance(command, Do)
        if command.result is LocalProtocolError:
            raise LocalProtocolError("no")
        for output in command.outputs:
            self._emit(output)
        number = self._next_command()
        if isinstance(command.result, Disconnected):
            self._emit(Failed(number, command.result))
        elif command.result is not ...:
            self._emit(Done(number, command.result))
        return number

    def receive_data(self, connection: ConnectionId, data: bytes, now: float) -> None:
        if data == b"bye":
            self._emit(SendBytes(connection, b"good"))
            self._emit(SendBytes(connection, b"bye"))
            self._emit(CloseConnection(connection))
        elif data == b"keep":
            self._emit(Persist("key", b"value"))
            self._emit(SendBytes(connection, b"kept"))
        else:
            self._emit(Heard(data))
            self._emit(SendBytes(connection, data))

    def receive_eof(self, connection: ConnectionId, now: float) -> None:
        self.log.append(f"eof {connection}")

    def pause_sending(self, connection: ConnectionId, now: float) -> None:
        self.log.append("pause")

    def resume_sending(self, connection: ConnectionId, now: float) -> None:
        self.log.append("resume")

    def handle_timeout(self, now: float) -> None:
        self.log.append(f"timeout {now:g}")
        self.due = None

    def next_timeout(self) -> float | None:
        return self.due

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        self.log.append(f"failed {reason}")


class Threaded(MemoryStore):
    """Like a file: slow, in a thread, may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.go = threading.Event()
        self.error = error

    def persist(self, key: str, value: bytes) -> None:
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        super().persist(key, value)
