"""The pairing machines, noted: what came of each message. That is all a replay without their secrets needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from hapcore.entropy import Entropy
from hapcore.errors import HapError
from hapcore.pairing.records import Identity, PairedController, Pairing
from hapcore.pairing.setup import PairSetupController, SetupDesk, Step, VerifierSource
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys, VerifyDesk, VerifyStep
from hapcore.transcript.coding import error_to
from hapcore.transcript.notes import Notes

__all__ = ["NotingSetup", "NotingSetupDesk", "NotingVerify", "NotingVerifyDesk"]

R = TypeVar("R")


def _tlv(notes: Notes, message: bytes | None) -> str | None:
    return None if message is None else notes.masks.tlv(message).hex()


class NotingSetupDesk(SetupDesk):
    """The accessory's pair-setup."""

    def __init__(self, identity: Identity, source: VerifierSource, entropy: Entropy, notes: Notes) -> None:
        super().__init__(identity, source, entropy)
        self._notes = notes

    def receive(self, owner: Hashable, body: bytes, *, paired: bool, failed_attempts: int, now: float) -> Step:
        step = super().receive(owner, body, paired=paired, failed_attempts=failed_attempts, now=now)
        self._notes.write(
            step="pair-setup",
            reply=_tlv(self._notes, step.reply),
            failed=step.failed_attempt,
            proved=step.proved,
            pairing=self._notes.encode(step.pairing),
            transient=step.transient is not None,
            owner=self.owner,
        )
        return step


class NotingVerifyDesk(VerifyDesk):
    """The accessory's pair-verify, for one connection."""

    def __init__(self, identity: Identity, entropy: Entropy, notes: Notes) -> None:
        super().__init__(identity, entropy)
        self._notes = notes

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep:
        step = super().receive(body, pairings)
        controller = None if step.session is None else step.session.controller
        self._notes.write(
            step="pair-verify", reply=_tlv(self._notes, step.reply), controller=self._notes.encode(controller)
        )
        return step


def _noted(notes: Notes, name: str, call: Callable[[], R]) -> R:
    try:
        result = call()
    except HapError as error:
        notes.write(step=name, error=error_to(error, notes.masks))
        raise
    shown: Any = result
    if isinstance(result, bytes):
        shown = _tlv(notes, result)
    elif isinstance(result, Pairing):
        shown = notes.encode(result)
    elif isinstance(result, VerifiedKeys):
        shown = True
    notes.write(step=name, result=shown)
    return result


class NotingSetup(PairSetupController):
    """The controller's pair-setup."""

    def __init__(self, notes: Notes, entropy: Entropy, **settings: Any) -> None:
        super().__init__(entropy, **settings)
        self._notes = notes

    def m1(self) -> bytes:
        return _noted(self._notes, "pair-setup m1", super().m1)

    def receive_m2(self, body: bytes) -> bool:
        return _noted(self._notes, "pair-setup m2", lambda: super(NotingSetup, self).receive_m2(body))

    def m3(self, setup_code: str) -> bytes:
        return _noted(self._notes, "pair-setup m3", lambda: super(NotingSetup, self).m3(setup_code))

    def m5(self, m4: bytes) -> bytes:
        return _noted(self._notes, "pair-setup m5", lambda: super(NotingSetup, self).m5(m4))

    def finish(self, m6: bytes) -> Pairing:
        return _noted(self._notes, "pair-setup m6", lambda: super(NotingSetup, self).finish(m6))


class NotingVerify(PairVerifyController):
    """The controller's pair-verify."""

    def __init__(self, notes: Notes, pairing: Pairing, entropy: Entropy) -> None:
        super().__init__(pairing, entropy)
        self._notes = notes

    def m1(self) -> bytes:
        return _noted(self._notes, "pair-verify m1", super().m1)

    def m3(self, m2: bytes) -> bytes:
        return _noted(self._notes, "pair-verify m3", lambda: super(NotingVerify, self).m3(m2))

    def finish(self, m4: bytes) -> VerifiedKeys:
        return _noted(self._notes, "pair-verify m4", lambda: super(NotingVerify, self).finish(m4))
