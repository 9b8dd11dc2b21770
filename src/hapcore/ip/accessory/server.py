"""The accessory's engine over IP: connections, requests, events, pairings (HAP 4 to 9)."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from hapcore.accessory.commands import AnswerRead, AnswerSnapshot, AnswerWrite, ChangeDatabase, Shutdown, UpdateValues
from hapcore.accessory.config import Config
from hapcore.accessory.display import Screen
from hapcore.accessory.events import PairingRemoved, PeerMisbehaved, SessionClosed, SessionOpened
from hapcore.accessory.stored import Change, Stored
from hapcore.codec.http import HttpError, Request, RequestReader, write_response
from hapcore.crypto.frames import FrameError, FrameOpener, FrameSealer, SessionKeys
from hapcore.discovery import Advertise, ServiceRecord, Unadvertise
from hapcore.engine import CloseConnection, Command, CommandId, ConnectionId, Done, Engine, Output, SendBytes
from hapcore.entropy import Entropy
from hapcore.errors import DesynchronisedError, HapError, LocalProtocolError, RemoteProtocolError
from hapcore.ids import Caller, CharacteristicId, Transport, Value
from hapcore.ip.accessory.asking import Asked, Desk
from hapcore.ip.accessory.notifier import Notifier
from hapcore.ip.accessory.room import Room
from hapcore.ip.accessory.routes import CHARACTERISTICS, ROUTES, Access
from hapcore.ip.accessory.session import Security, Session
from hapcore.ip.accessory.writes import check_event
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.information import FIRMWARE_REVISION, MODEL
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.pairing.records import PairedController
from hapcore.pairing.setup import SetupDesk
from hapcore.pairing.verify import VerifiedSession, VerifyDesk
from hapcore.setup_code import SetupCode, SetupPayload, setup_hash

__all__ = ["Server"]

#: How much of a long response is sealed at a time: a few TCP segments, little memory.
STREAM_PIECE = 16 * 1024


class Server(Engine):
    """One accessory, or one bridge with its accessories, served over any number of byte streams.

    `accessories` is a `Database`, or the accessories to make one of, with the ids of the stored state. `state` is the
    table the store loaded (empty at the first start); `entropy` gives random bytes. Raises `StateError` when the state
    cannot be read and `LocalProtocolError` when the database is not valid.

    Inputs: `connection_opened`, `receive_data`, `receive_eof`, `pause_sending`, `resume_sending`, `handle_timeout`,
    `effect_failed`, `submit`. Outputs: the effects `SendBytes`, `CloseConnection`, `Persist`, `Forget`, `Advertise`,
    `Unadvertise`, the replies, and the events of `hapcore.accessory.events`.
    """

    def __init__(
        self,
        accessories: Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
    ) -> None:
        super().__init__()
        self.config = config
        self._entropy = entropy
        self._stored = Stored(state, config, entropy)
        self._connections = 0
        self._sessions: dict[ConnectionId, Session] = {}
        self._room = Room(config, self._sessions)
        self._streaming: deque[Session] = deque()
        #: Connections with more requests waiting behind the one that was just answered.
        self._ready: dict[Session, None] = {}
        self.database = self._number(accessories)
        self._notifier = Notifier(self._sessions, self.send, config.event_interval)
        self._desk = Desk(self, config.answer_deadline)
        self.setup_desk = SetupDesk(self._stored.identity, self._stored.verifiers, entropy)
        self._screen = Screen(self._stored, bool(config.display), self._emit)
        self._stopped = False
        self._keep([*self._stored.changes, *self._stored.adopt(self.database, self._fingerprint())])
        self.advertise()

    # What the application may look at.

    @property
    def device_id(self) -> str:
        """Six bytes in upper-case hex with colons, kept for life (HAP 2.2)."""
        return self._stored.identity.device_id

    @property
    def setup_code(self) -> SetupCode:
        """The code a person types to pair. With `Config.display`: the one shown now, else `LocalProtocolError`."""
        return self._screen.code

    @property
    def setup_payload(self) -> SetupPayload:
        """What the QR code says."""
        return SetupPayload(self._screen.known, self._stored.setup.setup_id, self.config.category)

    @property
    def paired(self) -> bool:
        """Whether any controller is paired."""
        return bool(self._stored.pairings)

    @property
    def pairings(self) -> tuple[PairedController, ...]:
        """The paired controllers, in the order of pairing."""
        return tuple(self._stored.pairings.values())

    @property
    def config_number(self) -> int:
        """c#: changes when, and only when, the database changes."""
        return self._stored.config_number

    @property
    def record(self) -> ServiceRecord:
        """What mDNS announces now (HAP 11.2)."""
        setup = self._stored.setup
        return ServiceRecord(
            name=self.config.name,
            device_id=self.device_id,
            config_number=self.config_number,
            category=self.config.category,
            status_flags=0 if self.paired else 1,
            feature_flags=0,
            model=_text(self.database.accessories[0], MODEL),
            protocol_version="1.1",
            state_number=1,
            setup_hash=setup_hash(setup.setup_id, self.device_id),
        )

    # Inputs.

    def connection_opened(self, now: float) -> ConnectionId:
        """A controller has connected; the number names the connection in all later calls."""
        now = self._advance(now)
        self._connections += 1
        connection = ConnectionId(self._connections)
        if not (self._stopped or self._room.waiting) and self._make_room(now):
            self._begin(connection, now)
        elif self._stopped or not self._room.wait(connection):
            self._emit(CloseConnection(connection))
        return connection

    def receive_data(self, connection: ConnectionId, data: bytes, now: float) -> None:
        """Bytes came in, cut anywhere. Ignored when the engine has closed the connection already."""
        session = self._sessions.get(connection)
        if session is None:
            if connection in self._room.waiting and not self._room.keep(connection, data):
                del self._room.waiting[connection]
                self._emit(CloseConnection(connection))
            return
        now = self._advance(now)
        fault: FrameError | None = None
        if session.opener is not None:
            session.last_active = now
            try:
                data = session.opener.feed(data)
            except FrameError as error:
                # What came whole before the bad frame counts, however the network cut it.
                data, fault = error.plaintext, error
        if data:
            session.reader.feed(data)
            self._serve(session)
        if fault is not None:
            self.fail(session, DesynchronisedError("an encrypted frame", str(fault), "the session is over"))

    def receive_eof(self, connection: ConnectionId, now: float) -> None:
        """The controller closed the connection, or it broke."""
        self._advance(now)
        session = self._sessions.get(connection)
        if session is not None:
            self.close(session, None)
        elif self._room.waiting.pop(connection, None) is not None:
            self._emit(CloseConnection(connection))

    def pause_sending(self, connection: ConnectionId, now: float) -> None:
        """The transport has too much unsent: hold events and further answers on this connection."""
        self._advance(now)
        session = self._sessions.get(connection)
        if session is not None:
            session.paused = True

    def resume_sending(self, connection: ConnectionId, now: float) -> None:
        """The transport can take more again."""
        now = self._advance(now)
        session = self._sessions.get(connection)
        if session is not None and session.paused:
            session.paused = False
            if session.stream is not None:
                self._streaming.append(session)
            elif not session.busy:
                self._serve(session)
                self._notifier.flush(session, now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        first, second = self._desk.next_deadline(), self._notifier.next_appointment()
        if first is None or (second is not None and second < first):
            first = second
        if self._room.waiting:
            yields = self._room.next_yielding(self.setup_desk.owner)
            return yields if first is None or (yields is not None and yields < first) else first
        return first

    def handle_timeout(self, now: float) -> None:
        """Do what is due: answers the application owes, events that waited their second, a place for who waits."""
        now = self._advance(now)
        self._desk.expire(now)
        self._notifier.keep_appointments(now)
        self._admit(now)

    def submit(self, command: Command[object], now: float) -> CommandId:
        """Take a command of `hapcore.accessory.commands`; raises `LocalProtocolError` for the caller's mistakes."""
        now = self._advance(now)
        result: object = None
        if isinstance(command, AnswerWrite | AnswerRead | AnswerSnapshot):
            result = self._desk.answer(command)
        elif isinstance(command, UpdateValues):
            self._update(command.values, now)
        elif isinstance(command, ChangeDatabase):
            self._replace(command.applied(self.database))
        elif isinstance(command, Shutdown):
            self._shutdown()
        else:
            raise LocalProtocolError(f"an accessory does not know {type(command).__name__}", argument="command")
        number = self._next_command()
        self._emit(Done(number, result))
        return number

    # Requests.

    def _serve(self, session: Session) -> None:
        """Answer one request. What was sent ahead behind it waits until the answer has been taken out of the queue."""
        if not (session.busy or session.paused or session.security is Security.CLOSED):
            try:
                request = session.reader.next()
            except HttpError as error:
                trouble = RemoteProtocolError("an HTTP request", str(error))
                if error.answer is None:
                    self.fail(session, trouble)
                    return
                self.send(session, write_response(error.answer))
                self._emit(PeerMisbehaved(session.connection, trouble))
                self._ready[session] = None
                return
            if request is not None:
                self._route(session, request)
                if session.reader.buffered:
                    self._ready[session] = None
        if (session.pending or session.presses) and session.quiet:
            self._notifier.flush(session, self._now)

    def _route(self, session: Session, request: Request) -> None:
        secured = session.security is Security.SECURED
        # Only reading characteristics takes a query; any other path with one is not known, as with Apple's accessories.
        route = ROUTES.get(request.path if request.path == CHARACTERISTICS else request.target)
        if route is None:
            self.send(session, write_response(404 if secured else 470))
            return
        handler = route.methods.get(request.method)
        if route.access is Access.OPEN:
            if handler is None:
                self.send(session, write_response(405))
            else:
                handler(self, session, request)
            return
        if session.security is Security.TRANSIENT:
            self.send(session, write_response(400))
        elif not secured:
            self.send(session, route.refusal if handler is not None else write_response(470))
        elif handler is None:
            self.send(session, write_response(405))
        else:
            handler(self, session, request)

    # What the route handlers and the desk use.

    @property
    def now(self) -> float:
        """The time of the current input."""
        return self._now

    @property
    def stored(self) -> Stored:
        """Identity, setup and pairings."""
        return self._stored

    @property
    def notifier(self) -> Notifier:
        """Subscriptions and their messages."""
        return self._notifier

    def send(self, session: Session, message: bytes) -> None:
        """Seal (when the connection is secured) and emit a whole message."""
        if session.sealer is not None:
            message = session.sealer.seal(message)
        self._emit(SendBytes(session.connection, message))

    def emit(self, output: Output) -> None:
        """Put an output into the queue."""
        self._emit(output)

    def reply(self, session: Session, message: bytes) -> None:
        """Answer a request; if it had made the session busy, go on with what has waited."""
        if session.security is Security.CLOSED:
            return
        self.send(session, message)
        if not session.busy:
            return  # answered at once: whoever serves the session goes on, a peer must not have us recurse
        session.busy = False
        if session.close_after_reply:
            self.close(session, None)
        else:
            self._serve(session)

    def stream(self, session: Session, pages: Iterable[Sequence[bytes]]) -> None:
        """Send a long answer piece by piece, as the transport takes it; only the piece at hand is ever put together."""
        session.busy = True
        session.stream = deque(pages)
        if not session.paused:
            self._streaming.append(session)

    def show_code(self) -> None:
        """Have a display show the code of the attempt that runs, or no longer."""
        self._screen.follow(self.setup_desk, self.setup_payload)

    def ask(self, asked: Asked) -> None:
        """Hand a request to the application."""
        self._desk.ask(asked)

    def store(self, effects: Iterable[Change], done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Have the store carry out `effects` one after the other; `done` runs when all are safe, else `failed`."""
        remaining = deque(effects)

        def go_on() -> None:
            if remaining:
                self._emit_confirmed(remaining[0], stored, failed)
            else:
                done()

        def stored() -> None:
            self._stored.saved(remaining.popleft())
            go_on()

        go_on()

    def secure(self, session: Session, keys: SessionKeys, verified: VerifiedSession | None) -> None:
        """From the next byte on, in both directions, the connection is encrypted."""
        rest = session.reader.release()
        session.reader = RequestReader()
        session.opener, session.sealer = self._make_frames(session, keys)
        session.security = Security.TRANSIENT if verified is None else Security.SECURED
        session.last_active = self._now
        if self.tells_keys:
            public = b"" if verified is None else verified.public
            peer = b"" if verified is None else verified.controller.identifier
            self._emit(SessionKeysMade(session.connection, public, self.device_id, peer, keys))
        if verified is not None:
            controller = verified.controller
            session.caller = Caller(controller.identifier, controller.admin, Transport.IP, session.connection)
            self._emit(SessionOpened(session.caller))
        if rest:
            self.receive_data(session.connection, rest, self._now)

    def caller(self, session: Session) -> Caller:
        """Who is asking, with the rights of this moment: they may have changed since the session began."""
        caller = session.caller
        if caller is None:
            raise LocalProtocolError("this connection has no verified controller")
        current = self._stored.pairings.get(caller.pairing_id)
        admin = current is not None and current.admin
        if admin != caller.admin:
            caller = session.caller = Caller(caller.pairing_id, admin, caller.transport, caller.connection)
        return caller

    def changed(self, characteristic: AnyCharacteristic, value: Value, knowing: frozenset[ConnectionId]) -> None:
        """Store a value; whoever subscribed and does not know it yet is told."""
        self._change([(characteristic, value, knowing)], self._now)

    def advertise(self) -> None:
        """Announce what mDNS should say from now on."""
        if not self._stopped:
            self._emit(Advertise(self.record))

    def sessions_of(self, identifier: bytes) -> list[Session]:
        """The open sessions of one paired controller."""
        return [s for s in self._sessions.values() if s.caller is not None and s.caller.pairing_id == identifier]

    def end_transients(self, keep: Session) -> None:
        """A new pair-setup ends transient sessions (HAP 4.6)."""
        for session in list(self._sessions.values()):
            if session is not keep and session.security is Security.TRANSIENT:
                self.close(session, None)

    def removed(self, identifier: bytes, requester: Session) -> None:
        """A pairing is gone: end its sessions, the requester's own only after the answer."""
        self._emit(PairingRemoved(identifier))
        for session in self.sessions_of(identifier):
            if session is requester:
                session.close_after_reply = True
            else:
                self.close(session, None)

    def fail(self, session: Session, error: HapError) -> None:
        """The peer broke the protocol: report it and close."""
        if session.security is Security.CLOSED:
            return
        self._emit(PeerMisbehaved(session.connection, error))
        self.close(session, error)

    def close(self, session: Session, reason: HapError | None) -> None:
        """Forget a connection and have it closed."""
        if session.security is Security.CLOSED:
            return
        session.security = Security.CLOSED
        session.stream = None
        del self._sessions[session.connection]
        self._notifier.forget(session)
        self._desk.forget(session)
        self.setup_desk.release(session.connection)
        self.show_code()
        self._emit(CloseConnection(session.connection))
        if session.caller is not None:
            self._emit(SessionClosed(session.caller, reason))

    # Inner workings.

    def _make_frames(self, session: Session, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        """The record layer of a connection; a recorder makes one that notes what passes."""
        del session
        return FrameOpener(keys.write), FrameSealer(keys.read)

    def _produce(self) -> Output | None:
        """Go on with what had to wait until everything before it was taken: long answers, requests sent ahead."""
        while self._ready and not self._outputs:
            session = next(iter(self._ready))
            del self._ready[session]
            self._serve(session)
        if self._room.waiting and not self._room.full:
            self._admit(self._now)
        if self._outputs:
            return self.poll()
        while self._streaming:
            session = self._streaming.popleft()
            if session.stream is None or session.paused:
                continue
            piece = bytearray()
            while session.stream and len(piece) < STREAM_PIECE:
                piece += b"".join(session.stream.popleft())
            if session.stream:
                self._streaming.append(session)
                self.send(session, bytes(piece))
            else:
                session.stream = None
                self.reply(session, bytes(piece))
            return self.poll()
        return None

    def _make_room(self, now: float) -> bool:
        if self._room.full and (idle := self._room.yielding(self.setup_desk.owner, now)) is not None:
            self.close(self._sessions[idle], None)
        return not self._room.full

    def _begin(self, connection: ConnectionId, now: float) -> Session:
        verify = VerifyDesk(self._stored.identity, self._entropy)
        session = self._sessions[connection] = Session(connection, verify, now)
        return session

    def _admit(self, now: float) -> None:
        """Let in those who wait for a place, one after the other, with what they have said."""
        while self._room.waiting and self._make_room(now):
            connection = next(iter(self._room.waiting))
            said = self._room.waiting.pop(connection)
            self._begin(connection, now)
            if said:
                self.receive_data(connection, bytes(said), now)

    def _keep(self, changes: Iterable[Change]) -> None:
        """Have stored what nobody waits for. What fails is tried again before a pairing that depends on it."""
        for change in changes:
            self._stored.unsaved[change.key] = change
            self._emit_confirmed(change, partial(self._stored.saved, change), lambda: None)

    def _number(self, accessories: Database | Sequence[Accessory]) -> Database:
        if isinstance(accessories, Database):
            return accessories
        return Database(accessories, ids=self._stored.ids)

    def _fingerprint(self) -> str:
        """c# follows the database and the firmware of its accessories (HAP 11.2)."""
        accessories = sorted(self.database.accessories, key=lambda one: one.aid)
        versions = "\n".join(_text(accessory, FIRMWARE_REVISION) for accessory in accessories)
        return hashlib.sha512(f"{self.database.fingerprint()}\n{versions}".encode()).hexdigest()

    def _update(self, values: Mapping[CharacteristicId, Value], now: float) -> None:
        changes: list[tuple[AnyCharacteristic, Value, frozenset[ConnectionId]]] = []
        for number, value in values.items():
            characteristic = self.database.find(*number)
            if characteristic is None:
                raise LocalProtocolError(f"there is no characteristic {CharacteristicId(*number)}", argument="values")
            coerced = characteristic.coerce(value)
            changes.append((characteristic, coerced, self._desk.writers_of(characteristic.id, coerced)))
        self._change(changes, now)

    def _change(self, changes: list[tuple[AnyCharacteristic, Value, frozenset[ConnectionId]]], now: float) -> None:
        telling: list[tuple[AnyCharacteristic, frozenset[ConnectionId]]] = []
        for characteristic, value, knowing in changes:
            old = characteristic.value
            characteristic.store(value)
            if characteristic.immediate or old != value or type(old) is not type(value):
                telling.append((characteristic, knowing))
        if telling:
            self._notifier.changed(telling, now)

    def _replace(self, accessories: Database | Sequence[Accessory]) -> None:
        self.database = self._number(accessories)
        self._keep(self._stored.with_unsaved(self._stored.adopt(self.database, self._fingerprint())))
        self.advertise()
        for session in self._sessions.values():
            for number, one in tuple(session.subscriptions.items()):
                waits = number in session.pending
                self._notifier.unsubscribe(session, number)
                found = self.database.find(*number)
                # The rights are those of the new one, and another value is news: c# does not tell of values.
                if found is not None and not check_event(found, admin=self.caller(session).admin):
                    self._notifier.subscribe(session, found)
                    if waits or not (found.immediate or found.value == one.value):
                        session.pending[number] = found
            self._notifier.flush(session, self._now)

    def _shutdown(self) -> None:
        self._stopped = True
        self._emit(Unadvertise())
        for waiting in self._room.waiting:
            self._emit(CloseConnection(waiting))
        self._room.waiting.clear()
        for session in list(self._sessions.values()):
            self.close(session, None)


def _text(accessory: Accessory, kind: CharacteristicType[str]) -> str:
    """A text of Accessory Information; a database that is only played need not have it."""
    found = accessory.information.get(kind)
    return "" if found is None else found.value
