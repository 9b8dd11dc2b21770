"""What the application asks of an accessory server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NewType

from attrs import field, frozen

from hapcore.engine import Command
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database

__all__ = ["AnswerRead", "AnswerWrite", "ReplaceDatabase", "RequestId", "Shutdown", "UpdateValues"]

#: Names a `ReadRequested` or `WriteRequested` that waits for its answer.
RequestId = NewType("RequestId", int)

_NO_STATUSES: Mapping[CharacteristicId, HapStatus] = {}
_NO_VALUES: Mapping[CharacteristicId, Value] = {}


@frozen
class UpdateValues(Command[None]):
    """Values changed on the accessory's side: store them and tell the subscribed controllers (HAP 9.6).

    Raises `ValueRefused` at submission when a value does not fit, `LocalProtocolError` for an unknown id; then nothing
    has changed.
    """

    values: Mapping[CharacteristicId, Value]


@frozen
class AnswerWrite(Command[bool]):
    """The application's answer to a `WriteRequested`.

    A characteristic missing in `statuses` succeeded. `values` holds what the characteristic reads after the write where
    that is not the value written (write-response). The result is False when the answer came too late for the
    controller; what succeeded counts all the same.

    An answer that is not the `last` one settles the characteristics in `statuses` only, successes too; at the deadline
    it counts, and what has not been settled by then is told -70408.
    """

    request: RequestId
    statuses: Mapping[CharacteristicId, HapStatus] = field(default=_NO_STATUSES)
    values: Mapping[CharacteristicId, Value] = field(default=_NO_VALUES)
    last: bool = True


@frozen
class AnswerRead(Command[bool]):
    """The application's answer to a `ReadRequested`: a value, or the status of a failure, for each characteristic.

    A characteristic missing in `results` is answered with -70402. The result is False when the answer came too late.
    An answer that is not the `last` one leaves the others open; at the deadline it counts, and they are told -70408.
    """

    request: RequestId
    results: Mapping[CharacteristicId, Value | HapStatus]
    last: bool = True


@frozen
class ReplaceDatabase(Command[None]):
    """Serve another database from now on; c# rises if it differs. Subscriptions to ids it still has are kept."""

    database: Database | Sequence[Accessory]


@frozen
class Shutdown(Command[None]):
    """Withdraw the advertisement and close all connections."""
