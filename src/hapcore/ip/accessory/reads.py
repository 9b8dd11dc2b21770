"""The answer to GET /characteristics (HAP 8.7)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TypeAlias

from hapcore.errors import ValueRefused
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.ip.accessory.query import Query
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.values import to_wire

__all__ = ["Answers", "check_read", "render", "value_of", "wire_of"]

#: What the application answered for the characteristics it was asked about.
Answers: TypeAlias = Mapping[CharacteristicId, Value | HapStatus]


def check_read(characteristic: AnyCharacteristic | None, admin: bool) -> HapStatus:
    """May this controller read it? Existence, then privileges, then permission (HAP 9.1)."""
    if characteristic is None:
        return HapStatus.DOES_NOT_EXIST
    if characteristic.admin_only_read and not admin:
        return HapStatus.INSUFFICIENT_PRIVILEGES
    if not characteristic.readable:
        return HapStatus.WRITE_ONLY
    return HapStatus.SUCCESS


def value_of(characteristic: AnyCharacteristic, answers: Answers | None) -> tuple[HapStatus, bytes]:
    """The value as JSON, or the status that says why there is none. A button reads null between two presses."""
    if not characteristic.read_handled:
        return HapStatus.SUCCESS, characteristic.to_wire()
    answer = (answers or {}).get(characteristic.id, HapStatus.UNABLE_TO_COMMUNICATE)
    if isinstance(answer, HapStatus) and answer is not HapStatus.SUCCESS:
        return answer, b""
    wire = wire_of(characteristic, answer)
    return (HapStatus.UNABLE_TO_COMMUNICATE, b"") if wire is None else (HapStatus.SUCCESS, wire)


def wire_of(characteristic: AnyCharacteristic, value: Value) -> bytes | None:
    """A value of the application as JSON; None when its own characteristic does not allow it."""
    try:
        return to_wire(characteristic.metadata, characteristic.coerce(value))
    except ValueRefused:
        return None


def _details(characteristic: AnyCharacteristic, query: Query, subscribed: Container[CharacteristicId]) -> bytes:
    fixed = characteristic.fragments
    details = b""
    if query.type:
        details += fixed.type
    if query.meta:
        details += fixed.format + fixed.limits
    if query.perms:
        details += fixed.perms
    if query.ev:
        details += b',"ev":true' if characteristic.id in subscribed else b',"ev":false'
    return details


def render(
    query: Query,
    found: Sequence[AnyCharacteristic | None],
    answers: Answers | None,
    admin: bool,
    subscribed: Container[CharacteristicId],
) -> tuple[int, bytes]:
    """The HTTP status (200, or 207 when anything failed) and the body; `found` goes with `query.ids`."""
    failed = False
    entries: list[tuple[bytes, HapStatus, bytes]] = []
    for number, characteristic in zip(query.ids, found, strict=True):
        status = check_read(characteristic, admin)
        value = b""
        if characteristic is None:
            prefix = b'{"aid":%d,"iid":%d' % number
        else:
            prefix = characteristic.wire_prefix
            if not status:
                status, value = value_of(characteristic, answers)
            if not query.plain:
                prefix += _details(characteristic, query, subscribed)
        if status:
            failed = True
        entries.append((prefix, status, value))
    if not failed:
        body = b",".join([b'%b,"value":%b}' % (prefix, value) for prefix, _, value in entries])
        return 200, b'{"characteristics":[%b]}' % body
    # In a 207 every entry carries its status, the successful ones too.
    body = b",".join(
        [
            b'%b,"status":%d}' % (prefix, status) if status else b'%b,"status":0,"value":%b}' % (prefix, value)
            for prefix, status, value in entries
        ]
    )
    return 207, b'{"characteristics":[%b]}' % body
