"""What happens on a connection without having been asked for."""

from __future__ import annotations

from attrs import frozen

from hapcore.engine import Event
from hapcore.errors import HapError, RemoteProtocolError
from hapcore.ids import CharacteristicId, Value

__all__ = ["CharacteristicChanged", "EventUnreadable", "SessionClosed"]


@frozen
class CharacteristicChanged(Event):
    """A subscribed characteristic has a new value, or a button was pressed (HAP 8.10).

    `value` is None only for a press whose kind the accessory could not tell. Ids the database does not know are
    reported all the same.
    """

    id: CharacteristicId
    value: Value


@frozen
class EventUnreadable(Event):
    """An event message came whose content made no sense. The session goes on; a change may have been missed."""

    error: RemoteProtocolError


@frozen
class SessionClosed(Event):
    """The connection is over, the engine with it; subscriptions are gone.

    `reason` is None if it ended as we wanted: by `Close`, or because we removed our own pairing.
    """

    reason: HapError | None
