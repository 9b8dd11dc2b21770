"""Pair-setup, pair-verify, pair-resume and the list of pairings, over characteristics (HAP-BLE A.5.2 to A.5.7).

A message is handled when it is written and answered when it is read; mostly that is one write-with-response.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from hapcore.accessory.events import PairingAdded, SetupAttemptFailed
from hapcore.accessory.stored import Change
from hapcore.ble.accessory.table import Role
from hapcore.codec import tlv8
from hapcore.crypto.frames import SessionKeys
from hapcore.engine import ConnectionId
from hapcore.pairing.items import Item
from hapcore.pairing.pairings import PairingsStep, handle
from hapcore.pairing.resume import session_id
from hapcore.pairing.setup import MAX_TRIES, Step
from hapcore.pairing.verify import VerifiedSession, VerifyStep

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["EXCHANGE_SECONDS", "MAX_SETUP_MESSAGES", "Pairing"]

#: A pair-verify that is under way ends within this time, or the link does (HAP-BLE A.3.6).
EXCHANGE_SECONDS: Final = 10.0
#: Pair-setup messages on one link: twenty wrong codes and then some. An M1 takes milliseconds to answer.
MAX_SETUP_MESSAGES: Final = 64

_Done = Callable[[bool], None]


class Pairing:
    """The handshakes of one link."""

    def __init__(self, peripheral: Peripheral, owner: ConnectionId) -> None:
        self._peripheral = peripheral
        self._owner = owner
        self._setups = 0
        self._resume = peripheral.make_resume_desk()
        #: When a pair-verify that was begun must be over.
        self.deadline: float | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what is under way: the session has ended, or the exchange went wrong."""
        self._release()
        self._answers: dict[Role, bytes] = {}
        self._transient: SessionKeys | None = None
        self._reset_verify()

    def _reset_verify(self) -> None:
        self._verify = self._peripheral.make_verify_desk()
        self._verified: VerifiedSession | None = None
        self._resumed = False
        #: A pair-verify is between its first and its last message.
        self._open = False

    def write(self, role: Role, message: bytes, done: _Done) -> None:
        """Take a message; `done` is told whether it was well-formed, once what must survive is stored."""
        self._answers.pop(role, None)
        if role is Role.PAIR_SETUP:
            self._write_setup(message, done)
        elif role is Role.PAIR_VERIFY:
            done(self._write_verify(message))
        else:
            self._write_pairings(message, done)

    def read(self, role: Role) -> bytes | None:
        """The answer to the last message; None where nothing was asked, which ends the exchange (HAP-BLE A.5.2)."""
        answer = self._answers.pop(role, None)
        if role is Role.PAIR_VERIFY:
            return self._read_verify(answer)
        if role is Role.PAIR_SETUP:
            keys, self._transient = self._transient, None
            if answer is None:
                self._release()
            elif keys is not None:
                self._peripheral.secure(keys, None)
        return answer

    # Pair-setup.

    def _release(self) -> None:
        self._peripheral.setup_desk.release(self._owner)
        self._peripheral.show_code()

    def _write_setup(self, message: bytes, done: _Done) -> None:
        peripheral = self._peripheral
        stored = peripheral.stored
        self._setups += 1
        if self._setups > MAX_SETUP_MESSAGES:
            done(False)
            return
        self._transient = None
        step = peripheral.setup_desk.receive(
            self._owner,
            message,
            paired=bool(stored.pairings) or stored.pairing_underway,
            failed_attempts=stored.attempts,
            now=peripheral.now,
        )
        peripheral.show_code()
        effects: list[Change] = []
        if step.failed_attempt:
            stored.attempts += 1
            effects.append(stored.store_attempts(stored.attempts))
        elif step.proved and stored.attempts:
            stored.attempts = 0
            effects.append(stored.store_attempts(0))
        if step.pairing is not None:
            # A pairing is worth nothing without the identity it was made with.
            effects.append(stored.store_pairing(step.pairing))
            stored.pairing_underway = True
        peripheral.store(
            effects,
            partial(self._setup_stored, step, stored.attempts, done),
            partial(self._setup_failed, step, done),
            anew=step.pairing is not None,
        )

    def _setup_failed(self, step: Step, done: _Done) -> None:
        if step.pairing is not None:
            self._peripheral.stored.pairing_underway = False
        self._release()
        done(False)

    def _setup_stored(self, step: Step, attempts: int, done: _Done) -> None:
        peripheral = self._peripheral
        if step.failed_attempt:
            peripheral.emit(SetupAttemptFailed(attempts, MAX_TRIES))
        if step.pairing is not None:
            peripheral.stored.pairings[step.pairing.identifier] = step.pairing
            peripheral.stored.pairing_underway = False
            peripheral.emit(PairingAdded(step.pairing.identifier, step.pairing.admin))
            peripheral.advertiser.update()
        self._transient = step.transient
        if step.reply is not None:
            self._answers[Role.PAIR_SETUP] = step.reply
        done(step.reply is not None)

    # Pair-verify and pair-resume.

    def _write_verify(self, message: bytes) -> bool:
        if self._open:
            self._start_timer()
        pairings = self._peripheral.stored.pairings
        found = self._resume.receive(message, pairings)
        resumed = isinstance(found, VerifyStep)
        if isinstance(found, VerifyStep):
            self._reset_verify()
            step = found
        else:
            step = self._verify.receive(found, pairings)
        if step.reply is None:
            # The clock of an exchange that was begun goes on, as it does with Apple's accessories.
            self._reset_verify()
            return False
        self._open, self._verified, self._resumed = True, step.session, resumed
        self._answers[Role.PAIR_VERIFY] = step.reply
        return True

    def _read_verify(self, answer: bytes | None) -> bytes | None:
        if self._open:
            self._start_timer()
        if answer is None:
            self._reset_verify()
            return None
        verified = self._verified
        if verified is None and tlv8.first(tlv8.decode_tolerant(answer), Item.PUBLIC_KEY) is not None:
            return answer  # M2: the exchange goes on
        resumed = self._resumed
        self._reset_verify()
        self.deadline = None
        if verified is not None:
            if not resumed:
                shared = verified.shared_secret
                self._peripheral.resumable.store(session_id(shared), verified.controller.identifier, shared)
            self._peripheral.secure(verified.keys, verified, resumed=resumed)
        return answer

    def _start_timer(self) -> None:
        if self.deadline is None:
            self.deadline = self._peripheral.now + EXCHANGE_SECONDS

    # The list of pairings.

    def _write_pairings(self, message: bytes, done: _Done) -> None:
        stored = self._peripheral.stored
        if stored.change_underway:
            # Another transport of the same accessory is changing the table: judged when that is done.
            stored.waiting.append(partial(self._write_pairings, message, done))
            return
        # The rights of whoever has connected meanwhile are not those of who asked.
        identifier = self._peripheral.controller if self._peripheral.holds(self._owner) else None
        caller = None if identifier is None else stored.pairings.get(identifier)
        if caller is None:
            done(False)
            return
        peers = self._peripheral.config.max_pairings
        step = handle(message, caller=caller, table=stored.pairings, max_peers=peers)
        effects: list[Change] = [stored.store_pairing(pairing) for pairing in step.store]
        effects += [stored.forget_pairing(gone) for gone in step.remove]
        stored.change_underway = bool(effects)
        self._peripheral.store(
            effects, partial(self._pairings_stored, step, done), partial(self._pairings_failed, done)
        )

    def _pairings_failed(self, done: _Done) -> None:
        done(False)
        self._next_pairings()

    def _pairings_stored(self, step: PairingsStep, done: _Done) -> None:
        peripheral = self._peripheral
        table = peripheral.stored.pairings
        for pairing in step.store:
            table[pairing.identifier] = pairing
            peripheral.emit(PairingAdded(pairing.identifier, pairing.admin))
        for identifier in step.remove:
            table.pop(identifier, None)
        for identifier in step.remove:
            peripheral.removed(identifier)
        if step.reply is not None:
            self._answers[Role.PAIRINGS] = step.reply
        done(step.reply is not None)
        self._next_pairings()

    def _next_pairings(self) -> None:
        stored = self._peripheral.stored
        stored.change_underway = False
        while stored.waiting and not stored.change_underway:
            stored.waiting.popleft()()
