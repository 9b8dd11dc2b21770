"""The global state number: goes up when something changed, so that who was away sees it (HAP-BLE A.1.5)."""

from __future__ import annotations

from collections.abc import Mapping

from hapcore.engine import Persist
from hapcore.errors import StateError

__all__ = ["FIRST", "LAST", "StateNumber"]

FIRST, LAST = 1, 0xFFFF
_KEY = "ble/state-number"


class StateNumber:
    """`value` is 1 to 65535; `moved` whether it has gone up since the last connect or disconnect."""

    def __init__(self, state: Mapping[str, bytes]) -> None:
        self.value = FIRST
        self.moved = False
        stored = state.get(_KEY)
        if stored is None:
            return
        number, _, moved = stored.partition(b" ")
        if not number.isdigit() or moved not in (b"0", b"1") or not FIRST <= int(number) <= LAST:
            raise StateError(f"the stored {_KEY!r} cannot be read; restore it from a backup, or reset the accessory")
        self.value, self.moved = int(number), moved == b"1"

    def increment(self) -> Persist:
        """Count; 65535 is followed by 1."""
        self.value = FIRST if self.value == LAST else self.value + 1
        self.moved = True
        return self._store()

    def begin_cycle(self) -> Persist | None:
        """A link was made or has gone: the next change counts again."""
        if not self.moved:
            return None
        self.moved = False
        return self._store()

    def reset(self) -> Persist:
        """Begin again, after another firmware was installed."""
        self.value, self.moved = FIRST, False
        return self._store()

    def _store(self) -> Persist:
        return Persist(_KEY, b"%d %d" % (self.value, self.moved))
