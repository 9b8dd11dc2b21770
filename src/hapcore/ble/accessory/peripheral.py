"""The accessory's engine over Bluetooth LE: links, procedures, sessions, events, advertisements (HAP-BLE A)."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from attrs import evolve

from hapcore.accessory.commands import AnswerRead, AnswerWrite, ChangeDatabase, Shutdown, UpdateValues
from hapcore.accessory.config import Config
from hapcore.accessory.display import Screen
from hapcore.accessory.events import PairingRemoved, PeerMisbehaved, SessionClosed, SessionOpened, SubscriptionChanged
from hapcore.accessory.stored import Change, Stored
from hapcore.ble.accessory import exchange
from hapcore.ble.accessory.advertising import Advertiser
from hapcore.ble.accessory.broadcasts import Broadcasts
from hapcore.ble.accessory.effects import DropLink, GattIndicate, GattRefuse, GattReply
from hapcore.ble.accessory.link import IDLE_SECONDS, SAFE_SECONDS, Link
from hapcore.ble.accessory.numbering import StateNumber
from hapcore.ble.accessory.pairing import Pairing
from hapcore.ble.accessory.questions import Questions
from hapcore.ble.accessory.raising import raise_event
from hapcore.ble.accessory.session import Session
from hapcore.ble.accessory.table import Cell, Table
from hapcore.ble.gatt import GattService
from hapcore.codec.pdu import MAX_BODY, PduStatus
from hapcore.crypto.frames import SessionKeys
from hapcore.engine import Command, CommandId, ConnectionId, Done, Engine, Output, Persist
from hapcore.entropy import Entropy
from hapcore.errors import HapError, LocalProtocolError, RemoteProtocolError, TimedOut
from hapcore.ids import Caller, CharacteristicId, Transport, Value
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database
from hapcore.model.information import FIRMWARE_REVISION
from hapcore.pairing.records import PairedController
from hapcore.pairing.resume import ResumeCache, ResumeDesk
from hapcore.pairing.setup import SetupDesk
from hapcore.pairing.verify import VerifiedSession, VerifyDesk
from hapcore.setup_code import SetupCode, SetupPayload

__all__ = ["IDLE_INTERVAL", "Peripheral"]

#: How often an accessory advertises that has nothing to tell, in seconds: one of the intervals that phones catch well.
IDLE_INTERVAL: Final = 0.4175

_FIRMWARE_KEY: Final = "ble/firmware"

_INVALID_HANDLE: Final = 0x01
_NOT_READABLE: Final = 0x02
_NOT_WRITABLE: Final = 0x03
_NOT_SUPPORTED: Final = 0x06
_INVALID_LENGTH: Final = 0x0D
_UNLIKELY: Final = 0x0E
_INDICATE: Final = 0x0002


class Peripheral(Engine):
    """One accessory, served to one central at a time.

    `accessory` is the accessory, or a `Database` of it. `state` is the table the store loaded (empty at the first
    start): identity, setup code and pairings are the same as over IP, so that an accessory can move between both.
    `stored` instead of it is what another engine has made of that table: then both serve one accessory at a time.
    `interval` is how often it advertises when there is no news, 0.16 to 2.5 s; `max_body` the longest request or answer
    in bytes. Raises `StateError` when the state cannot be read and `LocalProtocolError` when the accessory cannot be
    served over Bluetooth LE.

    Inputs: `start`, `link_opened`, `link_closed`, `mtu_changed`, `receive_read`, `receive_write`, `receive_subscribe`
    or `receive_descriptor`, `indication_confirmed`, `handle_timeout`, `effect_failed`, `submit`. Outputs: the effects
    of `hapcore.ble.accessory.effects`, `Persist`, `Forget`, the replies, and the events of
    `hapcore.accessory.events`. Each read, write and subscription is answered by one `GattReply` or `GattRefuse`, sooner
    or later, unless the link is closed before.
    """

    def __init__(
        self,
        accessory: Accessory | Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
        stored: Stored | None = None,
        interval: float = IDLE_INTERVAL,
        max_body: int = MAX_BODY,
    ) -> None:
        super().__init__()
        self.config = config
        self.entropy = entropy
        self.max_body = max_body
        self.stored = Stored(state, config, entropy) if stored is None else stored
        self.state_number = StateNumber(state)
        self.broadcasts = Broadcasts(state)
        self.resumable = ResumeCache()
        self.setup_desk = SetupDesk(self.stored.identity, self.stored.verifiers, entropy)
        self._screen = Screen(self.stored, bool(config.display), self._emit)
        self._links = 0
        self._link: Link | None = None
        self._stopped = False
        self.database = self._number(accessory)
        self.table = Table(self.database)
        self.questions = Questions(self, config.answer_deadline)
        self.advertiser = Advertiser(self, interval, self._emit)
        self.keep(*(self.stored.changes if stored is None else ()))
        self.keep(*self.stored.adopt(self.database, self._fingerprint()))
        self._note_firmware(state.get(_FIRMWARE_KEY))
        if not self.paired:
            # The power failed after the last pairing was removed, or another transport removed it.
            self.keep(self.broadcasts.reset())

    # What the application and the adapter may look at.

    @property
    def gatt(self) -> tuple[GattService, ...]:
        """The services to publish, in this order, with the handles that the inputs name."""
        return self.table.services

    @property
    def device_id(self) -> str:
        """Six bytes in upper-case hex with colons, kept for life."""
        return self.stored.identity.device_id

    @property
    def device_id_bytes(self) -> bytes:
        """The same as it is on the air."""
        return bytes.fromhex(self.device_id.replace(":", ""))

    @property
    def advertising_identifier(self) -> bytes:
        """Under which changed values are broadcast: six bytes, the device id unless a controller set others."""
        return self.broadcasts.identifier or self.device_id_bytes

    @property
    def setup_code(self) -> SetupCode:
        """The code a person types to pair. With `Config.display`: the one shown now, else `LocalProtocolError`."""
        return self._screen.code

    @property
    def setup_payload(self) -> SetupPayload:
        """What the QR code says."""
        return SetupPayload(self._screen.known, self.stored.setup.setup_id, self.config.category, ip=False, ble=True)

    @property
    def paired(self) -> bool:
        """Whether any controller is paired."""
        return bool(self.stored.pairings)

    @property
    def pairings(self) -> tuple[PairedController, ...]:
        """The paired controllers, in the order of pairing."""
        return tuple(self.stored.pairings.values())

    @property
    def config_number(self) -> int:
        """c#, of which one byte is on the air: changes when, and only when, the database changes."""
        return self.stored.config_number

    def subscribed(self, handle: int) -> bool:
        """Whether the central has switched the indications of a characteristic on."""
        return self._link is not None and handle in self._link.subscriptions

    # Inputs.

    def start(self, now: float) -> None:
        """Begin to advertise."""
        now = self._advance(now)
        if not self._stopped:
            self.advertiser.start(now)

    def link_opened(self, now: float, *, max_read: int, max_write: int) -> None:
        """A central has connected; `max_read` and `max_write` are the longest attribute values it takes and sends."""
        now = self._advance(now)
        if self._link is not None:
            self.link_closed(now)
        self._links += 1
        number = ConnectionId(self._links)
        self._link = Link(number, Pairing(self, number), now, max_read, max_write)
        self.keep(self.state_number.begin_cycle())
        self.advertiser.connect()
        if self._stopped:
            self.terminate(None)

    def link_closed(self, now: float) -> None:
        """The central has gone, by itself or because of `DropLink`."""
        now = self._advance(now)
        link = self._link
        if link is None:
            return
        link.waiting = False
        self.end_session(None)
        self.questions.forget()
        self._link = None
        self.keep(self.state_number.begin_cycle())
        self.advertiser.disconnect(now)

    def mtu_changed(self, max_read: int, max_write: int, now: float) -> None:
        """The longest attribute values are others from now on."""
        self._advance(now)
        if self._link is not None:
            self._link.max_read, self._link.max_write = max_read, max_write

    def receive_read(self, handle: int, now: float) -> None:
        """The central reads an attribute, from its beginning: the rest of a long value is the stack's to keep."""
        self._advance(now)
        iid = self.table.service_iids.get(handle)
        if iid is not None and self._link is not None:
            self._emit(GattReply(iid.to_bytes(2, "little")))
            return
        link, cell = self._begin(handle, _INVALID_HANDLE)
        if link is not None and cell is not None:
            exchange.read(self, link, cell)

    def receive_write(self, handle: int, data: bytes, now: float) -> None:
        """The central wrote an attribute; long writes are put together by the stack."""
        self._advance(now)
        refusal = _NOT_WRITABLE if handle in self.table.service_iids else _INVALID_HANDLE
        link, cell = self._begin(handle, refusal)
        if link is not None and cell is not None:
            exchange.write(self, link, cell, data)

    def receive_subscribe(self, handle: int, enabled: bool, now: float) -> None:
        """The central switched the indications of a characteristic on or off."""
        self._advance(now)
        link, cell = self._link, self.table.cells.get(handle)
        if link is None or cell is None or not cell.characteristic.notifies:
            self._emit(GattRefuse(_NOT_SUPPORTED))
            return
        if enabled is not (handle in link.subscriptions):
            (link.subscriptions.add if enabled else link.subscriptions.discard)(handle)
            if self.secured and not self.transient:
                self._emit(SubscriptionChanged(self.caller, cell.characteristic.id, enabled))
        self._emit(GattReply(b""))
        self.indicate()

    def receive_descriptor(self, handle: int, data: bytes, now: float) -> None:
        """The same for stacks that hand the descriptor over as it was written: 0000 or 0002, else it is refused."""
        if len(data) != 2 or int.from_bytes(data, "little") & ~_INDICATE:
            self._advance(now)
            self._emit(GattRefuse(_INVALID_LENGTH if len(data) != 2 else _NOT_SUPPORTED))
        else:
            self.receive_subscribe(handle, bool(data[0] & _INDICATE), now)

    def indication_confirmed(self, now: float) -> None:
        """The central has confirmed the last `GattIndicate`: the next one may go."""
        self._advance(now)
        if self._link is not None:
            self._link.indicating = False
            self.indicate()

    def values_changed(self, ids: Iterable[CharacteristicId], now: float) -> None:
        """These characteristics hold other values than before: another engine of the same accessory has stored them."""
        self._advance(now)
        for number in ids:
            cell = self.table.find(number[1])
            if cell is not None:
                raise_event(self, cell, self._link)

    def pairings_changed(self, now: float) -> None:
        """Another engine of the same accessory has changed the table of pairings."""
        self._advance(now)
        self.resumable.retain(self.stored.pairings)
        if not self.paired:
            self.keep(self.broadcasts.reset())
        self.advertiser.update()
        link = self._link
        if link is not None and link.session is not None and link.procedure is None and not self.secured:
            self.terminate(None)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        due = [self.questions.next_deadline(), self.advertiser.next_timeout()]
        if self._link is not None:
            due.append(self._link.next_timeout())
        return min((one for one in due if one is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due: answers the application owes, links that stand still, slower advertisements."""
        now = self._advance(now)
        self.questions.expire(now)
        link = self._link
        if link is not None:
            due = link.next_timeout()
            if due is not None and due <= now:
                if link.terminal:
                    self._drop(link)
                else:
                    self.fail(TimedOut("the central took too long; the link is dropped"))
        self.advertiser.handle_timeout(now)

    def submit(self, command: Command[object], now: float) -> CommandId:
        """Take a command of `hapcore.accessory.commands`; raises `LocalProtocolError` for the caller's mistakes."""
        self._advance(now)
        result: object = None
        if isinstance(command, AnswerWrite | AnswerRead):
            result = self.questions.answer(command)
        elif isinstance(command, UpdateValues):
            self._update(command.values)
        elif isinstance(command, ChangeDatabase):
            self._replace(command.applied(self.database))
        elif isinstance(command, Shutdown):
            self._stopped = True
            self.advertiser.stop()
            if self._link is not None:
                self.terminate(None)
        else:
            raise LocalProtocolError(f"an accessory does not know {type(command).__name__}", argument="command")
        number = self._next_command()
        self._emit(Done(number, result))
        return number

    # What the parts of the engine use.

    @property
    def now(self) -> float:
        """The time of the current input."""
        return self._now

    @property
    def secured(self) -> bool:
        """Whether there is a session, and its controller is still paired."""
        session = self._link.session if self._link is not None else None
        if session is None:
            return False
        return session.caller is None or session.caller.pairing_id in self.stored.pairings

    @property
    def transient(self) -> bool:
        """Whether the session is one without a paired controller."""
        return self._link is not None and self._link.session is not None and self._link.session.transient

    @property
    def procedure_ends(self) -> float | None:
        """When the procedure must be over that is under way."""
        procedure = self._link.procedure if self._link is not None else None
        return None if procedure is None else procedure.deadline

    @property
    def controller(self) -> bytes | None:
        """The pairing identifier of whoever is connected, None as long as that is not proved."""
        session = self._link.session if self._link is not None else None
        return None if session is None or session.caller is None else session.caller.pairing_id

    @property
    def admin(self) -> bool:
        """Whether it may administer, by the rights of this moment."""
        identifier = self.controller
        known = None if identifier is None else self.stored.pairings.get(identifier)
        return known is not None and known.admin

    @property
    def caller(self) -> Caller:
        """Who is asking; without a session somebody with an empty identifier."""
        number = ConnectionId(0) if self._link is None else self._link.number
        return Caller(self.controller or b"", self.admin, Transport.BLE, number)

    def make_verify_desk(self) -> VerifyDesk:
        """For the next pair-verify; a recorder puts in one that notes what comes of each message."""
        return VerifyDesk(self.stored.identity, self.entropy)

    def make_resume_desk(self) -> ResumeDesk:
        """The same for pair-resume, once a link."""
        return ResumeDesk(self.resumable, self.entropy)

    def show_code(self) -> None:
        """Have a display show the code of the attempt that runs, or no longer."""
        self._screen.follow(self.setup_desk, self.setup_payload)

    def emit(self, output: Output) -> None:
        """Put an output into the queue."""
        self._emit(output)

    def keep(self, *changes: Change | None) -> None:
        """Have stored what nobody waits for. What fails is tried again before a pairing that depends on it."""
        for change in changes:
            if change is not None:
                self.stored.unsaved[change.key] = change
                self._emit_confirmed(change, partial(self.stored.saved, change), lambda: None)

    def store(
        self, effects: Iterable[Change], done: Callable[[], None], failed: Callable[[], None], *, anew: bool = False
    ) -> None:
        """Have the store carry out `effects` one after the other; `done` runs when all are safe, else `failed`.

        With `anew` what could not be stored before comes first, as it is when its turn comes.
        """
        unsaved = self.stored.unsaved
        keys, remaining = deque(unsaved if anew else ()), deque(effects)

        def take() -> Change | None:
            while keys:
                change = unsaved.get(keys.popleft())
                if change is not None:
                    return evolve(change)
            return remaining.popleft() if remaining else None

        def go_on() -> None:
            change = take()
            if change is None:
                done()
            else:
                self._emit_confirmed(change, partial(stored, change), failed)

        def stored(change: Change) -> None:
            self.stored.saved(change)
            go_on()

        go_on()

    def serves(self, link: Link) -> bool:
        """Whether this is still the link, and may be answered."""
        return link is self._link and not link.terminal

    def holds(self, owner: ConnectionId) -> bool:
        """Whether that is the link of this moment."""
        return self._link is not None and self._link.number == owner

    def answer(self, status: PduStatus, body: bytes = b"") -> None:
        """The request that was read is carried out."""
        if self._link is not None and not self._link.terminal:
            exchange.answer(self, self._link, status, body)

    def procedure_started(self) -> None:
        """The clocks of the link: a link without a session may idle now, one with a session again for a while."""
        if self._link is not None:
            self._link.deadline = self._now + IDLE_SECONDS if self.secured else None

    def responded(self) -> None:
        """An attribute was answered: that has to leave the radio before the link may go."""
        if self._link is not None:
            self._link.safe_at = self._now + SAFE_SECONDS

    def secure(self, keys: SessionKeys, verified: VerifiedSession | None, *, resumed: bool = False) -> None:
        """From the next procedure on everything is encrypted; what was held back may be indicated."""
        link = self._link
        if link is None:
            return
        caller: Caller | None = None
        if verified is not None:
            controller = verified.controller
            caller = Caller(controller.identifier, controller.admin, Transport.BLE, link.number)
            link.deadline = self._now + IDLE_SECONDS
        self.end_session(None)
        link.session = Session(keys, verified, caller)
        if caller is not None:
            self._emit(SessionOpened(caller, resumed))
        self.indicate()

    def end_session(self, reason: HapError | None) -> None:
        """Forget the session and the handshakes under way; the link stays."""
        link = self._link
        if link is None:
            return
        link.pairing.reset()
        link.pairing.deadline = None
        session, link.session = link.session, None
        if session is not None and session.caller is not None:
            self._emit(SessionClosed(session.caller, reason))

    def fail(self, error: HapError) -> None:
        """The central broke the protocol, or stands still: refuse what waits, end the session, drop the link."""
        link = self._link
        if link is None:
            return
        self._emit(PeerMisbehaved(link.number, error))
        if link.waiting:
            link.waiting = False
            self._emit(GattRefuse(_UNLIKELY))
        self.terminate(error)

    def terminate(self, reason: HapError | None) -> None:
        """End the session and drop the link, once the last answer has left."""
        link = self._link
        if link is None:
            return
        self.end_session(reason)
        self.questions.forget()
        link.deadline = link.procedure = None
        link.spares.clear()
        link.terminal = True
        if link.safe_at <= self._now:
            self._drop(link)

    def indicate(self) -> None:
        """Indicate the next characteristic that changed, in the order of the table (HAP-BLE A.1.7)."""
        link = self._link
        if link is None or link.indicating or not link.pending or not self.secured or self.transient:
            return
        for handle in sorted(link.pending & link.subscriptions):
            cell = self.table.cells.get(handle)
            if cell is None or (cell.characteristic.admin_only_read and not self.admin):
                continue
            link.pending.discard(handle)
            link.indicating = True
            if not self.state_number.moved:
                self.count()
            self._emit(GattIndicate(handle))
            return

    def remind(self, number: CharacteristicId) -> None:
        """Indicate it as if it had changed just now, after the answer that is under way."""
        cell = self.table.find(number.iid)
        if cell is not None and cell.characteristic.notifies and self._link is not None:
            self._link.pending.add(cell.handle)

    def count(self) -> None:
        """The state number goes up; a key that has come to its end goes (HAP-BLE A.1.5)."""
        self.keep(*self.count_on())

    def count_on(self) -> list[Change]:
        """The same for whoever has to know that it is stored: the changes."""
        expired = self.broadcasts.expire(self.state_number.value)
        counted: Change = self.state_number.increment()
        return [counted] if expired is None else [expired, counted]

    def changed(self, characteristic: AnyCharacteristic, value: Value, writer: Link | None) -> None:
        """Store a value; whoever is connected and did not write it is told."""
        cell = self.table.find(characteristic.iid)
        old = characteristic.value
        characteristic.store(value)
        if cell is not None and (characteristic.immediate or old != value or type(old) is not type(value)):
            if writer is not None and writer is self._link:
                writer.writing = cell.handle
            raise_event(self, cell, self._link)
            if writer is not None:
                writer.writing = 0

    def removed(self, identifier: bytes) -> None:
        """A pairing is gone, and with the last one the broadcast key."""
        self._emit(PairingRemoved(identifier))
        self.resumable.forget(identifier)
        if not self.paired:
            self.resumable.clear()
            self.keep(self.broadcasts.reset())
            self.advertiser.update()

    # Inner workings.

    def _begin(self, handle: int, refusal: int) -> tuple[Link | None, Cell | None]:
        """The link and the characteristic of a request; without them it is refused here."""
        link, cell = self._link, self.table.cells.get(handle)
        if link is None or cell is None:
            self._emit(GattRefuse(refusal))
            return None, None
        if link.waiting:
            # ATT has one request at a time. An answer must not be taken for that of another request.
            self.fail(RemoteProtocolError("an attribute request after the answer to the last one", "one before it"))
        if link.terminal:
            self._emit(GattRefuse(_UNLIKELY))
            self._drop(link)
            return None, None
        link.waiting = True
        return link, cell

    def _drop(self, link: Link) -> None:
        if not link.dropped:
            link.dropped = True
            self._emit(DropLink())

    def _number(self, accessory: Accessory | Database | Sequence[Accessory]) -> Database:
        if isinstance(accessory, Database):
            return accessory
        return Database([accessory] if isinstance(accessory, Accessory) else accessory, ids=self.stored.ids)

    def _fingerprint(self) -> str:
        """c# follows the database and the firmware of its accessories, as over IP."""
        found = [one.information.get(FIRMWARE_REVISION) for one in self.database.accessories]
        versions = "\n".join("" if one is None else one.value for one in found)
        return hashlib.sha512(f"{self.database.fingerprint()}\n{versions}".encode()).hexdigest()

    def _note_firmware(self, before: bytes | None) -> None:
        """Another firmware begins with a new state number, and without a broadcast key (HAP-BLE A.1.5)."""
        revision = self.database.accessories[0].information.get(FIRMWARE_REVISION)
        current = b"" if revision is None else revision.value.encode()
        if current == before:
            return
        if before is not None:
            self.keep(self.state_number.reset(), self.broadcasts.reset())
        self.keep(Persist(_FIRMWARE_KEY, current))

    def _update(self, values: Mapping[CharacteristicId, Value]) -> None:
        changes: list[tuple[AnyCharacteristic, Value]] = []
        for number, value in values.items():
            cell = self.table.find(CharacteristicId(*number).iid)
            if cell is None or number[0] != cell.characteristic.aid:
                raise LocalProtocolError(f"there is no characteristic {CharacteristicId(*number)}", argument="values")
            changes.append((cell.characteristic, cell.characteristic.coerce(value)))
        for characteristic, value in changes:
            writing = self.questions.writing(characteristic.id, value)
            self.changed(characteristic, value, self._link if writing else None)

    def _replace(self, accessory: Database | Sequence[Accessory]) -> None:
        """Another table has other handles: whoever is connected has to come again."""
        database = self._number(accessory)
        self.table = Table(database)  # raises for what cannot be served
        self.database = database
        self.keep(*self.stored.with_unsaved(self.stored.adopt(self.database, self._fingerprint())))
        self.terminate(None)
        self.advertiser.update()
