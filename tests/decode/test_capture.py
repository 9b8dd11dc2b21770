"""Captures as networks make them: in any wrapping, with loss, repetition and disorder, begun in the middle."""

from __future__ import annotations

import random
import re
import struct

import pytest

pytest.importorskip("pcapng", reason="captures are read with the extra `decode`")

from attrs import evolve
from tests.decode.listening import gaps, heard, said
from tests.decode.session import TO_ACCESSORY, TO_CONTROLLER, House, Talk, whole
from tests.decode.wire import (
    ACCESSORY,
    ACK,
    CONTROLLER,
    PSH,
    RST,
    Packet,
    Stream,
    cooked,
    cooked2,
    cut,
    ethernet,
    loopback,
    pcap,
    pcapng,
    raw,
)

from hapcore.decode import Conversation, KeyRing, Kind
from hapcore.pairing.keylog import read_key_log


@pytest.fixture(scope="module")
def session() -> tuple[House, Talk, Talk]:
    return whole(rooms=12)


@pytest.fixture(scope="module")
def talk(session) -> Talk:
    return session[2]


@pytest.fixture(scope="module")
def keys(talk) -> KeyRing:
    return KeyRing(read_key_log(talk.keys).sessions)


@pytest.fixture(scope="module")
def complete(talk, keys) -> list[str]:
    """What is said when nothing is missing."""
    lines = said(heard(pcap(Stream(talk).packets), keys))
    assert len(lines) > 15
    assert any("Lightbulb.On=true" in line and "event" in line for line in lines)
    return lines


