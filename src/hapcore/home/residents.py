"""The paired accessories of a home: each is connected and verified when it is needed, wherever it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from hapcore.controller.commands import GetAccessories, VerifyPairing
from hapcore.discovery import DiscoveredAccessory, Transport
from hapcore.engine import Command, Effect, Output, Persist
from hapcore.errors import Disconnected, EffectFailed, HapError, LocalProtocolError, TimedOut
from hapcore.home.book import Book, telling
from hapcore.home.events import NotStored
from hapcore.home.link import MAX_LINKS, Link, LinkState, Stopped
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda, Procedure, Task
from hapcore.home.racing import Race
from hapcore.home.seeking import Seeking
from hapcore.home.target import Address, Target, split_address
from hapcore.home.timers import Timers
from hapcore.pairing.records import Pairing

__all__ = ["LOOK_UP_LIMIT", "Resident", "Residents"]

#: Seconds to look for a paired accessory that is not where it was.
LOOK_UP_LIMIT: Final = 5.0


class Resident:
    """A paired accessory, at the address that was given or wherever it is."""

    __slots__ = ("address", "alias", "connecting", "learning", "link", "race")

    def __init__(self, alias: str, address: Address | None) -> None:
        self.alias = alias
        self.address = address
        #: The connection there is, or was last.
        self.link: Link | None = None
        self.connecting: Task[Link] | None = None
        #: The attempts at its addresses, while it is being connected.
        self.race: Race | None = None
        self.learning: Task[None] | None = None

    def ready(self, command: Command[Any]) -> Link | None:
        """The link, if the command can go out at once and overtakes no other."""
        link = self.link
        if link is None or link.state is not LinkState.OPEN or self.connecting is not None or self.learning is not None:
            return None
        return link if link.fits(command) else None


class Residents:
    """The accessories by alias and given address."""

    def __init__(
        self,
        book: Book,
        links: Links,
        seeking: Seeking,
        agenda: Agenda,
        timers: Timers,
        emit: Callable[[Output], None],
        store: Callable[[Effect], Procedure[None]],
        peer: Callable[[Pairing], Link],
    ) -> None:
        self._peer = peer
        self._book = book
        self._links = links
        self._seeking = seeking
        self._agenda = agenda
        self._timers = timers
        self._emit = emit
        self._store = store
        self.known: dict[tuple[str, str | None], Resident] = {}
        #: Hears of each accessory that is connected, by its alias.
        self.risen: Callable[[str], object] = lambda _: None

    def take(self, alias: str, link: Link) -> None:
        """The link of an accessory that may be anywhere."""
        one = self.get(alias, None)
        one.link, link.alias = link, alias

    def find(self, alias: str, address: str | None) -> Resident | None:
        """The one that is known already."""
        return self.known.get((alias, address))

    def get(self, alias: str, address: str | None) -> Resident:
        """The one there is or will be. Raises `LocalProtocolError` for an unknown alias and what is no address."""
        if (known := self.known.get((alias, address))) is not None:
            return known
        self._book.check_address(alias, address)
        if len(self.known) >= MAX_LINKS:
            raise LocalProtocolError(f"{MAX_LINKS} accessories and addresses are in use already")
        one = Resident(alias, None if address is None else split_address(address))
        self.known[alias, address] = one
        return one

    def called(self, alias: str) -> Iterator[Resident]:
        """All of one name."""
        return (one for (name, _), one in self.known.items() if name == alias)

    def drop(self, alias: str) -> None:
        """Close what is called so, and know it no more."""
        for one in list(self.called(alias)):
            self.close(one)
        self.known = {key: one for key, one in self.known.items() if key[0] != alias}

    def close(self, one: Resident) -> None:
        """Close the connection, also one that is being made."""
        if one.connecting is not None:
            one.connecting.stop(Stopped())
        if one.link is not None:
            self._links.close(one.link)

    def close_all(self) -> None:
        """Close all."""
        for one in self.known.values():
            self.close(one)

    def up(self, one: Resident) -> Procedure[Link]:
        """Within a procedure: the verified link. All who need it wait for the same attempt, and fail with it."""
        if one.connecting is None:
            if one.link is not None and one.link.state is LinkState.OPEN:
                return one.link
            one.connecting = self._agenda.start(self._connect(one))
        return (yield from one.connecting.outcome.wait())

    def ready(self, one: Resident, command: Command[Any]) -> Procedure[Link]:
        """Within a procedure: the link, with the database known if the command counts on it."""
        link = yield from self.up(one)
        if not link.fits(command):
            if one.learning is None:
                one.learning = self._agenda.start(self._learn(one, link))
            yield from one.learning.outcome.wait()
        return link

    def _learn(self, one: Resident, link: Link) -> Procedure[None]:
        try:
            yield from self._links.ask(link, GetAccessories())
        finally:
            one.learning = None

    def hint(self, one: Resident, addresses: Iterable[Address]) -> None:
        """It says that it is there, just now. Of use to who is looking for it."""
        if one.race is not None and one.address is None:
            one.race.add(addresses, again=True)

    def _connect(self, one: Resident) -> Procedure[Link]:
        try:
            record = self._book.record(one.alias)
            if record.transport is Transport.BLE:
                self.take(one.alias, self._peer(record.pairing))
                return cast("Link", one.link)
            race = one.race = Race(
                self._agenda, self._timers, partial(self._prove, one, record.pairing), self._links.close
            )
            race.add(self._where(one))
            link = yield from race.run()
            device_id = record.pairing.accessory_id
            found: DiscoveredAccessory | None = None
            if link is None and one.address is None and self._seeking.possible:
                # It may be anywhere: where it says that it is now.
                with suppress(TimedOut):
                    found = yield from self._seeking.find(device_id, LOOK_UP_LIMIT, Transport.IP)
                if found is not None:
                    race.add(Target.of(found).addresses)
                    link = yield from race.run()
            if link is None:
                raise telling(list(race.failures.values()), f"{one.alias} ({device_id})")
            one.link, link.alias = link, one.alias
            found = self._seeking.known(device_id) or found
            if found is not None and link.address in Target.of(found).addresses:
                self._agenda.start(self._remember(one.alias, found))
            self.risen(one.alias)
            return link
        finally:
            one.connecting = one.race = None

    def _where(self, one: Resident) -> list[Address]:
        """Where it says that it is, then where it was."""
        if one.address is not None:
            return [one.address]
        found = self._seeking.known(self._book.record(one.alias).pairing.accessory_id)
        return [*(() if found is None else Target.of(found).addresses), *self._book.addresses(one.alias)]

    def _prove(self, one: Resident, pairing: Pairing, address: Address) -> Procedure[Link]:
        """A connection to the accessory itself, not just to that address."""
        known = () if one.link is None else one.link.carrier.accessories
        link = yield from self._links.open(address, known)
        try:
            yield from self._links.ask(link, VerifyPairing(pairing))
            if link.state is not LinkState.OPEN:
                raise Disconnected("the accessory closed the connection")
        except HapError:
            self._links.close(link)
            raise
        return link

    def _remember(self, alias: str, found: DiscoveredAccessory) -> Procedure[None]:
        moved = self._book.moved(alias, found)
        if moved is None:
            return
        self._book.put(moved)
        try:
            yield from self._store(Persist(alias, moved.encode()))
        except EffectFailed as error:
            self._emit(NotStored(alias, error))
