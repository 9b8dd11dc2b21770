"""Pair-setup, pair-verify, the list of pairings, and identify over HTTP (HAP 4, 5, 6, 8.9).

A malformed pairing message is answered with HTTP 400 and no body, every TLV error with HTTP 200 (HAP 4.5).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from hapcore.accessory.events import IdentifyRequested, PairingAdded, SetupAttemptFailed
from hapcore.accessory.stored import Change
from hapcore.codec.http import Request, write_response
from hapcore.errors import RemoteProtocolError
from hapcore.ip.accessory.session import Security, Session
from hapcore.pairing.pairings import PairingsStep, handle
from hapcore.pairing.setup import MAX_TRIES, Step

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["identify", "pair_setup", "pair_verify", "pairings"]

#: Pair-setup messages on one connection: twenty wrong codes and then some. An M1 takes milliseconds to answer, and a
#: few hundred of them fit into one segment.
MAX_SETUP_MESSAGES = 64

_JSON = "application/hap+json"
_TLV8 = "application/pairing+tlv8"
_MALFORMED = write_response(400)
_STORE_FAILED = write_response(500)
_PAIRED_ALREADY = write_response(400, _JSON, b'{"status":-70401}')


def _answer(server: Server, session: Session, body: bytes | None) -> None:
    server.reply(session, _MALFORMED if body is None else write_response(200, _TLV8, body))


def pair_setup(server: Server, session: Session, request: Request) -> None:
    """One message of pair-setup. What must survive is stored before the answer leaves."""
    if session.security is not Security.PLAIN or not request.has_length:
        server.send(session, _MALFORMED)
        return
    server.end_transients(session)
    session.setups += 1
    if session.setups > MAX_SETUP_MESSAGES:
        error = RemoteProtocolError("an end of pair-setup", f"{session.setups} messages", "connect again")
        server.fail(session, error)
        return
    stored = server.stored
    step = server.setup_desk.receive(
        session.connection,
        request.body,
        paired=bool(stored.pairings) or stored.pairing_underway,
        failed_attempts=stored.attempts,
        now=server.now,
    )
    server.show_code()
    effects: list[Change] = []
    # The count moves before it is stored: attempts on other connections meanwhile go on from the new one.
    if step.failed_attempt:
        stored.attempts += 1
        effects.append(stored.store_attempts(stored.attempts))
    elif step.proved and stored.attempts:
        stored.attempts = 0
        effects.append(stored.store_attempts(0))
    if step.pairing is not None:
        # A pairing is worth nothing without the identity it was made with.
        effects += [*map(evolve, stored.unsaved.values()), stored.store_pairing(step.pairing)]
        stored.pairing_underway = True
    if not effects:
        _setup_done(server, session, step, 0)
        return
    session.busy = True
    server.store(
        effects,
        partial(_setup_done, server, session, step, stored.attempts),
        partial(_setup_failed, server, session, step),
    )


def _setup_failed(server: Server, session: Session, step: Step) -> None:
    if step.pairing is not None:
        server.stored.pairing_underway = False
    server.setup_desk.release(session.connection)
    server.show_code()
    server.reply(session, _STORE_FAILED)


def _setup_done(server: Server, session: Session, step: Step, attempts: int) -> None:
    stored = server.stored
    if step.failed_attempt:
        server.emit(SetupAttemptFailed(attempts, MAX_TRIES))
    if step.pairing is not None:
        stored.pairings[step.pairing.identifier] = step.pairing
        stored.pairing_underway = False
    if step.transient is None:
        _answer(server, session, step.reply)
    elif session.security is Security.PLAIN:
        server.send(session, write_response(200, _TLV8, step.reply or b""))
        server.secure(session, step.transient, None)
    if step.pairing is not None:
        server.emit(PairingAdded(step.pairing.identifier, step.pairing.admin))
        server.advertise()


def pair_verify(server: Server, session: Session, request: Request) -> None:
    """One message of pair-verify. After a successful M4 the connection is encrypted."""
    if session.security is not Security.PLAIN or not request.has_length:
        server.send(session, _MALFORMED)
        return
    step = session.verify.receive(request.body, server.stored.pairings)
    if step.session is None or step.reply is None:
        _answer(server, session, step.reply)
        return
    server.send(session, write_response(200, _TLV8, step.reply))
    server.secure(session, step.session.keys, step.session)


def pairings(server: Server, session: Session, request: Request) -> None:
    """Add, remove or list pairings; admins only, judged by the pairing as it is now.

    One at a time: while a change is being stored, others wait. Two admins removing each other at once would else leave
    an accessory that nobody can administer.
    """
    stored = server.stored
    if stored.change_underway:
        session.busy = True
        stored.waiting.append(partial(pairings, server, session, request))
        return
    table = stored.pairings
    caller = table.get(server.caller(session).pairing_id)
    if caller is None or not request.has_length:
        server.reply(session, _MALFORMED)
        return
    step = handle(request.body, caller=caller, table=table, max_peers=server.config.max_pairings)
    effects: list[Change] = [stored.store_pairing(pairing) for pairing in step.store]
    effects += [stored.forget_pairing(identifier) for identifier in step.remove]
    effects += stored.forget_with(step.remove) if step.remove else ()
    if not effects:
        _answer(server, session, step.reply)
        return
    session.busy = stored.change_underway = True
    server.store(effects, partial(_pairings_done, server, session, step), partial(_pairings_failed, server, session))


def _pairings_failed(server: Server, session: Session) -> None:
    server.reply(session, _STORE_FAILED)
    _next_pairings(server)


def _next_pairings(server: Server) -> None:
    stored = server.stored
    stored.change_underway = False
    while stored.waiting and not stored.change_underway:
        stored.waiting.popleft()()


def _pairings_done(server: Server, session: Session, step: PairingsStep) -> None:
    table = server.stored.pairings
    was_paired = bool(table)
    for pairing in step.store:
        table[pairing.identifier] = pairing
        for other in server.sessions_of(pairing.identifier):
            if not pairing.admin:
                _demote(server, other)
        server.emit(PairingAdded(pairing.identifier, pairing.admin))
    for identifier in step.remove:
        table.pop(identifier, None)
    for identifier in step.remove:
        server.removed(identifier, session)
    _answer(server, session, step.reply)
    if was_paired and not table:
        server.advertise()
    _next_pairings(server)


def _demote(server: Server, session: Session) -> None:
    """An ordinary user hears nothing of characteristics that only admins may read."""
    for number, characteristic in tuple(session.subscriptions.items()):
        if characteristic.admin_only_read:
            server.notifier.unsubscribe(session, number)


def identify(server: Server, session: Session, request: Request) -> None:
    """Only while nobody is paired; afterwards controllers write the Identify characteristic."""
    del request
    if server.paired or session.security is Security.SECURED:
        server.send(session, _PAIRED_ALREADY)
        return
    server.emit(IdentifyRequested(session.connection))
    server.send(session, write_response(204))
