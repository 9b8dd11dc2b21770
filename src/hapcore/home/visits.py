"""Accessories that nobody has paired yet: identifying them, and making them ours (HAP 4.2, 8.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import evolve

from hapcore.controller.commands import FinishPairSetup, Identify, RemovePairing, VerifyPairing
from hapcore.engine import Effect, Forget, Persist
from hapcore.entropy import Entropy
from hapcore.errors import (
    Disconnected,
    EffectFailed,
    HapError,
    LocalProtocolError,
    PairingRefused,
    Refused,
    TimedOut,
)
from hapcore.home.book import Book
from hapcore.home.commands import FinishPairing, StartPairing
from hapcore.home.link import Link, LinkState, Stopped
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda, Procedure, Task
from hapcore.home.target import Target, Where
from hapcore.home.timers import Timers
from hapcore.pairing.records import HalfPairing, Pairing, new_controller_identity
from hapcore.setup_code import SetupCode
from hapcore.state import PreparedPairing

__all__ = ["UNDO_LIMIT", "Visits"]

#: Seconds to undo a pairing that could not be stored.
UNDO_LIMIT: Final = 10.0
#: TLV error 6, of an accessory that has an admin (HAP 4.2).
_UNAVAILABLE: Final = 6
_HALF: Final = "the accessory may have stored the pairing: pair it again under this name, and that is taken back first"


class _Visit:
    """A pairing on its way."""

    __slots__ = ("alias", "begun", "busy", "half", "link", "over", "started", "target")

    def __init__(self, target: Target, half: PreparedPairing) -> None:
        self.target = target
        self.alias = half.alias
        #: Our keys for it, stored before the accessory stores them.
        self.half = half
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
        entropy: Entropy,
    ) -> None:
        self._peer = peer
        self._entropy = entropy
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
        half = PreparedPairing(alias, new_controller_identity(self._entropy), begun=True)
        target = Target.of(command.where)
        target = evolve(target, start=evolve(target.start, identity=half.identity))
        visit = self._visits[command] = _Visit(target, half)
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
                yield from self._note(visit.half)
                visit.started = False
                pairing = yield from self._prove(visit, link, command.setup_code)
                visit.over = True
                yield from self._keep(visit, link, pairing)
                yield from self._drop(visit.half)
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
            try:
                yield from self._links.ask(link, visit.target.start)
            except PairingRefused as error:
                if error.error != _UNAVAILABLE or not (yield from self._take_back(visit)):
                    raise
                link = visit.link = yield from self._open(visit.target)
                yield from self._links.ask(link, visit.target.start)
        except HapError as error:
            self._end(command)
            if isinstance(error, Refused) and visit.target.advice:
                error.add_note(visit.target.advice)
            raise
        return link

    def _take_back(self, visit: _Visit) -> Procedure[bool]:
        """Have a paired accessory forget what an attempt of ours has left there. Whether there was such a thing."""
        for half in [one for one in self._book.prepared.values() if one.begun]:
            try:
                if visit.link is not None:
                    self._links.close(visit.link)
                link = visit.link = yield from self._open(visit.target)
                yield from self._undo(link, HalfPairing.of(half.identity, visit.target.device_id))
            except PairingRefused:
                continue  # it is paired, but not with these keys
            yield from self._drop(half)
            return True
        return False

    def _note(self, half: PreparedPairing) -> Procedure[None]:
        """Store our keys before the accessory can."""
        if self._book.prepared.get(half.alias) != half:
            yield from self._store(Persist(half.key, half.encode()))
            self._book.prepared[half.alias] = half

    def _drop(self, half: PreparedPairing) -> Procedure[None]:
        """What was begun has ended. Where that cannot be stored nothing is lost: it is tried in vain, some day."""
        self._book.prepared.pop(half.alias, None)
        try:
            yield from self._store(Forget(half.key))
        except EffectFailed:
            return

    def _prove(self, visit: _Visit, link: Link, code: SetupCode) -> Procedure[Pairing]:
        if link.state is not LinkState.OPEN:  # it was closed while the keys were being stored
            yield from self._drop(visit.half)
            raise Disconnected("the connection is closed")
        try:
            return (yield from self._links.ask(link, FinishPairSetup(code)))
        except PairingRefused:
            yield from self._drop(visit.half)  # it says itself that it has stored nothing
            raise
        except HapError as error:
            error.add_note(_HALF)
            raise

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
                (error.cause or error).add_note(_HALF)
            else:
                yield from self._drop(visit.half)
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
