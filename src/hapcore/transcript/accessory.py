"""An accessory's engine that writes down what happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hapcore.accessory.commands import ChangeDatabase
from hapcore.crypto.frames import FrameOpener, FrameSealer, SessionKeys
from hapcore.engine import CloseConnection, Command, CommandId, ConnectionId, Effect, Output
from hapcore.entropy import Entropy
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.ip.accessory import Config, ReplaceDatabase, Server
from hapcore.ip.accessory.asking import Asked, AskedRead, AskedWrite
from hapcore.ip.accessory.session import PLAIN_BODY, Session
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.transcript.machines import NotingSetupDesk, NotingVerifyDesk
from hapcore.transcript.masks import Masks, NoMasks
from hapcore.transcript.notes import CONFIG, Notes, NotingOpener, NotingRequests, NotingSealer, Sink

__all__ = ["RecordedServer"]


class RecordedServer(Server):
    """A `Server` that notes everything that goes in and comes out; each line goes to `sink`.

    `engine` tells the lines of several engines in one file apart. Without `with_secrets` keys, codes, proofs and values
    that may hold some are replaced, always the same by the same; with them the transcript holds everything an attacker
    needs. `library` is the version that wrote it; `masks` is for replaying.
    """

    def __init__(
        self,
        accessories: Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
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
        #: What the application is asked about, as far as the transcript knows: handlers may be set at any time.
        self._handled: set[tuple[str, CharacteristicId]] = set()
        table = dict(state)
        super().__init__(accessories, config=config, state=table, entropy=notes.entropy(entropy))
        self.setup_desk = NotingSetupDesk(self._stored.identity, self._stored.verifiers, self._entropy, notes)
        kept = {key: masks.state(key, value) for key, value in table.items()}
        settings: dict[str, Any] = {name: getattr(config, name) for name in CONFIG}
        settings["setup_code"] = None if config.setup_code is None else masks.code(config.setup_code.text)
        if config.display:
            settings["display"] = True
        notes.begin(
            role="accessory",
            library=library,
            config=settings,
            state={key: value.hex() for key, value in kept.items() if value is not None},
            database=notes.encode(self.database),
        )
        self._know_handled()

    def _know_handled(self) -> None:
        for one in self.database.characteristics:
            self._handled |= {(kind, one.id) for kind in ("read", "write") if getattr(one, f"{kind}_handled")}
        for accessory in self.database.accessories:
            if accessory.snapshot_fn is not None:
                self._handled.add(("snapshot", CharacteristicId(accessory.aid, 0)))

    def _format_of(self, number: CharacteristicId) -> Format | None:
        found = self.database.find(*number)
        return None if found is None else found.metadata.format

    # Inputs

    def connection_opened(self, now: float) -> ConnectionId:
        line: dict[str, Any] = {"t": now, "in": "open"}
        with self._notes.call(line):
            number = super().connection_opened(now)
            line["connection"] = number
        return number

    def _begin(self, connection: ConnectionId, now: float) -> Session:
        """Put the noting parts into a new connection."""
        session = super()._begin(connection, now)
        session.verify = NotingVerifyDesk(self._stored.identity, self._entropy, self._notes)
        session.reader = NotingRequests(self._notes, session.connection, max_body=PLAIN_BODY)
        return session

    def receive_data(self, connection: ConnectionId, data: bytes, now: float) -> None:
        notes = self._notes
        if notes.inside:
            super().receive_data(connection, data, now)
            return
        line: dict[str, Any] = {"t": now, "in": "receive", "connection": connection}
        session = self._sessions.get(connection)
        with notes.call(line):
            if not notes.masks.redacts:
                line["data"] = bytes(data).hex()
            super().receive_data(connection, data, now)
            line["size"] = notes.fed
            if session is not None and isinstance(session.opener, NotingOpener) and session.opener.fault:
                line["fault"] = session.opener.fault

    def receive_eof(self, connection: ConnectionId, now: float) -> None:
        with self._notes.call({"t": now, "in": "eof", "connection": connection}):
            super().receive_eof(connection, now)

    def pause_sending(self, connection: ConnectionId, now: float) -> None:
        with self._notes.call({"t": now, "in": "pause", "connection": connection}):
            super().pause_sending(connection, now)

    def resume_sending(self, connection: ConnectionId, now: float) -> None:
        with self._notes.call({"t": now, "in": "resume", "connection": connection}):
            super().resume_sending(connection, now)

    def handle_timeout(self, now: float) -> None:
        with self._notes.call({"t": now, "in": "timeout"}):
            super().handle_timeout(now)

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        with self._notes.call({"t": now, "in": "failed", "reason": reason}):
            super().effect_failed(effect, reason, now, cause=cause)

    def submit(self, command: Command[object], now: float) -> CommandId:
        if isinstance(command, ChangeDatabase):  # numbered here, so that the same stands in the transcript
            command = ReplaceDatabase(self._number(command.applied(self.database)))
        line: dict[str, Any] = {"t": now, "in": "submit", "command": self._notes.encode(command)}
        with self._notes.call(line):
            try:
                number = super().submit(command, now)
            except LocalProtocolError as error:
                line["refused"] = type(error).__name__
                raise
            line["number"] = number
        if isinstance(command, ReplaceDatabase):
            self._know_handled()
        return number

    def poll(self) -> Output | None:
        notes = self._notes
        if notes.inside:
            return super().poll()
        line: dict[str, Any] = {}
        with notes.call(line):
            output = super().poll()
            line["out"] = notes.describe(output)
        if isinstance(output, CloseConnection):
            notes.forget(output.connection)
        return output

    def ask(self, asked: Asked) -> None:
        if isinstance(asked, AskedRead):
            kind, ids = "read", list(asked.ids)
        elif isinstance(asked, AskedWrite):
            kind, ids = "write", [one.id for one in asked.writes]
        else:
            kind, ids = "snapshot", [CharacteristicId(asked.aid, 0)]
        if new := [one for one in ids if (kind, one) not in self._handled]:
            self._handled |= {(kind, one) for one in new}
            self._notes.add("handled", kind, [list(one) for one in new])
        super().ask(asked)

    # The record layer

    def stream(self, session: Session, pages: Iterable[Sequence[bytes]]) -> None:
        pages = list(pages)
        if self._notes.masks.redacts:
            whole = self._notes.masks.message(b"".join([part for page in pages for part in page]), self._format_of)
            self._notes.ahead[session.connection] = bytearray(whole)
        super().stream(session, pages)

    def _make_frames(self, session: Session, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        session.reader = NotingRequests(self._notes, session.connection)
        return NotingOpener(keys.write, self._notes), NotingSealer(keys.read, self._notes, session.connection)
