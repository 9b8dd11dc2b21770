"""Ways in which a transport can be broken, to see that somebody notices: a test suite, or an adapter."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["Damage", "Spoiler"]

#: Shorter writes are left alone by most damages: faults that hit every byte are found by anybody.
LONG: Final = 100
#: Writes of this length are those that come too late.
LATE: Final = range(20, 51)
#: Longer writes lose their end where they are the last.
LAST: Final = 45_000
#: What fits into the buffer of a device is written whole even by a transport that writes half.
BUFFER: Final = 4096


class Damage(Enum):
    """What is wrong. Splitting and merging is not among them: a byte stream may do both."""

    DROPS_BYTE = "loses a byte in the middle of a long write"
    REPEATS = "delivers the last bytes of a long write twice"
    REORDERS = "delivers the second half of a long write before the first"
    SWAPS_WRITES = "delivers two writes in the wrong order"
    FLIPS_BIT = "changes a bit in a long write"
    TRANSLATES_NEWLINES = "makes two bytes of every newline, like a file in text mode"
    SEVEN_BITS = "clears the highest bit of every byte, like a serial line with seven data bits"
    WRITES_HALF = "writes half of what does not fit into a buffer, and reports all"
    HOLDS_BACK = "keeps the last byte of a write until the next one"
    TRUNCATES_AT_CLOSE = "drops what was written last when it is closed"
    NEVER_CLOSES = "does not tell the other end that it was closed"
    SWALLOWS_END = "does not tell the reader that the other end was closed"
    ENDS_EARLY = "returns no bytes, which means the end, where it only has none yet"
    GOES_ON_AFTER_END = "returns bytes after it has reported the end"
    RETURNS_TOO_MUCH = "returns more bytes than were asked for"
    RETURNS_TEXT = "returns text, not bytes"
    HALF_DUPLEX = "writes nothing while somebody waits to read"
    RAISES_ITS_OWN = "raises an exception of its own kind when the connection is lost"
    LEAVES_READER_WAITING = "does not wake its own reader when it is closed"


class Spoiler:
    """What a damaged transport makes of the calls of one end; the transport around it does the I/O."""

    def __init__(self, damage: Damage) -> None:
        self.damage = damage
        self._held = b""
        self._reads = 0
        self._ended = False

    def write(self, data: bytes) -> bytes:
        """What is written instead of `data`."""
        damage, half = self.damage, len(data) // 2
        if damage is Damage.TRANSLATES_NEWLINES:
            return data.replace(b"\n", b"\r\n")
        if damage is Damage.SEVEN_BITS:
            return bytes(byte & 0x7F for byte in data)
        if damage is Damage.SWAPS_WRITES:
            late, self._held = self._held, b""
            if len(data) in LATE and not late:
                self._held, data = data, b""
            return data + late
        if damage is Damage.HOLDS_BACK:
            early, self._held = self._held, data[-1:]
            return early + data[:-1]
        if damage is Damage.WRITES_HALF:
            return data[:half] if len(data) > BUFFER else data
        if damage is Damage.TRUNCATES_AT_CLOSE:
            cut = -20 if len(data) > LAST else len(data)
            early, self._held = self._held, data[cut:]
            return early + data[:cut]
        if len(data) <= LONG:
            return data
        if damage is Damage.DROPS_BYTE:
            return data[:half] + data[half + 1 :]
        if damage is Damage.REPEATS:
            return data + data[-20:]
        if damage is Damage.REORDERS:
            return data[half:] + data[:half]
        if damage is Damage.FLIPS_BIT:
            return data[:half] + bytes([data[half] ^ 0x10]) + data[half + 1 :]
        return data

    def before_read(self) -> bytes:
        """What is written before the next read: a writer that turns to reading has its buffer emptied."""
        late = b""
        if self.damage in (Damage.SWAPS_WRITES, Damage.TRUNCATES_AT_CLOSE):
            late, self._held = self._held, b""
        return late

    def ask(self, most: int) -> int:
        """How many bytes are asked for instead of `most`; 0 for none at all, so that nothing is read."""
        self._reads += 1
        if self.damage is Damage.ENDS_EARLY and self._reads % 4 == 0:
            return 0
        return 2 * most + 1 if self.damage is Damage.RETURNS_TOO_MUCH else most

    def read(self, data: bytes) -> bytes:
        """What is returned instead of `data`."""
        if self.damage is Damage.GOES_ON_AFTER_END and not data:
            if self._ended:
                return b"more"
            self._ended = True
        if self.damage is Damage.RETURNS_TEXT:
            return data.decode("latin-1")  # type: ignore[return-value]  # that is the damage
        return data

    def close(self) -> bytes:
        """What is written before closing."""
        late, self._held = self._held, b""
        return b"" if self.damage is Damage.TRUNCATES_AT_CLOSE else late

    def lost(self, error: Exception) -> Exception:
        """What is raised instead of `error`."""
        return LookupError("no such wire") if self.damage is Damage.RAISES_ITS_OWN else error
