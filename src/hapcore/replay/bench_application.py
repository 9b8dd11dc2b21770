"""What the application behind Apple's test database does, as far as its description tells."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.accessory import CharacteristicWrite
from hapcore.replay import Application
from hapcore.replay.bench import WRITE_FAULTS, authorised

ITEMS = CharacteristicId(1, 0x5A)
CONTROL_POINT = CharacteristicId(1, 0x62)
FAULT = CharacteristicId(1, 0x65)
GUARDED = CharacteristicId(1, 0x68)


class BenchApplication(Application):
    handled = frozenset({ITEMS, CONTROL_POINT, FAULT, GUARDED})

    def write(self, write: CharacteristicWrite) -> HapStatus:
        if write.id == FAULT and isinstance(write.value, int):
            return WRITE_FAULTS.get(write.value, HapStatus.SUCCESS)
        if write.id == GUARDED:
            return authorised(write.auth_data)
        if write.id in (ITEMS, CONTROL_POINT) and isinstance(write.value, bytes):
            try:
                tlv8.decode(write.value)
            except tlv8.TlvError:
                return HapStatus.INVALID_VALUE
        return super().write(write)
