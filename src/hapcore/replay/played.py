"""Engines for replaying a redacted transcript: what cryptography would decide is told to them by the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from hapcore.crypto.frames import FrameOpener, FrameSealer, SessionKeys
from hapcore.crypto.secret import Secret
from hapcore.engine import ConnectionId
from hapcore.entropy import Entropy
from hapcore.ip.accessory.session import Session
from hapcore.pairing.records import Identity, PairedController, Pairing
from hapcore.pairing.setup import PairSetupController, SetupDesk, Step, VerifierSource
from hapcore.pairing.verify import (
    PairVerifyController,
    VerifiedKeys,
    VerifiedSession,
    VerifyDesk,
    VerifyStep,
)
from hapcore.setup_code import SetupCode
from hapcore.transcript import RecordedConnection, RecordedServer
from hapcore.transcript.coding import decode, error_from
from hapcore.transcript.notes import NotingRequests, PlainOpener, PlainSealer

__all__ = [
    "NOTHING",
    "NO_KEYS",
    "PlayedConnection",
    "PlayedServer",
    "PlayedSetup",
    "PlayedSetupDesk",
    "PlayedVerify",
    "PlayedVerifyDesk",
    "Steps",
    "Unrecorded",
    "shared_secret",
]

NOTHING = Secret(bytes(32))
NO_KEYS = SessionKeys(NOTHING, NOTHING)


class Unrecorded(Exception):
    """Our engine asked for something that the transcript does not have at this place."""


class Steps:
    """What came of each pairing message, by procedure, in the order of the recording."""

    def __init__(self) -> None:
        self._known: dict[str, deque[Mapping[str, Any]]] = {}

    def add(self, content: Mapping[str, Any]) -> None:
        """Take what a line says of it."""
        if "step" in content:
            self._known.setdefault(str(content["step"]), deque()).append(content)

    def next(self, name: str) -> Mapping[str, Any]:
        """The next one of that name."""
        queue = self._known.get(name)
        if not queue:
            raise Unrecorded(f"our engine came to {name} once more than the recorded one")
        return queue.popleft()

    def result(self, name: str) -> Any:
        """The next one of a controller: what it gave, or the error it raised."""
        step = self.next(name)
        if "error" in step:
            raise error_from(step["error"])
        return step["result"]

    def keys(self, name: str) -> tuple[bytes, VerifiedKeys] | None:
        """The next one that opens a session: its number, if it has one, and what stands for its secret."""
        step = self.next(name)
        if "error" in step:
            raise error_from(step["error"])
        if step["result"] is None:
            return None
        return bytes.fromhex(step.get("number", "")), VerifiedKeys(shared_secret(step), NO_KEYS)


def shared_secret(step: Mapping[str, Any]) -> Secret:
    """What stands for the secret of a session; transcripts over IP did not always have it."""
    return Secret(bytes.fromhex(step["shared"])) if "shared" in step else NOTHING


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


class PlayedSetupDesk(SetupDesk):
    def __init__(self, identity: Identity, source: VerifierSource, entropy: Entropy, steps: Steps) -> None:
        super().__init__(identity, source, entropy)
        self._steps = steps
        self._owner: Hashable = None
        self._code: SetupCode | None = None

    @property
    def owner(self) -> Hashable:
        return self._owner

    @property
    def shown(self) -> SetupCode | None:
        return None if self._owner is None else self._code

    def release(self, owner: Hashable) -> None:
        if self._owner == owner:
            self._owner = None

    def receive(self, owner: Hashable, body: bytes, *, paired: bool, failed_attempts: int, now: float) -> Step:
        del body, paired, failed_attempts, now, owner  # the outcome is known
        step = self._steps.next("pair-setup")
        self._owner = step["owner"]
        self._code = decode(step.get("shown"))
        return Step(
            _bytes(step["reply"]),
            step["failed"],
            step["proved"],
            decode(step["pairing"]),
            NO_KEYS if step["transient"] else None,
        )


class PlayedVerifyDesk(VerifyDesk):
    def __init__(self, identity: Identity, entropy: Entropy, steps: Steps) -> None:
        super().__init__(identity, entropy)
        self._steps = steps

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep:
        del body, pairings
        step = self._steps.next("pair-verify")
        controller = decode(step["controller"])
        session = None if controller is None else VerifiedSession(controller, shared_secret(step), NO_KEYS)
        return VerifyStep(_bytes(step["reply"]), session)


class PlayedServer(RecordedServer):
    """An accessory whose pairing and encryption are told."""

    def __init__(self, *given: Any, steps: Steps, **settings: Any) -> None:
        self._steps = steps
        super().__init__(*given, **settings)
        self.setup_desk = PlayedSetupDesk(self._stored.identity, self._stored.verifiers, self._entropy, steps)

    def fault(self, connection: int, reason: str | None) -> None:
        """What the next input on a connection ends with."""
        session = self._sessions.get(connection)  # type: ignore[call-overload]
        if session is not None and isinstance(session.opener, PlainOpener):
            session.opener.fault = reason

    def _begin(self, connection: ConnectionId, now: float) -> Session:
        session = super()._begin(connection, now)
        session.verify = PlayedVerifyDesk(self._stored.identity, self._entropy, self._steps)
        return session

    def _make_frames(self, session: Session, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        session.reader = NotingRequests(self._notes, session.connection)
        return PlainOpener(), PlainSealer(keys.read, self._notes, session.connection)


class PlayedSetup(PairSetupController):
    def __init__(self, steps: Steps, entropy: Entropy, **settings: Any) -> None:
        super().__init__(entropy, **settings)
        self._steps = steps

    def m1(self) -> bytes:
        return bytes.fromhex(self._steps.result("pair-setup m1"))

    def receive_m2(self, body: bytes) -> bool:
        del body
        return bool(self._steps.result("pair-setup m2"))

    def m3(self, setup_code: str) -> bytes:
        del setup_code
        return bytes.fromhex(self._steps.result("pair-setup m3"))

    def m5(self, m4: bytes) -> bytes:
        del m4
        return bytes.fromhex(self._steps.result("pair-setup m5"))

    def finish(self, m6: bytes) -> Pairing:
        del m6
        pairing: Pairing = decode(self._steps.result("pair-setup m6"))
        return pairing


class PlayedVerify(PairVerifyController):
    def __init__(self, steps: Steps, pairing: Pairing, entropy: Entropy) -> None:
        super().__init__(pairing, entropy)
        self._steps = steps

    def m1(self) -> bytes:
        return bytes.fromhex(self._steps.result("pair-verify m1"))

    def m3(self, m2: bytes) -> bytes:
        del m2
        return bytes.fromhex(self._steps.result("pair-verify m3"))

    def finish(self, m4: bytes) -> VerifiedKeys:
        del m4
        found = self._steps.keys("pair-verify m4")
        return VerifiedKeys(NOTHING, NO_KEYS) if found is None else found[1]


class PlayedConnection(RecordedConnection):
    """A controller whose pairing and encryption are told."""

    def __init__(self, *given: Any, steps: Steps, **settings: Any) -> None:
        self._steps = steps
        super().__init__(*given, **settings)

    def fault(self, connection: int, reason: str | None) -> None:
        """What the next input ends with."""
        del connection
        if isinstance(self._opener, PlainOpener):
            self._opener.fault = reason

    def _put_machines(self) -> None:
        self._session.make_setup = partial(PlayedSetup, self._steps)
        self._session.make_verify = partial(PlayedVerify, self._steps)

    def _make_frames(self, keys: SessionKeys) -> tuple[FrameOpener, FrameSealer]:
        self._let_go()
        return PlainOpener(), PlainSealer(keys.write, self._notes, 0)
