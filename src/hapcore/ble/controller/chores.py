"""What the engine does of its own accord inside a session: events, what was missed, a good end (HAP-BLE A.1.8, A.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hapcore.ble.controller.access import read_one, switch_on
from hapcore.ble.controller.configuring import configure, parameters
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Errand, Procedure
from hapcore.controller.commands import VerifyPairing
from hapcore.discovery import device_key
from hapcore.errors import LocalProtocolError, RemoteProtocolError
from hapcore.ids import Value
from hapcore.model.metadata import Permission

__all__ = ["leave", "read_event", "refresh", "verified"]

Tell: TypeAlias = Callable[[int, Value], None]


def verified(session: Session, command: VerifyPairing) -> Procedure:
    """Nothing is left to do once there is a session."""
    if device_key(command.pairing.accessory_id) != session.device_id:
        raise LocalProtocolError(f"is with {command.pairing.accessory_id}, not {session.device_id}", argument="pairing")
    if session.pairing is not None and session.pairing.controller_id != command.pairing.controller_id:
        raise LocalProtocolError("another pairing is in use", argument="pairing")

    def run() -> Errand:
        return
        yield

    return run()


def read_event(session: Session, iid: int, tell: Tell) -> Procedure:
    """The value behind an indication."""

    def run() -> Errand:
        if iid in session.handles:
            result = yield from read_one(session, iid)
            if not result.status:
                tell(iid, result.value)

    return run()


def refresh(session: Session, tell: Tell, *, doubt: bool) -> Procedure:
    """Read again what may have changed without a link and tell the differences; then indications and broadcasts.

    After a change of the state number that is everything; else what would not have moved it.
    """

    def run() -> Errand:
        database = session.database
        if database is None:
            return
        wanted = [
            (iid, known)
            for iid in list(session.subscribed)
            if iid in session.handles and (known := database.known.get(iid)) is not None
        ]
        for iid, known in wanted:
            readable = Permission.READ in known.description.metadata.perms
            if readable and iid not in session.fresh and (session.stale or not known.heard_of):
                yield from _compare(session, iid, tell)
        session.stale = False
        if doubt:
            yield from parameters(session)
        for iid, known in wanted:
            yield from switch_on(session, iid, known)
        yield from configure(session)

    return run()


def _compare(session: Session, iid: int, tell: Tell) -> Errand:
    had, before = iid in session.values, session.values.get(iid)
    try:
        result = yield from read_one(session, iid)
    except RemoteProtocolError:
        return
    if not result.status and had and result.value != before:
        tell(iid, result.value)


def leave(session: Session) -> Procedure:
    """Learn the state number last, so that our own connection is not taken for news (HAP-BLE A.1.5)."""
    return parameters(session)
