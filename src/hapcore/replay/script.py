"""What a recording is turned into before it is played: who sent which bytes when, on which connection.

Both recording formats become a `Script`, so there is one player for each role.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from attrs import field, frozen

from hapcore.crypto.secret import Secret
from hapcore.replay.messages import Message

__all__ = [
    "Accessory",
    "Closed",
    "Controller",
    "Expect",
    "Feed",
    "Hangup",
    "Reopen",
    "Scene",
    "Script",
    "Secure",
    "SetupRun",
    "Silence",
    "Step",
    "Track",
    "VerifyRun",
]


@frozen
class Feed:
    """Bytes the controller sent, exactly as they were on the socket, and the requests they complete (decrypted)."""

    t: float
    raw: bytes = field(repr=False)
    requests: tuple[Message, ...] = ()
    note: str = ""
    #: Made by hand (a forged frame, plaintext on a secured connection): no regular controller sends it.
    forged: bool = False


@frozen
class Expect:
    """One message the accessory sent, decrypted, and the bytes it came in (none if an earlier step has them)."""

    t: float
    message: Message
    raw: bytes = field(default=b"", repr=False)


@frozen
class Secure:
    """From here on both directions are encrypted with these keys (accessory to controller, controller to accessory)."""

    t: float
    a2c: Secret
    c2a: Secret


@frozen
class Hangup:
    """The controller closed the connection."""

    t: float


@frozen
class Closed:
    """The controller saw the accessory close the connection."""

    t: float


@frozen
class Silence:
    """Nothing came for so many seconds, ending at `t`."""

    t: float
    seconds: float


@frozen
class Reopen:
    """The controller opened a new connection in the place of the closed one."""

    t: float


Step: TypeAlias = Feed | Expect | Secure | Hangup | Closed | Silence | Reopen


@frozen
class SetupRun:
    """What is known of one pair-setup: both private numbers, the code the controller used, the session key K."""

    controller: str
    code: str | None = field(default=None, repr=False)
    a: int | None = field(default=None, repr=False)
    b: int | None = field(default=None, repr=False)
    salt: bytes | None = None
    a_public: int | None = None
    b_public: int | None = None
    session_key: Secret | None = None


@frozen
class VerifyRun:
    """What is known of one pair-verify: both ephemeral secrets and the key its messages are sealed with."""

    controller: str
    controller_secret: Secret | None = None
    accessory_secret: Secret | None = None
    verify_key: Secret | None = None


@frozen
class Track:
    """One connection (with its reconnects) of a scene."""

    name: str
    steps: tuple[Step, ...]
    setups: tuple[SetupRun, ...] = ()
    verifies: tuple[VerifyRun, ...] = ()
    #: Further draws of the accessory, whose use is found by trying.
    draws: tuple[Secret, ...] = ()


@frozen
class Scene:
    """Connections that are open together; the scenes of a script follow each other on one accessory."""

    name: str
    note: str
    tracks: tuple[Track, ...]

    def in_order(self) -> Iterator[tuple[int, int, Step]]:
        """All steps by time: (track, index in the track, step).

        Where two connections have the same time, what came from the accessory goes first: it was the cause of what
        the controller sent at that time, or has nothing to do with it.
        """
        heads = [0] * len(self.tracks)
        while True:
            best: tuple[float, int, int] | None = None
            for number, track in enumerate(self.tracks):
                if heads[number] < len(track.steps):
                    step = track.steps[heads[number]]
                    key = (step.t, 1 if isinstance(step, Feed | Hangup) else 0, number)
                    if best is None or key < best:
                        best = key
            if best is None:
                return
            number = best[2]
            index = heads[number]
            heads[number] += 1
            yield number, index, self.tracks[number].steps[index]


@frozen
class Accessory:
    """The recorded accessory's identity and setup information."""

    device_id: str
    ltsk: Secret | None
    ltpk: bytes | None
    setup_code: str = field(repr=False)
    setup_id: str | None = None
    salt: bytes | None = None
    app: str = ""


@frozen
class Controller:
    """One recorded controller."""

    identifier: str
    ltsk: Secret
    ltpk: bytes


@frozen
class Script:
    """A whole recording, ready to be played against an engine in either role."""

    name: str
    format: str
    accessory: Accessory
    controllers: tuple[Controller, ...]
    scenes: tuple[Scene, ...]
    #: TXT records the accessory announced, oldest first, where recorded.
    announced: tuple[dict[str, str], ...] = ()
