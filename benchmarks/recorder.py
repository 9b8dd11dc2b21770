"""What the flight recorder costs, over IP and over Bluetooth LE, and how fast a transcript is replayed."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import floors
from bench import Bench
from generator import SETUP_CODE
from report import Row, Table

from hap_sync.recording import Recording, read_lines
from hapcore.accessory.config import Config
from hapcore.ble.accessory import GattReply, Peripheral
from hapcore.ble.uuids import PAIR_VERIFY
from hapcore.catalogue import services
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter, Request, ResponseReader, write_request
from hapcore.crypto.keys import ed25519_public
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.secret import Secret
from hapcore.ip.accessory import Server
from hapcore.model.accessory import Accessory
from hapcore.pairing.records import Identity, PairedController, Pairing
from hapcore.pairing.verify import PairVerifyController
from hapcore.replay import replay_lines
from hapcore.setup_code import SetupCode

#: Attribute values on the link, in bytes: what phones agree on.
LIMIT = 512
ADDRESS = "12:34:56:78:9A:BC"
KINDS = (
    ("not recorded", "", False),
    ("redacted", "plain.jsonl", False),
    ("redacted, gzip", "packed.jsonl.gz", False),
    ("with secrets", "secrets.jsonl", True),
    ("with secrets, gzip", "secrets.jsonl.gz", True),
)


class BareLink:
    """Our accessory engine over Bluetooth LE with a verified link, and nothing else."""

    def __init__(self, *, make: Callable[..., Peripheral] = Peripheral) -> None:
        bulb = services.Lightbulb(on=False, brightness=40)
        ours, theirs = (hashlib.sha256(name).digest() for name in (b"accessory", b"controller"))
        paired = PairedController(b"controller", ed25519_public(theirs), admin=True)
        self.engine = make(
            Accessory("Light", services=[bulb]),
            config=Config(name="Light", category=5, setup_code=SetupCode(SETUP_CODE)),
            state={
                "identity": Identity(ADDRESS, Secret(ours)).to_json(),
                "pairing/" + paired.identifier.hex(): paired.encode(),
            },
            entropy=lambda _label, length: os.urandom(length),
        )
        self.tid = 0
        self.ciphers: tuple[RecordCipher, RecordCipher] | None = None
        self.engine.start(0.0)
        self.engine.link_opened(0.0, max_read=LIMIT, max_write=LIMIT)
        self._drain()
        own = [one for service in self.engine.gatt for one in service.characteristics]
        verify = next(one for one in own if one.uuid == PAIR_VERIFY)
        self.on = next(one for one in own if one.iid == bulb.on.iid)
        machine = PairVerifyController(Pairing(ADDRESS, ed25519_public(ours), "controller", Secret(theirs)), os_entropy)
        m2 = self._message(verify.handle, verify.iid, machine.m1())
        keys = machine.finish(self._message(verify.handle, verify.iid, machine.m3(m2))).keys
        self.ciphers = RecordCipher(keys.write), RecordCipher(keys.read)

    def _drain(self) -> bytes:
        data = b""
        while (output := self.engine.poll()) is not None:
            if isinstance(output, GattReply):
                data = output.data
        return data

    def _message(self, handle: int, iid: int, message: bytes) -> bytes:
        body = tlv8.encode([(Parameter.RETURN_RESPONSE, b"\1"), (Parameter.VALUE, message)])
        answer = self.ask(handle, iid, Opcode.CHARACTERISTIC_WRITE, body)
        value = tlv8.first(tlv8.decode(answer), Parameter.VALUE)
        assert value is not None
        return value

    def ask(self, handle: int, iid: int, opcode: Opcode, body: bytes | None = None) -> bytes:
        """One procedure; the body of the answer."""
        self.tid = self.tid % 255 + 1
        for fragment in write_request(Request(opcode, self.tid, iid, body), LIMIT - 16):
            self.engine.receive_write(handle, self.ciphers[0].seal(fragment) if self.ciphers else fragment, 0.0)
            self._drain()
        reader = ResponseReader(self.tid)
        while True:
            self.engine.receive_read(handle, 0.0)
            data: bytes | None = self._drain()
            if self.ciphers:
                data = self.ciphers[1].open(data or b"")
            assert data is not None
            if (response := reader.feed(data)) is not None:
                assert not response.status
                return response.body

    def serve(self, kind: str, count: int) -> tuple[float, float]:
        """Procedures per second, and CPU microseconds for each."""
        started, used = time.perf_counter(), time.process_time()
        for number in range(count):
            if kind == "GET":
                self.ask(self.on.handle, self.on.iid, Opcode.CHARACTERISTIC_READ)
            else:
                body = tlv8.encode([(Parameter.VALUE, bytes((number & 1,)))])
                self.ask(self.on.handle, self.on.iid, Opcode.CHARACTERISTIC_WRITE, body)
        took = time.perf_counter() - started
        return count / took, (time.process_time() - used) / count * 1e6


def os_entropy(_label: str, length: int) -> bytes:
    """Of the system."""
    return os.urandom(length)


def recorder(bench: Bench) -> tuple[Table, Table]:
    """The engines in memory, alone and recorded into a file; then what is in those files, replayed."""
    table, replayed = Table("Recorder", ("CPU us", "rate/s")), Table("Replay", ("CPU us", "rate/s"))
    count = int(bench.size.seconds * 5000)
    for _ in range(bench.size.rounds):
        os.sched_setaffinity(0, {bench.cores[1]})
        for label, name, secrets in KINDS:
            for transport in ("IP", "BLE"):
                with tempfile.TemporaryDirectory() as folder:
                    _record(table, transport, label, Path(folder, name) if name else None, secrets, count)
                    if name:
                        # A request and its answer each, in both kinds, the warming up included.
                        messages = 4 * (count + count // 10)
                        _replay(replayed, f"{transport}, {label}", Path(folder, name), messages)
    return table, replayed


def _record(table: Table, transport: str, label: str, file: Path | None, secrets: bool, count: int) -> None:
    with ExitStack() as stack:
        tape = None if file is None else stack.enter_context(Recording(file, with_secrets=secrets))
        bare: floors.Bare | BareLink
        if transport == "IP":
            bare = floors.Bare(make=Server if tape is None else tape.server)
        else:
            bare = BareLink(make=Peripheral if tape is None else tape.peripheral)
        for kind in ("GET", "PUT"):
            bare.serve(kind, count // 10)
            rate, used = bare.serve(kind, count)
            row = Row(f"bare engine over {transport}, {kind} in memory, {label}", "")
            table.add(row, "CPU us", used)
            table.add(row, "rate/s", rate)


def _replay(table: Table, label: str, file: Path, messages: int) -> None:
    """Requests and answers per second; the handshakes, which are few, are in the time."""
    started, used = time.perf_counter(), time.process_time()
    (found,) = replay_lines(read_lines(file))
    assert found.outcome.first is None, str(found.outcome.first)
    took = time.perf_counter() - started
    table.add(Row(f"replayed, {label}", ""), "CPU us", (time.process_time() - used) / messages * 1e6)
    table.add(Row(f"replayed, {label}", ""), "rate/s", messages / took)
