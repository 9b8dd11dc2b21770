"""Reading and writing characteristics: rights, bodies, the application's word, read-back (HAP-BLE A.3.8, A.5.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from hapcore.accessory.commands import AnswerRead, AnswerWrite
from hapcore.accessory.events import CharacteristicsWritten, CharacteristicWrite, IdentifyRequested
from hapcore.ble.accessory.configuration import PROTOCOL_VERSION
from hapcore.ble.accessory.link import Link
from hapcore.ble.accessory.table import Cell, Role
from hapcore.ble.signature import CharacteristicProperties
from hapcore.ble.values import WIDTHS, read_strict, write_value
from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter, PduStatus
from hapcore.codec.tlv8 import TlvError
from hapcore.errors import ValueRefused
from hapcore.ids import HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.checks import check_bytes, check_float, check_text, check_whole
from hapcore.model.metadata import Format

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["MAX_VALUE", "read", "write"]

#: Longest value of a characteristic, in bytes (HAP-BLE A.2.3).
MAX_VALUE: Final = 64000
#: A TTL counts tenths of a second.
_TTL_UNIT: Final = 0.1
#: A written float may lie this far off the step grid, as a part of a step.
_GRID_SLACK: Final = 0.1

_P = CharacteristicProperties
_STATUSES = {
    HapStatus.INSUFFICIENT_AUTHORIZATION: PduStatus.INSUFFICIENT_AUTHORIZATION,
    HapStatus.INSUFFICIENT_PRIVILEGES: PduStatus.INSUFFICIENT_AUTHENTICATION,
}
_PAIRING_ROLES = frozenset({Role.PAIR_SETUP, Role.PAIR_VERIFY, Role.PAIRINGS})


def _refusal(peripheral: Peripheral, clear: bool, secured: bool) -> PduStatus | None:
    """Why something that may be done `clear` or `secured` must not be done now; None if it may (HAP-BLE A.5.1)."""
    if peripheral.secured:
        return None if secured else PduStatus.UNSUPPORTED_PDU
    if clear:
        return None
    return PduStatus.INSUFFICIENT_AUTHENTICATION if secured else PduStatus.UNSUPPORTED_PDU


def _status(status: HapStatus) -> PduStatus:
    return _STATUSES.get(status, PduStatus.INVALID_REQUEST)


# Reading.


def read(peripheral: Peripheral, link: Link, cell: Cell) -> None:
    """Answer with the value, or with the reason why there is none."""
    refused = _refuse_read(peripheral, cell)
    if refused is not None:
        peripheral.answer(refused)
        return
    role, characteristic = cell.role, cell.characteristic
    if role in _PAIRING_ROLES:
        _read_message(peripheral, link, role)
    elif role is Role.SIGNATURE:
        _answer_value(peripheral, b"")
    elif role is Role.PAIRING_FEATURES:
        _answer_value(peripheral, b"\0")
    elif role is Role.VERSION:
        _answer_value(peripheral, PROTOCOL_VERSION.encode())
    elif characteristic.read_handled:
        peripheral.questions.read(
            peripheral.caller, characteristic.id, partial(_read_answered, peripheral, characteristic)
        )
    else:
        _answer(peripheral, characteristic, characteristic.value)


def _refuse_read(peripheral: Peripheral, cell: Cell) -> PduStatus | None:
    properties = cell.properties
    refused = _refusal(peripheral, _P.CLEAR_READ in properties, _P.READ in properties)
    if refused is None and cell.characteristic.admin_only_read and not peripheral.admin:
        return PduStatus.INSUFFICIENT_AUTHENTICATION
    return refused


def _read_message(peripheral: Peripheral, link: Link, role: Role) -> None:
    found = link.pairing.read(role)
    if found is None:
        peripheral.answer(PduStatus.INVALID_REQUEST)
    else:
        _answer_value(peripheral, found)


def _read_answered(peripheral: Peripheral, characteristic: AnyCharacteristic, answer: AnswerRead) -> None:
    found = answer.results.get(characteristic.id, HapStatus.UNABLE_TO_COMMUNICATE)
    if isinstance(found, HapStatus) and found is not HapStatus.SUCCESS:
        peripheral.answer(_status(found))
    else:
        _answer(peripheral, characteristic, found)


def _answer(peripheral: Peripheral, characteristic: AnyCharacteristic, value: Value) -> None:
    """A value of the application; one that its own characteristic does not allow is not sent."""
    form = characteristic.metadata.format
    try:
        data = write_value(characteristic.coerce(value), form)
    except ValueRefused:
        peripheral.answer(PduStatus.INVALID_REQUEST)
        return
    # A button between two presses has no value: zero, for want of anything better.
    _answer_value(peripheral, data or bytes(WIDTHS.get(form, 0)))


def _answer_value(peripheral: Peripheral, data: bytes) -> None:
    if len(data) > MAX_VALUE:
        peripheral.answer(PduStatus.INVALID_REQUEST)
    else:
        peripheral.answer(PduStatus.SUCCESS, tlv8.encode([(Parameter.VALUE, data)]))


# Writing.


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class _Order:
    """The body of a write (HAP-BLE A.3.8)."""

    value: bytes = field(repr=_size)
    auth_data: bytes | None = field(repr=_size)
    remote: bool
    ttl: int
    return_response: bool


_KNOWN = frozenset({Parameter.VALUE, Parameter.AUTH_DATA, Parameter.ORIGIN, Parameter.TTL, Parameter.RETURN_RESPONSE})


def _parse(body: bytes, cell: Cell) -> _Order:
    """Read a body; raises `TlvError`."""
    found: dict[int, bytes] = {}
    for kind, item in tlv8.decode(body):
        if kind in _KNOWN:
            if kind in found:
                raise TlvError(f"item {kind} comes twice")
            found[kind] = item
    value = found.get(Parameter.VALUE)
    if value is None or len(value) > MAX_VALUE:
        raise TlvError("no value, or one that is too long")
    origin = _one(found, Parameter.ORIGIN)
    auth_data = found.get(Parameter.AUTH_DATA) if cell.characteristic.authorized else None
    if (origin or 0) > 1 or (auth_data is not None and origin is None):
        raise TlvError("the origin is missing or unknown")
    response = _one(found, Parameter.RETURN_RESPONSE)
    if response not in (None, 1):
        raise TlvError("return-response is 1 or absent")
    return _Order(value, auth_data, origin == 1, _one(found, Parameter.TTL) or 0, response == 1)


def _one(found: dict[int, bytes], kind: Parameter) -> int | None:
    value = found.get(kind)
    if value is not None and len(value) != 1:
        raise TlvError(f"{kind.name} has {len(value)} bytes, not 1")
    return None if value is None else value[0]


def _convert(characteristic: AnyCharacteristic, data: bytes) -> Value:
    """The written bytes as a value that the metadata allows; raises `ValueError` (HAP-BLE A.3.8)."""
    meta = characteristic.metadata
    value = read_strict(data, meta.format)
    if isinstance(value, bool):
        pass
    elif isinstance(value, int):
        value = check_whole(meta, value)
    elif meta.format is Format.FLOAT and isinstance(value, float):
        value = check_float(meta, value, _GRID_SLACK)
    elif isinstance(value, str):
        value = check_text(meta, value)
    elif isinstance(value, bytes):
        value = check_bytes(meta, value)
    coerced: Value = characteristic.coerce(value)
    return coerced


def write(peripheral: Peripheral, link: Link, cell: Cell, body: bytes, timed_since: float | None = None) -> None:
    """Carry out a write; `timed_since` is when a timed one was announced, None for a plain one."""
    refused = _refuse_write(peripheral, cell, timed=timed_since is not None)
    if refused is not None:
        peripheral.answer(refused)
        return
    value: Value = None
    try:
        order = _parse(body, cell)
        if timed_since is not None:
            if not order.ttl:
                raise TlvError("no time to live")
            if peripheral.now - timed_since > order.ttl * _TTL_UNIT:
                peripheral.answer(PduStatus.UNSUPPORTED_PDU)
                return
        if cell.role not in _PAIRING_ROLES:
            value = _convert(cell.characteristic, order.value)
            if cell.role is Role.IDENTIFY and value is not True:
                raise TlvError("identify is written with true")
    except ValueError:
        peripheral.answer(PduStatus.INVALID_REQUEST)
        return
    refused = _refuse_order(peripheral, cell, order)
    if refused is not None:
        peripheral.answer(refused)
    elif cell.role in _PAIRING_ROLES:
        link.pairing.write(cell.role, order.value, partial(_message_taken, peripheral, link, cell, order))
    elif cell.role is Role.IDENTIFY and not peripheral.secured:
        peripheral.emit(IdentifyRequested(link.number))
        _written(peripheral, link, cell, order)
    else:
        _Writing(peripheral, link, cell, order, value, timed=timed_since is not None).run()


def _refuse_write(peripheral: Peripheral, cell: Cell, *, timed: bool) -> PduStatus | None:
    properties = cell.properties
    # Whoever finds it may have it identify itself, until it is paired (HAP-BLE A.5.1).
    clear = not peripheral.paired if cell.role is Role.IDENTIFY else _P.CLEAR_WRITE in properties
    refused = _refusal(peripheral, clear, _P.WRITE in properties)
    if refused is None and cell.characteristic.admin_only_write and not peripheral.admin:
        return PduStatus.INSUFFICIENT_AUTHENTICATION
    if refused is None and cell.characteristic.timed and not timed:
        return PduStatus.INVALID_REQUEST
    return refused


def _refuse_order(peripheral: Peripheral, cell: Cell, order: _Order) -> PduStatus | None:
    one = cell.characteristic
    if order.return_response and one.admin_only_read and not peripheral.admin:
        # Who asks for the value back reads it. What is refused is not done either.
        return PduStatus.INSUFFICIENT_AUTHENTICATION
    if one.authorized and not one.write_handled:
        # Nobody can judge the authorization data, so nobody may pass.
        return PduStatus.INSUFFICIENT_AUTHORIZATION
    return None


def _message_taken(peripheral: Peripheral, link: Link, cell: Cell, order: _Order, well_formed: bool) -> None:
    if not peripheral.serves(link):
        return  # it has gone while the message was stored
    if not well_formed:
        peripheral.answer(PduStatus.INVALID_REQUEST)
    elif order.return_response:
        # Whoever has just removed itself is told so, though it may read nothing any more.
        _read_message(peripheral, link, cell.role)
    else:
        peripheral.answer(PduStatus.SUCCESS)


def _written(peripheral: Peripheral, link: Link, cell: Cell, order: _Order) -> None:
    if order.return_response:
        read(peripheral, link, cell)
    else:
        peripheral.answer(PduStatus.SUCCESS)


class _Writing:
    """A write on its way through the application."""

    __slots__ = ("_cell", "_link", "_order", "_peripheral", "_write")

    def __init__(
        self, peripheral: Peripheral, link: Link, cell: Cell, order: _Order, value: Value, *, timed: bool
    ) -> None:
        self._peripheral = peripheral
        self._link = link
        self._cell = cell
        self._order = order
        number = cell.characteristic.id
        self._write = CharacteristicWrite(
            number, value, order.auth_data, order.remote, timed, response=order.return_response
        )

    def run(self) -> None:
        """Ask where the application decides, else store."""
        peripheral, write = self._peripheral, self._write
        if self._cell.characteristic.write_handled:
            peripheral.questions.write(peripheral.caller, write, self._answered, self._late)
            return
        self._store()
        peripheral.emit(CharacteristicsWritten(peripheral.caller, (write,)))
        _written(peripheral, self._link, self._cell, self._order)

    def _store(self, *, late: bool = False) -> None:
        if self._cell.role is not Role.IDENTIFY:
            writer = None if late else self._link
            self._peripheral.changed(self._cell.characteristic, self._write.value, writer)

    def _late(self, answer: AnswerWrite) -> None:
        # The writer was told that it took too long: that it was done after all is news for everybody.
        if not answer.statuses.get(self._write.id) and self._write.id not in answer.values:
            self._store(late=True)

    def _answered(self, answer: AnswerWrite) -> None:
        peripheral, number = self._peripheral, self._write.id
        status = answer.statuses.get(number, HapStatus.SUCCESS)
        if status:
            peripheral.answer(_status(status))
            return
        if number not in answer.values:
            self._store()
        elif self._order.return_response and _refuse_read(peripheral, self._cell) is None:
            _answer(peripheral, self._cell.characteristic, answer.values[number])
            return
        _written(peripheral, self._link, self._cell, self._order)
