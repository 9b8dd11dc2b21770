"""What the application asks of an accessory server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

from attrs import field, frozen, validators

from hapcore.engine import Command
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.accessory import BRIDGE, Accessory
from hapcore.model.database import Database
from hapcore.model.service import Service

__all__ = [
    "AddAccessories",
    "AnswerRead",
    "AnswerSnapshot",
    "AnswerWrite",
    "ChangeDatabase",
    "RefreshDatabase",
    "RemoveAccessories",
    "ReplaceDatabase",
    "RequestId",
    "Shutdown",
    "UpdateValues",
]

#: Names a `ReadRequested` or `WriteRequested` that waits for its answer.
RequestId = NewType("RequestId", int)

_NO_STATUSES: Mapping[CharacteristicId, HapStatus] = {}
_NO_VALUES: Mapping[CharacteristicId, Value] = {}


def _size(image: bytes | HapStatus) -> str:
    return repr(image) if isinstance(image, HapStatus) else f"<{len(image)} bytes>"


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
class AnswerSnapshot(Command[bool]):
    """The application's answer to a `SnapshotRequested`: the bytes of a JPEG, or the status of a failure.

    The result is False when the answer came too late. `TypeError` for an image that is neither.
    """

    request: RequestId
    image: bytes | HapStatus = field(repr=_size, validator=validators.instance_of((bytes, HapStatus)))


class ChangeDatabase(ABC):
    """What these commands have in common: something else is served from now on.

    c# rises, and is announced, if it differs from what was served (HAP 11.2). Controllers stay connected (over
    Bluetooth LE they have to come again), and subscriptions to what is still there are kept. Raises
    `LocalProtocolError` at submission for what HAP does not allow; then nothing has changed.
    """

    __slots__ = ()

    @abstractmethod
    def applied(self, served: Database) -> Database | Sequence[Accessory]:
        """What to serve in place of `served`."""


@frozen
class ReplaceDatabase(ChangeDatabase, Command[None]):
    """Serve another database from now on; c# rises if it differs. Subscriptions to ids it still has are kept."""

    database: Database | Sequence[Accessory]

    def applied(self, served: Database) -> Database | Sequence[Accessory]:
        """The new one."""
        del served
        return self.database


def _several(things: Accessory | Service | Iterable[Accessory | Service]) -> tuple[Accessory, ...]:
    return tuple(Accessory.of(one) for one in ([things] if isinstance(things, Accessory | Service) else things))


@frozen
class AddAccessories(ChangeDatabase, Command[None]):
    """Have a bridge serve more: an accessory, a service to make one of, or several.

    Each needs a name, or a key, that none of the others has.
    """

    accessories: tuple[Accessory, ...] = field(converter=_several)

    def applied(self, served: Database) -> Sequence[Accessory]:
        """The new ones behind the others."""
        head = served.accessories[0]
        if head.category != BRIDGE:
            raise LocalProtocolError(
                f"{head.name!r} is no bridge; to add accessories later, serve a list that begins with "
                "Accessory.bridge(...)",
                argument="accessories",
            )
        for one in self.accessories:
            if one in served.accessories:
                raise LocalProtocolError(f"accessory {one.name!r} is served already", argument="accessories")
        return [*served.accessories, *self.accessories]


def _gone(things: Accessory | Service | Iterable[Accessory | Service]) -> tuple[Accessory | Service, ...]:
    return (things,) if isinstance(things, Accessory | Service) else tuple(things)


@frozen
class RemoveAccessories(ChangeDatabase, Command[None]):
    """Have a bridge serve some no more; a service stands for the accessory it belongs to.

    Setting their values tells nobody any more. Their numbers stay taken: added again with the same key, they have the
    same.
    """

    accessories: tuple[Accessory | Service, ...] = field(converter=_gone)

    def applied(self, served: Database) -> Sequence[Accessory]:
        """The others."""
        leaving: set[Accessory] = set()
        for one in self.accessories:
            found = next((each for each in served.accessories if one is each or one in each.services), None)
            if found is None:
                raise LocalProtocolError(f"{one!r} is not served", argument="accessories")
            if found is served.accessories[0]:
                raise LocalProtocolError(
                    f"{found.name!r} is the first: without it nothing is served", argument="accessories"
                )
            leaving.add(found)
        return [one for one in served.accessories if one not in leaving]


@frozen
class RefreshDatabase(ChangeDatabase, Command[None]):
    """The accessories served have others services or characteristics than before, or other limits: serve what they have
    now. Without it controllers are not told of the change, and new characteristics have no numbers.
    """

    def applied(self, served: Database) -> Sequence[Accessory]:
        """The same accessories."""
        return served.accessories


@frozen
class Shutdown(Command[None]):
    """Withdraw the advertisement and close all connections."""
