"""`hap decode`: what it prints, and what it says about files that are no captures, or no longer whole."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("pcapng", reason="captures are read with the extra `decode`")

from click.testing import CliRunner
from tests.cli.program import failure, hap
from tests.decode.session import TO_ACCESSORY, TO_CONTROLLER, Talk, whole
from tests.decode.wire import Packet, Stream, ethernet, pcap, pcapng, raw

from hap_trio.cli import group
from hap_trio.cli.captures import MAX_BLOCK, Capture
from hapcore.decode import KeyRing, Traffic
from hapcore.pairing.keylog import read_key_log

DATA = Path(__file__).parent / "data"
FOREIGN = (DATA / "foreign.pcapng", "--keylog", DATA / "foreign.keys")


def run(*arguments: object, stdin: bytes = b""):
    return CliRunner().invoke(group.hap, ["decode", *map(str, arguments)], input=stdin)


@pytest.fixture(scope="module")
def talk():
    return whole()[2]


@pytest.fixture(scope="module")
def keys(talk, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys.log"
    path.write_bytes(talk.keys)
    return path


def test_as_a_person_sees_it():
    result = hap("decode", *FOREIGN)
    assert result.returncode == 0, result
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].endswith("--- connection opened  [127.0.0.1:34702 > 127.0.0.1:39821]")
    assert lines[1].endswith("--> pair-setup M1")
    assert any(line.endswith("<-- * event") for line in lines)
    assert "      1.10 Lightbulb.Brightness = 70" in lines


def test_details():
    shown = run(*FOREIGN, "-v").output
    assert "      Identifier: 46:1D:46:E8:CC:32" not in shown, "sealed, and no key of it is in the log"
    assert "      EncryptedData: <154 bytes>" in shown
    assert "      State: M3" in shown
    assert "      Content-Type: application/hap+json" in shown
    assert '          "perms": [' in shown
    assert "      PublicKey: <384 bytes>" in shown


def test_as_a_program_sees_it():
    lines = [json.loads(line) for line in run(*FOREIGN, "--json").output.splitlines()]
    assert [line["number"] for line in lines] == list(range(len(lines)))
    event = next(line for line in lines if line["kind"] == "event")
    assert event["touched"] == [{"aid": 1, "iid": 9, "name": "Lightbulb.On", "value": "false"}]
    answer = next(line for line in lines if line["title"] == "204 No Content")
    assert lines[answer["answers"]]["title"] == "PUT /characteristics"
    assert "data" not in event
    verbose = [json.loads(line) for line in run(*FOREIGN, "--json", "-v").output.splitlines()]
    event = next(line for line in verbose if line["kind"] == "event")
    assert bytes.fromhex(event["data"]).startswith(b"EVENT/1.0 200 OK\r\n")
    assert ["Content-Type", "application/hap+json"] in event["details"]


def test_only_some():
    every = [json.loads(line) for line in run(*FOREIGN, "--json").output.splitlines()]
    button = [json.loads(line) for line in run(*FOREIGN, "--json", "-c", "1.12").output.splitlines()]
    assert button == [line for line in every if any(one["iid"] == 12 for one in line.get("touched", []))]
    assert len(button) == 3
    for name in ("46:1d:46:e8:cc:32", "127.0.0.1", "127.0.0.1:39821"):
        assert run(*FOREIGN, "--json", "--accessory", name).output
    assert run(*FOREIGN, "--json", "--accessory", "127.0.0.1").output.count("\n") == len(every)
    assert run(*FOREIGN, "--json", "--accessory", "11:22:33:44:55:66").output == ""


def test_from_standard_input(talk, keys):
    result = run("-", "--keylog", keys, stdin=pcap(Stream(talk).packets))
    assert result.exit_code == 0, result.output
    assert "list pairings M2" in result.output


# Files that are none


def test_what_is_no_capture(tmp_path):
    file = tmp_path / "x"
    for data, said in [
        (b"", "is empty"),
        (b"\n", "is no capture"),
        (b"PK\x03\x04" + bytes(100), "is no capture: expected pcap or pcapng"),
        (pcap([]), "has no packets"),
        (pcapng([]), "has no packets"),
        (bytes(1000), "is no capture"),
    ]:
        file.write_bytes(data)
        result = run(file)
        assert result.exit_code == 1, data[:8]
        assert result.output.startswith("hap: "), data[:8]
        assert said in result.output, data[:8]
    assert "does not exist" in failure(hap("decode", tmp_path / "no"), 2)


def test_no_conversation_in_it(tmp_path):
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap([Packet(1.0, ("10.0.0.1", 1), ("10.0.0.2", 2), 5, 0, 16, b"hello")]))
    assert "has no conversation of HAP: 1 packets, 1 of TCP" in failure(hap("decode", file))


def test_a_link_that_is_not_understood(tmp_path, talk):
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap(Stream(talk).packets, raw, 147))
    result = run(file)
    assert result.exit_code == 1
    assert "packets have link type 147, which is not understood" in result.output


def test_every_prefix_of_a_pcap(tmp_path, talk, keys):
    check_prefixes(tmp_path, pcap(Stream(talk).packets), keys, 60)


def test_every_prefix_of_a_pcapng(tmp_path, talk, keys):
    check_prefixes(tmp_path, pcapng([(0, one) for one in Stream(talk).packets]), keys, 60)


def check_prefixes(tmp_path, data, keys, count):
    """Whatever is cut off, what came before is shown as in the whole, and it is said that something is missing."""
    complete, _ = played(data, keys)
    for size in sorted({*range(4, 60, 5), *random.Random(1).sample(range(60, len(data)), count)}):
        found, capture = played(data[:size], keys)
        assert not capture.damaged, (size, capture.trouble)
        assert not found or found.pop() in ("the capture ends", "connection closed")
        if found and found[-1].startswith("it ends inside a message"):
            found.pop()
        if found and "bytes missing here" in found[-1]:
            found.pop()  # confirmed, but not there
        assert found == complete[: len(found)], size
    file = tmp_path / "x"
    file.write_bytes(data[:-7])
    result = run(file, "--keylog", keys)
    assert result.exit_code == 0, result.output
    assert "the capture was cut off inside packet" in result.output


def played(data, keys):
    stream = io.BytesIO(data)
    capture = Capture(stream, stream.read(4))
    traffic = Traffic(KeyRing(read_key_log(keys.read_bytes()).sessions))
    found = [entry.title for packet in capture for entry in traffic.feed(*packet)]
    return found + [entry.title for entry in traffic.close()], capture


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@pytest.mark.parametrize("seed", range(12))
def test_files_with_turned_bits(kind, seed, talk, keys):
    packets = Stream(talk).packets
    data = bytearray(pcap(packets) if kind == "pcap" else pcapng([(0, one) for one in packets]))
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
    _found, capture = played(bytes(data), keys)
    assert capture.trouble is None or "the capture" in capture.trouble


def test_a_packet_that_claims_to_be_huge(tmp_path):
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    file = tmp_path / "x.pcap"
    file.write_bytes(head + struct.pack("<IIII", 1, 0, 0xFFFFFFF0, 0xFFFFFFF0) + bytes(100))
    assert "the capture is damaged behind packet 0: it has a block of 4294967280 bytes" in failure(hap("decode", file))


def test_damage_behind_what_could_be_read(tmp_path, talk, keys):
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap(Stream(talk).packets) + b"\xff" * 16)
    result = run(file, "--keylog", keys)
    assert result.exit_code == 1
    assert "list pairings M2" in result.output
    assert "the capture is damaged behind packet" in result.output


# Key logs


def test_key_logs_that_are_none(tmp_path, talk):
    capture = tmp_path / "x.pcap"
    capture.write_bytes(pcap(Stream(talk).packets))
    log = tmp_path / "keys"
    log.write_bytes(b"CLIENT_RANDOM 00 11\n" * 5)
    result = run(capture, "--keylog", log)
    assert result.exit_code == 0
    assert "line 1: expected it to begin with HAP1" in result.output
    assert "2 more lines cannot be read" in result.output
    assert "has no session" in result.output
    log.write_bytes(os.urandom(5000))
    assert "Traceback" not in run(capture, "--keylog", log).output
    assert "does not exist" in run(capture, "--keylog", tmp_path / "no").output


# What peers say


def test_control_characters_are_escaped(tmp_path):
    evil = b"\x1b]0;owned\x07\xe2\x80\xae"
    hostile = Talk()
    body = b'{"characteristics":[{"aid":1,"iid":9,"value":"\\u001b[2J' + evil + b'\\n"}]}'
    request = b"POST /pairings HTTP/1.1\r\nContent-Type: application/pairing+tlv8\r\nContent-Length: %d\r\n\r\n"
    tlv = b"\x06\x01\x01\x01" + bytes((len(evil),)) + evil
    hostile.sent = [
        (TO_ACCESSORY, b"GET /characteristics?id=1.9 HTTP/1.1\r\nHost: x\r\n\r\n", 1.0),
        (TO_CONTROLLER, b"HTTP/1.1 200 \xc2\x9b2J\x85\r\nContent-Type: application/hap+json\r\nX: \xc2\x9b\r\n"
         b"Content-Length: %d\r\n\r\n%b" % (len(body), body), 2.0),
        (TO_ACCESSORY, request % len(tlv) + tlv, 3.0),
    ]  # fmt: skip
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap(Stream(hostile).packets))
    shown = hap("decode", "-v", file)
    assert shown.returncode == 0
    assert all(one.isprintable() or one == "\n" for one in shown.stdout)
    assert "owned" in shown.stdout


# Size


def test_memory_does_not_grow_with_the_capture(talk, keys):
    """The same conversation again and again: what is held at most is the same for ten and for forty of them."""
    stream = Stream(talk)
    frames = [(ethernet(one), one.time) for one in stream.packets]

    def peak(times: int) -> int:
        traffic = Traffic()
        tracemalloc.start()
        try:
            for number in range(times):
                for frame, time in frames:
                    for _entry in traffic.feed(1, frame, time + 100 * number):
                        pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    assert peak(40) < peak(10) + 50_000


def test_a_stream_that_never_becomes_whole(talk):
    """A hole that is never filled, and a message that never ends, cost no more than their limits."""
    traffic = Traffic()
    ends = ("10.0.0.1", 1), ("10.0.0.2", 2)
    first = Packet(1.0, *ends, 0, 0, 2)
    request = b"PUT /characteristics HTTP/1.1\r\nContent-Length: 999999\r\n\r\n"
    tracemalloc.start()
    try:
        list(traffic.feed(1, ethernet(first), 1.0))
        list(traffic.feed(1, ethernet(Packet(1.0, *ends, 1, 0, 16, request)), 1.0))
        for number in range(3000):
            place = 1 + len(request) + 2000 + number * 1000
            list(traffic.feed(1, ethernet(Packet(1.0, *ends, place, 0, 16, bytes(1000))), 1.0))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert MAX_BLOCK < 1 << 26
