"""The pairing machines, noted: what came of each message. That is all a replay without their secrets needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from attrs import evolve

from hapcore.ble.advert import broadcast_key
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy
from hapcore.errors import HapError
from hapcore.pairing.records import Identity, PairedController, Pairing
from hapcore.pairing.resume import PairResumeController, ResumeCache, ResumeDesk, session_id
from hapcore.pairing.setup import PairSetupController, SetupDesk, Step, VerifierSource
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys, VerifyDesk, VerifyStep
from hapcore.transcript.coding import error_to
from hapcore.transcript.notes import Notes

__all__ = ["NotingResume", "NotingResumeDesk", "NotingSetup", "NotingSetupDesk", "NotingVerify", "NotingVerifyDesk"]

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
        shown = {} if self.shown is None else {"shown": self._notes.encode(self.shown)}
        self._notes.write(
            step="pair-setup",
            reply=_tlv(self._notes, step.reply),
            failed=step.failed_attempt,
            proved=step.proved,
            pairing=self._notes.encode(step.pairing),
            transient=step.transient is not None,
            owner=self.owner,
            **shown,
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
            step="pair-verify",
            reply=_tlv(self._notes, step.reply),
            controller=self._notes.encode(controller),
            **_session(self._notes, step),
        )
        return step


class NotingResumeDesk(ResumeDesk):
    """The accessory's pair-resume, for one link."""

    def __init__(self, cache: ResumeCache, entropy: Entropy, notes: Notes) -> None:
        super().__init__(cache, entropy)
        self._notes = notes

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep | bytes:
        found = super().receive(body, pairings)
        if isinstance(found, bytes):
            self._notes.write(step="pair-resume", verify=True)
        else:
            controller = None if found.session is None else found.session.controller
            self._notes.write(
                step="pair-resume",
                reply=_tlv(self._notes, found.reply),
                controller=self._notes.encode(controller),
                **_session(self._notes, found),
            )
        return found


def _known_by(notes: Notes, shared: Secret, ltpk: bytes, masked_ltpk: bytes) -> dict[str, str]:
    """The stand-in of a session's secret. What engines make of that is known too: names of sessions, broadcast keys."""
    masks = notes.masks
    if not masks.redacts:
        return {}
    made = Secret(masks.data(shared.reveal()))
    masks.learn(session_id(shared), session_id(made))
    masks.learn(broadcast_key(shared, ltpk).reveal(), broadcast_key(made, masked_ltpk).reveal())
    return {"shared": made.reveal().hex()}


def _session(notes: Notes, step: VerifyStep) -> dict[str, str]:
    """What is left of a session on the accessory's side."""
    if step.session is None:
        return {}
    ltpk = step.session.controller.ltpk
    return _known_by(notes, step.session.shared_secret, ltpk, notes.masks.data(ltpk))


def _of_pairing(notes: Notes, pairing: Pairing, shared: Secret) -> dict[str, str]:
    """The same on the controller's, whose public key is made of its private one."""
    masked = evolve(pairing, controller_ltsk=Secret(notes.masks.data(pairing.controller_ltsk.reveal())))
    return _known_by(notes, shared, pairing.controller_ltpk, masked.controller_ltpk)


def _noted(notes: Notes, name: str, call: Callable[[], R], more: Callable[[R], dict[str, str]] | None = None) -> R:
    try:
        result = call()
    except HapError as error:
        notes.write(step=name, error=error_to(error, notes.masks))
        raise
    notes.write(step=name, result=_result(notes, result), **({} if more is None else more(result)))
    return result


def _result(notes: Notes, result: object) -> Any:
    """What a step gave; of a session only that there is one, the rest is told beside it."""
    if isinstance(result, bytes):
        return _tlv(notes, result)
    if isinstance(result, Pairing):
        return notes.encode(result)
    return True if isinstance(result, VerifiedKeys | tuple) else result


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
        self.of = pairing

    def m1(self) -> bytes:
        return _noted(self._notes, "pair-verify m1", super().m1)

    def m3(self, m2: bytes) -> bytes:
        return _noted(self._notes, "pair-verify m3", lambda: super(NotingVerify, self).m3(m2))

    def finish(self, m4: bytes) -> VerifiedKeys:
        return _noted(
            self._notes,
            "pair-verify m4",
            lambda: super(NotingVerify, self).finish(m4),
            lambda found: _of_pairing(self._notes, self.of, found.shared_secret),
        )


class NotingResume(PairResumeController):
    """The controller's pair-resume."""

    def __init__(self, notes: Notes, verify: PairVerifyController, number: bytes, shared: Secret) -> None:
        super().__init__(verify, number, shared)
        self._notes = notes
        self._of = verify.of if isinstance(verify, NotingVerify) else None

    def m1(self) -> bytes:
        return _noted(self._notes, "pair-resume m1", super().m1)

    def finish(self, m2: bytes) -> tuple[bytes, VerifiedKeys] | None:
        return _noted(self._notes, "pair-resume m2", lambda: super(NotingResume, self).finish(m2), self._more)

    def _more(self, found: tuple[bytes, VerifiedKeys] | None) -> dict[str, str]:
        if found is None or self._of is None or not self._notes.masks.redacts:
            return {}
        number, keys = found
        return {
            "number": self._notes.masks.data(number).hex(),
            **_of_pairing(self._notes, self._of, keys.shared_secret),
        }
