"""The accessory's engine over Bluetooth LE on the bench: a central that speaks to it in virtual time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hapcore.accessory.config import Config
from hapcore.ble.accessory import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    Peripheral,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.advert import EncryptedAdvert, RegularAdvert, parse_manufacturer_data
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Request, ResponseReader, write_request
from hapcore.crypto.frames import session_keys
from hapcore.crypto.keys import ed25519_public
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.secret import Secret
from hapcore.engine import Done, Event, Failed, Forget, Persist
from hapcore.model.database import Database
from hapcore.pairing.items import Item
from hapcore.pairing.records import Identity, PairedController, Pairing
from hapcore.pairing.resume import PairResumeController, session_id
from hapcore.pairing.verify import PairVerifyController
from hapcore.replay.bench import bench
from hapcore.setup_code import SetupCode

DEVICE_ID = "12:34:56:78:9A:BC"
CODE = SetupCode("031-45-154")
SETUP, VERIFY, FEATURES, PAIRINGS = 0x22, 0x23, 0x24, 0x25
PROTOCOL, PROTOCOL_SIGNATURE = 0x10, 0x11
ON, BRIGHTNESS, HUE = 0x33, 0x34, 0x35

_LTSK = b"a" * 32
#: Making a verifier costs a power of 512 bits: once is enough.
_MADE: dict[str, bytes] = {}


class Draws:
    """Entropy that is the same in every run."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __call__(self, label: str, length: int) -> bytes:
        count = self._counts[label] = self._counts.get(label, 0) + 1
        return hashlib.shake_256(f"{label}/{count}".encode()).digest(length)


class Refused(Exception):
    """An attribute request was answered with an ATT error."""


class Unreadable(Exception):
    """An answer is not encrypted as it should be."""


class Person:
    """A controller with a pairing."""

    def __init__(self, name: str, *, admin: bool = True) -> None:
        self.identifier = name.encode()
        seed = hashlib.sha256(self.identifier).digest()
        self.paired = PairedController(self.identifier, ed25519_public(seed), admin)
        self.pairing = Pairing(DEVICE_ID, ed25519_public(_LTSK), name, Secret(seed))


ADMIN = Person("admin")
USER = Person("user", admin=False)


class Rig:
    """An accessory and whoever is connected to it."""

    def __init__(
        self,
        database: Database | None = None,
        people: tuple[Person, ...] = (ADMIN, USER),
        *,
        state: Mapping[str, bytes] | None = None,
        config: Config | None = None,
        start: bool = True,
        **settings: object,
    ) -> None:
        self.database = bench() if database is None else database
        self.store: dict[str, bytes] = dict(state or {})
        self.store.setdefault("identity", Identity(DEVICE_ID, Secret(_LTSK)).to_json())
        for person in people:
            self.store["pairing/" + person.identifier.hex()] = person.paired.encode()
        self.config = config or Config(name="Bench", category=5, setup_code=CODE, setup_id="ADK1")
        self.settings = settings
        self.now = 100.0
        self.entropy = Draws()
        #: How keys begin that the store refuses.
        self.failing: set[str] = set()
        self._seed_setup()
        self.clear()
        self.engine = Peripheral(self.database, config=self.config, state=self.store, entropy=self.entropy, **settings)
        if start:
            self.engine.start(self.now)
        self.pump()

    def _seed_setup(self) -> None:
        if "setup" not in self.store and _MADE and self.config.setup_code == CODE:
            self.store.update(_MADE)

    def clear(self) -> None:
        """Forget what came out so far."""
        self.replies: list[GattReply | GattRefuse] = []
        self.events: list[Event] = []
        self.indications: list[int] = []
        self.adverts: list[SetAdvertisement | StopAdvertising] = []
        self.done: list[Done | Failed] = []
        self.dropped = False

    def restart(self) -> None:
        """The same accessory, after a power cut."""
        self.engine = Peripheral(
            self.database, config=self.config, state=self.store, entropy=self.entropy, **self.settings
        )
        self.engine.start(self.now)
        self.pump()

    def pump(self) -> None:
        while (output := self.engine.poll()) is not None:
            if isinstance(output, Persist):
                if output.key.startswith(tuple(self.failing)):
                    self.engine.effect_failed(output, "no room", self.now)
                    continue
                self.store[output.key] = output.value
                if output.key == "setup" and self.config.setup_code == CODE:
                    _MADE["setup"] = output.value
            elif isinstance(output, Forget):
                self.store.pop(output.key, None)
            elif isinstance(output, GattReply | GattRefuse):
                self.replies.append(output)
            elif isinstance(output, GattIndicate):
                self.indications.append(output.handle)
            elif isinstance(output, DropLink):
                self.dropped = True
            elif isinstance(output, SetAdvertisement | StopAdvertising):
                self.adverts.append(output)
            elif isinstance(output, Done | Failed):
                self.done.append(output)
            elif isinstance(output, Event):
                self.events.append(output)

    def wait(self, seconds: float) -> None:
        """Let time pass, with everything that is due in it."""
        until = self.now + seconds
        while (due := self.engine.next_timeout()) is not None and due <= until:
            assert due > self.now or self.now == max(self.now, due)
            self.now = max(self.now, due)
            self.engine.handle_timeout(self.now)
            self.pump()
        self.now = until

    def submit(self, command: object) -> object:
        self.engine.submit(command, self.now)
        self.pump()
        return self.done[-1]

    def connect(self, limit: int = 512) -> Central:
        return Central(self, limit)

    @property
    def on_air(self) -> RegularAdvert | EncryptedAdvert | None:
        last = self.adverts[-1]
        return None if isinstance(last, StopAdvertising) else parse_manufacturer_data(last.data[7:])

    @property
    def interval(self) -> float:
        last = self.adverts[-1]
        assert isinstance(last, SetAdvertisement)
        return last.interval

    def told(self, kind: type) -> list:
        return [one for one in self.events if isinstance(one, kind)]


