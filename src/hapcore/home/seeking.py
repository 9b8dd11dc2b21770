"""Who looks for accessories on the network, and what has been seen of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any, Final

from hapcore.discovery import DiscoveredAccessory, Gone, Transport, device_key
from hapcore.engine import Output
from hapcore.errors import HapError, LocalProtocolError, TimedOut
from hapcore.home.effects import Browse, StopBrowsing
from hapcore.home.events import Ended, News
from hapcore.home.procedure import Agenda, Procedure, Promise
from hapcore.home.timers import Timers

__all__ = ["MAX_FOUND", "Seeking"]

#: Accessories remembered at a time. A house has a few dozen; a hostile neighbour can announce any number.
MAX_FOUND: Final = 1000


class Seeking:
    """Has somebody look as long as anyone wants to know. What is seen is forgotten when nobody does."""

    def __init__(self, agenda: Agenda, timers: Timers, emit: Callable[[Output], None], possible: bool) -> None:
        self._agenda = agenda
        self._timers = timers
        self._emit = emit
        #: Whether the network can be looked at.
        self.possible = possible
        #: What else can be looked at: has somebody begin, or stop.
        self.others: list[Callable[[bool], object]] = []
        self._browsing = False
        self._found: dict[tuple[str, Transport], DiscoveredAccessory] = {}
        self._finds: dict[Promise[DiscoveredAccessory], tuple[str, Collection[Transport]]] = {}
        #: Readers of everything, and when they have read enough.
        self.readers: dict[Hashable, float | None] = {}

    def check(self) -> None:
        """Raise `LocalProtocolError` where nothing can be looked for."""
        if not self.possible and not self.others:
            raise LocalProtocolError("this controller was opened without mDNS", argument="mdns")

    def find(self, device_id: str, limit: float, *transports: Transport) -> Procedure[DiscoveredAccessory]:
        """Within a procedure: an accessory and where it is, by one of these transports, or any. Raises `TimedOut`."""
        key, among = device_key(device_id), transports or tuple(Transport)
        promise = Promise[DiscoveredAccessory](self._agenda)
        self._finds[promise] = key, among
        self._browse()
        for transport in among:
            if (known := self._found.get((key, transport))) is not None and known.addresses:
                promise.keep(known)
        where = "seen on the network" if Transport.IP in among and self.possible else "heard"
        late = TimedOut(f"{device_id} was not {where} within {limit:g} s")
        try:
            return (yield from self._timers.within(limit, promise, late))
        finally:
            self._finds.pop(promise, None)
            self._browse()

    def follows(self, reader: Hashable) -> bool:
        """Whether a reader is told of everything."""
        return reader in self.readers

    def begin(self, reader: Hashable, timeout: float | None) -> None:
        """Have a reader told of everything."""
        self.readers[reader] = None if timeout is None else self._timers.now + timeout
        for found in self._found.values():
            self._emit(News(reader, found))
        self._browse()

    def end(self, reader: Hashable, reason: HapError | None = None) -> None:
        """A reader has read enough."""
        if reader in self.readers:
            del self.readers[reader]
            self._emit(Ended(reader, reason))
            self._browse()

    def end_all(self, reason: HapError | None) -> None:
        """Nobody will hear any more."""
        for promise in list(self._finds):
            promise.fail(reason if reason is not None else TimedOut("the search was ended"))
        self._finds.clear()
        for reader in list(self.readers):
            self.end(reader, reason)
        self._browse()

    def heard(self, news: DiscoveredAccessory | Gone) -> None:
        """Something was seen, has changed, or is gone."""
        device = device_key(news.device_id)
        if isinstance(news, Gone):
            self._found.pop((device, Transport.IP), None)
            return
        key = (device, news.transport)
        if self._browsing and (key in self._found or len(self._found) < MAX_FOUND):
            self._found[key] = news
            for reader in self.readers:
                self._emit(News(reader, news))
            for promise, (wanted, among) in self._finds.items():
                if wanted == device and news.transport in among and news.addresses:
                    promise.keep(news)

    def failed(self, error: HapError) -> None:
        """Nobody can look, in one of the places: that is better known than an accessory taken for absent."""
        if self._browsing:
            self._look(False)
        finds: list[Promise[Any]] = list(self._finds)
        self._finds.clear()
        readers, self.readers = list(self.readers), {}
        for promise in finds:
            promise.fail(error)
        for reader in readers:
            self._emit(Ended(reader, error))

    def expire(self, now: float) -> None:
        """End those whose time is over."""
        for reader in [reader for reader, due in self.readers.items() if due is not None and due <= now]:
            self.end(reader)

    def _browse(self) -> None:
        wanted = bool(self._finds or self.readers)
        if wanted is not self._browsing:
            self._look(wanted)

    def _look(self, wanted: bool) -> None:
        self._browsing = wanted
        self._found.clear()
        if self.possible:
            self._emit(Browse() if wanted else StopBrowsing())
        for other in self.others:
            other(wanted)
