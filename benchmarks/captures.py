"""`hap decode` with large captures: how long it takes, and how much memory at most."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import Bench
from program import SOURCE
from report import Row, Table

from hapcore.codec.http import write_event, write_request, write_response
from hapcore.crypto.frames import FrameSealer, SessionKeys
from hapcore.crypto.secret import Secret
from hapcore.decode import KeyRing, Traffic
from hapcore.engine import ConnectionId
from hapcore.pairing.keylog import SessionKeysMade, read_key_log, write_line

JSON = "application/hap+json"
VALUES = b",".join(b'{"aid":%d,"iid":9,"value":%d}' % (aid, aid % 2) for aid in range(2, 12))
DATABASE = b'{"accessories":[%b]}' % b",".join(
    b'{"aid":%d,"services":[{"iid":8,"type":"43","characteristics":[{"iid":9,"type":"25","format":"bool",'
    b'"perms":["pr","pw","ev"],"value":0}]}]}' % aid
    for aid in range(1, 13)
)
SESSIONS = 8


class Session:
    """One connection that was encrypted just before: packets with what both sides say, for ever."""

    def __init__(self, number: int) -> None:
        keys = SessionKeys(Secret(bytes((number, 1)) * 16), Secret(bytes((number, 2)) * 16))
        made = SessionKeysMade(ConnectionId(number), b"", f"00:00:00:00:00:{number:02X}", b"home", keys)
        self.line = write_line(made, 1.0)
        self._sealers = FrameSealer(keys.write), FrameSealer(keys.read)
        self._ends = bytes((10, 0, 0, 4)), bytes((10, 0, 1, number))
        self._ports = 50000 + number, 5001
        self._places = [1, 1]
        self.packets = self._talk()

    def _packet(self, way: int, data: bytes) -> bytes:
        source, target = (self._ends[way], self._ends[1 - way])
        place, confirmed = self._places[way], self._places[1 - way]
        self._places[way] = (place + len(data)) % 2**32
        tcp = struct.pack(">HHIIBBHI", self._ports[way], self._ports[1 - way], place, confirmed, 80, 24, 65535, 0)
        ip = struct.pack(">BBHIBBH", 0x45, 0, 40 + len(data), 7 << 16, 64, 6, 0) + source + target
        return bytes(12) + b"\x08\x00" + ip + tcp + data

    def _say(self, way: int, message: bytes) -> Iterator[bytes]:
        sealed = self._sealers[way].seal(message)
        for place in range(0, len(sealed), 1448):
            yield self._packet(way, sealed[place : place + 1448])
        yield self._packet(1 - way, b"")

    def _talk(self) -> Iterator[bytes]:
        ids = ",".join(f"{aid}.9" for aid in range(2, 12))
        yield from self._say(0, write_request("GET", "/accessories", "10.0.1.1"))
        yield from self._say(1, write_response(200, JSON, DATABASE))
        while True:
            yield from self._say(0, write_request("GET", f"/characteristics?id={ids}", "10.0.1.1"))
            yield from self._say(1, write_response(200, JSON, b'{"characteristics":[%b]}' % VALUES))
            body = b'{"characteristics":[{"aid":2,"iid":9,"value":1}]}'
            yield from self._say(0, write_request("PUT", "/characteristics", "10.0.1.1", JSON, body))
            yield from self._say(1, write_response(204))
            yield from self._say(1, write_event(b'{"characteristics":[{"aid":3,"iid":9,"value":0}]}'))


def write_pcap(path: Path, size: int) -> tuple[bytes, int]:
    """Write a capture of about `size` bytes; its key log, and how many packets it has."""
    sessions = [Session(number) for number in range(SESSIONS)]
    written = count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        while written < size:
            for session in sessions:
                for _ in range(4):
                    packet = next(session.packets)
                    moment = 1_763_640_000_000_000 + count * 100
                    head = struct.pack("<IIII", *divmod(moment, 1_000_000), len(packet), len(packet))
                    file.write(head + packet)
                    written += len(packet) + 16
                    count += 1
    return b"".join(session.line for session in sessions), count


def _run(arguments: list[str]) -> tuple[float, float, float]:
    """CPU seconds, megabytes at most, lines on stdout."""
    environment = dict(os.environ, PYTHONPATH=str(SOURCE))
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, "-m", "hap_trio.cli", *arguments], stdout=output, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"hap {' '.join(arguments)} ended with {process.returncode}")
        output.seek(0)
        lines = sum(piece.count(b"\n") for piece in iter(lambda: output.read(1 << 20), b""))
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, lines


def decode(bench: Bench) -> Table:
    """Captures of one size and ten times that: the time grows with it, the memory does not."""
    table = Table("Decode", ("CPU s", "peak MB", "MB/s", "packets/s", "lines"))
    large = 100 if bench.size.seconds >= 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        for size in (large // 10, large):
            capture, log = Path(folder, f"{size}.pcap"), Path(folder, f"{size}.keys")
            keys, count = write_pcap(capture, size * 1_000_000)
            log.write_bytes(keys)
            for name, options in (("text", []), ("JSON", ["--json"])):
                for _ in range(1 if size == large else bench.size.rounds):
                    used, peak, lines = _run(["decode", str(capture), "--keylog", str(log), *options])
                    row = Row(f"{size} MB of pcap, {count} packets, as {name}", "")
                    for subject, value in (
                        ("CPU s", used),
                        ("peak MB", peak),
                        ("MB/s", size / used),
                        ("packets/s", count / used),
                        ("lines", lines),
                    ):
                        table.add(row, subject, value)
            _without_printing(table, capture, keys, size, count)
    return table


def _without_printing(table: Table, capture: Path, keys: bytes, size: int, count: int) -> None:
    """The decoder alone, in this process: no library, no text."""
    before = os.times()
    traffic = Traffic(KeyRing(read_key_log(keys).sessions))
    entries = 0
    with capture.open("rb") as file:
        file.read(24)
        while head := file.read(16):
            second, rest, length, _ = struct.unpack("<IIII", head)
            for _entry in traffic.feed(1, file.read(length), second + rest / 1e6):
                entries += 1
    for _entry in traffic.close():
        entries += 1
    after = os.times()
    used = after.user + after.system - before.user - before.system
    row = Row(f"{size} MB of pcap, {count} packets, decoder alone", "")
    table.add(row, "CPU s", used)
    table.add(row, "MB/s", size / used)
    table.add(row, "packets/s", count / used)
    table.add(row, "lines", entries)
