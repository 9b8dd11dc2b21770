"""What may be broadcast: the key with its life, the identifier, and which characteristics (HAP-BLE A.1.4, A.5.8)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from hapcore.ble.accessory.numbering import LAST
from hapcore.codec.json import JsonInput, write
from hapcore.crypto.keys import KEY_SIZE
from hapcore.crypto.secret import Secret
from hapcore.engine import Forget, Persist
from hapcore.errors import StateError

__all__ = ["IDENTIFIER_SIZE", "Broadcasts", "Interval"]

IDENTIFIER_SIZE: Final = 6
#: State numbers that a key lives for, the one it was made at included.
KEY_LIFE: Final = 32767

_KEY = "ble/broadcast"
_SETTINGS = "ble/broadcast-settings"


class Interval(IntEnum):
    """How often a broadcast is repeated (HAP-BLE A.5.9)."""

    FAST = 1
    MEDIUM = 2
    SLOW = 3

    @property
    def seconds(self) -> float:
        """As time."""
        return _SECONDS[self]


_SECONDS = {Interval.FAST: 0.02, Interval.MEDIUM: 1.28, Interval.SLOW: 2.56}


class Broadcasts:
    """The last controller that asked for a key owns it. `settings` are the intervals by instance id."""

    def __init__(self, state: Mapping[str, bytes]) -> None:
        self.key: Secret | None = None
        #: The state number at which the key is of no use any more.
        self.expiry = 0
        self.identifier: bytes | None = None
        self.settings: dict[int, Interval] = {}
        try:
            if _KEY in state:
                self._decode(json.loads(state[_KEY]))
            if _SETTINGS in state:
                found = json.loads(state[_SETTINGS])
                self.settings = {int(iid): Interval(number) for iid, number in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            message = "the stored broadcast settings cannot be read; restore them from a backup, or reset the accessory"
            raise StateError(message) from None

    def _decode(self, found: Any) -> None:
        key = bytes.fromhex(found["key"])
        identifier = bytes.fromhex(found["identifier"])
        expiry = found["expiry"]
        if len(key) not in (0, KEY_SIZE) or len(identifier) not in (0, IDENTIFIER_SIZE) or type(expiry) is not int:
            raise ValueError
        self.key = Secret(key) if key else None
        self.identifier = identifier or None
        self.expiry = expiry

    def usable(self, state_number: int) -> bool:
        """Whether there is a key that has not run out."""
        return self.key is not None and self.expiry != state_number

    def renew(self, key: Secret, state_number: int, identifier: bytes | None) -> Persist:
        """A new key takes the place of the old one; it expires 32766 changes from now."""
        self.key = key
        expiry = state_number + KEY_LIFE - 1
        self.expiry = expiry - LAST if expiry > LAST else expiry
        if identifier is not None:
            self.identifier = identifier
        return self._store()

    def identify(self, identifier: bytes) -> Persist:
        """Advertise changes under another name than the device id."""
        self.identifier = identifier
        return self._store()

    def expire(self, state_number: int) -> Persist | None:
        """The state number is about to go up from here: the key goes if this was its last one."""
        if self.key is None or self.expiry != state_number:
            return None
        self.key, self.expiry = None, 0
        return self._store()

    def reset(self) -> Forget | None:
        """The last pairing is gone: so are key and identifier. The settings stay."""
        if self.key is None and self.identifier is None:
            return None
        self.key, self.identifier, self.expiry = None, None, 0
        return Forget(_KEY)

    def configure(self, iid: int, interval: Interval | None) -> Persist | None:
        """Broadcast changes of this characteristic from now on, or with None no more."""
        if self.settings.get(iid) is interval:
            return None
        if interval is None:
            del self.settings[iid]
        else:
            self.settings[iid] = interval
        return Persist(_SETTINGS, write({str(number): int(each) for number, each in self.settings.items()}))

    def _store(self) -> Persist:
        record: dict[str, JsonInput] = {
            "key": "" if self.key is None else self.key.reveal().hex(),
            "identifier": "" if self.identifier is None else self.identifier.hex(),
            "expiry": self.expiry,
        }
        return Persist(_KEY, write(record))
