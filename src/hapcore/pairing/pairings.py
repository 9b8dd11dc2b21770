"""Adding, removing and listing pairings (HAP 6): what an admin controller may ask of its accessory."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import Items, TlvError
from hapcore.crypto.keys import KEY_SIZE
from hapcore.errors import LocalProtocolError, RemoteProtocolError
from hapcore.pairing.items import (
    MAX_IDENTIFIER,
    Item,
    Method,
    State,
    TlvErrorCode,
    exact,
    pick,
    read_answer,
    read_byte,
    read_identifier,
    refusal,
)
from hapcore.pairing.records import PairedController, PairingEntry

__all__ = [
    "MAX_PEERS",
    "PairingsStep",
    "decode_done",
    "decode_list",
    "encode_add",
    "encode_list",
    "encode_remove",
    "handle",
]

#: Pairings that an accessory keeps: what the protocol asks for at least (HAP 6).
MAX_PEERS = 16

_NAME = "pairings"
_DONE = tlv8.encode([(Item.STATE, bytes((State.M2,)))])
_ADMIN = 1


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class PairingsStep:
    """What comes of one request: the answer's body (None: malformed, HTTP 400), what to store or remove before it."""

    reply: bytes | None = field(repr=_size)
    store: tuple[PairedController, ...] = ()
    remove: tuple[bytes, ...] = ()


def handle(
    body: bytes,
    *,
    caller: PairedController,
    table: Mapping[bytes, PairedController],
    max_peers: int = MAX_PEERS,
) -> PairingsStep:
    """Answer one request of `caller`; `table` holds all pairings by identifier. Never raises for what the body holds.

    Whether the caller is an admin is looked up in the table, so that a change takes effect at once. When the last admin
    goes, or becomes an ordinary user, everybody is removed. An admin that lowers itself is told Authentication,
    and lowered all the same, as Apple's accessories do. Lists come in the order of the table.
    """
    try:
        items = tlv8.decode(body)
        found = pick(items, Item.STATE, Item.METHOD)
        state = read_byte(found, Item.STATE)
        method = read_byte(found, Item.METHOD)
        if state != State.M1 or method not in _METHODS:
            return PairingsStep(None)
        known = table.get(caller.identifier)
        if known is None or not known.admin:
            return PairingsStep(refusal(State.M2, TlvErrorCode.AUTHENTICATION))
        if method == Method.ADD_PAIRING:
            return _add(items, known, table, max_peers)
        if method == Method.REMOVE_PAIRING:
            return _remove(items, table)
        return _list(table)
    except TlvError:
        return PairingsStep(None)


_METHODS = frozenset({Method.ADD_PAIRING, Method.REMOVE_PAIRING, Method.LIST_PAIRINGS})


def _add(
    items: Items, caller: PairedController, table: Mapping[bytes, PairedController], max_peers: int
) -> PairingsStep:
    found = pick(items, Item.IDENTIFIER, Item.PUBLIC_KEY, Item.PERMISSIONS)
    identifier = read_identifier(found)
    ltpk = exact(found, Item.PUBLIC_KEY, KEY_SIZE)
    permissions = read_byte(found, Item.PERMISSIONS)
    if permissions & ~_ADMIN:
        raise TlvError(f"permissions {permissions}")
    entry = PairedController(identifier, ltpk, admin=bool(permissions & _ADMIN))
    known = table.get(identifier)
    if known is None:
        if not any(ltpk):
            raise TlvError("a public key of zeros")
        if len(table) >= max_peers:
            return PairingsStep(refusal(State.M2, TlvErrorCode.MAX_PEERS))
        return PairingsStep(_DONE, store=(entry,))
    if known.ltpk != ltpk:
        return PairingsStep(refusal(State.M2, TlvErrorCode.UNKNOWN))
    if known.admin == entry.admin:
        return PairingsStep(_DONE)
    # Who lowers itself is told that it is no admin: what Apple's accessories answer, though it is done.
    reply = refusal(State.M2, TlvErrorCode.AUTHENTICATION) if identifier == caller.identifier else _DONE
    if not entry.admin and not _other_admins(table, identifier):
        return PairingsStep(reply, remove=tuple(table))
    return PairingsStep(reply, store=(evolve(known, admin=entry.admin),))


