"""Who may be connected when all connections are in use (HAP 8.1)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping

from hapcore.accessory.config import Config, WhenFull
from hapcore.engine import ConnectionId
from hapcore.ip.accessory.session import PLAIN_BODY, Session

__all__ = ["Room"]

#: The same as `Config.idle_seconds` for connections that have not proved who they are, however busy they look:
#: pair-verify takes less than a second, and the one that is pairing, while a person types the code, is spared.
UNPROVEN_SECONDS = 10.0
#: How many may wait for a place. Each can make us keep its first request.
MAX_WAITING = 16


class Room:
    """The places of a server, taken by its `sessions`, and those who wait for one with what they sent meanwhile.

    What the references do when all places are taken: Apple's accessory code closes the connection that has been idle
    longest, if that is more than 60 s; otherwise the new one is accepted by TCP and gets no answer until another goes.
    HAP-NodeJS has no cap, and from 16 connections on closes those idle for more than an hour.
    """

    def __init__(self, config: Config, sessions: Mapping[ConnectionId, Session]) -> None:
        self._config = config
        self._sessions = sessions
        self.waiting: dict[ConnectionId, bytearray] = {}

    @property
    def full(self) -> bool:
        """Whether all places are taken."""
        return len(self._sessions) >= self._config.max_connections

    def wait(self, connection: ConnectionId) -> bool:
        """Have a connection wait for a place; False when it has to be refused."""
        if self._config.when_full is not WhenFull.WAIT or len(self.waiting) >= MAX_WAITING:
            return False
        self.waiting[connection] = bytearray()
        return True

    def keep(self, connection: ConnectionId, data: bytes) -> bool:
        """Keep what one that waits has sent; False when that is more than a request of a stranger can be."""
        kept = self.waiting[connection]
        kept += data
        return len(kept) <= PLAIN_BODY

    def yielding(self, pairing: Hashable, now: float) -> ConnectionId | None:
        """Which connection makes room now: those that never proved who they are first, then the longest silent.

        `pairing` is the connection of a pair-setup that goes on.
        """
        idle = [
            (session.opener is not None, session.last_active, session.connection)
            for session, limit in self._candidates(pairing)
            if now - session.last_active > limit
        ]
        return min(idle)[-1] if idle else None

    def next_yielding(self, pairing: Hashable) -> float | None:
        """When somebody will make room for one that waits, if all stay as silent as they are."""
        if not self.waiting:
            return None
        due = min((session.last_active + limit for session, limit in self._candidates(pairing)), default=math.inf)
        return None if due == math.inf else due * (1 + 1e-12) + 1e-6  # what is due has to be over then

    def _candidates(self, pairing: Hashable) -> Iterable[tuple[Session, float]]:
        """Whoever may have to go, and after how long."""
        idle = self._config.idle_seconds
        for session in self._sessions.values():
            if not session.busy and session.connection != pairing and (session.opener is None or idle is not None):
                yield session, UNPROVEN_SECONDS if session.opener is None or idle is None else idle
