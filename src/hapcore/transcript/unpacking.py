"""Packed transcripts, unpacked piece by piece: several gzip streams in a row, some of which a crash cut short."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from hapcore.transcript.reading import TranscriptError

__all__ = ["unpack"]

_GZIP: Final = b"\x1f\x8b"
_MAGIC: Final = _GZIP + b"\x08"
#: Bytes that are unpacked at a time, whatever they are packed to.
_PIECE: Final = 256 * 1024
#: After so many bytes, packed or unpacked, that make sense, what looked like the start of a stream was none.
_TRUSTED: Final = 1024 * 1024


def unpack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What the pieces of a file hold, unpacked where it begins like gzip. Raises `TranscriptError` for damage."""
    source = iter(pieces)
    first = b""
    for piece in source:
        first += piece
        if len(first) >= len(_GZIP):
            break
    if not first.startswith(_GZIP):
        yield first
        yield from source
        return
    unpacker = _Unpacker()
    for part, starts in _parts(chain((first,), source)):
        yield from unpacker.feed(part, starts=starts)
    yield from unpacker.release()


def _parts(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The same bytes, cut wherever a stream may start; whether one may start at this part."""
    rest = b""
    for piece in chain(pieces, (None,)):
        data = rest if piece is None else rest + piece
        end = len(data) if piece is None else max(0, len(data) - len(_MAGIC) + 1)
        at = 0
        while at < end:
            found = data.find(_MAGIC, at + 1)
            stop = found if 0 < found < end else end
            yield data[at:stop], data.startswith(_MAGIC, at)
            at = stop
        rest = data[end:]


class _Unpacker:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        #: What came since a stream may have started within another, packed and unpacked.
        self._raw: bytearray | None = None
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes, *, starts: bool) -> Iterator[bytes]:
        """Take a part."""
        if starts:
            yield from self.release()
            self._raw = bytearray()
        if self._raw is not None:
            self._raw += data
        try:
            yield from self._unpack(data)
        except zlib.error as error:
            if self._raw is None:
                raise TranscriptError(_damaged(error)) from None
            # The stream before was cut off, and this is the next one.
            data, self._raw = bytes(self._raw), None
            self._held.clear()
            self._stream = zlib.decompressobj(wbits=31)
            try:
                yield from self._unpack(data)
            except zlib.error as again:
                raise TranscriptError(_damaged(again)) from None

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._stream = zlib.decompressobj(wbits=31)
            found = self._stream.decompress(data, _PIECE)
            if self._raw is None:
                yield found
            else:
                self._held.append(found)
                self._size += len(found)
                if max(self._size, len(self._raw)) > _TRUSTED:
                    yield from self.release()
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not data and len(found) < _PIECE:
                return

    def release(self) -> Iterator[bytes]:
        """What was held back is what it seemed to be."""
        yield from self._held
        self._held.clear()
        self._raw, self._size = None, 0


def _damaged(error: zlib.error) -> str:
    return f"the gzip file is damaged: {error}; take a whole copy, or what `gzip -dc` still finds in it"
