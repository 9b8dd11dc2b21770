"""Using the accessory: values, events, identification, as small resumable machines (HAP-BLE A.3.8)."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from hapcore.ble.controller import configuring
from hapcore.ble.controller.answers import Direction, checked, status_of, value_of
from hapcore.ble.controller.fetching import fetch
from hapcore.ble.controller.layout import AID, Database, Known
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Answer, Ask, Errand, Procedure, Step, Switch, ask, switch
from hapcore.ble.values import WIDTHS, read_value, write_value
from hapcore.codec import tlv8
from hapcore.codec.json import JsonValue
from hapcore.codec.pdu import Opcode, Parameter
from hapcore.controller.commands import (
    CharacteristicWrite,
    GetAccessories,
    Identify,
    Read,
    Subscribe,
    Unsubscribe,
    Write,
)
from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.errors import LocalProtocolError, RemoteProtocolError, ValueRefused
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.checks import coerce
from hapcore.model.foreign import for_write
from hapcore.model.metadata import Format, Metadata, Permission
from hapcore.model.uuid import BASE, short_uuid

__all__ = [
    "AUTOMATIC_TIMED_MS",
    "database_of",
    "get_accessories",
    "identify",
    "read",
    "read_one",
    "readable",
    "subscribe",
    "write",
]

#: Life of a timed write where the database asks for one and the caller says nothing: as long as a procedure may take.
AUTOMATIC_TIMED_MS: Final = 10_000
#: Greatest time to live an accessory takes over IP (HAP 9.3).
_MAX_TIMED_MS: Final = 9_007_199_254_740_991
#: The unit and the greatest number of a time to live (HAP-BLE A.3.3).
_TTL_MS: Final = 100
_MAX_TTL: Final = 0xFF
#: Most characteristics one command may name: there are no more numbers than this.
_MAX_CHARACTERISTICS: Final = 0xFFFF
_ORIGIN_REMOTE: Final = 1
#: Longest value, so that a body with everything around it fits its length field (HAP-BLE A.2.3).
_MAX_VALUE: Final = 64000
#: Not to be read before they have been written; they would answer with an error, or with nonsense (HAP-BLE A.7).
_UNREADABLE: Final = frozenset(
    {
        "00000117" + BASE,
        "00000118" + BASE,
        "00000131" + BASE,
        "00000138" + BASE,
        "246912DC-8FA3-82ED-DEA4-9EB91D8FC2EE",
    }
)
_PRESENT: Final = HapStatus.SUCCESS
_ABSENT: Final = HapStatus.DOES_NOT_EXIST


def _some(ids: Sequence[CharacteristicId]) -> None:
    if not ids:
        raise LocalProtocolError("name at least one characteristic", argument="ids")
    if len(ids) > _MAX_CHARACTERISTICS:
        raise LocalProtocolError(f"at most {_MAX_CHARACTERISTICS} characteristics", argument="ids")
    for aid, iid in ids:
        if aid < 1 or iid < 1:
            raise LocalProtocolError(f"{aid}.{iid} is no characteristic, ids start at 1", argument="ids")


def _known(session: Session, one: CharacteristicId) -> Known | None:
    """What the database knows by that number and this link can reach."""
    if one.aid != AID or one.iid not in session.handles:
        return None
    return session.find(one.iid)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_one(session: Session, iid: int) -> Generator[Step, Answer, ReadResult]:
    """One characteristic that is known; its value is kept."""
    meta = session.metadata(iid)
    what = f"reading {AID}.{iid}"
    response = yield from ask(Ask(Opcode.CHARACTERISTIC_READ, session.handles[iid], iid, what))
    if response.status:
        return ReadResult(None, status_of(response.status, Direction.READ, meta))
    value = decoded(meta, value_of(response, what), what)
    session.values[iid] = value
    session.fresh.add(iid)
    return ReadResult(value)


def decoded(meta: Metadata | None, data: bytes | None, what: str) -> Value:
    """The value in parameter 01; what numbers lack is no value. Raises `RemoteProtocolError`."""
    if meta is None:
        return data
    if not data and meta.format in WIDTHS:
        return None
    try:
        return read_value(data or b"", meta.format)
    except ValueError as error:
        raise RemoteProtocolError(
            f"a value of the format {meta.format.value} in the answer to {what}", str(error)
        ) from None


def read(session: Session, command: Read) -> Procedure:
    """One PDU for each id; one that makes no sense costs its own result only."""
    ids = tuple(dict.fromkeys(command.ids))
    _some(ids)

    def run() -> Procedure:
        results: dict[CharacteristicId, ReadResult] = {}
        for one in ids:
            known = _known(session, one)
            if known is None:
                results[one] = ReadResult(None, _ABSENT)
                continue
            try:
                found = yield from read_one(session, one.iid)
            except RemoteProtocolError:
                found = ReadResult(None, HapStatus.UNABLE_TO_COMMUNICATE)
            fields = _fields(session, known, command)
            results[one] = ReadResult(found.value, found.status, fields) if fields else found
        return results

    return run()


def _fields(session: Session, known: Known, command: Read) -> dict[str, JsonValue]:
    """What the flags ask for, under the names it has on IP."""
    described = known.description
    meta = described.metadata
    found: dict[str, JsonValue] = {}
    if command.meta:
        said: Mapping[str, JsonValue] = {
            "format": meta.format.value,
            "unit": None if meta.unit is None else meta.unit.value,
            "minValue": meta.min,
            "maxValue": meta.max,
            "minStep": meta.step,
            "maxLen": meta.max_len,
        }
        found.update({name: value for name, value in said.items() if value is not None})
    if command.perms:
        found["perms"] = [*sorted(one.value for one in meta.perms)]
    if command.type:
        found["type"] = short_uuid(described.type)
    if command.ev:
        found["ev"] = described.iid in session.subscribed
    return found


def database_of(session: Session) -> Generator[Step, Answer, Database]:
    """Within a procedure: the database, read if it is not known. Raises `RemoteProtocolError`."""
    if session.database is None:
        yield from fetch(session)
    if session.database is None:
        raise RemoteProtocolError("a database", "none")
    return session.database


def readable(session: Session, iid: int, known: Known) -> bool:
    """Whether a characteristic of the database may be read on this link."""
    if iid not in session.handles or Permission.READ not in known.description.metadata.perms:
        return False
    return known.uuid not in _UNREADABLE and session.find(iid) is not None


def get_accessories(session: Session, _: GetAccessories) -> Procedure:
    """The values of everything that can be read; the engine has seen to the database before."""

    def run() -> Procedure:
        database = yield from database_of(session)
        for iid, known in database.known.items():
            if not readable(session, iid, known):
                continue
            try:
                result = yield from read_one(session, iid)
            except RemoteProtocolError:
                session.values.pop(iid, None)
            else:
                if result.status:
                    session.values.pop(iid, None)
        return (database.with_values(session.values, session.subscribed),)

    return run()


# --- writing ----------------------------------------------------------------------------------------------------------


def encoded(meta: Metadata | None, value: Value) -> bytes:
    """The bytes to write: numbers rounded to their grid, everything checked. Raises `ValueRefused`."""
    if value is None:
        raise ValueRefused("there is no way to write no value")
    if meta is None:
        if not isinstance(value, bytes):
            raise ValueRefused("the format is not known; give bytes")
        data = value
    elif meta.format in (Format.DATA, Format.TLV8, Format.STRING):
        data = write_value(coerce(meta, value), meta.format)
    else:
        data = write_value(for_write(meta, value), meta.format)
    if len(data) > _MAX_VALUE:
        raise ValueRefused(f"{len(data)} bytes are too long for Bluetooth LE, {_MAX_VALUE} at most")
    return data


def write(session: Session, command: Write) -> Procedure:
    """One PDU for each value, two where the write is timed; none is undone when another fails."""
    writes = command.writes
    _some([one.id for one in writes])
    if len({one.id for one in writes}) != len(writes):
        raise LocalProtocolError("names a characteristic twice", argument="writes")
    if command.timed_ms is not None and not 1 <= command.timed_ms <= _MAX_TIMED_MS:
        raise LocalProtocolError("is at least 1 millisecond", argument="timed_ms")
    if session.database is not None:
        for one in writes:
            if session.find(one.id.iid) is not None and one.id.aid == AID:
                encoded(session.metadata(one.id.iid), one.value)

    def run() -> Procedure:
        results: dict[CharacteristicId, WriteResult] = {}
        # Everything is checked before anything is written: the accessory cannot undo a part.
        data = {one.id: encoded(session.metadata(one.id.iid), one.value) for one in writes if _known(session, one.id)}
        for one in writes:
            if one.id in data:
                results[one.id] = yield from _write(session, one, data[one.id], command.timed_ms)
            else:
                results[one.id] = WriteResult(_ABSENT)
        return results

    return run()


def _write(
    session: Session, one: CharacteristicWrite, value: bytes, timed_ms: int | None
) -> Generator[Step, Answer, WriteResult]:
    iid = one.id.iid
    to, meta = session.handles[iid], session.metadata(iid)
    if timed_ms is None and session.wants_timed_write(iid):
        timed_ms = AUTOMATIC_TIMED_MS
    items: list[tuple[int, bytes]] = [(Parameter.VALUE, value)]
    if one.auth_data is not None:
        items.append((Parameter.AUTH_DATA, one.auth_data))
    if one.auth_data is not None or one.remote:
        items.append((Parameter.ORIGIN, bytes((_ORIGIN_REMOTE if one.remote else 0,))))
    if one.response:
        items.append((Parameter.RETURN_RESPONSE, b"\x01"))
    what = f"writing {one.id}"
    direction = Direction.WRITE
    if timed_ms is None:
        response = yield from ask(Ask(Opcode.CHARACTERISTIC_WRITE, to, iid, what, tlv8.encode(items), repeatable=False))
    else:
        # Longer than the accessory can say is longer than it waits for the end of a procedure anyway.
        ttl = min(_MAX_TTL, -(-timed_ms // _TTL_MS))
        items.insert(1, (Parameter.TTL, bytes((ttl,))))
        response = yield from ask(
            Ask(Opcode.CHARACTERISTIC_TIMED_WRITE, to, iid, what, tlv8.encode(items), repeatable=False)
        )
        if not response.status:
            direction = Direction.EXECUTE
            response = yield from ask(Ask(Opcode.CHARACTERISTIC_EXECUTE_WRITE, to, iid, what, repeatable=False))
    if response.status:
        return WriteResult(status_of(response.status, direction, meta))
    session.values.pop(iid, None)
    return WriteResult(
        _PRESENT, (yield from _answer(session, iid, value_of(response, what), what)) if one.response else None
    )


def _answer(session: Session, iid: int, data: bytes | None, what: str) -> Generator[Step, Answer, Value]:
    meta = session.metadata(iid)
    if data is None:
        # Some say they answer writes and do not; the value is there to be read (HAP-BLE A.7).
        if meta is None or Permission.READ not in meta.perms:
            return None
        return (yield from read_one(session, iid)).value
    return decoded(meta, data, what)


def identify(session: Session, command: Identify) -> Procedure:
    """A write of Identify: in clear while nobody has paired the accessory, else in the session (HAP-BLE A.5.1)."""
    if command.aid < 1:
        raise LocalProtocolError("is 1 or more", argument="aid")

    def run() -> Errand:
        if session.pairing is None:
            to = session.identify_characteristic()
            if to is None:
                raise RemoteProtocolError("an Identify characteristic", "none")
            iid = yield from session.number(to)
        else:
            if command.aid != AID:
                raise LocalProtocolError(f"accessory {command.aid} has no Identify characteristic", argument="aid")
            iid = session.identify_iid()
            to = session.handles.get(iid)
            if to is None:
                raise RemoteProtocolError("an Identify characteristic in the GATT table", "none")
        body = tlv8.encode([(Parameter.VALUE, b"\x01")])
        response = yield from ask(Ask(Opcode.CHARACTERISTIC_WRITE, to, iid, "identifying", body, repeatable=False))
        checked(response, "identifying")

    return run()


# --- events -----------------------------------------------------------------------------------------------------------


def subscribe(session: Session, command: Subscribe | Unsubscribe) -> Procedure:
    """First the value, then the indications, then the broadcasts (HAP-BLE A.7); what is refused keeps its status."""
    _some(command.ids)
    enable = isinstance(command, Subscribe)

    def run() -> Procedure:
        results: dict[CharacteristicId, Status] = dict.fromkeys(command.ids, _PRESENT)
        for one in results:
            known = _known(session, one) if enable else session.find(one.iid) if one.aid == AID else None
            if known is None:
                results[one] = _ABSENT
            elif Permission.EVENTS not in known.description.metadata.perms:
                results[one] = HapStatus.NOTIFICATION_NOT_SUPPORTED
            elif enable:
                results[one] = yield from switch_on(session, one.iid, known)
            else:
                session.subscribed.pop(one.iid, None)
                if one.iid in session.indicating and one.iid in session.handles:
                    session.indicating.discard(one.iid)
                    yield from switch(Switch(session.handles[one.iid].handle, enabled=False))
        if session.shared is not None:
            yield from configuring.configure(session)
        return results

    return run()


def switch_on(session: Session, iid: int, known: Known) -> Generator[Step, Answer, Status]:
    """Indications of one characteristic. Its value comes first, so that later changes can be told."""
    if iid not in session.values and Permission.READ in known.description.metadata.perms:
        with suppress(RemoteProtocolError):  # the value of a button that was never pressed may be anything
            yield from read_one(session, iid)
    if iid not in session.indicating:
        if not (yield from switch(Switch(session.handles[iid].handle, enabled=True))):
            return HapStatus.NOTIFICATION_NOT_SUPPORTED
        session.indicating.add(iid)
    session.subscribed[iid] = None
    return _PRESENT
