"""The same for Bluetooth LE: engines whose pairing, records and broadcasts are told by a redacted transcript."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hapcore.ble.advert import EncryptedAdvert
from hapcore.ble.controller.listening import Listener
from hapcore.ble.controller.session import Session
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy
from hapcore.pairing.records import PairedController
from hapcore.pairing.resume import PairResumeController, ResumeCache, ResumeDesk
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys, VerifiedSession, VerifyDesk, VerifyStep
from hapcore.replay.played import (
    NO_KEYS,
    PlayedSetup,
    PlayedSetupDesk,
    PlayedVerify,
    PlayedVerifyDesk,
    Steps,
    shared_secret,
)
from hapcore.transcript import RecordedPeer, RecordedPeripheral
from hapcore.transcript.coding import decode
from hapcore.transcript.fragments import PlainCipher

__all__ = ["PlayedPeer", "PlayedPeripheral"]


class _ResumeDesk(ResumeDesk):
    def __init__(self, cache: ResumeCache, entropy: Entropy, steps: Steps) -> None:
        super().__init__(cache, entropy)
        self._steps = steps

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep | bytes:
        del pairings
        step = self._steps.next("pair-resume")
        if step.get("verify") is True:
            return body
        controller = decode(step["controller"])
        session = None if controller is None else VerifiedSession(controller, shared_secret(step), NO_KEYS)
        return VerifyStep(None if step["reply"] is None else bytes.fromhex(step["reply"]), session)


class PlayedPeripheral(RecordedPeripheral):
    """An accessory over Bluetooth LE whose pairing and records are told."""

    def __init__(self, *given: Any, steps: Steps, **settings: Any) -> None:
        self._steps = steps
        super().__init__(*given, **settings)
        self.setup_desk = PlayedSetupDesk(self.stored.identity, self.stored.verifiers, self.entropy, steps)

    def fault(self) -> None:
        """The next record does not open."""
        session = None if self._link is None else self._link.session
        if session is not None and isinstance(session.opener, PlainCipher):
            session.opener.fault = True

    def make_verify_desk(self) -> VerifyDesk:
        return PlayedVerifyDesk(self.stored.identity, self.entropy, self._steps)

    def make_resume_desk(self) -> ResumeDesk:
        return _ResumeDesk(self.resumable, self.entropy, self._steps)

    def _cipher(self, inner: Any) -> PlainCipher:
        return PlainCipher(inner, self._notes)


class _Resume(PairResumeController):
    def __init__(self, steps: Steps, verify: PairVerifyController, number: bytes, shared: Secret) -> None:
        super().__init__(verify, number, shared)
        self._steps = steps

    def m1(self) -> bytes:
        self._verify.m1()  # its key serves both
        return bytes.fromhex(self._steps.result("pair-resume m1"))

    def finish(self, m2: bytes) -> tuple[bytes, VerifiedKeys] | None:
        del m2
        return self._steps.keys("pair-resume m2")


class _Listener(Listener):
    def __init__(self, session: Session, steps: Steps) -> None:
        super().__init__(session)
        self._steps = steps

    def open(self, advert: EncryptedAdvert) -> tuple[int, int, bytes] | None:
        del advert
        opened = self._steps.next("broadcast")["opened"]
        return None if opened is None else (opened[0], opened[1], bytes.fromhex(opened[2]))


class PlayedPeer(RecordedPeer):
    """A controller over Bluetooth LE whose pairing, records and broadcasts are told."""

    def __init__(self, *, steps: Steps, **settings: Any) -> None:
        self._steps = steps
        super().__init__(**settings)

    def fault(self) -> None:
        """The next record does not open."""
        records = self._line.records
        if records is not None and isinstance(records.read, PlainCipher):
            records.read.fault = True

    def _put_machines(self) -> None:
        self._session.make_setup = partial(PlayedSetup, self._steps)
        self._session.make_verify = partial(PlayedVerify, self._steps)
        self._session.make_resume = partial(_Resume, self._steps)
        self._listener = _Listener(self._session, self._steps)

    def _cipher(self, inner: Any) -> PlainCipher:
        return PlainCipher(inner, self._notes)
