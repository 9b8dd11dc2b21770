"""The watch over one accessory: one procedure that connects, restores, follows, polls, rests, and begins again."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from hapcore.controller.commands import GetAccessories, Subscribe, Write
from hapcore.controller.events import CharacteristicChanged, EventUnreadable, SessionClosed
from hapcore.controller.typed import SetValue
from hapcore.discovery import DiscoveredAccessory, Gone, Transport
from hapcore.engine import Command, Event
from hapcore.errors import Disconnected, HapError, Refused, RemoteProtocolError
from hapcore.home.commands import Supervise
from hapcore.home.link import Link, Stopped
from hapcore.home.procedure import Procedure, Task
from hapcore.home.supervision.asking import Asking, is_end
from hapcore.home.supervision.backoff import (
    CALLED_REST,
    FORGOTTEN_CALLED_REST,
    FORGOTTEN_REST,
    Backoff,
)
from hapcore.home.supervision.happenings import Source
from hapcore.home.supervision.ledger import is_forgotten
from hapcore.home.target import Target
from hapcore.ids import CharacteristicId

if TYPE_CHECKING:
    from hapcore.home.supervision.supervision import Supervision

__all__ = ["AIR_POLL", "FRESH", "PROBE_LIMIT", "SAID_REST", "Watch"]

#: Seconds within which an accessory that is said to be elsewhere, or gone, must answer on the connection there is.
PROBE_LIMIT: Final = 3.0
#: Seconds after which an answer is no proof any more that it is still there.
LATELY: Final = 1.0
#: Seconds between two polls over Bluetooth LE at least.
AIR_POLL: Final = 3600.0
#: Seconds after reading the database in which the first c# that is heard is taken for the one of that database.
FRESH: Final = 10.0
#: Seconds between two looks at everything, however often somebody says that it has changed: anybody can say that.
SAID_REST: Final = 5.0
_NONE: Final = Disconnected("the connection was closed")


class Watch(Asking):
    """One accessory that is watched over, for all who want to hear of it."""

    def __init__(self, alias: str, office: Supervision) -> None:
        super().__init__(alias, office)
        self._backoff = Backoff(office.entropy)
        self._link: Link | None = None
        #: Whether it is available, and since when; when the last attempt began.
        self._settled = False
        self._begun = self._settled_at = -inf
        #: Since when events may have been lost.
        self._since: float | None = None
        #: Of the database: its c# (0: not known), when and over which link it was read.
        self._config = 0
        self._read_at = -inf
        self._read_on: Link | None = None
        #: What was announced last.
        self._found: DiscoveredAccessory | None = None
        # What there is to do, or to stop for.
        self._called = self._summoned = False
        self._stale = self._changed = self._doubtful = self._suspect = self._unsure = False
        #: When that may be done again which anybody on the network can have us do.
        self._fetch_from = self._doubt_from = self._probe_from = -inf
        self._task: Task[None] = office.agenda.start(self._run())

    # --- inputs ---------------------------------------------------------------------------------------------------

    def join(self, command: Supervise) -> None:
        """One more reader."""
        self._commands[command.to] = command
        if self.ledger.join(command, settled=self._settled):
            self._changed = True
            self.ring()

    def leave(self, to: object) -> None:
        """A reader less."""
        self._commands.pop(to, None)
        self.ledger.leave(to)  # events that nobody wants any more end with the connection

    def end(self) -> None:
        """Nobody wants to hear of it any more, or it is ours no more."""
        self._over = True
        if self._link is not None:
            self._office.links.release(self._link)
        self._task.stop(Stopped())

    def summon(self) -> None:
        """It is connected, or another one: not the time to rest."""
        self._summoned = True
        self.ring()

    def news(self, news: DiscoveredAccessory | Gone) -> None:
        """The network, or the air, tells of it."""
        if isinstance(news, Gone):
            self._suspect = True
            self.ring()
            return
        before, self._found = self._found, news
        self._called = True
        if news.transport is Transport.IP:
            addresses = Target.of(news).addresses
            if (one := self._office.residents.find(self.alias, None)) is not None:
                self._office.residents.hint(one, addresses)
            if self._settled and self._link is not None:
                # The one it had may be told of for some time after it is gone.
                more = before is not None and not set(addresses) <= set(Target.of(before).addresses)
                if more or self._link.address not in addresses:
                    self._suspect = True
                    self._hurry(self._link, PROBE_LIMIT)
                # Who announces itself may also have just started, and know nothing of this connection.
                self._unsure = self._heard + LATELY <= self._now
            if before is not None and before.state_number != news.state_number:
                self._doubtful = True
            self._compare(news.config_number)
        self.ring()

    def _compare(self, announced: int) -> None:
        """Whether the database is the one that is announced (HAP 11.2): any other number is another one."""
        if not announced or announced == self._config:
            return
        if not self._config and self._now <= self._read_at + FRESH:
            self._config = announced
        elif self._read_at != -inf:
            self._stale = True

    def told(self, event: Event) -> None:
        """The link says something."""
        if isinstance(event, CharacteristicChanged):
            self._heard = self._now
            self._overtaken.add(event.id)
            self.ledger.note(event.id, event.value, Source.EVENT)
        elif isinstance(event, EventUnreadable):
            self._doubtful = True
            self.ring()
        elif isinstance(event, SessionClosed):
            self.lost(event.reason or Disconnected("the connection was closed"))

    def lost(self, reason: HapError) -> None:
        """The accessory cannot be reached."""
        self._fault = reason
        self.ring()

    def reached(self) -> None:
        """It can be reached again, over the air."""
        self._called = True
        self.ring()

    def restocked(self) -> None:
        """Its database is another one, and was read already."""
        self._changed = True
        self.ring()

    def asked(self, command: Command[Any]) -> None:
        """The application writes: there will be no event, and what was known is not what is."""
        write = command.write() if isinstance(command, SetValue) else command
        if isinstance(write, Write):
            self.ledger.doubt(one.id for one in write.writes)

    # --- the procedure --------------------------------------------------------------------------------------------

    def _run(self) -> Procedure[None]:
        while not self._over:
            failure: HapError = _NONE
            try:
                yield from self._live()
            except HapError as error:
                failure = error
            if self._ended():
                break
            rest = self._down(failure)
            yield from self._rest(rest, FORGOTTEN_CALLED_REST if is_forgotten(failure) else CALLED_REST)

    def _live(self) -> Procedure[None]:
        """From the attempt to connect to the end of the connection."""
        office = self._office
        self._begun = self._now
        self._fault = None
        self._called = self._summoned = self._suspect = self._unsure = False
        office.seeking.watch(True)
        link = yield from office.residents.up(office.residents.get(self.alias, None))
        if self._ended():
            raise Stopped
        self._link = link
        self._summoned = False  # by this very connection
        office.links.keep(link, self, self.ledger.events)
        yield from self._restore(link)
        yield from self._serve(link)

    def _down(self, failure: HapError) -> float:
        """It is not available. Seconds until the next attempt."""
        link, self._link = self._link, None
        if self._settled:
            self._settled = False
            self._backoff.lasted(self._now - self._settled_at)
            if self._since is None:
                self._since = self._certain
        else:
            self._backoff.failed()
        if link is not None and not self._air:
            self._office.links.close(link)
        # What is told may be kept for long, and must not keep everything alive that it came through.
        self.ledger.unavailable(failure.with_traceback(None))
        return FORGOTTEN_REST if is_forgotten(failure) else self._backoff.rest()

    def _rest(self, seconds: float, least: float) -> Procedure[None]:
        """Until it is time for the next attempt; sooner where the accessory is heard of, but not too soon."""
        due = self._now + seconds
        while True:
            if self._called:
                due = min(due, self._begun + least)
            if self._wanted_by(due):
                return
            yield from self._sleep(due)

    def _wanted_by(self, due: float) -> bool:
        return self._summoned or self._now >= due

    # --- what is done while it is connected -----------------------------------------------------------------------

    def _restore(self, link: Link) -> Procedure[None]:
        """Everything as it was before, and known: the database, the events, the values."""
        links, ledger = self._office.links, self.ledger
        if self._outdated(link):
            self._stale = False
            announced = 0 if self._found is None else self._found.config_number
            try:
                accessories = yield from self._ask(link, GetAccessories())
                if not any(each.services for each in accessories):
                    raise RemoteProtocolError("services in the database", "none")
            except HapError:
                self._stale = True  # also on the next connection
                raise
            self._config, self._read_at, self._read_on = announced, self._now, link
        self._changed = self._doubtful = False
        ledger.learn(link.carrier.accessories)
        ledger.forgive()
        links.keep(link, self, ledger.events)
        refused: list[CharacteristicId] = []
        for ids in ledger.by_accessory():
            try:
                statuses = yield from self._ask(link, Subscribe(ids))
            except Refused as error:
                if is_end(link, error):
                    raise
                statuses = dict.fromkeys(ids, -1)
            refused += [one for one, status in statuses.items() if status]
        ledger.demote(refused)
        yield from self._read(link, ledger.reads, Source.READ)
        if self._changed:
            return  # somebody has come who wants to hear of more, all of it before it is said to be available
        self._tell_gap()
        ledger.available()
        if not self._settled:
            self._settled, self._settled_at = True, self._now

    @property
    def _certain(self) -> float:
        """Up to when nothing was lost. Over Bluetooth LE what is heard is heard at once."""
        return self._heard if self._air else self._proved

    def _tell_gap(self) -> None:
        if self._since is not None:
            self.ledger.gap(self._since, self._now)
            self._since = None

    def _serve(self, link: Link) -> Procedure[None]:
        """Until the connection ends: what there is to do, one thing at a time."""
        polled = self._now
        while True:
            if self._fault is not None:
                raise self._fault
            now = self._now
            if self._changed or (self._stale and now >= self._fetch_from):
                self._fetch_from = now + SAID_REST if self._stale else self._fetch_from
                yield from self._restore(link)
            elif self._doubtful and now >= self._doubt_from:
                self._doubtful, self._doubt_from = False, now + SAID_REST
                self._since = self._certain
                yield from self._read(link, self.ledger.reads, Source.READ)
                self._tell_gap()
            elif (self._suspect or self._unsure) and now >= self._probe_from:
                limit = PROBE_LIMIT if self._suspect else None
                self._suspect = self._unsure = False
                self._probe_from = now + CALLED_REST
                yield from self._read(link, self.ledger.sign, Source.POLL, limit)
            elif now >= (due := self._poll_due(polled)):
                yield from self._read(link, self.ledger.polls or self.ledger.sign, Source.POLL)
                if not self._air:
                    yield from self._read(link, tuple(sorted(self.ledger.missed)), Source.POLL)
                polled = self._now
            else:
                yield from self._sleep(min(due, self._said_due()))

    def _said_due(self) -> float:
        """When what was said of the accessory is looked into."""
        stale = self._fetch_from if self._stale else inf
        doubtful = self._doubt_from if self._doubtful else inf
        return min(stale, doubtful, self._probe_from if self._suspect or self._unsure else inf)

    def _poll_due(self, polled: float) -> float:
        period = min(one.poll for one in self._commands.values())
        if self.ledger.polls or (self.ledger.missed and not self._air):
            return polled + (max(period, AIR_POLL) if self._air else period)
        if self._air or not self.ledger.sign:
            return inf
        return polled + period  # also who speaks all the time: since when it does not is known by its answers only

    def _outdated(self, link: Link) -> bool:
        if not link.carrier.accessories:
            return True
        if self._air:
            return False  # the engine of that link sees to it
        announced = 0 if self._found is None else self._found.config_number
        # Where nobody announces anything every new connection may lead to another database.
        return self._stale or (announced != self._config if announced else self._read_on is not link)

    @property
    def _air(self) -> bool:
        return self._office.book.record(self.alias).transport is Transport.BLE
