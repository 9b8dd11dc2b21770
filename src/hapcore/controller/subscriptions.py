"""Who wants to hear of what on one connection: several readers may share a characteristic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from hapcore.controller.commands import Subscribe, Unsubscribe
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.results import Status
from hapcore.errors import HapError, Refused
from hapcore.feed import Backlog
from hapcore.ids import CharacteristicId, HapStatus

__all__ = ["Subscriptions"]

F = TypeVar("F", bound=Backlog[CharacteristicChanged])


class Subscriptions(Generic[F]):
    """The readers of a connection, and the commands that their coming and going asks for."""

    def __init__(self) -> None:
        self._wanted: dict[F, frozenset[CharacteristicId]] = {}

    def add(self, feed: F, ids: Iterable[tuple[int, int]]) -> Subscribe:
        """A new reader; the command to submit."""
        wanted = self._wanted[feed] = frozenset(CharacteristicId(*one) for one in ids)
        return Subscribe(sorted(wanted))

    def check(self, statuses: Mapping[CharacteristicId, Status]) -> None:
        """Raise `Refused` where the accessory refused one of the characteristics."""
        for one, status in statuses.items():
            if status:
                text = status.text if isinstance(status, HapStatus) else f"status {status}"
                raise Refused(f"no events of {one}: {text}", hap_status=status)

    def remove(self, feed: F) -> Unsubscribe | None:
        """A reader is gone; the command to submit if nobody else wants what it read."""
        wanted = self._wanted.pop(feed, frozenset())
        feed.close()
        unwanted = wanted.difference(*self._wanted.values())
        return Unsubscribe(sorted(unwanted)) if unwanted else None

    def tell(self, event: CharacteristicChanged) -> None:
        """Hand an event to those who want it."""
        for feed, wanted in self._wanted.items():
            if event.id in wanted:
                feed.put(event)

    def end(self, reason: HapError | None) -> None:
        """The connection is over."""
        for feed in self._wanted:
            feed.close(reason)
