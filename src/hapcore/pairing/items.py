"""The TLV items of the pairing messages, and how requests and answers made of them are read (HAP 1.4)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, IntFlag

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.errors import PairingRefused, RemoteProtocolError

__all__ = [
    "MAX_IDENTIFIER",
    "Flags",
    "Item",
    "Method",
    "State",
    "TlvErrorCode",
    "exact",
    "pick",
    "read_answer",
    "read_byte",
    "read_identifier",
    "refusal",
    "require",
]

#: Longest pairing identifier in bytes: the text of a UUID (HAP 1.4).
MAX_IDENTIFIER = 36


class Item(IntEnum):
    """TLV types of the pairing messages."""

    METHOD = 0x00
    IDENTIFIER = 0x01
    SALT = 0x02
    PUBLIC_KEY = 0x03
    PROOF = 0x04
    ENCRYPTED_DATA = 0x05
    STATE = 0x06
    ERROR = 0x07
    RETRY_DELAY = 0x08
    CERTIFICATE = 0x09
    SIGNATURE = 0x0A
    PERMISSIONS = 0x0B
    SESSION_ID = 0x0E
    FLAGS = 0x13
    SEPARATOR = 0xFF


class Method(IntEnum):
    """What a pairing request is about."""

    PAIR_SETUP = 0
    PAIR_SETUP_WITH_AUTH = 1
    PAIR_VERIFY = 2
    ADD_PAIRING = 3
    REMOVE_PAIRING = 4
    LIST_PAIRINGS = 5
    PAIR_RESUME = 6


class State(IntEnum):
    """The number of a message within its procedure."""

    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M6 = 6


class TlvErrorCode(IntEnum):
    """Why a pairing request was refused (HAP 4.4)."""

    UNKNOWN = 1
    AUTHENTICATION = 2
    BACKOFF = 3
    MAX_PEERS = 4
    MAX_TRIES = 5
    UNAVAILABLE = 6
    BUSY = 7


class Flags(IntFlag):
    """Variants of pair-setup (HAP 4.6). Unknown bits are ignored."""

    TRANSIENT = 0x0000_0010
    SPLIT = 0x0100_0000


_MEANINGS = {
    TlvErrorCode.UNKNOWN: "the accessory gave no reason",
    TlvErrorCode.AUTHENTICATION: "authentication failed",
    TlvErrorCode.BACKOFF: "the accessory wants a pause before the next try",
    TlvErrorCode.MAX_PEERS: "the accessory has no room for another pairing; remove one of those it has first",
    TlvErrorCode.MAX_TRIES: (
        "too many wrong codes were tried, so the accessory refuses every code; switch it off and on, and reset it to "
        "factory settings if that does not help (one of this library always needs the reset)"
    ),
    TlvErrorCode.UNAVAILABLE: (
        "the accessory is paired already; have one of its admins add this controller or remove that pairing, or reset "
        "the accessory to factory settings"
    ),
    TlvErrorCode.BUSY: "the accessory is pairing with another controller; try again in half a minute",
}
#: Where the step says more than the error: what it means, and what to do.
_MEANINGS_OF_STEPS = {
    ("pair-setup", 2, TlvErrorCode.UNKNOWN): (
        "the accessory gave no reason; some do that when they want the other method of pairing (with, or without, "
        "authentication hardware)"
    ),
    ("pair-setup", 2, TlvErrorCode.AUTHENTICATION): (
        "the accessory asks for a proof that this controller has not: it pairs with certified (MFi) controllers only, "
        "or wants the other method of pairing (with, or without, authentication hardware)"
    ),
    ("pair-setup", 4, TlvErrorCode.AUTHENTICATION): "the setup code is wrong; check it and start again",
    ("pair-verify", 4, TlvErrorCode.AUTHENTICATION): "it does not know this controller any more; pair it again",
    (
        "pair-setup",
        6,
        TlvErrorCode.AUTHENTICATION,
    ): "the accessory did not accept the key of this controller; start again",
    ("pairings", 2, TlvErrorCode.AUTHENTICATION): "only an admin may see and change pairings",
}


def pick(items: Iterable[tuple[int, bytes]], *wanted: Item) -> dict[Item, bytes]:
    """The wanted items of a request, whatever their order; other items are ignored (HAP 1.2).

    Raises `TlvError` when a wanted item comes twice.
    """
    found: dict[Item, bytes] = {}
    for kind, value in items:
        if kind in wanted:
            item = Item(kind)
            if item in found:
                raise TlvError(f"{item.name} comes twice")
            found[item] = value
    return found


def require(found: dict[Item, bytes], item: Item) -> bytes:
    """The value of an item that must be there, else `TlvError`."""
    value = found.get(item)
    if value is None:
        raise TlvError(f"{item.name} is missing")
    return value


def exact(found: dict[Item, bytes], item: Item, size: int) -> bytes:
    """The value of an item that must be there and have this many bytes, else `TlvError`."""
    value = require(found, item)
    if len(value) != size:
        raise TlvError(f"{item.name} has {len(value)} bytes, not {size}")
    return value


def read_byte(found: dict[Item, bytes], item: Item) -> int:
    """An enumeration: exactly one byte, else `TlvError` (HAP 1.1)."""
    return exact(found, item, 1)[0]


def read_identifier(found: dict[Item, bytes]) -> bytes:
    """A pairing identifier of 1 to 36 bytes, else `TlvError`."""
    identifier = require(found, Item.IDENTIFIER)
    if not 1 <= len(identifier) <= MAX_IDENTIFIER:
        raise TlvError(f"identifier of {len(identifier)} bytes")
    return identifier


def refusal(state: State, error: TlvErrorCode) -> bytes:
    """The answer that carries an error."""
    return tlv8.encode([(Item.STATE, bytes((state,))), (Item.ERROR, bytes((error,)))])


def read_answer(body: bytes, state: State, procedure: str) -> tlv8.Items:
    """Read an accessory's answer: error first, then the state, which may be missing (HAP 4.2, 5.4).

    Raises `PairingRefused` for a TLV error and `RemoteProtocolError` for anything that is not this answer. `procedure`
    names what was tried, for people.
    """
    try:
        items = tlv8.decode_tolerant(body)
    except TlvError as problem:
        raise RemoteProtocolError(f"TLV items in {procedure} {state.name}", str(problem)) from None
    error = tlv8.first(items, Item.ERROR)
    if error is not None:
        code = int.from_bytes(error, "little") or TlvErrorCode.UNKNOWN
        delay = tlv8.first(items, Item.RETRY_DELAY)
        known = TlvErrorCode(code) if code in _MEANINGS else None
        meaning = f"error {code}" if known is None else _MEANINGS[known]
        if known is not None:
            meaning = _MEANINGS_OF_STEPS.get((procedure, int(state), known), meaning)
        seconds = None if delay is None else int.from_bytes(delay, "little")
        wait = f"; it asks to wait {seconds} s" if seconds else ""
        subject = "the request about pairings" if procedure == "pairings" else procedure
        raise PairingRefused(
            f"{subject} was refused in {state.name}: {meaning}{wait}", error=code, step=state, retry_delay=seconds
        )
    number = tlv8.first(items, Item.STATE)
    if number is not None and int.from_bytes(number, "little") != state:
        raise RemoteProtocolError(f"{procedure} state {state:d}", f"state {int.from_bytes(number, 'little')}")
    return items
