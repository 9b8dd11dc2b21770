"""One connection of a central, from link to link closed."""

from __future__ import annotations

from typing import Final

from hapcore.ble.accessory.pairing import Pairing
from hapcore.ble.accessory.procedure import Procedure, SpareProcedure
from hapcore.ble.accessory.session import Session
from hapcore.engine import ConnectionId

__all__ = ["FIRST_SECONDS", "IDLE_SECONDS", "SAFE_SECONDS", "Link"]

#: A link on which no procedure begins is dropped after this time (HAP-BLE A.3.6).
FIRST_SECONDS: Final = 10.0
#: A secured session without any procedure ends after this time (HAP-BLE A.3.6).
IDLE_SECONDS: Final = 30.0
#: So long a response takes to leave the radio: no link is dropped sooner after one.
SAFE_SECONDS: Final = 0.2


class Link:
    """Everything that is forgotten with the link."""

    __slots__ = (
        "deadline",
        "dropped",
        "indicating",
        "max_read",
        "max_write",
        "number",
        "pairing",
        "pending",
        "procedure",
        "safe_at",
        "session",
        "spares",
        "subscriptions",
        "terminal",
        "waiting",
        "writing",
    )

    def __init__(self, number: ConnectionId, pairing: Pairing, now: float, max_read: int, max_write: int) -> None:
        self.number = number
        self.max_read = max_read
        self.max_write = max_write
        self.session: Session | None = None
        self.pairing = pairing
        self.procedure: Procedure | None = None
        #: By handle of the characteristic.
        self.spares: dict[int, SpareProcedure] = {}
        #: An ATT request waits for its answer.
        self.waiting = False
        #: Handles with indications switched on; they outlive a session (HAP-BLE A.5.1).
        self.subscriptions: set[int] = set()
        #: Handles that changed and were not indicated yet, whether subscribed or not.
        self.pending: set[int] = set()
        #: An indication that the central has not confirmed yet.
        self.indicating = False
        #: The handle that is being written, so that its writer is not told what it said.
        self.writing = 0
        #: The first procedure, or with a session the next one, begins before this time.
        self.deadline: float | None = now + FIRST_SECONDS
        self.safe_at = now
        #: The link will be dropped: nothing is answered any more.
        self.terminal = False
        self.dropped = False

    def next_timeout(self) -> float | None:
        """The first thing that is due."""
        if self.terminal:
            return None if self.dropped else self.safe_at
        due = [spare.deadline for spare in self.spares.values()]
        if self.deadline is not None:
            due.append(self.deadline)
        if self.pairing.deadline is not None:
            due.append(self.pairing.deadline)
        if self.procedure is not None:
            due.append(self.procedure.deadline)
        return min(due, default=None)
