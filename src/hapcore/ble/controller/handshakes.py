"""Pairing over PDUs, as small resumable machines (HAP-BLE A.5.2 to A.5.7).

Each function checks its command at once, so that the caller's mistake is raised by `submit`; the machine it returns
runs later.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from hapcore.ble import uuids
from hapcore.ble.controller.answers import Direction, checked, value_of
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Answer, Ask, Errand, Procedure, Step, ask
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter
from hapcore.codec.tlv8 import TlvError
from hapcore.controller.commands import AddPairing, FinishPairSetup, ListPairings, RemovePairing, StartPairSetup
from hapcore.errors import Disconnected, Refused, RemoteProtocolError
from hapcore.pairing.items import Method
from hapcore.pairing.pairings import decode_done, decode_list, encode_add, encode_list, encode_remove
from hapcore.pairing.resume import session_id

__all__ = [
    "add_pairing",
    "finish_setup",
    "list_pairings",
    "remove_pairing",
    "start_setup",
    "verify",
]

#: Pairing TLVs in which accessories from before the fragments of PDUs sent their messages (HAP-BLE A.5.2).
_FRAGMENT: Final = 0x0C
_LAST_FRAGMENT: Final = 0x0D
#: Fragments of one message: the longest message has some kilobytes, the smallest fragments some dozen bytes.
_MAX_ROUNDS: Final = 50
_MORE: Final = tlv8.encode([(_FRAGMENT, b"")])

_SETUP: Final = "pair-setup"
_VERIFY: Final = "pair-verify"
#: Pairing features: an authentication coprocessor (HAP-BLE A.2.2).
_COPROCESSOR: Final = 0x01

Talk = Generator[Step, Answer, bytes]


def _talk(session: Session, uuid: str, message: bytes, what: str, *, repeatable: bool = True) -> Talk:
    """Write a pairing message, return the answer, its obsolete fragments put together. Raises `Refused`."""
    to = session.pairing_characteristic(uuid)
    iid = yield from session.number(to)
    if not iid:
        raise RemoteProtocolError(f"an instance id of the characteristic for {what}", "none")
    found = bytearray()
    for _ in range(_MAX_ROUNDS):
        body = tlv8.encode([(Parameter.RETURN_RESPONSE, b"\x01"), (Parameter.VALUE, message)])
        response = yield from ask(Ask(Opcode.CHARACTERISTIC_WRITE, to, iid, what, body, repeatable, slow=True))
        answer = value_of(checked(response, what), what)
        if answer is None:
            # Some take the message and have the answer read for itself (HAP-BLE A.7).
            response = yield from ask(Ask(Opcode.CHARACTERISTIC_READ, to, iid, what, None, repeatable, slow=True))
            answer = value_of(checked(response, what, Direction.READ), what)
        if answer is None:
            raise RemoteProtocolError(f"a value in the answer to {what}", "none")
        piece, last = _fragment(answer)
        if piece is None:
            return answer
        found += piece
        if last:
            return bytes(found)
        message = _MORE
    raise RemoteProtocolError(f"an answer to {what} in at most {_MAX_ROUNDS} fragments", "more")


def _fragment(answer: bytes) -> tuple[bytes | None, bool]:
    """The piece that an answer is, and whether it is the last; None where it is a message of its own."""
    try:
        found = tlv8.decode_tolerant(answer)
    except TlvError:
        return None, False
    if len(found) == 1 and found[0][0] in (_FRAGMENT, _LAST_FRAGMENT):
        return found[0][1], found[0][0] == _LAST_FRAGMENT
    return None, False


def _features(session: Session) -> Generator[Step, Answer, int]:
    to = session.pairing_characteristic(uuids.PAIRING_FEATURES)
    iid = yield from session.number(to)
    what = "reading the pairing features"
    response = yield from ask(Ask(Opcode.CHARACTERISTIC_READ, to, iid, what))
    return int.from_bytes(value_of(checked(response, what, Direction.READ), what) or b"", "little")


def start_setup(session: Session, command: StartPairSetup) -> Procedure:
    """Pairing features, M1 and M2."""

    def run() -> Errand:
        session.setup = None
        try:
            features = yield from _features(session)
        except (Refused, RemoteProtocolError):
            features = 0  # early products have none; M1 will tell whether the rest is there
        method = command.method
        if method is None:
            method = Method.PAIR_SETUP_WITH_AUTH if features & _COPROCESSOR else Method.PAIR_SETUP
        machine = session.make_setup(
            session.entropy,
            method=method,
            identity=command.identity,
            expected_id=command.expected_id or session.device_id,
        )
        fit = False
        while not fit:
            # Again, a few times at most, when the accessory drew a key that libraries disagree about (HAP 3.3).
            fit = machine.receive_m2((yield from _talk(session, uuids.PAIR_SETUP, machine.m1(), _SETUP)))
        session.setup = machine

    return run()


def finish_setup(session: Session, command: FinishPairSetup) -> Procedure:
    """M3 to M6. Whatever comes of it, the accessory wants a new M1 afterwards."""

    def run() -> Procedure:
        machine, session.setup = session.setup, None
        if machine is None:
            raise Disconnected("the link was lost while the setup code was looked for; start pair-setup again")
        m3 = machine.m3(command.setup_code.text)
        m5 = machine.m5((yield from _talk(session, uuids.PAIR_SETUP, m3, _SETUP, repeatable=False)))
        pairing = machine.finish((yield from _talk(session, uuids.PAIR_SETUP, m5, _SETUP, repeatable=False)))
        session.pairing = pairing
        return pairing

    return run()


def verify(session: Session) -> Procedure:
    """Resume the last session if there was one, else M1 to M4; leaves the outcome in the session."""

    def run() -> Errand:
        pairing = session.pairing
        if pairing is None:
            raise Disconnected("there is no pairing to verify")
        machine = session.make_verify(pairing, session.entropy)
        offered, session.resume = session.resume, None
        m2: bytes | None = None
        if offered is not None:
            resuming = session.make_resume(machine, *offered)
            try:
                m2 = yield from _talk(session, uuids.PAIR_VERIFY, resuming.m1(), "pair-resume")
                resumed = resuming.finish(m2)
            except (Refused, RemoteProtocolError):
                m2 = resumed = None  # one full verify, then we know
            if resumed is not None:
                number, session.verified = resumed
                session.resume = (number, session.verified.shared_secret)
                return
        if m2 is None:
            m2 = yield from _talk(session, uuids.PAIR_VERIFY, machine.m1(), _VERIFY)
        m4 = yield from _talk(session, uuids.PAIR_VERIFY, machine.m3(m2), _VERIFY)
        session.verified = verified = machine.finish(m4)
        session.resume = (session_id(verified.shared_secret), verified.shared_secret)

    return run()


def _pairings(session: Session, message: bytes, what: str) -> Talk:
    return (yield from _talk(session, uuids.PAIRING_PAIRINGS, message, what))


def list_pairings(session: Session, _: ListPairings) -> Procedure:
    """One request."""

    def run() -> Procedure:
        return decode_list((yield from _pairings(session, encode_list(), "listing the pairings")))

    return run()


def add_pairing(session: Session, command: AddPairing) -> Procedure:
    """One request; asking twice does no harm."""
    message = encode_add(command.identifier, command.ltpk, command.admin)

    def run() -> Errand:
        decode_done((yield from _pairings(session, message, "adding a pairing")))

    return run()


def remove_pairing(session: Session, command: RemovePairing) -> Procedure:
    """One request; the engine's life ends with it if it was our own pairing."""
    message = encode_remove(command.identifier)

    def run() -> Errand:
        decode_done((yield from _pairings(session, message, "removing a pairing")))
        session.finished = command.identifier == session.own_id

    return run()
