"""Responses of an accessory made into results, or into the error they mean (HAP-BLE A.3.3)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter, PduStatus, Response
from hapcore.codec.tlv8 import TlvError
from hapcore.errors import Refused, RemoteProtocolError
from hapcore.ids import HapStatus
from hapcore.model.metadata import Metadata, Permission

__all__ = ["Direction", "checked", "items", "status_of", "value_of"]


class Direction(Enum):
    """What was asked of a characteristic."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute a timed write"


_STATUSES: Final = {
    PduStatus.SUCCESS: HapStatus.SUCCESS,
    PduStatus.MAXIMUM_PROCEDURES: HapStatus.BUSY,
    PduStatus.INSUFFICIENT_AUTHORIZATION: HapStatus.INSUFFICIENT_AUTHORIZATION,
    PduStatus.INVALID_INSTANCE_ID: HapStatus.DOES_NOT_EXIST,
    PduStatus.INSUFFICIENT_AUTHENTICATION: HapStatus.INSUFFICIENT_PRIVILEGES,
    PduStatus.INVALID_REQUEST: HapStatus.INVALID_VALUE,
}
_NAMES: Final = {int(one): one.name.lower().replace("_", " ") for one in PduStatus}


def status_of(status: int, direction: Direction, meta: Metadata | None = None) -> HapStatus:
    """The status of the common API. "Unsupported" says several things: permissions and direction tell which."""
    if status in _STATUSES:
        return _STATUSES[PduStatus(status)]
    if status == PduStatus.UNSUPPORTED_PDU:
        if direction is Direction.EXECUTE:
            return HapStatus.INVALID_VALUE  # too late: as IP says it
        if meta is not None and direction is Direction.READ and Permission.READ not in meta.perms:
            return HapStatus.WRITE_ONLY
        if meta is not None and direction is Direction.WRITE and Permission.WRITE not in meta.perms:
            return HapStatus.READ_ONLY
    return HapStatus.UNABLE_TO_COMMUNICATE


def checked(response: Response, what: str, direction: Direction = Direction.WRITE) -> Response:
    """Raise `Refused` for every status but success."""
    if response.status:
        name = _NAMES.get(response.status, "unknown")
        hap_status = status_of(response.status, direction)
        raise Refused(f"{what} was refused with PDU status {response.status:02x} ({name})", hap_status=int(hap_status))
    return response


def items(response: Response, what: str) -> tlv8.Items:
    """The items of a body. Raises `RemoteProtocolError`."""
    try:
        return tlv8.decode_tolerant(response.body)
    except TlvError as error:
        raise RemoteProtocolError(f"TLV items in the answer to {what}", str(error)) from None


def value_of(response: Response, what: str) -> bytes | None:
    """Parameter 01 of a body, None where it is missing."""
    return tlv8.first(items(response, what), Parameter.VALUE)
