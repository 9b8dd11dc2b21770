"""What a replay finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

from hapcore.crypto.keys import hkdf, open_sealed
from hapcore.errors import HapError
from hapcore.replay.meaning import Opener
from hapcore.replay.script import Track

__all__ = ["Cut", "Difference", "Outcome", "bytewise", "opener_of", "whole"]

#: How the recorded bytes are handed to the engine: one input becomes many.
Cut: TypeAlias = Callable[[bytes], Iterable[bytes]]


@frozen
class Difference:
    """One place where our engine and the recording say different things, both decoded for people.

    `step` counts from 0 within the connection, `t` is in seconds from the start of the recording, `cause` is the
    request that led there.
    """

    recording: str
    scene: str
    track: str
    step: int
    t: float
    reason: str
    expected: str = field(repr=False)
    got: str = field(repr=False)
    cause: str = field(default="", repr=False)

    def __str__(self) -> str:
        place = f"{self.recording}, {self.scene!r}, connection {self.track}, step {self.step} ({self.t:.4f} s)"
        cause = f"\n--- after\n{self.cause}" if self.cause else ""
        return f"{place}: {self.reason}{cause}\n--- recorded\n{self.expected}\n--- ours\n{self.got}"


@frozen
class Outcome:
    """All differences in order, how many messages were alike, and what was left out because it is not ours to judge."""

    differences: Sequence[Difference]
    compared: int
    skipped: int = 0
    #: Everything our engine sent, connection by connection in the order of their opening.
    sent: Sequence[bytes] = field(default=(), repr=False)
    #: The TXT records our accessory announced, repetitions left out.
    announced: Sequence[Mapping[str, str]] = field(default=(), repr=False)

    @property
    def first(self) -> Difference | None:
        """The first difference; None if the recording replays."""
        return self.differences[0] if self.differences else None


def whole(data: bytes) -> Iterable[bytes]:
    """As it was received."""
    return (data,)


def bytewise(data: bytes) -> Iterable[bytes]:
    """One byte at a time."""
    return (data[index : index + 1] for index in range(len(data)))


def opener_of(track: Track) -> Opener:
    """Opens the sealed items of the handshakes of a connection, with the keys the recording has."""
    keys: list[tuple[bytes, bytes]] = []
    for setup in track.setups:
        if setup.session_key is not None:
            key = hkdf(setup.session_key.reveal(), b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
            keys += [(key, b"PS-Msg05"), (key, b"PS-Msg06")]
    for verify in track.verifies:
        if verify.verify_key is not None:
            keys += [(verify.verify_key.reveal(), b"PV-Msg02"), (verify.verify_key.reveal(), b"PV-Msg03")]

    def opened(data: bytes) -> bytes | None:
        for key, label in keys:
            try:
                found = open_sealed(key, label, data)
            except HapError:
                continue
            if found is not None:
                return found
        return None

    return opened