V6 = {"controller": ("fe80::1:2", 51622), "accessory": ("fe80::9", 5001)}
HOP = bytes([60, 0, 1, 4, 0, 0, 0, 0])
OPTIONS = bytes([6, 0, 1, 4, 0, 0, 0, 0])
ROUTING_AND_FRAGMENT = bytes([44, 0, 0, 0, 0, 0, 0, 0]) + bytes([6, 0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize(
    ("wrap", "link", "ends"),
    [
        (ethernet, 1, {}),
        (lambda one: ethernet(one, 0x8100), 1, {}),
        (lambda one: ethernet(one, 0x88A8, 0x8100), 1, {}),
        (lambda one: ethernet(one, 0x9100, 0x8100, 0x8100), 1, {}),
        (ethernet, 1, V6),
        (lambda one: ethernet(one, 0x8100, extensions=HOP + OPTIONS), 1, V6),
        (cooked, 113, {}),
        (cooked, 113, V6),
        (cooked2, 276, {}),
        (cooked2, 276, V6),
        (lambda one: b"\x81\x00" + cooked2(one)[2:20] + b"\x00\x2a" + cooked2(one)[:2] + one.ip(), 276, {}),
        (loopback, 0, {}),
        (loopback, 0, V6),
        (loopback, 108, {}),
        (raw, 101, {}),
        (raw, 101, V6),
        (raw, 12, {}),
        (raw, 228, {}),
        (raw, 229, V6),
        (lambda one: ethernet(one) + bytes(6), 1, {}),
    ],
)
def test_every_wrapping(talk, keys, complete, wrap, link, ends):
    packets = Stream(talk, **ends).packets
    assert said(heard(pcap(packets, wrap, link), keys)) == complete
    assert said(heard(pcapng([(0, one) for one in packets], [(link, wrap)]), keys)) == complete


def test_first_extension_header_of_ipv6(talk, keys, complete):
    def wrap(one: Packet) -> bytes:
        packet = bytearray(one.ip(ROUTING_AND_FRAGMENT))
        packet[6] = 43
        return bytes(range(12)) + b"\x86\xdd" + bytes(packet)

    assert said(heard(pcap(Stream(talk, **V6).packets, wrap), keys)) == complete


def test_interfaces_of_different_kinds_in_one_file(talk, keys, complete):
    packets = [(number % 3, one) for number, one in enumerate(Stream(talk).packets)]
    assert said(heard(pcapng(packets, [(1, ethernet), (276, cooked2), (101, raw)]), keys)) == complete


def test_times_in_nanoseconds(talk, keys):
    (first, *_) = heard(pcap(Stream(talk).packets, nano=True), keys)
    assert first.time == pytest.approx(talk.sent[0][2] - 0.01, abs=1e-5)


@pytest.mark.parametrize("most", [1, 7, 100, 536])
def test_every_size_of_segment(talk, keys, complete, most):
    assert said(heard(pcap(Stream(talk, most=most).packets), keys)) == complete


def test_sequence_numbers_that_begin_again(talk, keys, complete):
    for first in (0, 2**32 - 1, 2**32 - 300, 2**31 - 5):
        assert said(heard(pcap(Stream(talk, first=first).packets), keys)) == complete


# Retransmission, overlap, disorder


def test_every_segment_twice(talk, keys, complete):
    packets = [one for one in Stream(talk).packets for _ in range(2)]
    assert said(heard(pcap(packets), keys)) == complete


def test_segments_again_much_later(talk, keys, complete):
    packets = Stream(talk).packets
    again = [one for one in packets[:40] if one.data]
    assert said(heard(pcap(packets[:-3] + again + packets[-3:]), keys)) == complete


def test_overlapping_segments(talk, keys, complete):
    packets: list[Packet] = []
    for one in Stream(talk).packets:
        packets.append(one)
        if len(one.data) > 60:
            left, right = cut(one, 40)
            wider = evolve(right, sequence=right.sequence - 20, data=one.data[20:])
            packets[-1:] = [left, wider, left, evolve(one, data=one.data[:50])]
    assert said(heard(pcap(packets), keys)) == complete


def test_segments_out_of_order(talk, keys, complete):
    chance = random.Random(7)
    packets: list[Packet] = []
    for one in Stream(talk).packets:
        pieces = [one]
        while len(pieces) < 4 and len(pieces[-1].data) > 40:
            pieces[-1:] = cut(pieces[-1], len(pieces[-1].data) // 2)
        chance.shuffle(pieces)
        packets += pieces
    assert said(heard(pcap(packets), keys)) == complete


def test_a_segment_captured_after_its_confirmation(talk, keys, complete):
    stream = Stream(talk)
    packets = list(stream.packets)
    for number in stream.carriers:
        if len(packets[number].data) > 40:
            left, right = cut(packets[number], 30)
            packets[number : number + 2] = [right, packets[number + 1]]
            packets.insert(number + 2, evolve(left, time=packets[number + 1].time))
            break
    assert said(heard(pcap(packets), keys)) == complete


def test_keepalives_and_empty_segments(talk, keys, complete):
    packets: list[Packet] = []
    for one in Stream(talk).packets:
        packets.append(one)
        if one.data:
            packets.append(evolve(one, sequence=one.sequence + len(one.data) - 1, data=one.data[-1:], flags=ACK))
            packets.append(evolve(one, sequence=one.sequence + len(one.data) - 1, data=b"", flags=ACK))
    assert said(heard(pcap(packets), keys)) == complete


def test_two_connections_mixed_and_the_same_ports_again(session, keys, complete):
    house, setup, talk = session
    first = Stream(setup).packets
    second = [evolve(one, time=one.time + 100) for one in Stream(talk, first=77).packets]
    other = Stream(talk, controller=("192.168.1.5", 51622)).packets
    entries = heard(pcap(sorted(first + second + other, key=lambda one: one.time)), keys)
    assert not gaps(entries)
    by_five = [entry for entry in entries if entry.connection.startswith("192.168.1.5")]
    assert said(by_five) == complete
    assert said([entry for entry in entries if entry.time > talk.sent[0][2] + 50]) == complete
    titles = [entry.title for entry in entries if entry.kind is Kind.PAIRING]
    assert titles.count("pair-setup M6") == 1
    assert house.accessory_id in {entry.accessory for entry in entries}


# Loss


def short(lines: list[str]) -> list[str]:
    """Without what may be lost with something else: the names of characteristics, and what an answer is about."""
    return [re.sub("pair-verify|list pairings", "pairing", line.partition(" [")[0]) for line in lines]


@pytest.mark.parametrize("number", range(40))
def test_whatever_segment_is_lost_nothing_false_is_shown(talk, keys, complete, number):
    stream = Stream(talk, most=700)
    if number >= len(stream.carriers):
        return
    lost = stream.carrier(number)
    entries = heard(pcap(stream.without(lost)), keys)
    told = [entry for entry in entries if entry.kind in (Kind.GAP, Kind.NOTE)]
    assert told, "a loss that nobody told of"
    assert f"{len(stream.packets[lost].data)} bytes missing here" in told[0].title
    shown = short(said([entry for entry in entries if entry not in told]))
    rest = iter(short(complete))
    assert all(any(line == other for other in rest) for line in shown), "out of order, or never said"
    # One message is lost, or the one that it is part of.
    assert len(complete) - len(shown) <= 1
    numbers = {entry.number: entry for entry in entries}
    for entry in entries:
        if entry.answers is not None:
            place = short(complete).index(short(said([numbers[entry.answers]]))[0])
            assert short(said([entry]))[0] in short(complete)[place + 1 : place + 3], "answers another question"


def test_a_lost_fin_and_a_reset(talk, keys, complete):
    packets = Stream(talk).packets[:-3]
    last = packets[-1]
    entries = heard(pcap(packets), keys)
    assert said(entries)[:-1] == complete[:-1]
    assert entries[-1].title == "the capture ends"
    reset = Packet(last.time + 1, ACCESSORY, CONTROLLER, 0, 0, RST)
    assert heard(pcap([*packets, reset]), keys)[-1].title == "connection reset"


def test_an_end_that_was_confirmed_but_not_captured(talk, keys):
    stream = Stream(talk)
    lost = stream.carriers[-1]
    entries = heard(pcap(stream.packets[:lost] + stream.packets[lost + 1 : -3]), keys)
    assert gaps(entries) == [f"{len(stream.packets[lost].data)} bytes missing here"]


def test_packets_cut_by_the_capture(talk, keys):
    """A snapshot length below the packets': each long one leaves a gap of the right size, the short ones are read."""
    stream = Stream(talk)
    short = [evolve(one, data=one.data) for one in stream.packets]

    def wrap(one: Packet) -> bytes:
        return ethernet(one)[:400]

    entries = heard(pcap(short, wrap), keys)
    long = next(one for one in stream.packets if len(ethernet(one)) > 400)
    assert gaps(entries)[0].startswith(f"{len(ethernet(long)) - 400} bytes missing here")
    assert "event" in [entry.title for entry in entries]


# The capture begins in the middle


def test_a_session_that_was_open_already(talk, keys, complete):
    stream = Stream(talk)
    for number in (4, 9, 12):
        begin = stream.carrier(number)
        entries = heard(pcap(stream.packets[begin:]), keys)
        assert entries[0].title == "the capture begins in the middle of this connection"
        assert not gaps(entries)
        assert entries[1].connection == "192.168.1.4:51622 > 192.168.1.9:5001"
        shown = [line.partition(" [")[0] for line in said(entries)[1:]]
        assert shown == [line.partition(" [")[0] for line in complete][-len(shown) :]


def test_a_session_that_was_open_already_without_keys(talk):
    stream = Stream(talk)
    entries = heard(pcap(stream.packets[stream.carrier(9) :]))
    titles = [entry.title for entry in entries]
    assert titles[1] == "encrypted from here on; there are no keys, so only sizes and times are shown"
    assert len([title for title in titles if title.endswith("encrypted bytes")]) == len(stream.carriers) - 9


def test_a_handshake_that_was_under_way(talk, keys, complete):
    stream = Stream(talk)
    entries = heard(pcap(stream.packets[stream.carrier(2) :]), keys)
    assert not gaps(entries)
    assert "event" in [entry.title for entry in entries]


# Keys


def test_no_keys(talk):
    entries = heard(pcap(Stream(talk).packets))
    titles = [entry.title for entry in entries]
    assert titles[1:5] == [f"pair-verify M{number}" for number in range(1, 5)]
    told = [title for title in titles if "no keys" in title]
    assert told == ["encrypted from here on; there are no keys, so only sizes and times are shown"]
    sizes = [entry for entry in entries if entry.title.endswith("encrypted bytes")]
    assert sum(len(entry.data) for entry in sizes) == sum(len(data) for _, data, _ in talk.sent[4:])
    assert len(entries) == len({entry.number for entry in entries})


def test_wrong_keys(talk):
    (right,) = read_key_log(talk.keys).sessions
    fields = talk.keys.split()
    swapped = b" ".join([*fields[:5], fields[6], fields[5]])
    other = b" ".join([*fields[:5], b"11" * 32, b"22" * 32])
    nameless = b" ".join([*fields[:2], b"-", *fields[3:5], b"33" * 32, b"44" * 32])
    for log, count in ((swapped, 1), (other, 1), (nameless, 1), (other + b"\n" + nameless, 2)):
        entries = heard(pcap(Stream(talk).packets), KeyRing(read_key_log(log).sessions))
        told = [title for title in gaps(entries) if "none of the" in title]
        why = f"none of the {count} sessions in the key log is this one"
        assert told == [f"encrypted from here on; {why}, so only sizes and times are shown"]
        assert not [entry for entry in entries if entry.kind in (Kind.REQUEST, Kind.RESPONSE)]
    assert right.public


def test_keys_without_the_name_of_their_session(talk, complete):
    fields = talk.keys.split()
    nameless = b" ".join([*fields[:2], b"-", b"-", b"-", *fields[5:]])
    many = b"\n".join(b"HAP1 - - - - %064x %064x" % (n, n + 1) for n in range(300)) + b"\n" + nameless
    entries = heard(pcap(Stream(talk).packets), KeyRing(read_key_log(many).sessions))
    assert said(entries) == complete
    assert {entry.accessory for entry in entries} == {"192.168.1.9:5001"}


def test_a_bit_that_was_turned(talk, keys, complete):
    """What does not decrypt is told of, and what follows is read."""
    stream = Stream(talk)
    number = stream.carrier(8)
    one = stream.packets[number]
    data = bytearray(one.data)
    data[30] ^= 4
    packets = [*stream.packets[:number], evolve(one, data=bytes(data)), *stream.packets[number + 1 :]]
    entries = heard(pcap(packets), keys)
    assert len(gaps(entries)) >= 1
    assert "cannot be read" in gaps(entries)[0]
    assert "list pairings M2" in [entry.title for entry in entries]


# Other traffic


def test_other_protocols_are_passed_over(talk, keys, complete):
    def other(data: bytes, port: int) -> list[Packet]:
        strange = Talk()
        strange.sent = [(talk.sent[0][0], data, talk.sent[0][2]), (talk.sent[1][0], data, talk.sent[1][2])]
        return Stream(strange, controller=("192.168.1.7", port), accessory=("192.168.1.8", 443)).packets

    noise = (
        other(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 1)
        + other(b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", 2)
        + other(b"SSH-2.0-OpenSSH_9.6\r\n", 3)
        + other(b"G", 4)
        + other(bytes(40), 5)
    )
    packets = sorted(noise + Stream(talk).packets, key=lambda one: one.time)
    assert said(heard(pcap(packets), keys)) == complete


def test_packets_that_are_no_tcp(talk, keys, complete):
    def wrap(one: Packet) -> bytes:
        return junk.pop() if one.sequence == -1 else ethernet(one)

    udp = struct.pack(">BBHHHBBH8s", 0x45, 0, 28, 7, 0, 64, 17, 0, bytes(8)) + bytes(8)
    fragment = struct.pack(">BBHHHBBH8s", 0x45, 0, 60, 7, 0x0100, 64, 6, 0, bytes(8)) + bytes(40)
    eth = bytes(12)
    short = [
        b"",
        b"\0",
        eth,
        eth + b"\x08",
        eth + b"\x08\x00",
        eth + b"\x08\x00\x45",
        eth + b"\x86\xdd\x60" + bytes(20),
    ]
    tags = eth + b"\x81\x00\x00\x01" * 40
    loops = eth + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, 200, 0, 1) + bytes(32) + bytes(200)
    bad_offset = eth + b"\x08\x00" + struct.pack(">BBHHHBBH8s", 0x45, 0, 40, 7, 0, 64, 6, 0, bytes(8)) + bytes(20)
    junk = [*short, tags, loops, bad_offset, eth + b"\x08\x00" + udp, eth + b"\x08\x00" + fragment, eth + b"\x08\x06"]
    packets = [Packet(1.0, CONTROLLER, ACCESSORY, -1, 0, PSH) for _ in junk] + Stream(talk).packets
    assert said(heard(pcap(packets, wrap), keys)) == complete


@pytest.mark.parametrize("seed", range(20))
def test_packets_with_turned_bits_never_raise(talk, keys, seed):
    chance = random.Random(seed)

    def wrap(one: Packet) -> bytes:
        packet = bytearray(ethernet(one))
        for _ in range(chance.randrange(3)):
            packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)
        return bytes(packet[: chance.choice([len(packet)] * 5 + [chance.randrange(len(packet))])])

    heard(pcap(Stream(talk, most=300).packets, wrap), keys)


# A conversation by itself


def test_any_portions_of_the_stream(talk, keys):
    def play(size: int) -> list[str]:
        conversation = Conversation("a > b", keys)
        found = []
        for direction, data, time in talk.sent:
            for place in range(0, len(data), size):
                found += conversation.feed(direction, data[place : place + size], time)
        found += conversation.close(9.0)
        return said(found)

    everything = play(1 << 20)
    for size in (1, 2, 17, 1000):
        assert play(size) == everything


def test_what_was_decrypted_before(talk, keys):
    encrypted = Conversation("a > b", keys)
    plain = Conversation("a > b", plain=True)
    found = [entry for direction, data, time in talk.sent for entry in encrypted.feed(direction, data, time)]
    again = [entry for one in found for entry in plain.feed(one.direction, one.data, one.time)]
    assert said(again) == said(found)


def test_a_lost_request_takes_its_answer_from_no_other():
    """The answer to a request that was not captured belongs to none; later ones to theirs."""
    conversation = Conversation("a > b", plain=True)
    get, ok = b"GET /characteristics?id=1.%d HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"
    list(conversation.feed(TO_ACCESSORY, get % 9, 1.0))
    list(conversation.gap(TO_ACCESSORY, 40, 2.0))
    (answer,) = conversation.feed(TO_CONTROLLER, ok, 3.0)
    assert answer.answers is None
    (question,) = conversation.feed(TO_ACCESSORY, get % 10, 4.0)
    (answer,) = conversation.feed(TO_CONTROLLER, ok, 5.0)
    assert answer.answers == question.number
