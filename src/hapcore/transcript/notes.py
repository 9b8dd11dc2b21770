"""The lines of a transcript as they are written."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from hapcore.codec.http import HttpError, Request, RequestReader, Response, ResponseReader
from hapcore.crypto.frames import FrameError, FrameOpener, FrameSealer
from hapcore.crypto.secret import Secret
from hapcore.engine import Output, Persist, SendBytes
from hapcore.entropy import Entropy
from hapcore.ids import CharacteristicId
from hapcore.model.metadata import Format
from hapcore.transcript.coding import encode
from hapcore.transcript.masks import Masks

__all__ = [
    "CONFIG",
    "FORMAT",
    "VERSION",
    "Notes",
    "NotingOpener",
    "NotingRequests",
    "NotingResponses",
    "NotingSealer",
    "PlainOpener",
    "PlainSealer",
    "Sink",
]

#: Takes one line, with its line end. It must not raise and should not block.
Sink: TypeAlias = Callable[[bytes], object]

FORMAT: Final = "hapcore-transcript"
#: Raised when a reader of the old version could no longer replay what is written.
VERSION: Final = 1
#: The settings of an accessory that stand in the header, beside its setup code.
CONFIG: Final = (
    "name",
    "category",
    "setup_id",
    "max_pairings",
    "max_connections",
    "idle_seconds",
    "when_full",
    "answer_deadline",
    "event_interval",
)

_START: Final = re.compile(rb"[A-Z]{3,8} /\S{0,2000} H[TP/.01]{0,7}\r?\n|(HTTP|EVENT)/1\.[01] [0-9]{3}")
#: Every letter and digit by one of its kind; those of "HTTP" stay, because a request line is known by them.
_KINDS: Final = bytes(
    ord("0")
    if chr(one) in "0123456789"
    else ord("A")
    if one < 128 and chr(one).isalpha() and chr(one) not in "HTP"
    else one
    for one in range(256)
)


class Notes:
    """Writes one engine's lines to `sink`, with everything that is secret replaced as `masks` will have it."""

    def __init__(self, sink: Sink, masks: Masks, engine: int) -> None:
        self._sink = sink
        self._engine = engine
        self._number = 0
        self._line: dict[str, Any] = {}
        self.masks = masks
        #: The format of a characteristic, as far as the engine knows.
        self.format_of: Callable[[CharacteristicId], Format | None] = lambda _one: None
        #: Inside a call of the engine: what it calls itself is no input.
        self.inside = False
        #: Over Bluetooth LE: the record sealed last, with its plain bytes, and what came of the one opened last.
        self.sealed_record: tuple[bytes, bytes] | None = None
        self.opened_record: tuple[bytes | None] | None = None
        #: Plaintext that the engine was fed during the current input, in bytes.
        self.fed = 0
        self._held: list[dict[str, Any]] | None = []
        #: What was sealed and not taken out of the queue yet: (sealed, plain), by connection.
        self._sealed: dict[int, deque[tuple[bytes, bytes]]] = {}
        #: What is already known of a long answer that is sealed piece by piece.
        self.ahead: dict[int, bytearray] = {}

    def write(self, **line: Any) -> None:
        """One line; inside a call it waits until the call itself is noted."""
        if self._held is not None:
            self._held.append(line)
        else:
            self._put(line)

    def begin(self, **header: Any) -> None:
        """The header, and after it what was noted before."""
        self._put({"format": FORMAT, "version": VERSION, "secrets": not self.masks.redacts, **header})
        self._release()

    @contextmanager
    def call(self, line: dict[str, Any]) -> Generator[None]:
        """A call of the engine by its user: its line, which may grow until the end, and then what it led to."""
        self.inside, self._held, self.fed, self._line = True, [], 0, line
        try:
            yield
        finally:
            self.inside = False
            self._put(line)
            self._release()

    def add(self, key: str, kind: str, more: list[Any]) -> None:
        """Let the line of the current call know what must be known before it."""
        self._line.setdefault(key, {}).setdefault(kind, []).extend(more)

    def plain_of(self, data: bytes) -> tuple[bytes, bool]:
        """What an attribute value says, and whether it is a record: the last one that was sealed."""
        record = self.sealed_record
        return (data, False) if record is None or record[0] is not data else (record[1], True)

    def take_opened(self) -> tuple[bytes | None] | None:
        """What came of the record that was opened since the last call; None where there was none."""
        opened, self.opened_record = self.opened_record, None
        return opened

    def entropy(self, source: Entropy) -> Entropy:
        """`source`, noted."""

        def drawn(label: str, length: int) -> bytes:
            data = source(label, length)
            self.write(draw=label, data=self.masks.draw(label, data).hex())
            return data

        return drawn

    def encode(self, value: object) -> Any:
        """A value as it stands in a line."""
        return encode(value, self.masks, self.format_of)

    def describe(self, output: Output | None) -> Any:
        """An output as it stands in a line."""
        if isinstance(output, SendBytes):
            queue = self._sealed.get(output.connection)
            plain: bytes | None = None
            if queue and queue[0][0] is output.data:
                plain = queue.popleft()[1]
            if self.masks.redacts:
                shown = self.masks.message(output.data, self.format_of) if plain is None else plain
                return {"$": "SendBytes", "connection": output.connection, "text": shown.decode("latin-1")}
            found = {"$": "SendBytes", "connection": output.connection, "data": {"$bytes": output.data.hex()}}
            return found if plain is None else {**found, "text": plain.decode("latin-1")}
        if isinstance(output, Persist):
            value = self.masks.state(output.key, output.value)
            return {"$": "Persist", "key": output.key, "value": {"$bytes": (value or b"").hex()}}
        return self.encode(output)

    def message(self, connection: int, raw: bytes, problem: str | None = None) -> None:
        """A message that the engine has read, or could not read."""
        if problem is not None:
            raw = _shape(raw) if self.masks.redacts else raw
        else:
            raw = self.masks.message(raw, self.format_of)
        line: dict[str, Any] = {"message": raw.decode("latin-1"), "connection": connection}
        self.write(**line if problem is None else {**line, "problem": problem})

    def seal(self, connection: int, plain: bytes, sealed: bytes) -> None:
        """A message was sealed; its `SendBytes` will come out of the queue."""
        ahead = self.ahead.get(connection)
        if ahead:
            masked = bytes(ahead[: len(plain)])
            del ahead[: len(plain)]
        else:
            masked = self.masks.message(plain, self.format_of)
        self._sealed.setdefault(connection, deque()).append((sealed, masked))

    def forget(self, connection: int) -> None:
        """A connection is gone, and everything sent on it was taken."""
        self._sealed.pop(connection, None)
        self.ahead.pop(connection, None)

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for line in held:
            self._put(line)

    def _put(self, line: dict[str, Any]) -> None:
        self._number += 1
        self._sink(json.dumps({"e": self._engine, "n": self._number, **line}, separators=(",", ":")).encode() + b"\n")


