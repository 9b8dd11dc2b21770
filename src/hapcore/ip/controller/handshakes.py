"""Pairing over HTTP, as small resumable machines: each yields a request and is sent the answer (HAP 4.2, 5.4, 6).

Each function checks its command at once, so that the caller's mistake is raised by `submit`; the machine it returns
runs later.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeAlias

from hapcore.codec.http import Response
from hapcore.controller.commands import (
    AddPairing,
    FinishPairSetup,
    ListPairings,
    RemovePairing,
    StartPairSetup,
    VerifyPairing,
)
from hapcore.errors import Disconnected, PairingRefused
from hapcore.ip.controller.reading import pairing_body
from hapcore.ip.controller.requests import Outgoing, pairing_message
from hapcore.ip.controller.session import Session
from hapcore.pairing.items import Method
from hapcore.pairing.pairings import decode_done, decode_list, encode_add, encode_list, encode_remove

__all__ = [
    "Errand",
    "Procedure",
    "add_pairing",
    "finish_setup",
    "list_pairings",
    "remove_pairing",
    "start_setup",
    "verify",
]

#: One command on its way: yields requests, is sent answers, returns the result, raises a `HapError`.
Procedure: TypeAlias = Generator[Outgoing, Response, object]
#: A command that is done or fails, without a result.
Errand: TypeAlias = Generator[Outgoing, Response, None]

_SETUP: Final = "/pair-setup"
_VERIFY: Final = "/pair-verify"
_PAIRINGS: Final = "/pairings"


def start_setup(session: Session, command: StartPairSetup) -> Procedure:
    """M1 and M2."""

    def run() -> Errand:
        session.setup = None
        machine = session.make_setup(
            session.entropy,
            method=command.method or Method.PAIR_SETUP,
            identity=command.identity,
            expected_id=command.expected_id,
        )
        fit = False
        while not fit:
            # Again, a few times at most, when the accessory drew a key that libraries disagree about (HAP 3.3).
            answer = yield pairing_message(session.host, _SETUP, machine.m1(), slow=True)
            fit = machine.receive_m2(pairing_body("pair-setup", answer, 2))
        session.setup = machine
        session.keys_kept = command.identity is not None

    return run()


def finish_setup(session: Session, command: FinishPairSetup) -> Procedure:
    """M3 to M6. Whatever comes of it, the accessory wants a new M1 afterwards."""

    def run() -> Procedure:
        machine, session.setup = session.setup, None
        if machine is None:
            raise Disconnected("pair-setup was not started on this connection")
        answer = yield pairing_message(session.host, _SETUP, machine.m3(command.setup_code.text), slow=True)
        m5 = machine.m5(pairing_body("pair-setup", answer, 4))
        session.in_doubt = not session.keys_kept
        answer = yield pairing_message(session.host, _SETUP, m5, slow=True)
        try:
            pairing = machine.finish(pairing_body("pair-setup", answer, 6))
        except PairingRefused:
            session.in_doubt = False  # it says itself that it is not paired
            raise
        session.in_doubt = False
        return pairing

    return run()


def verify(session: Session, command: VerifyPairing) -> Procedure:
    """M1 to M4; leaves the keys in the session."""

    def run() -> Errand:
        machine = session.make_verify(command.pairing, session.entropy)
        answer = yield pairing_message(session.host, _VERIFY, machine.m1(), slow=True)
        m3 = machine.m3(pairing_body("pair-verify", answer, 2))
        answer = yield pairing_message(session.host, _VERIFY, m3, slow=True)
        session.keys = machine.finish(pairing_body("pair-verify", answer, 4))
        session.own_id = command.pairing.controller_id.encode()
        session.accessory_id = command.pairing.accessory_id

    return run()


def list_pairings(session: Session, _: ListPairings) -> Procedure:
    """One request."""

    def run() -> Procedure:
        answer = yield pairing_message(session.host, _PAIRINGS, encode_list(), slow=False)
        return decode_list(pairing_body("listing the pairings", answer, 2))

    return run()


def add_pairing(session: Session, command: AddPairing) -> Procedure:
    """One request."""
    message = encode_add(command.identifier, command.ltpk, command.admin)

    def run() -> Errand:
        answer = yield pairing_message(session.host, _PAIRINGS, message, slow=False)
        decode_done(pairing_body("adding a pairing", answer, 2))

    return run()


def remove_pairing(session: Session, command: RemovePairing) -> Procedure:
    """One request; the connection ends with it if it was our own pairing."""
    message = encode_remove(command.identifier)

    def run() -> Errand:
        answer = yield pairing_message(session.host, _PAIRINGS, message, slow=False)
        decode_done(pairing_body("removing a pairing", answer, 2))
        session.finished = command.identifier == session.own_id

    return run()
