"""From a captured packet to its TCP segment: Ethernet with VLAN tags, Linux cooked, loopback and raw; IPv4 and IPv6.

Only what is needed to follow TCP is read: lengths and addresses. Checksums are not looked at, since network cards
fill them in after capture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

__all__ = ["ACK", "FIN", "LINKS", "RST", "SYN", "End", "Segment", "describe_end", "read_packet"]

#: Flags of a TCP segment; plain numbers, because every packet is asked for them.
FIN, SYN, RST, ACK = 1, 2, 4, 16
#: Address (4 or 16 bytes) and port.
End: TypeAlias = tuple[bytes, int]


class Segment(NamedTuple):
    """A TCP segment. `data` is shorter than it was on the wire where the capture cut packets."""

    source: End
    target: End
    sequence: int
    acknowledged: int
    flags: int
    data: bytes


_TCP: Final = Struct(">HHIIBB")
_IPV4, _IPV6 = 0x0800, 0x86DD
#: Tags of VLANs, and of VLANs within VLANs.
_VLAN: Final = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_TCP_NUMBER: Final = 6
_FRAGMENT, _AUTHENTICATION = 44, 51
#: Extension headers of IPv6 that carry their length in units of 8 bytes.
_EXTENSIONS: Final = frozenset((0, 43, 60, 135, 139, 140))
#: More extension headers, or tags, than these have no packet that is meant well.
_MAX_HEADERS: Final = 16


def read_packet(link: int, packet: bytes) -> Segment | None:
    """The TCP segment in a packet of that link type, one of `LINKS`; None if there is none."""
    found = LINKS[link](packet)
    if found is None:
        return None
    kind, start = found
    if kind == _IPV4:
        return _ipv4(packet, start)
    return _ipv6(packet, start) if kind == _IPV6 else None


def describe_end(end: End) -> str:
    """ "192.168.1.4:51622", "[fe80::1]:51622"."""
    address, port = end
    text = str(ip_address(address))
    return f"{text}:{port}" if len(address) == 4 else f"[{text}]:{port}"


def _ethernet(packet: bytes) -> tuple[int, int] | None:
    return _tagged(packet, 12)


def _tagged(packet: bytes, place: int) -> tuple[int, int] | None:
    for _ in range(_MAX_HEADERS):
        kind = int.from_bytes(packet[place : place + 2], "big")
        place += 2
        if kind not in _VLAN:
            return kind, place
        place += 2
    return None


def _cooked(packet: bytes) -> tuple[int, int] | None:
    return _tagged(packet, 14)


def _cooked2(packet: bytes) -> tuple[int, int] | None:
    kind = int.from_bytes(packet[:2], "big")
    return _tagged(packet, 22) if kind in _VLAN else (kind, 20)


def _loopback(packet: bytes) -> tuple[int, int] | None:
    # The family is in the byte order of the machine that captured; the packet itself says which version it is.
    return _raw_at(packet, 4)


def _raw(packet: bytes) -> tuple[int, int] | None:
    return _raw_at(packet, 0)


def _raw_at(packet: bytes, place: int) -> tuple[int, int] | None:
    version = packet[place] >> 4 if len(packet) > place else 0
    return (_IPV4, place) if version == 4 else (_IPV6, place) if version == 6 else None


#: Link types (of tcpdump.org) that are understood.
LINKS: Final[Mapping[int, Callable[[bytes], tuple[int, int] | None]]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked2,
}


def _ipv4(packet: bytes, place: int) -> Segment | None:
    if len(packet) < place + 20 or packet[place] >> 4 != 4 or packet[place + 9] != _TCP_NUMBER:
        return None
    if packet[place + 6] & 0x1F or packet[place + 7]:
        return None  # a later fragment: it has no TCP header, and what is missing shows as a gap
    header = (packet[place] & 15) * 4
    length = packet[place + 2] << 8 | packet[place + 3]
    # Packets captured before the network card cut them up may have no length.
    end = place + length if length else len(packet)
    return _tcp(packet, place + header, end, packet[place + 12 : place + 16], packet[place + 16 : place + 20])


def _ipv6(packet: bytes, place: int) -> Segment | None:
    if len(packet) < place + 40 or packet[place] >> 4 != 6:
        return None
    length = packet[place + 4] << 8 | packet[place + 5]
    source, target = packet[place + 8 : place + 24], packet[place + 24 : place + 40]
    kind, body = packet[place + 6], place + 40
    end = body + length if length else len(packet)
    for _ in range(_MAX_HEADERS):
        if kind == _TCP_NUMBER:
            return _tcp(packet, body, end, source, target)
        if len(packet) < body + 8:
            return None
        if kind == _FRAGMENT:
            if packet[body + 2] or packet[body + 3] & 0xF8:
                return None
            size = 8
        elif kind == _AUTHENTICATION:
            size = (packet[body + 1] + 2) * 4
        elif kind in _EXTENSIONS:
            size = (packet[body + 1] + 1) * 8
        else:
            return None
        kind, body = packet[body], body + size
    return None


def _tcp(packet: bytes, place: int, end: int, source: bytes, target: bytes) -> Segment | None:
    if len(packet) < place + 20:
        return None
    from_port, to_port, sequence, acknowledged, offset, flags = _TCP.unpack_from(packet, place)
    start = place + (offset >> 4) * 4
    if start < place + 20:
        return None
    data = packet[start:end]
    return Segment((source, from_port), (target, to_port), sequence, acknowledged, flags, data)