class Central:
    """One link, in clear or with a session."""

    def __init__(self, rig: Rig, limit: int = 512) -> None:
        self.rig = rig
        self.limit = limit
        self.tid = 0
        self.write_cipher: RecordCipher | None = None
        self.read_cipher: RecordCipher | None = None
        self.shared: Secret | None = None
        self.resume_id = b""
        rig.engine.link_opened(rig.now, max_read=limit, max_write=limit)
        rig.pump()

    # Attributes.

    def handle(self, iid: int) -> int:
        cell = self.rig.engine.table.find(iid)
        assert cell is not None
        return cell.handle

    def _answer(self) -> bytes:
        reply = self.rig.replies.pop(0)
        assert not self.rig.replies
        if isinstance(reply, GattRefuse):
            raise Refused
        return reply.data

    def write_raw(self, iid: int, data: bytes) -> None:
        self.rig.engine.receive_write(self.handle(iid), data, self.rig.now)
        self.rig.pump()
        assert self._answer() == b""

    def read_raw(self, iid: int) -> bytes:
        self.rig.engine.receive_read(self.handle(iid), self.rig.now)
        self.rig.pump()
        return self._answer()

    def begin_read(self, iid: int) -> None:
        """Without expecting the answer at once."""
        self.rig.engine.receive_read(self.handle(iid), self.rig.now)
        self.rig.pump()

    def subscribe(self, iid: int, enabled: bool = True) -> None:
        self.rig.engine.receive_subscribe(self.handle(iid), enabled, self.rig.now)
        self.rig.pump()
        assert self._answer() == b""

    def confirm(self) -> None:
        self.rig.engine.indication_confirmed(self.rig.now)
        self.rig.pump()

    def close(self) -> None:
        self.rig.engine.link_closed(self.rig.now)
        self.rig.pump()

    # Fragments.

    @property
    def secured(self) -> bool:
        return self.write_cipher is not None

    def write(self, iid: int, fragment: bytes) -> None:
        """One fragment, encrypted if there is a session."""
        self.write_raw(iid, self.write_cipher.seal(fragment) if self.write_cipher else fragment)

    def read(self, iid: int) -> bytes:
        data = self.read_raw(iid)
        if self.read_cipher is None:
            return data
        opened = self.read_cipher.open(data)
        if opened is None:
            raise Unreadable
        return opened

    # Requests.

    def send(self, iid: int, opcode: int, body: bytes | None = None, *, target: int | None = None) -> int:
        """All fragments of a request; the transaction."""
        self.tid = (self.tid + 1) % 256
        limit = self.limit - (16 if self.secured else 0)
        request = Request(opcode, self.tid, iid if target is None else target, body)
        for fragment in write_request(request, limit):
            self.write(iid, fragment)
        return self.tid

    def receive(self, iid: int, tid: int | None = None) -> tuple[int, bytes]:
        """All fragments of a response: status and body."""
        reader = ResponseReader(self.tid if tid is None else tid)
        while (response := reader.feed(self.read(iid))) is None:
            pass
        return response.status, response.body

    def ask(self, iid: int, opcode: int, body: bytes | None = None, *, target: int | None = None) -> tuple[int, bytes]:
        self.send(iid, opcode, body, target=target)
        return self.receive(iid)

    def get(self, iid: int) -> bytes:
        """The value of a characteristic."""
        status, body = self.ask(iid, Opcode.CHARACTERISTIC_READ)
        assert status == 0, f"status {status}"
        value = tlv8.first(tlv8.decode(body), 1)
        assert value is not None
        return value

    def put(self, iid: int, value: bytes, *extra: tuple[int, bytes]) -> int:
        """Write a value; the status."""
        return self.ask(iid, Opcode.CHARACTERISTIC_WRITE, tlv8.encode([(1, value), *extra]))[0]

    def message(self, iid: int, message: bytes) -> tuple[int, bytes]:
        """A pairing message: status, and the message that answers it."""
        self.tid = (self.tid + 1) % 256
        body = tlv8.encode([(9, b"\1"), (1, message)])
        clear = iid in (SETUP, VERIFY)
        if self.rig.engine.table.find(iid) is None:
            iid += 0xFF00 - 0x20  # where the engine puts it, if the database has none
        for fragment in write_request(Request(2, self.tid, iid, body), self.limit - (16 if not clear else 0)):
            self.write_raw(iid, fragment) if clear else self.write(iid, fragment)
        reader = ResponseReader(self.tid)
        while (response := reader.feed(self.read_raw(iid) if clear else self.read(iid))) is None:
            pass
        self.answered(iid, response.status, response.body)
        return response.status, (tlv8.first(tlv8.decode(response.body), 1) or b"") if response.body else b""

    def answered(self, iid: int, status: int, body: bytes) -> None:
        """A pairing message was answered; for whoever records."""

    # Sessions.

    def verify(self, person: Person = ADMIN) -> Central:
        run = PairVerifyController(person.pairing, Draws())
        self.forget_session()
        status, m2 = self.message(VERIFY, run.m1())
        assert status == 0
        status, m4 = self.message(VERIFY, run.m3(m2))
        assert status == 0
        verified = run.finish(m4)
        self.secure(verified.shared_secret)
        self.resume_id = session_id(verified.shared_secret)
        return self

    def resume(self, person: Person, number: bytes, shared: Secret) -> bool:
        """Whether the accessory knew the session; else it has gone on with pair-verify up to M2."""
        run = PairResumeController(PairVerifyController(person.pairing, Draws()), number, shared)
        self.forget_session()
        status, m2 = self.message(VERIFY, run.m1())
        assert status == 0
        found = run.finish(m2)
        if found is None:
            return False
        self.resume_id, keys = found
        self.secure(keys.shared_secret)
        return True

    def forget_session(self) -> None:
        self.write_cipher = self.read_cipher = None

    def secure(self, shared: Secret) -> None:
        keys = session_keys(shared.reveal())
        self.shared = shared
        self.write_cipher, self.read_cipher = RecordCipher(keys.write), RecordCipher(keys.read)


def items(message: bytes) -> dict[int, bytes]:
    return dict(tlv8.decode(message))


def error(message: bytes) -> int:
    """The error of a pairing message, 0 for none."""
    return int.from_bytes(items(message).get(Item.ERROR, b""), "little")
