"""All accessories of a home that are watched over, and those who want to hear of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from math import inf

from hapcore.discovery import DiscoveredAccessory, Gone, device_key
from hapcore.engine import Output
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected
from hapcore.home.book import Book
from hapcore.home.commands import Supervise
from hapcore.home.events import Ended
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda
from hapcore.home.residents import Residents
from hapcore.home.seeking import Seeking
from hapcore.home.supervision.asking import Asking
from hapcore.home.supervision.watch import Watch
from hapcore.home.timers import Timers

__all__ = ["Supervision"]


class Supervision:
    """The watches by alias. One deadline for each, and no work for those that are not due."""

    def __init__(
        self,
        book: Book,
        residents: Residents,
        links: Links,
        seeking: Seeking,
        agenda: Agenda,
        timers: Timers,
        emit: Callable[[Output], None],
        entropy: Entropy,
    ) -> None:
        self.book = book
        self.residents = residents
        self.links = links
        self.seeking = seeking
        self.agenda = agenda
        self.timers = timers
        self.emit = emit
        self.entropy = entropy
        self._readers: dict[Hashable, Supervise] = {}
        self._watches: dict[str, Watch] = {}
        #: By device id, for what the network tells; several where the same accessory is paired under several names.
        self._devices: dict[str, list[Watch]] = {}
        #: Who wants to be rung when, with some that do not want it any more.
        self.heap: list[tuple[float, int, Asking]] = []
        self._pushes = 0
        seeking.watcher = self._heard
        residents.risen = self._risen
        book.noted = self._noted
        book.dropped = self.removed

    def follows(self, to: Hashable) -> bool:
        """Whether a reader is told of accessories."""
        return to in self._readers

    def begin(self, command: Supervise) -> None:
        """One more reader. Raises `LocalProtocolError` for an unknown alias, or too many accessories."""
        aliases = self.book.aliases if command.aliases is None else command.aliases
        for alias in aliases:
            self.residents.get(alias, None)
        self._readers[command.to] = command
        for alias in aliases:
            self._join(alias, command)

    def end(self, to: Hashable) -> None:
        """A reader has heard enough. Unknown ones are no error."""
        if self._readers.pop(to, None) is None:
            return
        for alias, watch in list(self._watches.items()):
            watch.leave(to)
            if not watch.ledger.readers:
                self._drop(alias)
        self.emit(Ended(to))

    def end_all(self) -> None:
        """The end of the home."""
        for to in list(self._readers):
            self.end(to)

    def removed(self, alias: str) -> None:
        """An accessory is ours no more."""
        watch = self._watches.get(alias)
        if watch is None:
            return
        readers = watch.ledger.readers
        watch.ledger.unavailable(Disconnected("the pairing was removed"), last=True)
        self._drop(alias)
        for to in readers:
            aliases = self._readers[to].aliases
            if aliases is not None and not any(each in self._watches for each in aliases):
                self.end(to)

    # --- time -----------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When the first accessory is due."""
        heap = self.heap
        while heap and heap[0][2].due != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def schedule(self, watch: Asking, until: float) -> None:
        """Have a watch rung; what was arranged before counts no more."""
        if watch.due == until:
            return
        watch.due = None if until == inf else until
        if watch.due is None:
            return
        heap = self.heap
        if len(heap) > 2 * len(self._watches):
            heap[:] = [entry for entry in heap if entry[2].due == entry[0]]
            heapify(heap)
        self._pushes += 1
        heappush(heap, (until, self._pushes, watch))

    def expire(self, now: float) -> None:
        """Ring those that are due."""
        while (due := self.due) is not None and due <= now:
            watch = heappop(self.heap)[2]
            watch.due = None
            watch.ring()

    # --- what happens elsewhere -----------------------------------------------------------------------------------

    def _heard(self, device: str, news: DiscoveredAccessory | Gone) -> bool:
        watches = self._devices.get(device, ())
        for watch in watches:
            watch.news(news)
        return bool(watches)

    def _risen(self, alias: str) -> None:
        if (watch := self._watches.get(alias)) is not None:
            watch.summon()

    def _noted(self, alias: str) -> None:
        if (watch := self._watches.get(alias)) is not None:
            self._forget(watch)
            self._devices.setdefault(self._device(alias), []).append(watch)
            watch.summon()
            return
        for command in self._readers.values():
            if command.aliases is None or alias in command.aliases:
                self._join(alias, command)

    def _device(self, alias: str) -> str:
        return device_key(self.book.record(alias).pairing.accessory_id)

    def _join(self, alias: str, command: Supervise) -> None:
        watch = self._watches.get(alias)
        if watch is None:
            watch = self._watches[alias] = Watch(alias, self)
            self._devices.setdefault(self._device(alias), []).append(watch)
            self.seeking.watch(True)
        watch.join(command)

    def _drop(self, alias: str) -> None:
        watch = self._watches.pop(alias)
        watch.end()
        watch.due = None
        self._forget(watch)
        if not self._watches:
            self.seeking.watch(False)

    def _forget(self, watch: Watch) -> None:
        """Its news are of nobody's interest any more."""
        for device, watches in list(self._devices.items()):
            if watch in watches:
                watches.remove(watch)
                if not watches:
                    del self._devices[device]
