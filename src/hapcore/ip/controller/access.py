"""Using the accessory: its database, values, events, identification, as small resumable machines (HAP 8, 9).

Where a command takes several requests and only some are refused, the refused characteristics carry the reason in their
results; the command fails only if nothing of it went through, or if the session itself is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from hapcore.controller.commands import (
    CharacteristicWrite,
    GetAccessories,
    Identify,
    Read,
    Subscribe,
    Unsubscribe,
    Write,
)
from hapcore.controller.device import Device
from hapcore.controller.results import ReadResult, Status
from hapcore.controller.typed import Describe, GetValue, SetValue, getting, setting
from hapcore.entropy import draw
from hapcore.errors import LocalProtocolError, Refused, RemoteProtocolError, ValueRefused
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller import requests
from hapcore.ip.controller.handshakes import Errand, Procedure
from hapcore.ip.controller.reading import (
    NOT_AUTHORISED,
    json_body,
    prepared,
    read_results,
    refused,
    statuses,
    write_results,
)
from hapcore.ip.controller.session import Session
from hapcore.model.remote import read_accessories

__all__ = [
    "AUTOMATIC_TIMED_MS",
    "MAX_TIMED_MS",
    "describe",
    "get_accessories",
    "get_value",
    "identify",
    "read",
    "set_value",
    "subscribe",
    "write",
]

#: Life of a timed write where the database asks for one and the caller says nothing. Apple's controllers give 5000;
#: the same as the answer to any request may take is kinder to a slow network.
AUTOMATIC_TIMED_MS: Final = 10_000
#: Greatest time to live an accessory takes (HAP 9.3).
MAX_TIMED_MS: Final = 9_007_199_254_740_991
#: Most characteristics one command may name: the characteristics of the largest bridge allowed are far fewer.
MAX_CHARACTERISTICS: Final = 100_000

T = TypeVar("T")


def get_accessories(session: Session, _: GetAccessories) -> Procedure:
    """One request; the session keeps the database."""

    def run() -> Procedure:
        yield from _learn(session)
        return session.accessories

    return run()


def describe(session: Session, _: Describe) -> Procedure:
    """One request where the database is not known yet, else none."""

    def run() -> Procedure:
        if not session.accessories:
            yield from _learn(session)
        return Device(session.accessories)

    return run()


def _learn(session: Session) -> Errand:
    answer = yield requests.accessories(session.host)
    if not 200 <= answer.status < 300:
        raise refused("GET /accessories", answer)
    accessories = read_accessories(json_body("GET /accessories", answer))
    if not accessories:
        raise RemoteProtocolError("accessories in the answer to GET /accessories", "none")
    session.learn(accessories)


def identify(session: Session, command: Identify) -> Procedure:
    """POST /identify, or inside a session a write of the Identify characteristic (HAP 8.9)."""
    if command.aid < 1:
        raise LocalProtocolError("is 1 or more", argument="aid")

    def run() -> Errand:
        if session.own_id is None:
            answer = yield requests.identify(session.host)
            if not 200 <= answer.status < 300:
                raise refused("POST /identify", answer)
            return
        if not session.accessories:
            yield from _learn(session)
        target = session.identify_of(command.aid)
        answer = yield requests.put_characteristics(session.host, [requests.write_entry(target, b"1")])
        status = write_results([target], answer, session)[target].status
        if status:
            raise Refused("identifying was refused", status=answer.status, hap_status=int(status))

    return run()


def _some(ids: Sequence[CharacteristicId]) -> None:
    if not ids:
        raise LocalProtocolError("name at least one characteristic", argument="ids")
    if len(ids) > MAX_CHARACTERISTICS:
        raise LocalProtocolError(f"at most {MAX_CHARACTERISTICS} characteristics", argument="ids")
    for aid, iid in ids:
        if aid < 1 or iid < 1:
            raise LocalProtocolError(f"{aid}.{iid} is no characteristic, ids start at 1", argument="ids")


def read(session: Session, command: Read) -> Procedure:
    """One request for every 49 ids."""
    ids = command.ids
    _some(ids)
    flags = "".join([f"&{name}=1" for name in ("meta", "perms", "type", "ev") if getattr(command, name)])
    return _read(session, tuple(dict.fromkeys(ids)) if len(ids) > 1 else ids, flags)


def get_value(session: Session, command: GetValue[object]) -> Procedure:
    """A read."""
    return getting(command, read(session, command.read()))


def _read(session: Session, ids: tuple[CharacteristicId, ...], flags: str) -> Procedure:
    results: dict[CharacteristicId, ReadResult] = {}
    tally = _Tally()
    for batch, request in requests.reads(session.host, ids, flags):
        answer = yield request
        try:
            found = read_results(batch, answer, session, flags=bool(flags))
        except Refused as error:
            found = dict.fromkeys(batch, ReadResult(None, tally.refused(error)))
        else:
            tally.accepted = True
        results.update(found)
    tally.check()
    return results


def write(session: Session, command: Write) -> Procedure:
    """One request, two for a timed write."""
    writes = command.writes
    _some([one.id for one in writes])
    ids = tuple(dict.fromkeys([one.id for one in writes]))
    if len(ids) != len(writes):
        raise LocalProtocolError("names a characteristic twice", argument="writes")
    ttl = command.timed_ms
    if ttl is None:
        ttl = AUTOMATIC_TIMED_MS if any(session.wants_timed_write(one) for one in ids) else None
    elif not 1 <= ttl <= MAX_TIMED_MS:
        raise LocalProtocolError("is at least 1 millisecond", argument="timed_ms")
    entries = [
        requests.write_entry(
            one.id,
            _text(session, one),
            auth_data=one.auth_data,
            remote=one.remote,
            response=one.response,
        )
        for one in writes
    ]

    def run() -> Procedure:
        pid = None
        if ttl is not None:
            pid = int.from_bytes(draw(session.entropy, "timed-write.pid", 8), "big")
            prepared((yield requests.prepare(session.host, ttl, pid)))
        answer = yield requests.put_characteristics(session.host, entries, pid)
        return write_results(ids, answer, session)

    return run()


def set_value(session: Session, command: SetValue[object]) -> Procedure:
    """A write."""
    return setting(command, write(session, command.write()))


def _text(session: Session, one: CharacteristicWrite) -> bytes:
    try:
        return requests.value_text(session.metadata(one.id), one.value)
    except ValueRefused as error:
        text = str(error).removeprefix(f"{error.argument}: ")
        raise ValueRefused(f"{text} (characteristic {one.id})", argument=error.argument, status=error.status) from None


def subscribe(session: Session, command: Subscribe | Unsubscribe) -> Procedure:
    """One request for each accessory behind a bridge."""
    enable = isinstance(command, Subscribe)
    _some(command.ids)

    def run() -> Procedure:
        results: dict[CharacteristicId, Status] = dict.fromkeys(command.ids, HapStatus.SUCCESS)
        tally = _Tally()
        for batch in _by_accessory(command.ids):
            answer = yield requests.put_characteristics(session.host, requests.events_body(batch, enable=enable))
            try:
                results.update(statuses(batch, answer, session))
            except Refused as error:
                results.update(dict.fromkeys(batch, tally.refused(error)))
            else:
                tally.accepted = True
        tally.check()
        return results

    return run()


def _by_accessory(ids: Sequence[CharacteristicId]) -> Iterator[list[CharacteristicId]]:
    groups: dict[int, dict[CharacteristicId, None]] = {}
    for one in ids:
        groups.setdefault(one.aid, {})[one] = None
    return (list(group) for group in groups.values())


class _Tally:
    """Whether any request of several went through, and the first refusal."""

    __slots__ = ("accepted", "first")

    def __init__(self) -> None:
        self.accepted = False
        self.first: Refused | None = None

    def refused(self, error: Refused) -> Status:
        """The status for the characteristics of a refused request. Raises it if it is about the session."""
        if error.status in NOT_AUTHORISED:
            raise error
        if self.first is None:
            self.first = error
        return HapStatus.UNABLE_TO_COMMUNICATE if error.hap_status is None else error.hap_status

    def check(self) -> None:
        """Raise the first refusal if nothing went through."""
        if self.first is not None and not self.accepted:
            raise self.first
