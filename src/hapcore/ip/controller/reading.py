"""Answers of an accessory made into results, or into the error they mean (HAP 8.5, 8.7, 8.8, 8.10).

Loose on purpose: entries are matched by id and never by position, a missing status is success, codes may have lost
their sign, one status at the top may stand for all, entries that are no objects are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hapcore.codec.http import Response
from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.errors import PairingRefused, Refused, RemoteProtocolError
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller.requests import TLV_TYPE
from hapcore.ip.controller.session import Session
from hapcore.model.values import from_remote
from hapcore.pairing.items import TlvErrorCode

__all__ = [
    "NOT_AUTHORISED",
    "changes",
    "json_body",
    "pairing_body",
    "prepared",
    "read_results",
    "refusal",
    "refused",
    "status_of",
    "statuses",
    "write_results",
]

#: HTTP statuses by which an accessory says that this connection has no (more a) session (HAP 8.5).
NOT_AUTHORISED: Final = frozenset({401, 470})
_BUSY: Final = 429
_NO_CONTENT: Final = 204
#: How a page for people begins; no item of a pairing message has that type.
_MARKUP: Final = b"<"

_STATUSES: Final[dict[int, HapStatus]] = {int(one): one for one in HapStatus}
_SUCCESS: Final = HapStatus.SUCCESS
#: What a characteristic gets that an answer does not mention.
_UNMENTIONED: Final = HapStatus.UNABLE_TO_COMMUNICATE

_MISSING: Final = ReadResult(None, _UNMENTIONED)

_Entry = dict[str, JsonValue]


def status_of(raw: JsonValue) -> Status:
    """A status as it came: positive codes get their sign back, unknown ones stay numbers, nonsense is -70402."""
    if raw is None:
        return _SUCCESS
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if not isinstance(raw, int):
        return _UNMENTIONED
    known = _STATUSES.get(raw)
    if known is None:
        known = _STATUSES.get(-raw)
    return raw if known is None else known


def refused(what: str, response: Response) -> Refused:
    """The error an HTTP status of 400 and above means, with the HAP status in its body if there is one."""
    body: JsonValue = None
    if response.body:
        try:
            body = read_tolerant(response.body)
        except JsonError:
            body = None
    raw = body.get("status") if isinstance(body, dict) else None
    hap_status = None if raw is None else int(status_of(raw))
    if hap_status is None and response.status == _BUSY:
        hap_status = int(HapStatus.BUSY)
    return refusal(what, response.status, response.reason, hap_status)


def refusal(what: str, status: int, reason: str = "", hap_status: int | None = None) -> Refused:
    """A `Refused` with a sentence for people."""
    text = f"{what} was refused with HTTP status {status}" + (f" {_printable(reason)}" if reason else "")
    if hap_status is not None:
        known = _STATUSES.get(hap_status)
        text += f", status {hap_status}" + (f" ({known.text})" if known is not None else "")
    if status in NOT_AUTHORISED:
        text += "; this session is not authorised: connect again and verify the pairing"
    return Refused(text, status=status, hap_status=hap_status)


def _printable(reason: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in reason[:40])


def json_body(what: str, response: Response) -> JsonValue:
    """The JSON of a good answer. Raises `RemoteProtocolError` where there is none."""
    try:
        return read_tolerant(response.body)
    except JsonError as error:
        raise RemoteProtocolError(f"JSON in the answer to {what}", str(error)) from None


def pairing_body(what: str, response: Response, step: int) -> bytes:
    """The TLV message of an answer, whatever its HTTP status if the content type says it is one (HAP 4.5)."""
    status = response.status
    ok = 200 <= status < 300
    if ok and response.body[:1] == _MARKUP:
        raise RemoteProtocolError(f"TLV items in the answer to {what}", "a web page", "is this the accessory's port?")
    if ok:
        return response.body
    if response.body and response.headers.get("content-type", "").partition(";")[0].strip().lower() == TLV_TYPE:
        return response.body
    if status == _BUSY:
        raise PairingRefused(f"{what}: the accessory is busy, try again later", error=TlvErrorCode.BUSY, step=step)
    raise refused(what, response)


def prepared(response: Response) -> None:
    """The answer to PUT /prepare. Raises `Refused`; some accessories refuse with 200 and a status inside."""
    if not 200 <= response.status < 300:
        raise refused("PUT /prepare", response)
    if not response.body:
        return
    body = json_body("PUT /prepare", response)
    status = status_of(body.get("status")) if isinstance(body, dict) else _SUCCESS
    if status:
        raise refusal("PUT /prepare", response.status, response.reason, int(status))


def _entries(what: str, response: Response) -> tuple[list[_Entry], Status | None]:
    """The entries of a multi-status answer, and the status at its top if it has one.

    Raises `Refused` for an error answer, unless its body has entries: some accessories answer 400 if all failed.
    """
    http = response.status
    ok = 200 <= http < 300
    if http in NOT_AUTHORISED:
        raise refused(what, response)
    if not response.body:
        if not ok:
            raise refused(what, response)
        return [], None
    try:
        body = read_tolerant(response.body)
    except JsonError as error:
        if not ok:
            raise refused(what, response) from None
        raise RemoteProtocolError(f"JSON in the answer to {what}", str(error)) from None
    if not isinstance(body, dict):
        if not ok:
            raise refused(what, response)
        raise RemoteProtocolError(f"a JSON object in the answer to {what}", type(body).__name__)
    listed = body.get("characteristics")
    entries: list[_Entry] = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not ok and not entries:
        raise refused(what, response)
    top = body.get("status")
    return entries, None if top is None else status_of(top)


def _id(entry: _Entry) -> CharacteristicId | None:
    aid, iid = entry.get("aid"), entry.get("iid")
    if type(aid) is int and type(iid) is int:
        return CharacteristicId(aid, iid)
    return None


_PLAIN_KEYS = frozenset({"aid", "iid", "value", "status"})


def read_results(
    ids: Sequence[CharacteristicId], response: Response, session: Session, *, flags: bool
) -> dict[CharacteristicId, ReadResult]:
    """Results of a GET /characteristics, one for each id asked for. Raises `Refused`, `RemoteProtocolError`."""
    entries, top = _entries("GET /characteristics", response)
    found: dict[CharacteristicId, ReadResult] = {}
    missing = ReadResult(None, top) if top else _MISSING
    wanted = dict.fromkeys(ids, missing)
    for entry in entries:
        one = _id(entry)
        if one is None or one not in wanted:
            continue
        status = status_of(entry.get("status"))
        value = from_remote(session.metadata(one), entry.get("value")) if status == 0 else None
        if flags:
            fields = {key: field for key, field in entry.items() if key not in _PLAIN_KEYS}
            found[one] = ReadResult(value, status, fields)
        else:
            found[one] = ReadResult(value, status)
    wanted.update(found)
    return wanted


def write_results(
    asked: Sequence[CharacteristicId], response: Response, session: Session
) -> dict[CharacteristicId, WriteResult]:
    """Results of a PUT /characteristics. What a good answer does not mention is done: some list failures alone."""
    if response.status == _NO_CONTENT:
        return dict.fromkeys(asked, WriteResult())
    entries, top = _entries("PUT /characteristics", response)
    results = dict.fromkeys(asked, WriteResult(_SUCCESS if top is None else top))
    for entry in entries:
        one = _id(entry)
        if one is None or one not in results:
            continue
        status = status_of(entry.get("status"))
        results[one] = WriteResult(status, from_remote(session.metadata(one), entry.get("value")))
    return results


def statuses(asked: Sequence[CharacteristicId], response: Response, session: Session) -> dict[CharacteristicId, Status]:
    """Results of switching events on or off."""
    return {one: result.status for one, result in write_results(asked, response, session).items()}


def changes(body: bytes, session: Session) -> list[CharacteristicChanged]:
    """The values of an event, the last entry of the message first (HAP 8.10).

    So the first entry of a characteristic named twice is reported last and wins, and no press of a button is lost.
    Null means that the accessory could not read the value: it is left out, except for buttons.
    Raises `RemoteProtocolError`.
    """
    try:
        message = read_tolerant(body)
    except JsonError as error:
        raise RemoteProtocolError("JSON in an event", str(error)) from None
    listed = message.get("characteristics") if isinstance(message, dict) else None
    if not isinstance(listed, list):
        # An object without a list is how some accessories keep a connection alive.
        if isinstance(message, dict) and listed is None:
            return []
        raise RemoteProtocolError("an object with a list of characteristics in an event", "something else")
    found: list[CharacteristicChanged] = []
    for entry in reversed(listed):
        if not isinstance(entry, dict):
            continue
        one = _id(entry)
        if one is None or "value" not in entry:
            continue
        value = from_remote(session.metadata(one), entry["value"])
        if value is not None or one in session.presses:
            found.append(CharacteristicChanged(one, value))
    return found
