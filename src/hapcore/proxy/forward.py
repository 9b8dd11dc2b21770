"""What becomes of each request and each event: errands, which an adapter runs and which do nothing by themselves.

An errand is a generator. It yields `Ask` (a command for the accessory behind), `Tell` (a command for our own server) or
something to await (of a filter), is sent the result, or thrown the error, and returns its own result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar, cast

from attrs import evolve, frozen

from hapcore.accessory.commands import ReplaceDatabase, UpdateValues
from hapcore.accessory.events import CharacteristicWrite, IdentifyRequested
from hapcore.accessory.handlers import Results, together
from hapcore.controller.commands import CharacteristicWrite as Writing
from hapcore.controller.commands import GetAccessories, Identify, Read, Subscribe, Write
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.decode.model import Entry
from hapcore.engine import Command
from hapcore.errors import Disconnected, HapError, LocalProtocolError, PairingRefused, Refused, ValueRefused
from hapcore.ids import Caller, CharacteristicId, HapStatus, Transport, Value
from hapcore.model.characteristic import HapStatusError
from hapcore.model.database import Database
from hapcore.model.remote import AccessoryDescription
from hapcore.proxy.account import Account
from hapcore.proxy.filters import Filters
from hapcore.proxy.mirror import mirror, revision

__all__ = ["FAILURES", "Ask", "Carry", "Errand", "Proxy", "Tell"]

R = TypeVar("R")
#: Seconds between two attempts to reach an accessory that is away: the first pauses, then always the last.
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
#: Life of a timed write that is passed on, in milliseconds; the proxy gives up on an answer at about the same time.
TIMED_MS = 10_000


@frozen
class Ask:
    """A command of `hapcore.ip.controller` for the accessory behind the proxy."""

    command: Command[object]


@frozen
class Tell:
    """A command of `hapcore.ip.accessory` for the proxy's own server."""

    command: Command[object]


Errand: TypeAlias = Generator[Ask | Tell | Awaitable[object], object, R]
#: How an adapter runs an errand: it returns something that its handlers may return.
Carry: TypeAlias = Callable[[Errand[Results]], Awaitable[Results] | Results]

_AWAY = HapStatus.UNABLE_TO_COMMUNICATE
#: What an adapter may fail with when it asks the accessory; the system's errors come from looking for it.
FAILURES: Final = (HapError, OSError)


def _known(status: Status) -> HapStatus:
    """Our engine can say the statuses of the book only."""
    return HapStatus(status) if status in HapStatus.__members__.values() else _AWAY


