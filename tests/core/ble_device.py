"""A scripted Bluetooth LE accessory and an air between it and a controller's engine, all in virtual time.

The device speaks GATT and PDUs by hand: it is strict where Apple's is, and can be told to misbehave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.core.pairing_kit import ACCESSORY, CODE, CONTROLLER, PAIRED, PAIRING, Draws

from hapcore.ble import uuids
from hapcore.ble.advert import EncryptedAdvert, RegularAdvert, broadcast_key, seal_broadcast
from hapcore.ble.controller import (
    Advertisement,
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattResult,
    GattSubscribe,
    GattWrite,
    Peer,
    Scan,
)
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.signature import (
    CharacteristicProperties,
    CharacteristicSignature,
    ServiceProperties,
    ServiceSignature,
    write_characteristic_signature,
    write_service_signature,
)
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, RequestReader, Response, write_response
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.srp import make_verifier
from hapcore.engine import Command, CommandId, Done, Failed, Forget, Output, Persist
from hapcore.model.metadata import Format, Metadata
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE, PROTOCOL_INFORMATION, SERVICE_SIGNATURE
from hapcore.model.uuid import PAIRING as PAIRING_SERVICE
from hapcore.pairing import pairings
from hapcore.pairing.resume import ResumeCache, ResumeDesk, session_id
from hapcore.pairing.setup import SetupDesk
from hapcore.pairing.verify import VerifyDesk

__all__ = ["Air", "Device", "E", "PAIRING", "R", "W"]

R, W, E = CharacteristicProperties.READ, CharacteristicProperties.WRITE, CharacteristicProperties.EVENTS
GONE, CAST = CharacteristicProperties.DISCONNECTED_EVENTS, CharacteristicProperties.BROADCAST
TIMED, AUTH = CharacteristicProperties.TIMED_WRITE, CharacteristicProperties.AUTHORIZATION
ADDRESS = "C0:FF:EE:00:00:01"
_VERIFIER = make_verifier(CODE, b"sixteen raw byte")


def short(digits: str) -> str:
    return digits.rjust(8, "0") + BASE


class _Source:
    fixed = True

    def current(self) -> Any:
        return _VERIFIER


#: (service, iid, properties, linked), then (type, iid, properties, metadata, value) of its characteristics.
BOOL, INT = Metadata(Format.BOOL, ()), Metadata(Format.INT, (), min=0, max=100)
DATABASE: list[tuple[tuple[str, int, int, tuple[int, ...]], list[tuple[str, int, int, Metadata, bytes]]]] = [
    (
        (ACCESSORY_INFORMATION, 1, 0, ()),
        [
            (short("14"), 2, W, BOOL, b""),
            (short("23"), 3, R, Metadata(Format.STRING, ()), b"Lamp"),
        ],
    ),
    (
        (PROTOCOL_INFORMATION, 0x10, ServiceProperties.CONFIGURATION, ()),
        [
            (SERVICE_SIGNATURE, 0x11, R, Metadata(Format.DATA, ()), b""),
            (short("37"), 0x12, R, Metadata(Format.STRING, ()), b"2.2.0"),
        ],
    ),
    (
        (PAIRING_SERVICE, 0x20, 0, ()),
        [
            (uuids.PAIR_SETUP, 0x22, 3, Metadata(Format.TLV8, ()), b""),
            (uuids.PAIR_VERIFY, 0x23, 3, Metadata(Format.TLV8, ()), b""),
            (uuids.PAIRING_FEATURES, 0x24, 1, Metadata(Format.UINT8, ()), b"\0"),
            (uuids.PAIRING_PAIRINGS, 0x25, 0x30, Metadata(Format.TLV8, ()), b""),
        ],
    ),
    (
        (short("43"), 0x30, ServiceProperties.PRIMARY, (0x40, 0, 0x99)),
        [
            (SERVICE_SIGNATURE, 0x31, R, Metadata(Format.DATA, ()), b""),
            (short("25"), 0x33, R | W | E | GONE | CAST, BOOL, b"\0"),
            (short("8"), 0x34, R | W | E | GONE, INT, (50).to_bytes(4, "little")),
        ],
    ),
    # The same service again: only numbers tell the two apart.
    (
        (short("43"), 0x40, 0, ()),
        [(SERVICE_SIGNATURE, 0x41, R, Metadata(Format.DATA, ()), b""), (short("25"), 0x43, R | W | E, BOOL, b"\1")],
    ),
    (
        (short("45"), 0x50, 0, ()),
        [
            (short("1E"), 0x51, R | W | E | TIMED | AUTH, Metadata(Format.UINT8, (), min=0, max=3), b"\0"),
            (short("73"), 0x52, R | E, Metadata(Format.UINT8, ()), b"\0"),
            (short("A0000001"), 0x53, R | W, Metadata(Format.DATA, ()), b""),
            (short("118"), 0x54, R | W, Metadata(Format.TLV8, ()), b"\x01\x01\x00"),
        ],
    ),
]


class Device:
    """The accessory. `bad` names a misbehaviour; `writes` notes what was written by opcode, iid and body."""

    def __init__(self, *, paired: bool = True, max_write: int = 182, bad: str = "") -> None:
        self.max_write = max_write or 97
        self.told_max_write = max_write
        self.bad = bad
        self.gsn, self.cn = 1, 1
        self.draws = Draws("device")
        self.setup = SetupDesk(ACCESSORY, _Source(), self.draws)
        self.cache = ResumeCache()
        self.resume = ResumeDesk(self.cache, self.draws)
        self.pairings = {PAIRED.identifier: PAIRED} if paired else {}
        self.values: dict[int, bytes] = {}
        self.known: dict[int, CharacteristicSignature] = {}
        self.services: dict[int, ServiceSignature] = {}
        self.signature_of: dict[int, int] = {}
        self.by_handle: dict[int, int] = {}
        self.descriptors: dict[int, int] = {}
        self.statuses: dict[tuple[int, int], int] = {}
        self.log: list[tuple[int, int, bytes | None]] = []
        self.clear_log: list[int] = []
        self.fragment_sizes: list[int] = []
        self.responded: Callable[[int, int, Response], Response] = lambda opcode, iid, response: response
        self.key: Any = None
        self.casting: set[int] = set()
        self.table: tuple[GattService, ...] = ()
        self.build()
        self.connected = False
        self._reset()

    def build(self, skip: int = 0) -> None:
        """Make the GATT table; with `skip` one service is left out."""
        handle = 1
        services = []
        for (kind, iid, properties, linked), characteristics in DATABASE:
            if iid == skip:
                continue
            self.services[iid] = ServiceSignature(ServiceProperties(properties), linked)
            iid_handle = handle + 1
            self.descriptors[iid_handle] = iid
            start, handle = handle, handle + 2
            made = []
            for uuid, number, rights, meta, value in characteristics:
                made.append(GattCharacteristic(uuid, 0, handle, indicates=bool(rights & E)))
                self.by_handle[handle] = number
                self.values.setdefault(number, value)
                self.known[number] = CharacteristicSignature(uuid, iid, kind, CharacteristicProperties(rights), meta)
                if uuid == SERVICE_SIGNATURE:
                    self.signature_of[number] = iid
                handle += 3
            # The order of hosts is not that of handles.
            services.append(GattService(kind, 0, start, tuple(reversed(made)), iid_handle))
        services.append(GattService("00001800-0000-1000-8000-00805F9B34FB", 0, 900, ()))
        self.table = tuple(reversed(services))

    def _reset(self) -> None:
        self.verify = VerifyDesk(ACCESSORY, self.draws)
        self.read_cipher: RecordCipher | None = None
        self.write_cipher: RecordCipher | None = None
        self.reader: RequestReader | None = None
        self.pending: Response | None = None
        self.fragments: list[bytes] = []
        self.active = 0
        self.timed: tuple[int, list[tuple[int, bytes]]] | None = None
        self.indicating: set[int] = set()
        self.session: Any = None
        self.next_keys: Any = None
        self.protected = False

    # --- GATT -----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        assert not self.connected, "connected twice"
        self.connected = True
        self._reset()

    def closed(self) -> None:
        self.connected = False
        self.setup.release("link")
        self._reset()

    def write(self, handle: int, data: bytes) -> None:
        iid = self.by_handle[handle]
        assert len(data) <= max(self.max_write, 36), len(data)
        self.fragment_sizes.append(len(data))
        if self.reader is None:
            assert not self.fragments, "a request before the answer to another was read"
            self.reader, self.active = RequestReader(), handle
            self.protected = self.write_cipher is not None and self.known[iid].type not in (
                uuids.PAIR_SETUP,
                uuids.PAIR_VERIFY,
                uuids.PAIRING_FEATURES,
            )
        assert handle == self.active, "two characteristics at once"
        if self.protected:
            opened = self.write_cipher.open(data) if self.write_cipher is not None else None
            assert opened is not None, "the engine's record does not decrypt"
            data = opened
        request = self.reader.feed(data)
        if request is not None:
            self.log.append((request.opcode, request.iid, request.body))
            if not self.protected:
                self.clear_log.append(iid)
            wrong = request.iid != iid and iid not in self.signature_of
            response = Response(request.tid, 4) if wrong else self.serve(request.opcode, iid, request)
            response = self.responded(request.opcode, iid, response)
            limit = max(self.max_write + 2, 36) - (16 if self.protected else 0)
            self.fragments = write_response(response, limit)
            self.reader = None

    def read(self, handle: int) -> bytes:
        if handle in self.descriptors:
            return self.descriptors[handle].to_bytes(2, "little")
        assert self.fragments, "a read that nothing is owed to"
        assert handle == self.active, "a read of another characteristic"
        data = self.fragments.pop(0)
        if self.protected:
            assert self.read_cipher is not None
            data = self.read_cipher.seal(data)
        if not self.fragments and self.next_keys is not None:
            session, self.next_keys = self.next_keys, None
            self.session = session
            self.read_cipher, self.write_cipher = RecordCipher(session.keys.read), RecordCipher(session.keys.write)
        return data

    # --- PDUs -----------------------------------------------------------------------------------------------------

    def serve(self, opcode: int, iid: int, request: Any) -> Response:
        items = tlv8.decode(request.body or b"")
        status = self.statuses.get((opcode, iid))
        if status is not None:
            return Response(request.tid, status)
        body: bytes | None = b""
        if opcode == Opcode.CHARACTERISTIC_SIGNATURE_READ:
            body = write_characteristic_signature(self.known[iid])
        elif opcode == Opcode.SERVICE_SIGNATURE_READ:
            found = self.services.get(request.iid)
            body = b"\x10\0" if found is None else write_service_signature(found)
        elif self.known[iid].type in (uuids.PAIR_SETUP, uuids.PAIR_VERIFY, uuids.PAIRING_PAIRINGS):
            body = self._pairing(iid, tlv8.first(items, 1) or b"")
        elif opcode == Opcode.CHARACTERISTIC_READ:
            body = tlv8.encode([(1, self.values[iid])])
        elif opcode == Opcode.CHARACTERISTIC_WRITE:
            if self.known[iid].properties & TIMED:
                return Response(request.tid, 6)
            self.values[iid] = tlv8.first(items, 1) or b""
            body = tlv8.encode([(1, self.values[iid])]) if tlv8.first(items, 9) else b""
        elif opcode == Opcode.CHARACTERISTIC_TIMED_WRITE:
            self.timed = (iid, items)
        elif opcode == Opcode.CHARACTERISTIC_EXECUTE_WRITE:
            assert self.timed is not None
            assert self.timed[0] == iid
            self.values[iid] = tlv8.first(self.timed[1], 1) or b""
            self.timed = None
        elif opcode == Opcode.PROTOCOL_CONFIGURATION:
            body = self._configure({kind for kind, _ in items})
        elif opcode == Opcode.CHARACTERISTIC_CONFIGURATION:
            on = tlv8.first(items, 1) == b"\x01\x00"
            (self.casting.add if on else self.casting.discard)(iid)
            body = tlv8.encode([(2, b"\x01"), (1, b"\x01\x00")] if on else [(1, b"\0\0")])
        return Response(request.tid, 6) if body is None else Response(request.tid, 0, body)

    def _configure(self, wanted: set[int]) -> bytes:
        if 1 in wanted:
            self.key = broadcast_key(self.session.shared_secret, CONTROLLER.ltpk)
        if 2 not in wanted:
            return b""
        found = [(1, self.gsn.to_bytes(2, "little")), (2, bytes((self.cn,)))]
        found.append((3, bytes.fromhex(ACCESSORY.device_id.replace(":", ""))))
        if self.key is not None:
            found.append((4, self.key.reveal()))
        return tlv8.encode(found)

    def _pairing(self, iid: int, message: bytes) -> bytes | None:
        kind = self.known[iid].type
        reply: bytes | None
        if kind == uuids.PAIR_SETUP:
            step = self.setup.receive("link", message, paired=bool(self.pairings), failed_attempts=0, now=0.0)
            if step.pairing is not None:
                self.pairings[step.pairing.identifier] = step.pairing
            reply = step.reply
        elif kind == uuids.PAIR_VERIFY:
            self.read_cipher = self.write_cipher = self.session = None
            found = self.resume.receive(message, self.pairings)
            if isinstance(found, bytes):
                found = self.verify.receive(found, self.pairings)
                if found.session is not None:
                    number = session_id(found.session.shared_secret)
                    self.cache.store(number, found.session.controller.identifier, found.session.shared_secret)
            self.next_keys = found.session
            reply = found.reply
        else:
            handled = pairings.handle(message, caller=self.session.controller, table=self.pairings)
            for one in handled.store:
                self.pairings[one.identifier] = one
            for gone in handled.remove:
                self.pairings.pop(gone, None)
            reply = handled.reply
        return None if reply is None else tlv8.encode([(1, reply)])

    # --- adverts --------------------------------------------------------------------------------------------------

    def advert(self) -> bytes:
        status = 0 if self.pairings else 1
        return RegularAdvert(ACCESSORY.device_id, 5, self.gsn, self.cn, status).manufacturer_data()

    def broadcast(self, iid: int, value: bytes) -> bytes:
        """A broadcast of a change; the state number moves."""
        self.gsn = self.gsn % 65535 + 1
        self.values[iid] = value
        identifier = bytes.fromhex(ACCESSORY.device_id.replace(":", ""))
        payload = seal_broadcast(self.key, identifier, self.gsn, iid, value)
        return EncryptedAdvert(identifier, payload).manufacturer_data()


class Air:
    """An engine and a device, tied together in virtual time.

    `hook(effect)` may return "error", "silent", "lost" or "late lost" to spoil one GATT operation.
    """

    def __init__(self, engine: Peer, device: Device, *, advertising: bool = True) -> None:
        self.engine, self.device = engine, device
        self.time = 0.0
        self.outputs: list[Output] = []
        self.effects: list[Output] = []
        self.stored: dict[str, bytes] = {}
        self.scanning = False
        self.advertising = advertising
        self.hook: Callable[[Output], str | None] = lambda effect: None

    def do(self, command: Command[Any]) -> CommandId:
        number = self.engine.submit(command, self.time)
        self.pump()
        return number

    def ask(self, command: Command[Any], seconds: float = 120.0) -> Any:
        """Submit and let time pass until it has ended: the result, or the error."""
        return self.wait(self.do(command), seconds)

    def wait(self, number: CommandId, seconds: float = 120.0) -> Any:
        end = self.time + seconds
        while not self.replies(number):
            assert self.step(end), f"no reply in {seconds} s"
        (reply,) = self.replies(number)
        return reply.result if isinstance(reply, Done) else reply.error

    def replies(self, number: CommandId) -> list[Done | Failed]:
        return [one for one in self.outputs if isinstance(one, Done | Failed) and one.command == number]

    def events(self, kind: type) -> list[Any]:
        return [one for one in self.outputs if isinstance(one, kind)]

    def step(self, end: float) -> bool:
        """On to the next thing that happens: an advertisement or a deadline."""
        times = [end]
        due = self.engine.next_timeout()
        if due is not None:
            times.append(due)
        if self.advertising and not self.device.connected and self.scanning:
            times.append(self.time + 0.5)
        then = min(times)
        if then >= end and then not in times[1:]:
            self.time = end
            return False
        self.time = max(self.time, then)
        if due is not None and then >= due:
            self.engine.handle_timeout(self.time)
            self.pump()
        elif then < end:
            self.say(self.device.advert())
        return True

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        while self.step(end):
            pass

    def say(self, manufacturer_data: bytes) -> None:
        """An advertisement."""
        if not self.device.connected:
            self.engine.receive_advertisement(Advertisement(ADDRESS, manufacturer_data, "Lamp", -50), self.time)
            self.pump()

    def indicate(self, iid: int, value: bytes) -> None:
        """A change while there is a link."""
        self.device.values[iid] = value
        handle = next(handle for handle, number in self.device.by_handle.items() if number == iid)
        assert handle in self.device.indicating
        self.engine.receive_indication(handle, self.time)
        self.pump()

    def lose(self) -> None:
        """The link breaks."""
        self.device.closed()
        self.engine.link_lost(self.time)
        self.pump()

    def pump(self) -> None:
        while (output := self.engine.poll()) is not None:
            if isinstance(output, Persist):
                self.stored[output.key] = output.value
            elif isinstance(output, Forget):
                self.stored.pop(output.key, None)
            elif isinstance(output, Scan):
                self.scanning = output.on
            elif isinstance(
                output, GattConnect | GattDisconnect | GattRead | GattReadDescriptor | GattWrite | GattSubscribe
            ):
                self.effects.append(output)
                self._carry_out(output)
            self.outputs.append(output)

    def _carry_out(self, effect: Any) -> None:
        device, engine = self.device, self.engine
        spoilt = self.hook(effect)
        if isinstance(effect, GattDisconnect):
            device.closed()
            if spoilt != "silent":
                engine.link_lost(self.time)
            return
        if spoilt == "silent":
            return
        if spoilt == "error":
            engine.receive_gatt(GattResult(effect.operation, error="not today"), self.time)
            return
        if spoilt == "lost":
            if device.connected:
                device.closed()
            engine.link_lost(self.time)
            return
        result = self._result(effect)
        if spoilt == "late lost":
            device.closed()
            engine.link_lost(self.time)
            return
        engine.receive_gatt(result, self.time)

    def _result(self, effect: Any) -> GattResult:
        device = self.device
        match effect:
            case GattConnect():
                assert effect.address == ADDRESS
                device.opened()
                return GattResult(effect.operation, table=device.table, max_write=device.told_max_write)
            case GattRead():
                return GattResult(effect.operation, device.read(effect.handle))
            case GattReadDescriptor():
                assert effect.uuid == uuids.CHARACTERISTIC_INSTANCE_ID
                return GattResult(effect.operation, device.by_handle[effect.handle].to_bytes(2, "little"))
            case GattWrite():
                device.write(effect.handle, effect.data)
                return GattResult(effect.operation)
            case _:
                (device.indicating.add if effect.enabled else device.indicating.discard)(effect.handle)
                return GattResult(effect.operation)


def paired(device: Device | None = None, **options: Any) -> Air:
    """An engine that is paired with a device that it has not seen yet."""
    return Air(Peer(entropy=Draws("controller"), pairing=PAIRING, **options), device or Device())


def unpaired(device: Device | None = None, **options: Any) -> Air:
    """An engine for a device that nobody has paired."""
    options.setdefault("device_id", ACCESSORY.device_id)
    return Air(Peer(entropy=Draws("controller"), **options), device or Device(paired=False))
