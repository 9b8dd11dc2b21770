"""HAP procedures: a request in fragments, its execution at the first read, the answer in fragments (HAP-BLE A.3.5)."""

from __future__ import annotations

from collections import deque
from typing import Final

from hapcore.ble.accessory.table import Cell
from hapcore.codec.pdu import MIN_FRAGMENT, Opcode, PduError, PduStatus, Request, RequestReader

__all__ = ["PROCEDURE_SECONDS", "Procedure", "SpareProcedure", "TimedWrite"]

#: A procedure ends within this time, or the link does (HAP-BLE A.3.6).
PROCEDURE_SECONDS: Final = 10.0

_SERVICE_OPCODES = frozenset({Opcode.SERVICE_SIGNATURE_READ, Opcode.PROTOCOL_CONFIGURATION})
_CONTINUATION: Final = 0x80
_HEADER: Final = 5


class TimedWrite:
    """A write that waits for its execute."""

    __slots__ = ("body", "since")

    def __init__(self, body: bytes, since: float) -> None:
        self.body = body
        self.since = since


class Procedure:
    """The one procedure that can do everything; a timed write and its execute are one."""

    __slots__ = ("cell", "deadline", "fragments", "reader", "request", "secured", "timed")

    def __init__(self, cell: Cell, *, secured: bool, now: float) -> None:
        self.cell = cell
        #: Whether it is encrypted: as it was at its first write, though it may secure the session itself.
        self.secured = secured
        self.deadline = now + PROCEDURE_SECONDS
        self.timed: TimedWrite | None = None
        self.begin()

    def begin(self) -> None:
        """Wait for a request."""
        self.reader = RequestReader()
        #: The complete request that the next read carries out.
        self.request: Request | None = None
        #: What is left of the answer, None as long as there is none.
        self.fragments: deque[bytes] | None = None

    def feed(self, fragment: bytes) -> None:
        """Take one decrypted fragment; raises `PduError`."""
        if self.fragments is not None:
            raise PduError("a request where the rest of an answer should be read")
        request = self.reader.feed(fragment)
        if request is not None:
            self.request = request


class SpareProcedure:
    """For a characteristic that is asked while the procedure is busy elsewhere: it only says so."""

    __slots__ = ("_missing", "_tid", "body", "deadline", "status")

    def __init__(self, now: float) -> None:
        self.deadline = now + PROCEDURE_SECONDS
        self.status = PduStatus.MAXIMUM_PROCEDURES
        self.body = b""
        self._tid: int | None = None
        self._missing = 0

    @property
    def complete(self) -> bool:
        """Whether the whole request has come."""
        return self._tid is not None and not self._missing

    @property
    def tid(self) -> int:
        """The transaction to answer."""
        return self._tid or 0

    def feed(self, cell: Cell, fragment: bytes) -> None:
        """Take one decrypted fragment; raises `PduError`."""
        if self._tid is not None:
            if len(fragment) < 2 or fragment[0] != _CONTINUATION or fragment[1] != self._tid:
                raise PduError("no continuation of the request")
            self._count(len(fragment) - 2)
            return
        size = len(fragment)
        if size < _HEADER or fragment[0]:
            raise PduError("no request")
        if _HEADER < size < MIN_FRAGMENT:
            raise PduError("half a length field")
        self._tid = fragment[2]
        self._judge(cell, fragment[1], int.from_bytes(fragment[3:5], "little"))
        if size > _HEADER:
            self._missing = int.from_bytes(fragment[5:7], "little")
            self._count(size - MIN_FRAGMENT)

    def _judge(self, cell: Cell, opcode: int, iid: int) -> None:
        if opcode not in _OPCODES or iid == (cell.service_iid if opcode in _SERVICE_OPCODES else cell.iid):
            return
        if opcode == Opcode.SERVICE_SIGNATURE_READ and not iid:
            self.status = PduStatus.SUCCESS
            self.body = cell.service_signature(0)
        else:
            self.status = PduStatus.INVALID_INSTANCE_ID

    def _count(self, size: int) -> None:
        if size > self._missing:
            raise PduError("more bytes than the body has")
        self._missing -= size


_OPCODES = frozenset(Opcode)