class Proxy:
    """One accessory that we have paired, presented again.

    `accessories` is what it described; `database` is what to serve. `accessory_id` and `clock` (seconds since 1970) are
    for the entries handed to `tell`. `connect()` once, before anything is served. Raises `RemoteProtocolError` for a
    database that cannot be served.
    """

    def __init__(
        self,
        accessories: Iterable[AccessoryDescription],
        *,
        accessory_id: str,
        clock: Callable[[], float],
        tell: Callable[[Entry], object],
        filters: Filters | None = None,
        category: int | None = None,
    ) -> None:
        self.account = Account(accessory_id, clock, tell)
        self.database: Database
        #: Whether the accessory can be reached, as far as we know.
        self.reachable = True
        self._filters = filters or Filters()
        self._category = category
        self._carry: Carry | None = None
        self._renew: Callable[[], object] = lambda: None
        self._refused: set[CharacteristicId] = set()
        #: Something of a subscription was refused, and we have to find out what.
        self._doubtful = False
        self._attempts = 0
        self._trouble = ""
        described = tuple(accessories)
        self.account.know(described)
        self._serve(mirror(described, category=category, refused=self._not_passed_on))

    def connect(self, carry: Carry, renew: Callable[[], object]) -> None:
        """Have requests of controllers run as errands by `carry`; `renew` is called when `evented` is another."""
        self._carry, self._renew = carry, renew
        self._serve(self.database)

    @property
    def evented(self) -> tuple[CharacteristicId, ...]:
        """What to subscribe to: all that has events, but for what the accessory has refused."""
        return tuple(one.id for one in self.database.characteristics if one.notifies and one.id not in self._refused)

    @property
    def pause(self) -> float:
        """Seconds to wait before the accessory is tried again."""
        return PAUSES[min(self._attempts, len(PAUSES)) - 1] if self._attempts else 0.0

    def lose(self, error: Exception) -> None:
        """An attempt to reach the accessory, or to hear of its changes, has failed."""
        self._attempts += 1
        self._doubtful = isinstance(error, Refused) and not isinstance(error, PairingRefused)
        if not self._doubtful:
            self._away(error)

    # Errands

    def arrive(self) -> Errand[None]:
        """The accessory may be there (again): read its database, announce what is new in it."""
        found = cast("tuple[AccessoryDescription, ...]", (yield Ask(GetAccessories())))
        yield from self._learn(found, arriving=True)
        if self._doubtful:
            yield from self._sound()
        if not self.reachable:
            self.account.note("the accessory is back")
        self.reachable, self._attempts, self._trouble = True, 0, ""

    def read(self, ids: Sequence[CharacteristicId], caller: Caller) -> Errand[Results]:
        """A controller reads: one request of the accessory for all, its statuses as they are."""
        account = self.account
        whole = len(ids) > 1 and set(ids) == {one.id for one in self.database.read_handled()}
        title = "GET /accessories" if whole else f"GET /characteristics?id={','.join(map(str, ids))}"
        request = account.request(caller, title, [] if whole else [account.asked(one) for one in ids])
        results: dict[CharacteristicId, Value | HapStatus] = {}
        changes: list[tuple[str, str]] = []
        try:
            found = yield from self._fetch(ids, whole=whole)
        except FAILURES as error:
            results.update(dict.fromkeys(ids, self._status(error)))
            changes.append(("error", str(error)))
        else:
            for number in ids:
                one = found.get(number, ReadResult(None, _AWAY))
                if one.status:
                    results[number] = _known(one.status)
                else:
                    results[number] = yield from self._shown(number, one.value, changes)
        failed = any(isinstance(one, HapStatus) for one in results.values())
        account.response(
            request,
            "200 OK" if whole or not failed else "207 Multi-Status",
            [account.answered(number, results[number]) for number in ids],
            changes,
        )
        return results

    def write(self, writes: Sequence[CharacteristicWrite], caller: Caller) -> Errand[Results]:
        """A controller writes: one request of the accessory for all, timed if it was."""
        account = self.account
        request = account.request(
            caller,
            f"PUT /characteristics{' (timed)' if writes[0].timed else ''}",
            [account.written(one.id, one.value) for one in writes],
            _particulars(writes),
        )
        results: dict[CharacteristicId, Value | HapStatus] = {}
        changes: list[tuple[str, str]] = []
        passing: dict[CharacteristicId, Writing] = {}
        for one in writes:
            try:
                value = yield from self._altered(one, caller, changes)
            except HapStatusError as refusal:
                results[one.id] = refusal.status
            else:
                passing[one.id] = Writing(one.id, value, one.auth_data, one.remote, one.response)
        if passing:
            try:
                answers = yield from self._put(tuple(passing.values()), timed=writes[0].timed)
            except FAILURES as error:
                results.update(dict.fromkeys(passing, self._status(error)))
                changes.append(("error", str(error)))
            else:
                yield from self._settle(writes, passing, answers, results, changes)
        failed = any(isinstance(one, HapStatus) for one in results.values())
        account.response(
            request,
            "207 Multi-Status" if failed or any(one.response for one in writes) else "204 No Content",
            [account.answered(one.id, results.get(one.id, HapStatus.SUCCESS)) for one in writes],
            changes,
        )
        return results

    def happen(self, events: Sequence[CharacteristicChanged]) -> Errand[None]:
        """The accessory tells of changes: whoever subscribed is told."""
        account = self.account
        values: dict[CharacteristicId, Value] = {}
        changes: list[tuple[str, str]] = []
        for one in events:
            shown = yield from self._shown(one.id, one.value, changes)
            if isinstance(shown, HapStatus):
                changes.append((account.name(one.id), f"kept back: {shown.text}"))
            elif self.database.find(*one.id) is not None:
                if one.id in values:  # two presses are two events
                    yield Tell(UpdateValues(values))
                    values = {}
                values[one.id] = shown
        account.event([account.answered(one.id, one.value) for one in events], changes)
        if values:
            yield from self._publish(values)

    def hear(self, event: object) -> Errand[None]:
        """What our own server reports. Who is not paired may ask the accessory to show itself (HAP 8.9)."""
        account = self.account
        if not isinstance(event, IdentifyRequested):
            account.news(event)
            return
        request = account.request(Caller(b"", False, Transport.IP, event.connection), "POST /identify", ())
        try:
            yield Ask(Identify())
        except FAILURES as error:
            self._status(error)
            account.response(request, "204 No Content", (), [("error", str(error))])
        else:
            account.response(request, "204 No Content", ())

    # Parts of errands

    def _serve(self, database: Database) -> None:
        self.database = database
        carry = self._carry
        if carry is not None:
            together(
                database.characteristics,
                read=lambda ids, caller: carry(self.read(ids, caller)),
                write=lambda writes, caller: carry(self.write(writes, caller)),
            )

    def _not_passed_on(self, number: CharacteristicId, refusal: ValueRefused) -> None:
        self.account.note(
            f"a value for {self.account.name(number)} ({number}) was refused, not passed on: {refusal}",
            connection="proxy",
        )

    def _learn(self, found: tuple[AccessoryDescription, ...], *, arriving: bool = False) -> Errand[None]:
        """Serve what the accessory describes if it is another database than before; else tell what has changed."""
        new = mirror(found, category=self._category, refused=self._not_passed_on)
        if revision(new) != revision(self.database):
            self._refused.clear()
            self.account.know(found)
            self._serve(new)
            yield Tell(ReplaceDatabase(new))
            self.account.note("the accessory's database has changed")
            if not arriving:
                self._renew()
        elif arriving:
            changed: dict[CharacteristicId, Value] = {}
            for one in new.characteristics:
                ours = self.database.find(*one.id)
                if ours is not None and one.readable and not (one.immediate or one.control_point):
                    shown = yield from self._shown(one.id, one.value, [])
                    if not isinstance(shown, HapStatus) and shown != ours.value:
                        changed[one.id] = shown
            if changed:
                yield from self._publish(changed)

    def _sound(self) -> Errand[None]:
        """Subscribe to what can be subscribed to, and find out what cannot."""
        wanted = self.evented
        if not wanted:
            return
        try:
            answers = cast("Mapping[CharacteristicId, Status]", (yield Ask(Subscribe(wanted))))
        except Refused as error:
            self._refused.update(wanted)
            self.account.note(f"no events at all: {error}")
            return
        for number, status in answers.items():
            if status:
                self._refused.add(number)
                self.account.note(f"no events of {self.account.name(number)} ({number}): status {int(status)}")

    def _publish(self, values: dict[CharacteristicId, Value]) -> Errand[None]:
        try:
            yield Tell(UpdateValues(values))
        except LocalProtocolError as error:
            self.account.note(f"a value that cannot be shown: {error}")

    def _fetch(self, ids: Sequence[CharacteristicId], *, whole: bool) -> Errand[Mapping[CharacteristicId, ReadResult]]:
        self._check_reachable()
        if not whole:
            return cast("Mapping[CharacteristicId, ReadResult]", (yield Ask(Read(ids))))
        found = cast("tuple[AccessoryDescription, ...]", (yield Ask(GetAccessories())))
        yield from self._learn(found)
        return {
            one.id: ReadResult(one.value)
            for accessory in found
            for service in accessory.services
            for one in service.characteristics
        }

    def _put(self, writes: tuple[Writing, ...], *, timed: bool) -> Errand[Mapping[CharacteristicId, WriteResult]]:
        self._check_reachable()
        answers = yield Ask(Write(writes, timed_ms=TIMED_MS if timed else None))
        return cast("Mapping[CharacteristicId, WriteResult]", answers)

    def _settle(
        self,
        writes: Sequence[CharacteristicWrite],
        sent: Mapping[CharacteristicId, Writing],
        answers: Mapping[CharacteristicId, WriteResult],
        results: dict[CharacteristicId, Value | HapStatus],
        changes: list[tuple[str, str]],
    ) -> Errand[None]:
        """What the accessory answered; what is held now, where that is not what the controller wrote."""
        updates: dict[CharacteristicId, Value] = {}
        for one in writes:
            if one.id not in sent:
                continue
            answer = answers.get(one.id, WriteResult())
            if answer.status:
                results[one.id] = _known(answer.status)
            elif answer.value is not None:
                results[one.id] = yield from self._shown(one.id, answer.value, changes)
            else:
                value = sent[one.id].value
                shown = yield from self._shown(one.id, value, [])
                if not isinstance(shown, HapStatus) and (shown != one.value or value != one.value):
                    results[one.id] = updates[one.id] = shown
        if updates:
            yield from self._publish(updates)

    def _altered(self, write: CharacteristicWrite, caller: Caller, changes: list[tuple[str, str]]) -> Errand[Value]:
        """The value to write; raises `HapStatusError` where the filter refuses."""
        fn = self._filters.to_accessory
        if fn is None:
            return write.value
        asking = evolve(caller, remote=write.remote, timed=write.timed, auth_data=write.auth_data)
        value = yield from self._filter(write.id, write.value, lambda: fn(*write.id, write.value, asking), changes)
        return value

    def _shown(
        self, number: CharacteristicId, value: Value, changes: list[tuple[str, str]]
    ) -> Errand[Value | HapStatus]:
        """What a controller is to see for a value of the accessory; -70402 for what the format cannot carry."""
        fn = self._filters.to_controller
        ours = self.database.find(*number)
        try:
            shown = value
            if fn is not None:
                shown = yield from self._filter(number, value, lambda: fn(*number, value), changes)
            return shown if ours is None else cast("Value", ours.coerce(shown))
        except HapStatusError as refusal:
            return refusal.status
        except ValueRefused as error:
            changes.append((self.account.name(number), f"cannot be shown: {error}"))
            return _AWAY

    def _filter(
        self,
        number: CharacteristicId,
        value: Value,
        call: Callable[[], Awaitable[Value] | Value],
        changes: list[tuple[str, str]],
    ) -> Errand[Value]:
        name = self.account.name(number)
        try:
            found: object = call()
            if hasattr(found, "__await__"):
                found = yield cast("Awaitable[object]", found)
            if not (found is None or isinstance(found, bool | int | float | str | bytes)):
                raise TypeError(f"{type(found).__name__} is no value")
        except HapStatusError as refusal:
            changes.append((name, f"refused by the filter: {refusal.status.text}"))
            raise
        except Exception as error:
            changes.append((name, f"the filter failed: {type(error).__name__}: {error}"))
            raise HapStatusError(_AWAY) from error
        if found != value or type(found) is not type(value):
            changes.append((name, f"{self.account.text(number, value)} -> {self.account.text(number, found)}"))
        return found

    def _check_reachable(self) -> None:
        if not self.reachable:
            raise Disconnected(self._trouble)

    def _away(self, error: Exception) -> None:
        self.reachable = False
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.account.note(f"the accessory is away: {error}")

    def _status(self, error: Exception) -> HapStatus:
        """What a controller is told of a request that failed as a whole."""
        if isinstance(error, Disconnected | OSError):
            self._away(error)
            return _AWAY
        if isinstance(error, Refused) and error.hap_status is not None:
            return _known(error.hap_status)
        return HapStatus.INVALID_VALUE if isinstance(error, ValueRefused) else _AWAY


def _particulars(writes: Sequence[CharacteristicWrite]) -> list[tuple[str, str]]:
    """How values came, where that is not the ordinary way."""
    found: list[tuple[str, str]] = []
    for one in writes:
        flags = [name for name in ("remote", "response") if getattr(one, name)]
        if one.auth_data is not None:
            flags.append(f"authData <{len(one.auth_data)} bytes>")
        if flags:
            found.append((str(one.id), ", ".join(flags)))
    return found
