"""The keys that a key log holds, and which of them open what was captured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from hapcore.crypto.frames import FrameKey, frame_size
from hapcore.crypto.secret import Secret
from hapcore.decode.model import Direction
from hapcore.decode.sealed import MAX_COUNTER
from hapcore.pairing.keylog import LoggedSession

__all__ = ["MAX_PROBES", "Found", "KeyRing", "key_of"]

#: Decryptions tried on one connection that was open before the capture began, all keys together: about a second.
MAX_PROBES: Final = 8 * MAX_COUNTER


@frozen
class Found:
    """Whose keys these are, and which frame of which direction they opened."""

    session: LoggedSession
    direction: Direction
    counter: int


class KeyRing:
    """All sessions of a key log, once each: both sides may have written the same."""

    def __init__(self, sessions: Iterable[LoggedSession] = ()) -> None:
        known: dict[bytes, LoggedSession] = {}
        for one in sessions:
            known.setdefault(one.keys.read.reveal() + one.keys.write.reveal(), one)
        self._sessions = tuple(known.values())
        self._public = {one.public: one for one in self._sessions if one.public}
        self._nameless = tuple(one for one in self._sessions if not one.public)

    def __len__(self) -> int:
        return len(self._sessions)

    def named(self, public: bytes) -> LoggedSession | None:
        """The session in whose pair-verify M1 the controller sent this key."""
        return self._public.get(public)

    def first(self, frame: bytes, direction: Direction, public: bytes = b"") -> LoggedSession | None:
        """Whose first frame of that direction this is; `public` as in `named`, where pair-verify was heard."""
        named = self.named(public)
        tries = (named,) if named is not None else self._nameless if public else self._sessions
        for one in tries:
            if FrameKey(key_of(one, direction)).open(frame, 0) is not None:
                return one
        return None

    def any(self, frame: bytes) -> Found | None:
        """Whose frame of some number this is, in which direction; tried as long as it is bearable."""
        tries = [(one, direction) for one in self._sessions for direction in _DIRECTIONS]
        if not tries or frame_size(frame) != len(frame):
            return None
        most = min(MAX_COUNTER, MAX_PROBES // len(tries))
        start = 0
        # Low numbers with every key first: sessions are short more often than long.
        for stop in (*_STAGES, most):
            for one, direction in tries:
                key = FrameKey(key_of(one, direction))
                for counter in range(start, min(stop, most)):
                    if key.open(frame, counter) is not None:
                        return Found(one, direction, counter)
            start = stop
        return None


_STAGES: Final = (64, 1024, 8192)
_DIRECTIONS: Final = (Direction.TO_ACCESSORY, Direction.TO_CONTROLLER)


def key_of(session: LoggedSession, direction: Direction) -> Secret:
    """The key that protects one direction (HAP 5.2)."""
    return session.keys.write if direction is Direction.TO_ACCESSORY else session.keys.read
