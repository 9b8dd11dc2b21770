"""Attribute values in and out: which procedure they belong to, encryption, and when the link is dropped.

A fault of the central refuses the request, ends the session and drops the link (HAP-BLE A.3.5, A.5.5).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from hapcore.ble.accessory.effects import GattReply
from hapcore.ble.accessory.link import Link
from hapcore.ble.accessory.procedure import Procedure, SpareProcedure
from hapcore.ble.accessory.requests import process
from hapcore.ble.accessory.table import Cell
from hapcore.codec.pdu import MIN_FRAGMENT, PduError, PduStatus, Response, write_response
from hapcore.crypto.keys import TAG_SIZE
from hapcore.errors import DesynchronisedError, HapError, LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["answer", "read", "write"]

_WRONG: Final = "the link is dropped"


def write(peripheral: Peripheral, link: Link, cell: Cell, data: bytes) -> None:
    """One fragment of a request."""
    if cell.role.clears:
        link.spares.clear()
    spare = link.spares.get(cell.handle)
    procedure = link.procedure
    if spare is None and procedure is not None and procedure.cell is not cell:
        if cell.role.clears:
            procedure = None
        else:
            spare = link.spares[cell.handle] = SpareProcedure(peripheral.now)
            peripheral.procedure_started()
    try:
        if spare is not None:
            spare.feed(cell, _opened(link, data) if peripheral.secured else data)
        else:
            if procedure is None:
                procedure = _begin(peripheral, link, cell)
            procedure.feed(_opened(link, data) if procedure.secured else data)
    except (PduError, RemoteProtocolError) as fault:
        peripheral.fail(_error("a fragment of a request", fault))
        return
    _send(peripheral, link, b"")
    peripheral.indicate()


def _error(expected: str, fault: Exception) -> HapError:
    return fault if isinstance(fault, HapError) else RemoteProtocolError(expected, str(fault), _WRONG)


def _begin(peripheral: Peripheral, link: Link, cell: Cell) -> Procedure:
    """The first fragment of a request begins a procedure."""
    if cell.role.clears and peripheral.secured:
        peripheral.end_session(None)
    procedure = link.procedure = Procedure(cell, secured=peripheral.secured, now=peripheral.now)
    peripheral.procedure_started()
    return procedure


def _opened(link: Link, data: bytes) -> bytes:
    plain = None if link.session is None or len(data) < TAG_SIZE else link.session.opener.open(data)
    if plain is None:
        raise DesynchronisedError("an encrypted fragment", f"{len(data)} bytes that do not decrypt", _WRONG)
    return plain


def read(peripheral: Peripheral, link: Link, cell: Cell) -> None:
    """The next fragment of an answer; the first read carries the request out."""
    if cell.role.clears:
        link.spares.clear()
    spare = link.spares.get(cell.handle)
    procedure = link.procedure
    if spare is not None:
        _read_spare(peripheral, link, cell, spare)
    elif procedure is None or procedure.cell is not cell:
        peripheral.fail(RemoteProtocolError("a request before a read", "none", _WRONG))
    elif procedure.fragments is not None:
        _deliver(peripheral, link, procedure)
    elif procedure.request is None:
        peripheral.fail(RemoteProtocolError("a whole request before a read", "a part of it", _WRONG))
    else:
        process(peripheral, link, procedure, procedure.request)


def answer(peripheral: Peripheral, link: Link, status: PduStatus, body: bytes = b"") -> None:
    """The request was carried out: the read that waits gets the first fragment."""
    procedure = link.procedure
    if procedure is None or procedure.request is None:
        return  # the link failed meanwhile
    if len(body) > peripheral.max_body:
        status, body = PduStatus.INVALID_REQUEST, b""
    limit = link.max_read - (TAG_SIZE if procedure.secured else 0)
    try:
        procedure.fragments = deque(write_response(Response(procedure.request.tid, status, body), limit))
    except LocalProtocolError:
        peripheral.fail(RemoteProtocolError("room for an answer in an attribute value", f"{link.max_read} bytes"))
        return
    _deliver(peripheral, link, procedure)


def _deliver(peripheral: Peripheral, link: Link, procedure: Procedure) -> None:
    fragments = procedure.fragments or deque[bytes]()
    fragment = fragments.popleft()
    if procedure.secured:
        if link.session is None:
            peripheral.fail(RemoteProtocolError("a session for the rest of the answer", "none", _WRONG))
            return
        fragment = link.session.sealer.seal(fragment)
    if not fragments:
        procedure.begin()
        if procedure.timed is None:
            link.procedure = None
    _send(peripheral, link, fragment)
    if link.procedure is None and link.session is not None and not peripheral.secured:
        # The pairing of this very session was removed: that was its last answer, or the end of its pair-verify.
        peripheral.terminate(None)
        return
    peripheral.indicate()


def _read_spare(peripheral: Peripheral, link: Link, cell: Cell, spare: SpareProcedure) -> None:
    secured = peripheral.secured
    if not spare.complete:
        peripheral.fail(RemoteProtocolError("a whole request before a read", "a part of it", _WRONG))
        return
    (fragment,) = write_response(Response(spare.tid, spare.status, spare.body), MIN_FRAGMENT)
    if link.max_read < len(fragment) + (TAG_SIZE if secured else 0):
        peripheral.fail(RemoteProtocolError("room for an answer in an attribute value", f"{link.max_read} bytes"))
        return
    if secured and link.session is not None:
        fragment = link.session.sealer.seal(fragment)
    del link.spares[cell.handle]
    _send(peripheral, link, fragment)
    peripheral.indicate()


def _send(peripheral: Peripheral, link: Link, data: bytes) -> None:
    link.waiting = False
    peripheral.responded()
    peripheral.emit(GattReply(data))
