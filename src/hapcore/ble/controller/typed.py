"""What speaks in types, and what there is over IP only."""

from __future__ import annotations

from contextlib import suppress

from hapcore.ble.controller.access import database_of, read, read_one, readable, write
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Procedure
from hapcore.controller.commands import Snapshot
from hapcore.controller.device import Device
from hapcore.controller.typed import Describe, GetValue, SetValue, getting, setting
from hapcore.errors import LocalProtocolError, RemoteProtocolError
from hapcore.model.view import NAMES

__all__ = ["describe", "get_value", "set_value", "snapshot"]


def describe(session: Session, _: Describe) -> Procedure:
    """No values are read but names; the engine has seen to the database before."""

    def run() -> Procedure:
        database = yield from database_of(session)
        for iid, known in database.known.items():
            if known.uuid in NAMES and iid not in session.values and readable(session, iid, known):
                with suppress(RemoteProtocolError):
                    yield from read_one(session, iid)
        return Device((database.with_values(session.values, session.subscribed),))

    return run()


def get_value(session: Session, command: GetValue[object]) -> Procedure:
    """A read."""
    return getting(command, read(session, command.read()))


def set_value(session: Session, command: SetValue[object]) -> Procedure:
    """A write."""
    return setting(command, write(session, command.write()))


def snapshot(_: Session, __: Snapshot) -> Procedure:
    """There is no way to ask for one."""
    raise LocalProtocolError("pictures are sent over IP only, and this accessory is reached over Bluetooth LE")