def _remove(items: Items, table: Mapping[bytes, PairedController]) -> PairingsStep:
    identifier = read_identifier(pick(items, Item.IDENTIFIER))
    known = table.get(identifier)
    if known is None:
        return PairingsStep(_DONE)
    if known.admin and not _other_admins(table, identifier):
        return PairingsStep(_DONE, remove=tuple(table))
    return PairingsStep(_DONE, remove=(identifier,))


def _list(table: Mapping[bytes, PairedController]) -> PairingsStep:
    answer: Items = [(Item.STATE, bytes((State.M2,)))]
    for number, entry in enumerate(table.values()):
        if number:
            answer.append((Item.SEPARATOR, b""))
        answer.append((Item.IDENTIFIER, entry.identifier))
        answer.append((Item.PUBLIC_KEY, entry.ltpk))
        answer.append((Item.PERMISSIONS, bytes((entry.admin,))))
    return PairingsStep(tlv8.encode(answer))


def _other_admins(table: Mapping[bytes, PairedController], identifier: bytes) -> bool:
    return any(entry.admin for entry in table.values() if entry.identifier != identifier)


def _request(method: Method) -> Items:
    return [(Item.STATE, bytes((State.M1,))), (Item.METHOD, bytes((method,)))]


def _check_identifier(identifier: bytes) -> bytes:
    if not 1 <= len(identifier) <= MAX_IDENTIFIER:
        raise LocalProtocolError(f"has {len(identifier)} bytes, not 1 to {MAX_IDENTIFIER}", argument="identifier")
    return identifier


def encode_add(identifier: bytes, ltpk: bytes, admin: bool) -> bytes:
    """The request that adds a pairing, or changes whether it may administer. Identifier 1 to 36 bytes, key 32."""
    if len(ltpk) != KEY_SIZE or not any(ltpk):
        raise LocalProtocolError(f"is no public key of {KEY_SIZE} bytes", argument="ltpk")
    return tlv8.encode(
        [
            *_request(Method.ADD_PAIRING),
            (Item.IDENTIFIER, _check_identifier(identifier)),
            (Item.PUBLIC_KEY, ltpk),
            (Item.PERMISSIONS, bytes((_ADMIN if admin else 0,))),
        ]
    )


def encode_remove(identifier: bytes) -> bytes:
    """The request that removes a pairing, our own or another's."""
    return tlv8.encode([*_request(Method.REMOVE_PAIRING), (Item.IDENTIFIER, _check_identifier(identifier))])


def encode_list() -> bytes:
    """The request for all pairings."""
    return tlv8.encode(_request(Method.LIST_PAIRINGS))


def decode_done(body: bytes) -> None:
    """Read the answer to Add or Remove; raises `PairingRefused` or `RemoteProtocolError`."""
    read_answer(body, State.M2, _NAME)


def decode_list(body: bytes) -> tuple[PairingEntry, ...]:
    """Read the answer to List; raises `PairingRefused` or `RemoteProtocolError`.

    Records begin after a separator or, for an accessory that sends none, with the next identifier (HAP 1.3). A record
    without permissions is an ordinary user's.
    """
    entries: list[PairingEntry] = []
    record: dict[int, bytes] = {}
    for kind, value in [*read_answer(body, State.M2, _NAME), (int(Item.SEPARATOR), b"")]:
        if kind == Item.SEPARATOR or (kind == Item.IDENTIFIER and kind in record):
            if Item.IDENTIFIER in record:
                entries.append(_read_entry(record))
            record = {}
        if kind != Item.SEPARATOR:
            record.setdefault(kind, value)
    return tuple(entries)


def _read_entry(record: Mapping[int, bytes]) -> PairingEntry:
    ltpk = record.get(Item.PUBLIC_KEY, b"")
    if len(ltpk) != KEY_SIZE:
        raise RemoteProtocolError(f"a public key of {KEY_SIZE} bytes in a listed pairing", f"{len(ltpk)} bytes")
    permissions = int.from_bytes(record.get(Item.PERMISSIONS, b""), "little")
    return PairingEntry(record[Item.IDENTIFIER], ltpk, admin=bool(permissions & _ADMIN))
