"""Reading and writing the database over HTTP (HAP 8.6 to 8.9, 9)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from hapcore.accessory.commands import AnswerRead, AnswerWrite
from hapcore.accessory.events import CharacteristicsWritten, CharacteristicWrite, SubscriptionChanged
from hapcore.codec.http import Request, write_response, write_response_head
from hapcore.engine import ConnectionId
from hapcore.errors import ValueRefused
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.ip.accessory.asking import AskedRead, AskedWrite
from hapcore.ip.accessory.query import Query, QueryError, parse
from hapcore.ip.accessory.reads import Answers, check_read, render, value_of, wire_of
from hapcore.ip.accessory.session import Prepared, Session
from hapcore.ip.accessory.writes import (
    BodyError,
    Entry,
    WriteBody,
    check_event,
    check_value,
    parse_prepare,
    parse_write,
)
from hapcore.model.characteristic import AnyCharacteristic

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["accessories", "configured", "prepare", "read", "write"]

#: Entries in one request: more than a phone reads of the largest bridge at a time, few enough that one request cannot
#: occupy the accessory for long. More is answered with 500 and -70407.
MAX_ENTRIES = 2048

_JSON = "application/hap+json"
_BAD_REQUEST = write_response(400)
_NO_CONTENT = write_response(204)
_TOO_MANY = write_response(500, _JSON, b'{"status":-70407}')
_PREPARED = write_response(200, _JSON, b'{"status":0}')


# GET /characteristics


def read(server: Server, session: Session, request: Request) -> None:
    """Values, and metadata where asked for. What the application fetches is asked for in one question."""
    if request.query is None:
        server.send(session, _BAD_REQUEST)
        return
    try:
        query = parse(request.query)
    except QueryError:
        server.send(session, _BAD_REQUEST)
        return
    if not query.ids:
        server.send(session, _NO_CONTENT)
        return
    if len(query.ids) > MAX_ENTRIES:
        server.send(session, _TOO_MANY)
        return
    admin = server.caller(session).admin
    find = server.database.find
    found = [find(*number) for number in query.ids]
    asked = tuple(dict.fromkeys([one.id for one in found if one and one.read_handled and not check_read(one, admin)]))
    if asked:
        server.ask(AskedRead(session, asked, partial(_read_answered, server, session, query)))
        return
    status, body = render(query, found, None, admin, session.subscriptions)
    server.send(session, write_response(status, _JSON, body))


def _read_answered(server: Server, session: Session, query: Query, answer: AnswerRead) -> None:
    admin = server.caller(session).admin
    found = [server.database.find(*number) for number in query.ids]
    status, body = render(query, found, answer.results, admin, session.subscriptions)
    server.reply(session, write_response(status, _JSON, body))


# GET /accessories


def accessories(server: Server, session: Session, request: Request) -> None:
    """The whole database; its pieces are sealed and sent as the transport takes them."""
    del request
    admin = server.caller(session).admin
    ids = tuple([one.id for one in server.database.read_handled() if not check_read(one, admin)])
    if ids:
        server.ask(AskedRead(session, ids, partial(_accessories_answered, server, session)))
    else:
        _send_accessories(server, session, None)


def _accessories_answered(server: Server, session: Session, answer: AnswerRead) -> None:
    _send_accessories(server, session, answer.results)


def _send_accessories(server: Server, session: Session, answers: Answers | None) -> None:
    admin = server.caller(session).admin
    # Where a value cannot be had (no right to it, the application failed), the database shows null.
    shown: dict[CharacteristicId, bytes] = {}
    for one in server.database.read_handled():
        status, wire = value_of(one, answers)
        shown[one.id] = b"null" if status else wire
    if not admin:
        shown.update((one.id, b"null") for one in server.database.characteristics if one.admin_only_read)
    pages, size = server.database.pages(shown, session.subscriptions)
    server.stream(session, [(write_response_head(200, _JSON, size),), *pages])


# PUT /prepare, PUT /characteristics


def prepare(server: Server, session: Session, request: Request) -> None:
    """Announce a timed write; a new announcement replaces the old one."""
    if not request.has_length:
        server.send(session, _BAD_REQUEST)
        return
    try:
        announced = parse_prepare(request.body)
    except BodyError:
        server.send(session, _BAD_REQUEST)
        return
    session.prepared = Prepared(announced.pid, server.now + announced.ttl)
    server.send(session, _PREPARED)


def write(server: Server, session: Session, request: Request) -> None:
    """Values and subscriptions, entry by entry; what the application decides about is asked in one question."""
    if not request.has_length:
        server.send(session, _BAD_REQUEST)
        return
    try:
        body = parse_write(request.body)
    except BodyError:
        server.send(session, _BAD_REQUEST)
        return
    if len(body.entries) > MAX_ENTRIES:
        server.send(session, _TOO_MANY)
        return
    if body.pid is not None:
        prepared, session.prepared = session.prepared, None
        if prepared is None or prepared.pid != body.pid or prepared.deadline < server.now:
            server.send(session, _statuses((entry.id, HapStatus.INVALID_VALUE, None) for entry in body.entries))
            return
    Writing(server, session, body).run()


def _statuses(results: Iterable[tuple[CharacteristicId, HapStatus, bytes | None]]) -> bytes:
    body = b",".join(
        [
            b'{"aid":%d,"iid":%d,"status":%d}' % (*number, status)
            if value is None
            else b'{"aid":%d,"iid":%d,"status":%d,"value":%b}' % (*number, status, value)
            for number, status, value in results
        ]
    )
    return write_response(207, _JSON, b'{"characteristics":[%b]}' % body)


class Writing:
    """One write request on its way through the checks, the application and the read-back."""

    __slots__ = ("accepted", "body", "caller", "done", "found", "given", "handled", "server", "session", "statuses")

    def __init__(self, server: Server, session: Session, body: WriteBody) -> None:
        self.server = server
        self.session = session
        self.body = body
        self.caller: Caller = server.caller(session)
        self.statuses: list[HapStatus] = []
        self.found: list[AnyCharacteristic | None] = []
        self.accepted: dict[int, CharacteristicWrite] = {}
        #: What the application is asked about.
        self.handled: set[CharacteristicId] = set()
        #: What of it is done, and what was given to be read back in place of what was written.
        self.done: set[CharacteristicId] = set()
        self.given: dict[CharacteristicId, Value] = {}

    def run(self) -> None:
        """Check all entries, store what needs no decision, ask the application about the rest."""
        timed = self.body.pid is not None
        for index, entry in enumerate(self.body.entries):
            characteristic = self.server.database.find(entry.id.aid, entry.id.iid)
            self.found.append(characteristic)
            self.statuses.append(self._check(index, entry, characteristic, timed=timed))
        asked: list[CharacteristicWrite] = []
        settled: list[CharacteristicWrite] = []
        for index, accepted in self.accepted.items():
            characteristic = self.found[index]
            if characteristic is None or characteristic.write_handled:
                asked.append(accepted)
            else:
                settled.append(accepted)
                self._store(characteristic, accepted.value, self._knowing)
        if settled:
            self.server.emit(CharacteristicsWritten(self.caller, tuple(settled)))
        if asked:
            self.server.ask(AskedWrite(self.session, tuple(asked), self._answered, self._partly, self._late))
        else:
            self.server.send(self.session, self._answer({}))

    def _check(self, index: int, entry: Entry, characteristic: AnyCharacteristic | None, *, timed: bool) -> HapStatus:
        if characteristic is None:
            return HapStatus.DOES_NOT_EXIST
        if characteristic.timed and not timed and entry.value is not None:
            return HapStatus.INVALID_VALUE
        if entry.value is None and entry.ev is None:
            return HapStatus.INVALID_VALUE
        status = HapStatus.SUCCESS
        admin = self.caller.admin
        if entry.ev is not None:
            status = check_event(characteristic, admin=admin)
            if not status:
                self._subscribe(characteristic, enabled=entry.ev)
        if entry.value is not None:
            status, value, auth_data = check_value(characteristic, entry, admin=admin)
            if not status and characteristic.id in self.handled:
                # Answers go by number: what is done and what is refused would be taken for each other.
                return HapStatus.BUSY
            if not status:
                if characteristic.write_handled:
                    self.handled.add(characteristic.id)
                self.accepted[index] = CharacteristicWrite(
                    characteristic.id, value, auth_data, entry.remote, timed, entry.response
                )
        return status

    def _subscribe(self, characteristic: AnyCharacteristic, *, enabled: bool) -> None:
        notifier = self.server.notifier
        if enabled:
            changed = notifier.subscribe(self.session, characteristic)
        else:
            changed = notifier.unsubscribe(self.session, characteristic.id)
        if changed:
            self.server.emit(SubscriptionChanged(self.caller, characteristic.id, enabled))

    @property
    def _knowing(self) -> frozenset[ConnectionId]:
        """Who need not be told what was written."""
        return frozenset((self.session.connection,))

    def _store(self, checked: AnyCharacteristic, value: Value, knowing: frozenset[ConnectionId]) -> None:
        served = self.server.database.find(*checked.id)
        if served is None:
            return
        if served is not checked:
            # The database has changed since the value was checked: the same number may allow less now.
            try:
                value = served.coerce(value)
            except ValueRefused:
                return
        self.server.changed(served, value, knowing)

    def _answered(self, answer: AnswerWrite) -> None:
        self._settle(answer, self._knowing)
        self.server.reply(self.session, self._answer(self.given))

    def _partly(self, answer: AnswerWrite) -> None:
        self._settle(answer, self._knowing)

    def _late(self, answer: AnswerWrite) -> None:
        # The writer was told that it took too long: that it was done after all is news for everybody.
        self._settle(answer, frozenset())

    def _settle(self, answer: AnswerWrite, knowing: frozenset[ConnectionId]) -> None:
        """Store what was written, once: what is set afterwards is newer. Keep what is to be read back instead of it."""
        for index, accepted in self.accepted.items():
            characteristic, number = self.found[index], accepted.id
            if characteristic is None or number not in self.handled or number in self.done:
                continue
            if not answer.last and number not in answer.statuses:
                continue
            status = answer.statuses.get(number, HapStatus.SUCCESS)
            if status:
                self.statuses[index] = status
                continue
            self.done.add(number)
            if number in answer.values:
                self.given[number] = answer.values[number]
            else:
                self._store(characteristic, accepted.value, knowing)

    def _answer(self, given: dict[CharacteristicId, Value]) -> bytes:
        if not any(self.statuses) and not any(entry.response for entry in self.body.entries):
            return _NO_CONTENT
        results: list[tuple[CharacteristicId, HapStatus, bytes | None]] = []
        for index, entry in enumerate(self.body.entries):
            status, value = self.statuses[index], None
            characteristic = self.found[index]
            if entry.response and not status and entry.value is not None and characteristic is not None:
                status, value = self._read_back(characteristic, given)
            results.append((entry.id, status, value))
        return _statuses(results)

    @staticmethod
    def _read_back(
        characteristic: AnyCharacteristic, given: dict[CharacteristicId, Value]
    ) -> tuple[HapStatus, bytes | None]:
        if not characteristic.write_response:
            # The write stands: only the wish to read it back is refused (HAP 9.2).
            return HapStatus.WRITE_ONLY, None
        if characteristic.id in given:
            value = wire_of(characteristic, given[characteristic.id])
            return (HapStatus.UNABLE_TO_COMMUNICATE, None) if value is None else (HapStatus.SUCCESS, value)
        return HapStatus.SUCCESS, characteristic.to_wire()


# The rest


def configured(server: Server, session: Session, request: Request) -> None:
    """The controller says that configuration is over; there is nothing to do."""
    del request
    server.send(session, _NO_CONTENT)
