"""What the application behind Apple's test database does, as far as its description and the recordings tell."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.ip.accessory import CharacteristicWrite
from hapcore.model.database import Database
from hapcore.replay import Application

ITEMS = CharacteristicId(1, 0x5A)
CONTROL_POINT = CharacteristicId(1, 0x62)
FAULT = CharacteristicId(1, 0x65)
AUTHORIZED = CharacteristicId(1, 0x68)
#: The type of the item that counts the others.
COUNT = 0x7F
PASSWORD = bytes.fromhex("aabb")
FAULTS = {
    1: HapStatus.UNABLE_TO_COMMUNICATE,
    2: HapStatus.UNABLE_TO_COMMUNICATE,
    3: HapStatus.INVALID_VALUE,
    4: HapStatus.OUT_OF_RESOURCES,
    5: HapStatus.INSUFFICIENT_AUTHORIZATION,
    6: HapStatus.BUSY,
}


def echo(value: Value) -> bytes:
    """The items of the last write and their number."""
    items = tlv8.decode(value if isinstance(value, bytes) else b"")
    return tlv8.encode([*items, (COUNT, bytes([len(items)]))])


class BenchApplication(Application):
    handled = frozenset({ITEMS, CONTROL_POINT, FAULT, AUTHORIZED})
    answered = frozenset({CONTROL_POINT})

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.last: Value = b""

    def write(self, write: CharacteristicWrite) -> HapStatus:
        if write.id == FAULT:
            return FAULTS.get(write.value, HapStatus.SUCCESS)
        if write.id == AUTHORIZED and write.auth_data != PASSWORD:
            return HapStatus.INSUFFICIENT_AUTHORIZATION
        if write.id in (ITEMS, CONTROL_POINT):
            try:
                tlv8.decode(write.value)
            except tlv8.TlvError:
                return HapStatus.INVALID_VALUE
        if write.id == CONTROL_POINT:
            self.last = write.value
        return super().write(write)

    def respond(self, write: CharacteristicWrite) -> Value:
        return echo(self.last) if write.id == CONTROL_POINT else write.value

    def read(self, id: CharacteristicId) -> Value | HapStatus:
        return echo(self.last) if id == CONTROL_POINT else super().read(id)
