"""Who wants to hear of what on one connection: several readers may share a characteristic."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from hapcore.controller.commands import Subscribe, Unsubscribe
from hapcore.controller.results import Status
from hapcore.errors import Refused
from hapcore.ids import CharacteristicId, HapStatus

__all__ = ["Subscriptions"]

F = TypeVar("F", bound=Hashable)


class Subscriptions(Generic[F]):
    """The readers of a connection, told apart by anything, and the commands that their coming and going asks for."""

    def __init__(self) -> None:
        self._wanted: dict[F, frozenset[CharacteristicId]] = {}

    def add(self, reader: F, ids: Iterable[tuple[int, int]]) -> Subscribe:
        """A new reader; the command to submit."""
        wanted = self._wanted[reader] = frozenset(CharacteristicId(*one) for one in ids)
        return Subscribe(sorted(wanted))

    def check(self, statuses: Mapping[CharacteristicId, Status]) -> None:
        """Raise `Refused` where the accessory refused one of the characteristics."""
        for one, status in statuses.items():
            if status:
                text = status.text if isinstance(status, HapStatus) else f"status {status}"
                raise Refused(f"no events of {one}: {text}", hap_status=status)

    def remove(self, reader: F) -> Unsubscribe | None:
        """A reader is gone; the command to submit if nobody else wants what it read."""
        wanted = self._wanted.pop(reader, frozenset())
        unwanted = wanted.difference(*self._wanted.values())
        return Unsubscribe(sorted(unwanted)) if unwanted else None

    def readers(self, one: CharacteristicId) -> Iterator[F]:
        """Those who want to hear of a characteristic."""
        return (reader for reader, wanted in self._wanted.items() if one in wanted)

    def end(self) -> list[F]:
        """The connection is over: all readers, who are none any more."""
        readers = list(self._wanted)
        self._wanted.clear()
        return readers