def _shape(raw: bytes) -> bytes:
    """What is no message, without what it may hold: the head if it begins like one, else what kinds of characters."""
    if _START.match(raw):
        marks = b"\n\r\n", b"\n\n"
        end = min((at + len(mark) for mark in marks if (at := raw.find(mark)) >= 0), default=len(raw))
        return raw[:end] + b"0" * (len(raw) - end)
    return raw.translate(_KINDS)


class NotingSealer(FrameSealer):
    """Seals, and tells what."""

    def __init__(self, key: Secret | bytes, notes: Notes, connection: int) -> None:
        super().__init__(key)
        self._notes = notes
        self._connection = connection

    def seal(self, data: bytes | memoryview) -> bytes:
        sealed = super().seal(data)
        self._notes.seal(self._connection, bytes(data), sealed)
        return sealed


class PlainSealer(NotingSealer):
    """Seals nothing: for replaying what was noted in the clear."""

    def seal(self, data: bytes | memoryview) -> bytes:
        sealed = bytes(data)
        self._notes.seal(self._connection, sealed, sealed)
        return sealed


class NotingOpener(FrameOpener):
    """Opens, and remembers why it could not."""

    def __init__(self, key: Secret | bytes, notes: Notes) -> None:
        super().__init__(key)
        self._notes = notes
        #: What the current input ended with.
        self.fault: str | None = None

    def feed(self, data: bytes | memoryview) -> bytes:
        self.fault = None
        try:
            return super().feed(data)
        except FrameError as error:
            self.fault = str(error)
            raise


class PlainOpener(FrameOpener):
    """Opens nothing: for replaying what was noted in the clear. `fault` is what the next input ends with."""

    def __init__(self) -> None:
        super().__init__(bytes(32))
        self.fault: str | None = None

    def feed(self, data: bytes | memoryview) -> bytes:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise FrameError(fault, bytes(data))
        return bytes(data)


class _Copy:
    """What a reader was fed and has not made a message of yet."""

    def __init__(self, notes: Notes, connection: int) -> None:
        self._notes = notes
        self._connection = connection
        self._waiting = bytearray()
        self._over = False

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self._notes.fed += len(data)
        if not self._over:
            self._waiting += data

    def read(self, rest: int) -> None:
        """A message was read; `rest` bytes behind it wait."""
        size = len(self._waiting) - rest
        raw = bytes(self._waiting[:size])
        del self._waiting[:size]
        self._notes.message(self._connection, raw)

    def broken(self, problem: str) -> None:
        """What waits is no message, and nothing more will be."""
        if not self._over:
            self._over = True
            self._notes.message(self._connection, bytes(self._waiting), problem)
            self._waiting.clear()

    def release(self) -> None:
        self._notes.fed -= len(self._waiting)
        self._waiting.clear()


class NotingRequests(RequestReader):
    """Reads requests, and tells how they looked."""

    def __init__(self, notes: Notes, connection: int, **limits: int) -> None:
        super().__init__(**limits)
        self._copy = _Copy(notes, connection)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self._copy.feed(data)
        super().feed(data)

    def next(self) -> Request | None:
        try:
            found = super().next()
        except HttpError as error:
            if error.answer is None:
                self._copy.broken(str(error))
            else:
                self._copy.read(self.buffered)
            raise
        if found is not None:
            self._copy.read(self.buffered)
        return found

    def release(self) -> bytes:
        self._copy.release()
        return super().release()


class NotingResponses(ResponseReader):
    """Reads responses, and tells how they looked."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._copy = _Copy(notes, 0)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self._copy.feed(data)
        super().feed(data)

    def next(self) -> Response | None:
        try:
            found = super().next()
        except HttpError as error:
            self._copy.broken(str(error))
            raise
        if found is not None:
            self._copy.read(self.buffered)
        return found

    def release(self) -> None:
        """The rest is no plain text."""
        self._copy.release()
