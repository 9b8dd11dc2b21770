"""One direction of an encrypted connection, listened to: frames are opened, and found again behind a gap (HAP 7)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

from attrs import frozen

from hapcore.crypto.frames import FRAME_OVERHEAD, MAX_FRAME, FrameKey, frame_size
from hapcore.crypto.secret import Secret

__all__ = ["MAX_COUNTER", "MAX_TRIES", "Unread", "Unsealer", "frames_fit"]

#: Frames of a session that began before the capture are looked for up to this number: some hours of a busy session.
MAX_COUNTER: Final = 1 << 16
#: Decryptions tried to find the way back into one direction, all in all: about half a second.
MAX_TRIES: Final = 4 * MAX_COUNTER
#: A frame must begin within this many bytes behind a gap.
_WINDOW: Final = MAX_FRAME + FRAME_OVERHEAD
#: Numbers tried for a frame that is not what it should be.
_DAMAGED: Final = 64


@frozen
class Unread:
    """Bytes that could not be decrypted; `final` if nothing behind them will be."""

    data: bytes
    final: bool = False


class Unsealer:
    """Cuts one direction into frames and opens them. At most three incomplete frames are kept.

    `counter` is the number of the next frame, None where it is not known: then each portion is expected to begin with
    a frame, and numbers up to `MAX_COUNTER` are tried.
    """

    __slots__ = ("_buffer", "_counters", "_key", "_lost", "_next", "_portions", "_skip", "_tries", "opened")

    def __init__(self, key: Secret, counter: int | None = 0) -> None:
        self._key = FrameKey(key)
        self._buffer = bytearray()
        self._next = counter or 0
        #: The numbers that the next frame may have, while it is looked for.
        self._counters: range | None = range(MAX_COUNTER) if counter is None else None
        #: Whether a frame can only begin where a portion does.
        self._portions = counter is None
        self._skip = 0
        self._tries = MAX_TRIES
        self._lost = False
        #: Frames opened so far.
        self.opened = 0

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete frame."""
        return len(self._buffer)

    def gap(self, missing: int) -> bytes:
        """So many bytes are missing here: the bytes of the frame that they were cut out of, which stay closed."""
        buffer = self._buffer
        cut = bytes(buffer)
        if self._lost or self._counters is not None:
            if self._counters is not None:
                self._counters = range(self._counters.start, self._counters.stop + missing // FRAME_OVERHEAD + 2)
            buffer.clear()
            return cut
        size = frame_size(buffer)
        rest = self._skip if self._skip else (size - len(buffer) if size else 0)
        buffer.clear()
        if rest and not self._skip:
            self._next += 1
        if rest and missing <= rest:
            # The gap ends in the frame it began in, so it is known where the next one begins.
            self._skip = rest - missing
        else:
            self._skip = 0
            self._counters = range(self._next, self._next + missing // FRAME_OVERHEAD + 2)
            self._portions = False
        return cut

    def feed(self, data: bytes) -> Iterator[bytes | Unread]:
        """The plaintext of each frame, and what stays closed."""
        if self._lost:
            yield Unread(data, final=True)
            return
        if self._skip:
            cut = min(self._skip, len(data))
            self._skip -= cut
            yield Unread(data[:cut])
            data = data[cut:]
        buffer = self._buffer
        buffer += data
        damaged = True
        while damaged:
            if self._seeking:
                yield from self._seek()
            if self._seeking or self._lost:
                return
            damaged = yield from self._open()

    @property
    def _seeking(self) -> bool:
        return self._counters is not None

    def _open(self) -> Generator[bytes | Unread, None, bool]:
        """Open what is whole; whether there is something that is not what it should be."""
        buffer, start, damaged = self._buffer, 0, False
        while (size := frame_size(buffer, start)) is not None:
            if size and start + size > len(buffer):
                break
            opened = self._key.open(bytes(buffer[start : start + size]), self._next) if size else None
            if opened is None:
                # Something is missing that nobody told of, or was damaged on the way.
                self._counters, self._portions = range(self._next, self._next + _DAMAGED), False
                damaged = True
                break
            self._next += 1
            self.opened += 1
            start += size
            yield opened
        del buffer[:start]
        return damaged

    def _seek(self) -> Iterator[Unread]:
        """Look for the place and the number of a frame."""
        buffer = self._buffer
        place = 0
        while place < len(buffer) and not self._lost:
            size = frame_size(buffer, place)
            if size and place + size <= len(buffer):
                if self._try(bytes(buffer[place : place + size])):
                    if place:
                        yield Unread(bytes(buffer[:place]))
                    del buffer[:place]
                    return
            elif size != 0 and place == 0:
                # Incomplete; it is the likeliest beginning, so nothing else is tried before it is whole.
                return
            if self._portions or self._tries <= 0:
                break
            place += 1
        if self._tries <= 0 or (not self._portions and len(buffer) > 2 * _WINDOW):
            self._lost = True
            yield Unread(bytes(buffer), final=True)
            buffer.clear()
        elif self._portions and place < len(buffer):
            yield Unread(bytes(buffer))
            buffer.clear()

    def _try(self, frame: bytes) -> bool:
        counters = self._counters or range(0)
        for number in counters:
            self._tries -= 1
            if self._tries < 0:
                return False
            if self._key.open(frame, number) is not None:
                self._next, self._counters, self._tries = number, None, MAX_TRIES
                return True
        return False


def frames_fit(data: bytes) -> bool:
    """Whether `data` looks like whole frames, one behind the other."""
    place = 0
    while place < len(data):
        size = frame_size(data, place)
        if not size or size == FRAME_OVERHEAD:
            return False
        place += size
    return place == len(data) > 0
