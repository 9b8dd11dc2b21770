"""All connections of a home: they are opened, spoken over, and closed here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from attrs import evolve

from hapcore.controller.commands import Close, Subscribe
from hapcore.controller.events import CharacteristicChanged, SessionClosed
from hapcore.engine import (
    CloseConnection,
    Command,
    ConnectionId,
    Done,
    Effect,
    Event,
    Failed,
    Output,
    SendBytes,
)
from hapcore.errors import Disconnected, HapError, LocalProtocolError
from hapcore.home.effects import Connect, Via
from hapcore.home.events import Ended, News, Told
from hapcore.home.link import CONNECT_LIMIT, MAX_LINKS, Carrier, Keeper, Link, LinkState
from hapcore.home.procedure import Agenda, Procedure, Promise
from hapcore.home.target import Address
from hapcore.home.timers import Timers
from hapcore.ids import CharacteristicId
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.keylog import SessionKeysMade

__all__ = ["Links"]

R = TypeVar("R")
#: Makes the engine of a connection to an address, with what is known of the accessory's database.
MakeCarrier = Callable[[Address, Iterable[AccessoryDescription]], Carrier]


class Links:
    """The links by number, and those that wait for an answer."""

    def __init__(self, agenda: Agenda, timers: Timers, emit: Callable[[Output], None], make: MakeCarrier) -> None:
        self._agenda = agenda
        self._timers = timers
        self._emit = emit
        self._make = make
        self._links: dict[ConnectionId, Link] = {}
        #: The links that are open.
        self.streams: dict[ConnectionId, Link] = {}
        #: When an engine wants `handle_timeout()`.
        self.due: dict[Link, float] = {}
        self._numbers = 0
        #: Sees to what an engine wants done beside sending and closing.
        self.carry: Callable[[Link, Effect], None] = lambda link, effect: emit(Via(link.number, effect))
        self._followed: dict[Hashable, Link] = {}

    def open(self, address: Address, database: tuple[AccessoryDescription, ...] = ()) -> Procedure[Link]:
        """A new connection. Raises `Disconnected` where there is none to be had."""
        link = Link(self.number(), address, database, self._agenda)
        self._links[link.number] = link
        self._emit(Connect(link.number, address))
        late = Disconnected(f"cannot connect to {address[0]}, port {address[1]}: no answer")
        try:
            return (yield from self._timers.within(CONNECT_LIMIT, link.opened, late))
        except HapError:
            self.close(link)
            raise

    def number(self) -> ConnectionId:
        """For a new link. Raises `LocalProtocolError` where there are too many."""
        if len(self._links) >= MAX_LINKS:
            raise LocalProtocolError(f"{MAX_LINKS} connections are open already")
        self._numbers += 1
        return ConnectionId(self._numbers)

    def add(self, link: Link) -> None:
        """A link that is open from the beginning."""
        self._links[link.number] = link

    def connected(self, number: ConnectionId, tells_keys: bool) -> None:
        """The stream of a link is there."""
        link = self._links.get(number)
        if link is None or link.state is not LinkState.OPENING:
            self._emit(CloseConnection(number))  # it was given up meanwhile
            return
        link.carrier = self._make(link.address, link.database)
        link.carrier.tells_keys = tells_keys
        link.state = LinkState.OPEN
        self.streams[number] = link
        link.opened.keep(link)

    def refused(self, number: ConnectionId, reason: str) -> None:
        """There will be no stream for a link."""
        link = self._links.get(number)
        if link is not None and link.state is LinkState.OPENING:
            del self._links[number]
            link.state = LinkState.CLOSED
            link.opened.fail(Disconnected(reason))

    def ask(self, link: Link, command: Command[R]) -> Procedure[R]:
        """Within a procedure: the result of a command. Raises what it failed with."""
        promise = Promise[R](self._agenda)
        link.waiting[link.carrier.submit(command, self._timers.now)] = promise
        self.collect(link)
        return (yield from promise.wait())

    def post(self, link: Link, command: Command[Any]) -> None:
        """Submit a command that nobody waits for. Where too many are waiting already it is left out."""
        with suppress(LocalProtocolError):
            link.carrier.submit(command, self._timers.now)
        self.collect(link)

    def follows(self, to: Hashable) -> bool:
        """Whether a reader is told of changes."""
        return to in self._followed

    def follow(self, link: Link, to: Hashable, command: Subscribe) -> Procedure[None]:
        """Within a procedure: have a reader told of changes. Raises `Refused` where there are none to be had."""
        self._followed[to] = link
        subscribe = link.readers.add(to, command.ids)
        try:
            link.readers.check((yield from self.ask(link, subscribe)))
        except HapError:
            self._part(to)
            raise

    def keep(self, link: Link, keeper: Keeper, ids: Iterable[CharacteristicId]) -> None:
        """Have a keeper told what the link says, and of changes of these; it subscribes itself."""
        link.watch = keeper
        link.readers.add(keeper, ids)

    def release(self, link: Link) -> None:
        """A keeper is gone."""
        keeper, link.watch = link.watch, None
        unsubscribe = None if keeper is None else link.readers.remove(keeper)
        if unsubscribe is not None and link.state is LinkState.OPEN:
            self.post(link, unsubscribe)

    def unfollow(self, to: Hashable) -> None:
        """A reader is gone; unknown ones are no error."""
        if to in self._followed:
            self._part(to)
            self._emit(Ended(to))

    def _part(self, to: Hashable) -> None:
        link = self._followed.pop(to, None)
        unsubscribe = None if link is None else link.readers.remove(to)
        if link is not None and unsubscribe is not None and link.state is LinkState.OPEN:
            self.post(link, unsubscribe)

    def close(self, link: Link) -> None:
        """End a link, however far it has come."""
        if link.state is LinkState.OPEN:
            self.post(link, Close())
        elif link.state is LinkState.OPENING:
            self.refused(link.number, "the connection was closed")
            self._emit(CloseConnection(link.number))

    def close_all(self) -> None:
        """End all."""
        for link in list(self._links.values()):
            self.close(link)

    def expire(self, now: float) -> None:
        """Tell the engines that are due."""
        for link in [link for link, due in self.due.items() if due <= now]:
            link.carrier.handle_timeout(now)
            self.collect(link)

    def collect(self, link: Link) -> None:
        """Hand on what the engine of a link says. Every request and every answer passes here."""
        carrier = link.carrier
        poll = carrier.poll
        while (output := poll()) is not None:
            if isinstance(output, SendBytes):
                self._emit(SendBytes(link.number, output.data))
            elif isinstance(output, Done):
                waiter = link.waiting.pop(output.command, None)
                if isinstance(waiter, int):
                    self._emit(Done(waiter, output.result))
                elif waiter is not None:
                    waiter.keep(output.result)
            else:
                self._tell(link, output)
        due = carrier.next_timeout()
        if due is not None:
            self.due[link] = due
        elif link in self.due:
            del self.due[link]

    def _tell(self, link: Link, output: Output) -> None:
        if isinstance(output, Failed):
            waiter = link.waiting.pop(output.command, None)
            if isinstance(waiter, int):
                self._emit(Failed(waiter, output.error))
            elif waiter is not None:
                waiter.fail(output.error)
            return
        if isinstance(output, CharacteristicChanged):
            watch = link.watch
            for reader in link.readers.readers(output.id):
                if reader is watch and watch is not None:
                    watch.told(output)
                else:
                    self._emit(News(reader, output))
            return
        if isinstance(output, CloseConnection):
            self._emit(CloseConnection(link.number))
        elif isinstance(output, SessionKeysMade):
            self._emit(evolve(output, connection=link.number))
        elif isinstance(output, Effect):
            self.carry(link, output)
        elif isinstance(output, Event):
            if link.alias:
                self._emit(Told(link.alias, output))
            if isinstance(output, SessionClosed):
                self._lost(link, output.reason)
            if link.watch is not None:
                link.inform(link.watch, output)

    def _lost(self, link: Link, reason: HapError | None) -> None:
        link.lost()
        self._links.pop(link.number, None)
        self.streams.pop(link.number, None)
        for reader in link.readers.end():
            if reader is link.watch:
                continue
            self._followed.pop(reader, None)
            self._emit(Ended(reader, reason))
