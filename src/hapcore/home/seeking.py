"""Who looks for accessories on the network, and what has been seen of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from hapcore.discovery import DiscoveredAccessory, Gone, Transport, device_key
from hapcore.engine import Output
from hapcore.errors import HapError, LocalProtocolError, TimedOut
from hapcore.home.effects import Browse, StopBrowsing
from hapcore.home.events import Ended, News
from hapcore.home.procedure import Agenda, Procedure, Promise
from hapcore.home.timers import Timers
from hapcore.setup_code import SetupPayload, matches

__all__ = ["MAX_FOUND", "Seeking"]

#: Accessories remembered at a time. A house has a few dozen; a hostile neighbour can announce any number.
MAX_FOUND: Final = 1000


def _wanted(wanted: str | SetupPayload) -> tuple[Callable[[DiscoveredAccessory], bool], str]:
    """Whether an accessory is the wanted one, and what to call that."""
    if isinstance(wanted, str):
        key = device_key(wanted)
        return lambda one: device_key(one.device_id) == key, wanted
    setup_id = wanted.setup_id
    if setup_id is None:
        raise LocalProtocolError("it has no setup id: no announcement could be told by it", argument="payload")
    return lambda one: matches(setup_id, one.device_id, one.setup_hash), f"the accessory with the setup id {setup_id}"


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
        self._watching = False
        #: Hears of everything as long as accessories are watched over; says whether it knows the accessory.
        self.watcher: Callable[[str, DiscoveredAccessory | Gone], bool] = lambda _, __: False
        self._found: dict[tuple[str, Transport], DiscoveredAccessory] = {}
        self._finds: dict[Promise[DiscoveredAccessory], Callable[[DiscoveredAccessory], bool]] = {}
        #: Readers of everything, and when they have read enough.
        self.readers: dict[Hashable, float | None] = {}

    def check(self) -> None:
        """Raise `LocalProtocolError` where nothing can be looked for."""
        if not self.possible and not self.others:
            raise LocalProtocolError("this controller was opened without mDNS", argument="mdns")

    def find(self, wanted: str | SetupPayload, limit: float, *transports: Transport) -> Procedure[DiscoveredAccessory]:
        """Within a procedure: an accessory and where it is, by one of these transports, or any. Raises `TimedOut`.

        `wanted` is its device id, or what its QR code says.
        """
        among = transports or tuple(Transport)
        fits, called = _wanted(wanted)

        def right(one: DiscoveredAccessory) -> bool:
            return bool(one.addresses) and one.transport in among and fits(one)

        promise = Promise[DiscoveredAccessory](self._agenda)
        self._finds[promise] = right
        self._browse()
        if (known := next(filter(right, self._found.values()), None)) is not None:
            promise.keep(known)
        where = "seen on the network" if Transport.IP in among and self.possible else "heard"
        late = TimedOut(f"{called} was not {where} within {limit:g} s")
        try:
            return (yield from self._timers.within(limit, promise, late))
        finally:
            self._finds.pop(promise, None)
            self._browse()

    def known(self, device_id: str) -> DiscoveredAccessory | None:
        """What the network says of an accessory just now, if somebody looks and it was seen."""
        found = self._found.get((device_key(device_id), Transport.IP))
        return found if found is not None and found.addresses else None

    def watch(self, wanted: bool) -> None:
        """Have everything looked for as long as accessories are watched over."""
        self._watching = wanted
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
        concerns = self._watching and self.watcher(device, news)
        if isinstance(news, Gone):
            self._found.pop((device, Transport.IP), None)
            return
        key = (device, news.transport)
        if self._browsing and (concerns or key in self._found or len(self._found) < MAX_FOUND):
            self._found[key] = news
            for reader in self.readers:
                self._emit(News(reader, news))
            for promise, right in self._finds.items():
                if right(news):
                    promise.keep(news)

    def failed(self, error: HapError) -> None:
        """Nobody can look, in one of the places: that is better known than an accessory taken for absent."""
        if self._browsing:
            self._look(False)
        self._watching = False  # until somebody wants it again
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
        wanted = self._watching or bool(self._finds or self.readers)
        if wanted is not self._browsing:
            self._look(wanted)

    def _look(self, wanted: bool) -> None:
        self._browsing = wanted
        self._found.clear()
        if self.possible:
            self._emit(Browse() if wanted else StopBrowsing())
        for other in self.others:
            other(wanted)
