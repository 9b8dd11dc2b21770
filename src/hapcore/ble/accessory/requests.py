"""The requests by opcode: which are allowed where, and who carries them out (HAP-BLE A.3.2, A.5.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hapcore.ble.accessory import configuration, values
from hapcore.ble.accessory.link import Link
from hapcore.ble.accessory.procedure import Procedure, TimedWrite
from hapcore.ble.accessory.table import Role
from hapcore.codec.pdu import Opcode, PduStatus, Request
from hapcore.errors import RemoteProtocolError

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["process"]

_Handler = Callable[["Peripheral", Link, Procedure, bytes], None]


def process(peripheral: Peripheral, link: Link, procedure: Procedure, request: Request) -> None:
    """Carry out a complete request; `peripheral.answer` is called now or later, once."""
    cell, body = procedure.cell, request.body or b""
    room = 0 if procedure.timed is not None else peripheral.max_body
    if len(body) > room:
        # A write that waits fills the buffer (HAP-BLE A.3.5).
        peripheral.answer(PduStatus.INVALID_REQUEST)
        return
    try:
        opcode = Opcode(request.opcode)
    except ValueError:
        peripheral.answer(PduStatus.UNSUPPORTED_PDU)
        return
    rule = _RULES[opcode]
    if opcode is Opcode.SERVICE_SIGNATURE_READ:
        if procedure.timed is not None:
            _interrupted(peripheral)
        elif cell.role is not Role.SIGNATURE:
            peripheral.answer(PduStatus.UNSUPPORTED_PDU)
        else:
            peripheral.answer(PduStatus.SUCCESS, cell.service_signature(request.iid))
        return
    if request.iid != (cell.service_iid if rule.service else cell.iid):
        peripheral.answer(PduStatus.INVALID_INSTANCE_ID)
    elif (procedure.timed is not None) is not (opcode is Opcode.CHARACTERISTIC_EXECUTE_WRITE):
        _interrupted(peripheral)
    elif peripheral.transient and not rule.transient:
        peripheral.answer(PduStatus.UNSUPPORTED_PDU)
    else:
        rule.handler(peripheral, link, procedure, body)


def _interrupted(peripheral: Peripheral) -> None:
    """One procedure at a time on a characteristic: the timed write comes first (HAP-BLE A.3.5)."""
    peripheral.fail(RemoteProtocolError("an execute-write exactly after a timed write", "another request"))


def _signature(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    del link, body
    if peripheral.secured and procedure.cell.role.clears:
        peripheral.answer(PduStatus.UNSUPPORTED_PDU)
    else:
        peripheral.answer(PduStatus.SUCCESS, procedure.cell.signature())


def _read(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    del body
    values.read(peripheral, link, procedure.cell)


def _write(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    values.write(peripheral, link, procedure.cell, body)


def _prepare(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    """Everything is checked when it is executed."""
    del link
    procedure.timed = TimedWrite(body, peripheral.now)
    peripheral.answer(PduStatus.SUCCESS)


def _execute(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    del body
    timed, procedure.timed = procedure.timed, None
    if timed is not None:
        values.write(peripheral, link, procedure.cell, timed.body, timed.since)


def _configure(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    del link
    if peripheral.secured:
        peripheral.answer(*configuration.characteristic(peripheral, procedure.cell, body))
    else:
        peripheral.answer(PduStatus.UNSUPPORTED_PDU)


def _configure_protocol(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
    session = link.session
    if procedure.cell.role is Role.SIGNATURE and procedure.cell.protocol and peripheral.secured and session is not None:
        peripheral.answer(*configuration.protocol(peripheral, session, body))
    else:
        peripheral.answer(PduStatus.UNSUPPORTED_PDU)


def _on_protocol_signature(act: Callable[[Peripheral], tuple[PduStatus, bytes]]) -> _Handler:
    def handler(peripheral: Peripheral, link: Link, procedure: Procedure, body: bytes) -> None:
        del link, body
        cell = procedure.cell
        if cell.role is Role.SIGNATURE and cell.protocol and peripheral.secured:
            peripheral.answer(*act(peripheral))
        else:
            peripheral.answer(PduStatus.UNSUPPORTED_PDU)

    return handler


def _no_token(peripheral: Peripheral) -> tuple[PduStatus, bytes]:
    """Software authentication needs a token that only Apple gives out: there is none."""
    del peripheral
    return PduStatus.INVALID_REQUEST, b""


@frozen
class _Rule:
    """`service`: the request names the service; `transient`: allowed in a session without a pairing."""

    handler: _Handler
    service: bool = False
    transient: bool = False


_RULES: Final[Mapping[Opcode, _Rule]] = {
    Opcode.CHARACTERISTIC_SIGNATURE_READ: _Rule(_signature, transient=True),
    Opcode.CHARACTERISTIC_WRITE: _Rule(_write),
    Opcode.CHARACTERISTIC_READ: _Rule(_read),
    Opcode.CHARACTERISTIC_TIMED_WRITE: _Rule(_prepare),
    Opcode.CHARACTERISTIC_EXECUTE_WRITE: _Rule(_execute),
    Opcode.SERVICE_SIGNATURE_READ: _Rule(_signature, service=True, transient=True),
    Opcode.CHARACTERISTIC_CONFIGURATION: _Rule(_configure),
    Opcode.PROTOCOL_CONFIGURATION: _Rule(_configure_protocol, service=True),
    Opcode.TOKEN: _Rule(_on_protocol_signature(_no_token), transient=True),
    Opcode.TOKEN_UPDATE: _Rule(_on_protocol_signature(_no_token), transient=True),
    Opcode.INFO: _Rule(_on_protocol_signature(configuration.info), transient=True),
}
