"""One direction of a TCP connection, put together from captured segments, whatever their order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

__all__ = ["MAX_AHEAD", "MAX_SEGMENTS", "PATIENCE", "Assembler", "Stretch"]

#: Bytes, and segments, kept behind a hole. A window of TCP is seldom larger; more means that the hole stays.
MAX_AHEAD: Final = 256 * 1024
MAX_SEGMENTS: Final = 512
#: Seconds for which bytes may still turn up after the other side has confirmed them: captures swap neighbours.
PATIENCE: Final = 0.1

_WRAP: Final = 1 << 32


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class Stretch:
    """The next bytes of the direction; or `missing` of them, which were on the wire and are not in the capture."""

    time: float
    data: bytes = field(default=b"", repr=_size)
    missing: int = 0


class Assembler:
    """Segments go in as they were captured, stretches come out in the order of the stream."""

    __slots__ = ("_ahead", "_ahead_size", "_confirmed", "_confirmed_at", "_end", "_next")

    def __init__(self) -> None:
        #: Place of the next byte; places go on where sequence numbers begin again.
        self._next: int | None = None
        self._ahead: list[tuple[int, int, float, bytes]] = []
        self._ahead_size = 0
        self._confirmed: int | None = None
        self._confirmed_at = 0.0
        self._end: int | None = None

    @property
    def started(self) -> bool:
        """Whether it is known where the stream begins."""
        return self._next is not None

    @property
    def ended(self) -> bool:
        """Whether everything up to the sender's FIN has come out."""
        return self._end is not None and self._next is not None and self._next >= self._end

    @property
    def ending(self) -> bool:
        """Whether the sender's FIN was captured."""
        return self._end is not None

    @property
    def behind(self) -> bool:
        """Whether the other side has bytes that did not come out yet."""
        return self._next is not None and self._confirmed is not None and self._confirmed > self._next

    def start(self, sequence: int) -> None:
        """The sender's SYN has this number."""
        if self._next is None:
            self._next = sequence + 1

    def started_with(self, sequence: int) -> bool:
        """Whether a SYN with this number is a repetition."""
        return self._next is None or self._place(sequence + 1) <= self._next

    def confirm(self, acknowledged: int, time: float) -> None:
        """The other side has everything before this."""
        if self._next is None:
            return
        place = self._place(acknowledged)
        if self._confirmed is None or place > self._confirmed:
            if self._confirmed is None or self._confirmed <= self._next:
                self._confirmed_at = time
            self._confirmed = place

    def put(self, sequence: int, data: bytes, time: float, *, end: bool = False) -> Iterator[Stretch]:
        """A segment; `end` if it has a FIN."""
        if self._next is None:
            self._next = sequence
        place = self._place(sequence)
        if end:
            self._end = place + len(data)
        if place <= self._next:
            data = data[self._next - place :]
            if data:
                self._next += len(data)
                yield Stretch(time, data)
        elif data and not any(one[0] == place and len(one[3]) >= len(data) for one in self._ahead):
            insort(self._ahead, (place, len(self._ahead), time, data))
            self._ahead_size += len(data)
        yield from self.go_on(time)

    def go_on(self, time: float) -> Iterator[Stretch]:
        """What can come out by now."""
        while self._ahead and self._next is not None:
            place, _, sent, data = self._ahead[0]
            if place > self._next:
                sure = self._confirmed is not None and self._confirmed >= place
                patient = time - self._confirmed_at <= PATIENCE or not sure
                if patient and self._ahead_size <= MAX_AHEAD and len(self._ahead) <= MAX_SEGMENTS:
                    return
                yield self._skip(place, self._confirmed_at if sure else sent)
            yield from self._take(place, sent, data)

    def finish(self, time: float) -> Iterator[Stretch]:
        """Nothing more will come: everything that is there, with its gaps."""
        while self._ahead and self._next is not None:
            place, _, sent, data = self._ahead[0]
            if place > self._next:
                yield self._skip(place, sent)
            yield from self._take(place, sent, data)
        if self._next is None:
            return
        if self._end is not None:
            if self._end > self._next:
                yield self._skip(self._end, time)
        elif self._confirmed is not None and self._confirmed > self._next + 1:
            # One more than there is would be a FIN that was not captured.
            yield self._skip(self._confirmed, self._confirmed_at)

    def _skip(self, place: int, time: float) -> Stretch:
        missing = place - (self._next or 0)
        self._next = place
        return Stretch(time, missing=missing)

    def _take(self, place: int, sent: float, data: bytes) -> Iterator[Stretch]:
        del self._ahead[0]
        self._ahead_size -= len(data)
        if self._next is not None and (fresh := data[self._next - place :]):
            self._next += len(fresh)
            yield Stretch(sent, fresh)

    def _place(self, sequence: int) -> int:
        """The place of a sequence number, near to where the stream is."""
        near = self._next or 0
        ahead = (sequence - near) % _WRAP
        return near + (ahead if ahead < _WRAP // 2 else ahead - _WRAP)
