"""A controller's engine that writes down what happens to it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from hapcore.codec.http import ResponseReader
from hapcore.crypto.frames import FrameOpener, FrameSealer, SessionKeys
from hapcore.engine import Command, CommandId, Effect, Output
from hapcore.entropy import Entropy
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.ip.controller import PAIRING_TIMEOUT, REQUEST_TIMEOUT, Connection
from hapcore.model.metadata import Format
from hapcore.model.remote import AccessoryDescription
from hapcore.transcript.machines import NotingSetup, NotingVerify
from hapcore.transcript.masks import Masks, NoMasks
from hapcore.transcript.notes import Notes, NotingOpener, NotingResponses, NotingSealer, Sink

__all__ = ["RecordedConnection"]


class RecordedConnection(Connection):
    """A `Connection` that notes everything that goes in and comes out; see `RecordedServer`."""

    def __init__(
        self,
        host: str,
        *,
        entropy: Entropy,
        database: Iterable[AccessoryDescription] = (),
        request_timeout: float = REQUEST_TIMEOUT,
        pairing_timeout: float = PAIRING_TIMEOUT,
        sink: Sink,
        engine: int = 1,
        with_secrets: bool = False,
        library: str = "",
        masks: Masks | None = None,
    ) -> None:
        if masks is None:
            masks = NoMasks() if with_secrets else Masks()
        notes = self._notes = Notes(sink, masks, engine)
        notes.format_of = self._format_of
        known = tuple(database)
        super().__init__(
            host,
            entropy=notes.entropy(entropy),
            database=known,
            request_timeout=request_timeout,
            pairing_timeout=pairing_timeout,
        )
        self._reader = self._make_reader()
        self._noting: NotingOpener | None = None
        self._put_machines()
        config = {"host": host, "request_timeout": request_timeout, "pairing_timeout": pairing_timeout}
        notes.begin(role="controller", library=library, config=config, database=notes.encode(known))

    def _put_machines(self) -> None:
        self._session.make_setup = partial(NotingSetup, self._notes)
        self._session.make_verify = partial(NotingVerify, self._notes)

    def _format_of(self, number: CharacteristicId) -> Format | None:
        meta = self._session.metadata(number)
        return None if meta is None else meta.format

    # Inputs

    def submit(self, command: Command[Any], now: float) -> CommandId:
        line: dict[str, Any] = {"t": now, "in": "submit", "command": self._notes.encode(command)}
        with self._notes.call(line):
            try:
                number = super().submit(command, now)
            except LocalProtocolError as error:
                line["refused"] = type(error).__name__
                raise
            line["number"] = number
        return number

    def receive_data(self, data: bytes | memoryview, now: float) -> None:
        notes = self._notes
        if notes.inside:
            super().receive_data(data, now)
            return
        line: dict[str, Any] = {"t": now, "in": "receive", "connection": 0}
        with notes.call(line):
            if not notes.masks.redacts:
                line["data"] = bytes(data).hex()
            super().receive_data(data, now)
            line["size"] = notes.fed
            if self._noting is not None and self._noting.fault:
                line["fault"] = self._noting.fault

    def receive_eof(self, now: float) -> None:
        with self._notes.call({"t": now, "in": "eof", "connection": 0}):
            super().receive_eof(now)

    def handle_timeout(self, now: float) -> None:
        with self._notes.call({"t": now, "in": "timeout"}):
            super().handle_timeout(now)

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        with self._notes.call({"t": now, "in": "failed", "reason": reason}):
            super().effect_failed(effect, reason, now, cause=cause)

    def poll(self) -> Output | None:
        notes = self._notes
        if notes.inside:
            return super().poll()
        line: dict[str, Any] = {}
        with notes.call(line):
            output = super().poll()
            line["out"] = notes.describe(output)
        return output

    # The record layer

    def _make_frames(self, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        self._let_go()
        self._noting = NotingOpener(keys.read, self._notes)
        return self._noting, NotingSealer(keys.write, self._notes, 0)

    def _let_go(self) -> None:
        """What the reader has not read is no plain text."""
        if isinstance(reader := self._reader, NotingResponses):
            reader.release()

    def _make_reader(self) -> ResponseReader:
        return NotingResponses(self._notes)
