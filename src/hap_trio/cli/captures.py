"""Captures in files: pcap read by dpkt, pcapng by python-pcapng, packet after packet."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any, Final, NamedTuple

from hap_trio.cli.common import Problem

__all__ = ["MAX_BLOCK", "Capture", "Packet", "is_capture"]

#: The largest block of a file. Packets have less than 256 KiB; what claims to be larger is damaged.
MAX_BLOCK: Final = 16 * 1024 * 1024

_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
#: With times in micro- and nanoseconds, in either byte order.
_PCAP: Final = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
#: What damaged files make the libraries raise.
_DAMAGE: Final = (
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    struct.error,
    EOFError,
    OverflowError,
    RuntimeError,
)


def is_capture(start: bytes) -> bool:
    """Whether a file that begins with these four bytes is a capture."""
    return start == _PCAPNG or start in _PCAP


class Packet(NamedTuple):
    """A packet with the type of its link and the time it was captured at, in seconds since 1970."""

    link: int
    data: bytes
    time: float


class _Torn(Exception):
    """The file ends inside a packet."""


class _Source:
    """A file whose beginning was looked at, and that does not give more at once than is reasonable."""

    def __init__(self, file: IO[bytes], start: bytes) -> None:
        self._file = file
        self._start = start
        self._place = 0

    def tell(self) -> int:
        """The place of the next byte: blocks are padded by it."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Raises `ValueError` for a size that is none and `_Torn` where the file ends before."""
        if not 0 <= size <= MAX_BLOCK:
            raise ValueError(f"it has a block of {size} bytes")
        data, self._start = self._start[:size], self._start[size:]
        if len(data) < size:
            data += self._file.read(size - len(data))
        if 0 < len(data) < size:
            raise _Torn
        self._place += len(data)
        return data


class Capture:
    """The packets of a file, to be iterated once.

    `trouble` is what ended it early, for people. Raises `Problem` where the library for it is not installed.
    """

    def __init__(self, file: IO[bytes], start: bytes) -> None:
        self._source = _Source(file, start)
        self._pcapng = start == _PCAPNG
        self.trouble: str | None = None
        #: Whether that is damage, not only an end that came early.
        self.damaged = False

    def __iter__(self) -> Iterator[Packet]:
        count = 0
        try:
            for packet in self._read_pcapng() if self._pcapng else self._read_pcap():
                count += 1
                yield packet
        except _Torn:
            self.trouble = f"the capture was cut off inside packet {count + 1}"
        except Problem:
            raise
        except _DAMAGE as error:
            self.trouble = f"the capture is damaged behind packet {count}: {str(error) or type(error).__name__}"
            self.damaged = True

    def _read_pcap(self) -> Iterator[Packet]:
        dpkt = _library("dpkt")
        try:
            reader = dpkt.pcap.Reader(self._source)
            # The upper bits tell whether packets end in a checksum.
            link = reader.datalink() & 0xFFFF
            for time, data in reader:
                yield Packet(link, data, float(time))
        except dpkt.Error as error:
            raise ValueError(str(error)) from None

    def _read_pcapng(self) -> Iterator[Packet]:
        library = _library("pcapng")
        blocks, exceptions = library.blocks, library.exceptions
        # The library complains about itself.
        warnings.filterwarnings("ignore", "Field type should not be", DeprecationWarning)
        packets = (blocks.EnhancedPacket, blocks.ObsoletePacket)
        try:
            for block in library.FileScanner(self._source):
                if isinstance(block, packets):
                    yield Packet(block.interface.link_type, block.packet_data, float(block.timestamp))
                elif isinstance(block, blocks.SimplePacket):
                    yield Packet(block.interface.link_type, block.packet_data, 0.0)
        except exceptions.TruncatedFile:
            raise _Torn from None
        except exceptions.PcapngException as error:
            raise ValueError(str(error)) from None


def _library(name: str) -> Any:
    """A library without types of its own."""
    try:
        return import_module(name)
    except ImportError:
        text = f"captures are read with {name}, which is not installed: pip install 'hapcore[decode]'"
        raise Problem(text) from None
