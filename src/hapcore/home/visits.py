"""Accessories that nobody has paired yet: identifying them, and making them ours (HAP 4.2, 8.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hapcore.controller.commands import FinishPairSetup, Identify, RemovePairing, VerifyPairing
from hapcore.engine import Effect, Persist
from hapcore.errors import Disconnected, EffectFailed, HapError, LocalProtocolError, Refused, TimedOut
from hapcore.home.book import Book
from hapcore.home.commands import FinishPairing, StartPairing
from hapcore.home.link import Link, Stopped
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda, Procedure, Task
from hapcore.home.target import Target, Where
from hapcore.home.timers import Timers
from hapcore.pairing.records import Pairing

__all__ = ["UNDO_LIMIT", "Visits"]

#: Seconds to undo a pairing that could not be stored.
UNDO_LIMIT: Final = 10.0
_LOST: Final = "the accessory was paired with a key that is lost now: reset it before pairing it again"


class _Visit:
    """A pairing on its way."""

    __slots__ = ("alias", "begun", "busy", "link", "over", "started", "target")

    def __init__(self, target: Target, alias: str) -> None:
        self.target = target
        self.alias = alias
        self.link: Link | None = None
        #: The first half.
        self.begun: Task[Link] | None = None
        #: The accessory waits for the code.
        self.started = True
        #: A `FinishPairing` is on its way.
        self.busy = False
        #: The caller has let go of it, or it is through.
        self.over = False


class Visits:
    """Pairings that are being made, by the command they began with."""

    def __init__(
        self,
        book: Book,
        links: Links,
        agenda: Agenda,
        timers: Timers,
        store: Callable[[Effect], Procedure[None]],
        peer: Callable[[None, str], Link],
        take: Callable[[str, Link], None],
    ) -> None:
        self._peer = peer
        self._take = take
        self._book = book
        self._links = links
        self._agenda = agenda
        self._timers = timers
        self._store = store
        self._visits: dict[StartPairing, _Visit] = {}

    def identify(self, where: Where) -> Procedure[None]:
        """The procedure for `IdentifyAt`. Raises `LocalProtocolError` for what is no address."""
        target = Target.of(where)

        def run() -> Procedure[None]:
            link = yield from self._open(target)
            try:
                yield from self._links.ask(link, Identify())
            finally:
                self._links.close(link)

        return run()

    def start(self, command: StartPairing) -> Procedure[None]:
        """The procedure for the first half. Raises `LocalProtocolError` for an alias that cannot be given."""
        alias = command.alias
        self._book.check_free(alias)
        if any(visit.alias == alias for visit in self._visits.values()):
            raise LocalProtocolError(f"a pairing called {alias!r} is being made already", argument="alias")
        visit = self._visits[command] = _Visit(Target.of(command.where), alias)
        begun = visit.begun = self._agenda.start(self._begin(command, visit))

        def run() -> Procedure[None]:
            yield from begun.outcome.wait()

        return run()

    def finish(self, command: FinishPairing) -> Procedure[str]:
        """The procedure for the second half. Raises `LocalProtocolError` while the other one is under way."""
        visit = self._visits.get(command.pairing)
        link = None if visit is None else visit.link
        if visit is not None and (visit.busy or visit.begun is None or not visit.begun.outcome.settled):
            raise LocalProtocolError("another step of this pairing is under way")
        if visit is not None:
            visit.busy = True

        def run() -> Procedure[str]:
            if visit is None or link is None:
                raise Disconnected("the connection is closed")
            try:
                if not visit.started:
                    yield from self._links.ask(link, visit.target.start)
                visit.started = False
                pairing = yield from self._links.ask(link, FinishPairSetup(command.setup_code))
                visit.over = True
                yield from self._keep(visit, link, pairing)
            finally:
                visit.busy = False
                if visit.over:
                    self._end(command.pairing)
            return visit.alias

        return run()

    def cancel(self, command: StartPairing) -> None:
        """Let go of a pairing; one that is being finished is finished first."""
        visit = self._visits.get(command)
        if visit is None:
            return
        visit.over = True
        if visit.begun is not None and not visit.begun.outcome.settled:
            visit.begun.stop(Stopped())
        elif not visit.busy:
            self._end(command)

    def _begin(self, command: StartPairing, visit: _Visit) -> Procedure[Link]:
        try:
            link = visit.link = yield from self._open(visit.target)
            yield from self._links.ask(link, visit.target.start)
        except HapError as error:
            self._end(command)
            if isinstance(error, Refused) and visit.target.advice:
                error.add_note(visit.target.advice)
            raise
        return link

    def _end(self, command: StartPairing) -> None:
        visit = self._visits.pop(command, None)
        if visit is not None and visit.link is not None:
            self._links.close(visit.link)

    def _keep(self, visit: _Visit, link: Link, pairing: Pairing) -> Procedure[None]:
        """Store what the accessory has stored already; where that fails, have it forget."""
        record = visit.target.record(visit.alias, pairing)
        try:
            yield from self._store(Persist(visit.alias, record.encode()))
        except EffectFailed as error:
            undone = self._agenda.start(self._undo(link, pairing)).outcome
            try:
                yield from self._timers.within(UNDO_LIMIT, undone, TimedOut("the accessory does not answer"))
            except HapError:
                (error.cause or error).add_note(_LOST)
            raise
        self._book.put(record)
        if visit.target.device_id:
            # Those that come by themselves stay: this one is connected already.
            visit.link = None
            self._take(visit.alias, link)

    def _undo(self, link: Link, pairing: Pairing) -> Procedure[None]:
        yield from self._links.ask(link, VerifyPairing(pairing))
        yield from self._links.ask(link, RemovePairing(pairing.controller_id.encode()))

    def _open(self, target: Target) -> Procedure[Link]:
        """A connection to the first address that answers, or an accessory that comes by itself."""
        if target.device_id:
            return self._peer(None, target.device_id)
        failures: list[str] = []
        for address in target.addresses:
            try:
                return (yield from self._links.open(address))
            except Stopped:
                raise
            except Disconnected as error:
                failures.append(str(error))
        raise Disconnected("; ".join(failures) or "the accessory announces no address")
