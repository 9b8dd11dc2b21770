"""One procedure: a request in fragments, then as many reads as its response owes (HAP-BLE A.3)."""

from __future__ import annotations

from collections import deque
from typing import Final

from hapcore.ble.gatt import MAX_ATTRIBUTE
from hapcore.codec.pdu import PduError, Request, Response, ResponseReader, write_request
from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.keys import TAG_SIZE
from hapcore.crypto.records import RecordCipher
from hapcore.errors import DesynchronisedError, RemoteProtocolError

__all__ = ["Exchange", "Records", "fragment_limit"]

#: Shortest values the engine writes: at an MTU of 23 all that fits; encrypted, the header alone asks for more, and the
#: stack makes a long write of it (HAP-BLE A.3.5).
_CLEAR_FLOOR: Final = 20
_SECURED_FLOOR: Final = 36
#: Where the host does not know its MTU: accessories take more than 100 (HAP-BLE A.2.3).
_UNKNOWN: Final = 97


def fragment_limit(max_write: int, *, secured: bool) -> int:
    """Plain bytes of one fragment where the link takes values of `max_write` bytes in one write, 0: not known."""
    max_write = max_write or _UNKNOWN
    if secured:
        return max(_SECURED_FLOOR, min(max_write, MAX_ATTRIBUTE)) - TAG_SIZE
    return max(_CLEAR_FLOOR, min(max_write, MAX_ATTRIBUTE))


class Records:
    """The record protection of a session, both ways (HAP-BLE A.5.5)."""

    __slots__ = ("read", "write")

    def __init__(self, keys: SessionKeys) -> None:
        self.read = RecordCipher(keys.read)
        self.write = RecordCipher(keys.write)


class Exchange:
    """Keeps the protection it began with: what completes a handshake is still in clear."""

    __slots__ = ("_fragments", "_reader", "_records", "what")

    def __init__(self, request: Request, max_write: int, records: Records | None, what: str) -> None:
        limit = fragment_limit(max_write, secured=records is not None)
        self._fragments = deque(write_request(request, limit))
        self._reader = ResponseReader(request.tid)
        self._records = records
        #: For people.
        self.what = what

    def next_write(self) -> bytes | None:
        """The next value to write; None: read now."""
        if not self._fragments:
            return None
        fragment = self._fragments.popleft()
        return fragment if self._records is None else self._records.write.seal(fragment)

    def feed(self, value: bytes) -> Response | None:
        """Take a value that was read; None: read once more.

        Raises `DesynchronisedError` or `RemoteProtocolError`; the link is of no use any more then.
        """
        if self._records is not None:
            opened = self._records.read.open(value)
            if opened is None:
                raise DesynchronisedError(
                    f"an encrypted answer to {self.what}", "one that does not decrypt", "connect again"
                )
            value = opened
        try:
            return self._reader.feed(value)
        except PduError as error:
            raise RemoteProtocolError(f"an answer to {self.what}", str(error)) from None
