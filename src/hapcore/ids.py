"""Names for things that every layer talks about: characteristics by number, HAP statuses, who is asking."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple, TypeAlias

from attrs import field, frozen

from hapcore.engine import ConnectionId
from hapcore.errors import LocalProtocolError

__all__ = ["Caller", "CharacteristicId", "HapStatus", "Transport", "Value"]

#: What a characteristic can hold: tlv8 and data are bytes, None is "no value" (a button between two presses).
Value: TypeAlias = bool | int | float | str | bytes | None

_MAX_ID = 2**64 - 1


class CharacteristicId(NamedTuple):
    """Accessory id and instance id, each 1 to 2**64 - 1. Equal to, and hashed like, the plain pair `(aid, iid)`."""

    aid: int
    iid: int

    @classmethod
    def parse(cls, text: str) -> CharacteristicId:
        """Read "1.9"; anything else is a `LocalProtocolError`."""
        aid, dot, iid = text.partition(".")
        if not (dot and aid.isascii() and aid.isdigit() and iid.isascii() and iid.isdigit() and len(text) <= 41):
            raise LocalProtocolError(f"{text!r} is not of the form AID.IID, such as 1.9", argument="characteristic")
        found = cls(int(aid), int(iid))
        if not (1 <= found.aid <= _MAX_ID and 1 <= found.iid <= _MAX_ID):
            raise LocalProtocolError(f"{text!r} is out of range, ids are 1 to 2**64 - 1", argument="characteristic")
        return found

    def __str__(self) -> str:
        return f"{self.aid}.{self.iid}"


class HapStatus(IntEnum):
    """The status of one characteristic in a request (HAP 9.1)."""

    SUCCESS = 0
    INSUFFICIENT_PRIVILEGES = -70401
    UNABLE_TO_COMMUNICATE = -70402
    BUSY = -70403
    READ_ONLY = -70404
    WRITE_ONLY = -70405
    NOTIFICATION_NOT_SUPPORTED = -70406
    OUT_OF_RESOURCES = -70407
    TIMED_OUT = -70408
    DOES_NOT_EXIST = -70409
    INVALID_VALUE = -70410
    INSUFFICIENT_AUTHORIZATION = -70411
    NOT_ALLOWED = -70412

    @property
    def text(self) -> str:
        """A sentence for people."""
        return _STATUS_TEXT[self]


_STATUS_TEXT = {
    HapStatus.SUCCESS: "done",
    HapStatus.INSUFFICIENT_PRIVILEGES: "this controller has not the rights for it",
    HapStatus.UNABLE_TO_COMMUNICATE: "the accessory could not do it, or could not be reached",
    HapStatus.BUSY: "the accessory is busy, try again",
    HapStatus.READ_ONLY: "the characteristic cannot be written",
    HapStatus.WRITE_ONLY: "the characteristic cannot be read",
    HapStatus.NOTIFICATION_NOT_SUPPORTED: "the characteristic has no events",
    HapStatus.OUT_OF_RESOURCES: "the accessory has no room for the request",
    HapStatus.TIMED_OUT: "the accessory took too long",
    HapStatus.DOES_NOT_EXIST: "there is no such characteristic",
    HapStatus.INVALID_VALUE: "the value or the way it was written was refused",
    HapStatus.INSUFFICIENT_AUTHORIZATION: "additional authorization is missing or wrong",
    HapStatus.NOT_ALLOWED: "not allowed in the accessory's current state",
}


class Transport(Enum):
    """How a controller is connected."""

    IP = "ip"
    BLE = "ble"


def _hidden(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class Caller:
    """The paired controller behind a request, as the application's handlers see it.

    A setter also learns how the value came: `remote` through a home hub, `timed` as a prepared write, `auth_data` the
    additional authorization data that came with it.
    """

    pairing_id: bytes
    admin: bool
    transport: Transport
    connection: ConnectionId = field(repr=False)
    remote: bool = False
    timed: bool = False
    auth_data: bytes | None = field(default=None, repr=_hidden)
