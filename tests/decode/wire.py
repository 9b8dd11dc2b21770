"""Packets of made-up networks around the bytes of a conversation, and files of them, written by the libraries."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

import dpkt
from attrs import evolve, frozen
from pcapng import FileWriter, blocks
from tests.decode.session import TO_ACCESSORY, Talk

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CONTROLLER, ACCESSORY = ("192.168.1.4", 51622), ("192.168.1.9", 5001)


@frozen
class Packet:
    """A TCP segment on its way: `link` and `tags` say how it is wrapped."""

    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes = b""

    @property
    def tcp(self) -> bytes:
        return (
            struct.pack(
                ">HHIIBBHHH",
                self.source[1],
                self.target[1],
                self.sequence % 2**32,
                self.acknowledged % 2**32,
                8 << 4,
                self.flags,
                65535,
                0,
                0,
            )
            + bytes.fromhex("0101080a0000000100000002")
            + self.data
        )

    def ip(self, extensions: bytes = b"") -> bytes:
        source, target = (ip_address(one[0]).packed for one in (self.source, self.target))
        body = self.tcp
        if len(source) == 4:
            total = 20 + len(body)
            return struct.pack(">BBHHHBBH", 0x45, 0, total, 7, 0x4000, 64, 6, 0) + source + target + body
        first = 0 if extensions else 6
        return (
            struct.pack(">IHBB", 6 << 28, len(extensions) + len(body), first, 64) + source + target + extensions + body
        )

    @property
    def kind(self) -> int:
        return 0x86DD if ":" in self.source[0] else 0x0800


Wrap = Callable[[Packet], bytes]


def ethernet(packet: Packet, *tags: int, extensions: bytes = b"") -> bytes:
    head = bytes(range(12))
    for tag in tags:
        head += struct.pack(">HH", tag, 42)
    return head + struct.pack(">H", packet.kind) + packet.ip(extensions)


def cooked(packet: Packet) -> bytes:
    return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), packet.kind) + packet.ip()


def cooked2(packet: Packet) -> bytes:
    return struct.pack(">HHIHBB8s", packet.kind, 0, 2, 1, 0, 6, bytes(8)) + packet.ip()


def loopback(packet: Packet) -> bytes:
    return struct.pack("<I", 30 if packet.kind == 0x86DD else 2) + packet.ip()


def raw(packet: Packet) -> bytes:
    return packet.ip()


class Stream:
    """A TCP connection's packets, one for each thing that was said, confirmed by the other side at once."""

    def __init__(
        self,
        talk: Talk,
        *,
        controller: tuple[str, int] = CONTROLLER,
        accessory: tuple[str, int] = ACCESSORY,
        first: int = 2**32 - 700,
        most: int = 1400,
        ends: bool = True,
    ) -> None:
        self.packets: list[Packet] = []
        self._next = {controller: first, accessory: 5000}
        #: Numbers of the packets that carry data.
        self.carriers: list[int] = []
        start = talk.sent[0][2] - 0.01
        self._put(start, controller, accessory, SYN)
        self._put(start + 0.001, accessory, controller, SYN | ACK)
        self._put(start + 0.002, controller, accessory, ACK)
        for direction, data, time in talk.sent:
            source, target = (controller, accessory) if direction is TO_ACCESSORY else (accessory, controller)
            for place in range(0, len(data), most):
                self.carriers.append(len(self.packets))
                self._put(time, source, target, PSH | ACK, data[place : place + most])
            self._put(time + 0.001, target, source, ACK)
        if ends:
            end = talk.sent[-1][2] + 1
            self._put(end, controller, accessory, FIN | ACK)
            self._put(end + 0.001, accessory, controller, FIN | ACK)
            self._put(end + 0.002, controller, accessory, ACK)

    def _put(
        self, time: float, source: tuple[str, int], target: tuple[str, int], flags: int, data: bytes = b""
    ) -> None:
        acknowledged = self._next[target] if flags & ACK else 0
        self.packets.append(Packet(time, source, target, self._next[source], acknowledged, flags, data))
        self._next[source] += len(data) + bool(flags & (SYN | FIN))

    def without(self, *numbers: int) -> list[Packet]:
        return [one for number, one in enumerate(self.packets) if number not in numbers]

    def carrier(self, number: int) -> int:
        """The number of the packet that carries the `number`th portion of data."""
        return self.carriers[number]


def cut(packet: Packet, size: int) -> tuple[Packet, Packet]:
    """Two segments of one."""
    return evolve(packet, data=packet.data[:size]), evolve(
        packet, sequence=packet.sequence + size, data=packet.data[size:]
    )


def pcap(packets: Iterable[Packet], wrap: Wrap = ethernet, link: int = 1, *, nano: bool = False) -> bytes:
    """The file that tcpdump would write."""
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, snaplen=262144, linktype=link, nano=nano)
    for one in packets:
        writer.writepkt(wrap(one), one.time)
    return file.getvalue()


def pcapng(packets: Iterable[tuple[int, Packet]], links: Iterable[tuple[int, Wrap]] = ((1, ethernet),)) -> bytes:
    """The file that Wireshark would write: packets with the number of their interface."""
    file = io.BytesIO()
    head = blocks.SectionHeader(options={"shb_hardware": "a made-up network"})
    wraps = []
    interfaces = []
    for link, wrap in links:
        interfaces.append(
            head.new_member(blocks.InterfaceDescription, link_type=link, options={"if_name": f"if{link}"})
        )
        wraps.append(wrap)
    writer = FileWriter(file, head)
    for number, one in packets:
        block = head.new_member(blocks.EnhancedPacket, interface_id=number)
        moment = round(one.time * 1_000_000)
        block.timestamp_high, block.timestamp_low = moment >> 32, moment & 0xFFFFFFFF
        block.packet_data = wraps[number](one)
        writer.write_block(block)
    assert interfaces
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
