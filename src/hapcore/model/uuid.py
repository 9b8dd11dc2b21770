"""Types are UUIDs: their full and their short form, and the few the protocol itself treats differently (HAP 10.2)."""

from __future__ import annotations

from functools import lru_cache

from hapcore.errors import LocalProtocolError

__all__ = [
    "ACCESSORY_INFORMATION",
    "BASE",
    "IMMEDIATE",
    "NAME",
    "PAIRING",
    "PROGRAMMABLE_SWITCH_EVENT",
    "PROTOCOL_INFORMATION",
    "SERVICE_SIGNATURE",
    "normalise_uuid",
    "short_uuid",
]

#: What follows the first eight digits of every type defined by HAP itself.
BASE = "-0000-1000-8000-0026BB765291"

ACCESSORY_INFORMATION = "0000003E" + BASE
PROTOCOL_INFORMATION = "000000A2" + BASE
PAIRING = "00000055" + BASE
NAME = "00000023" + BASE
SERVICE_SIGNATURE = "000000A5" + BASE
PROGRAMMABLE_SWITCH_EVENT = "00000073" + BASE
BUTTON_EVENT = "00000126" + BASE
#: Presses of buttons: their events do not wait, and are not compared with the value before (HAP 9.6).
IMMEDIATE = frozenset({PROGRAMMABLE_SWITCH_EVENT, BUTTON_EVENT})

_HEX = frozenset("0123456789ABCDEF")
_LENGTHS = (8, 4, 4, 4, 12)
#: UUIDs remembered in their other form: more types than any home has, fewer than a hostile accessory can name.
_REMEMBERED = 2048


@lru_cache(_REMEMBERED)
def normalise_uuid(text: str) -> str:
    """The full upper-case form of a short or full UUID in any case; `LocalProtocolError` where it is none."""
    upper = text.strip().upper()
    if 1 <= len(upper) <= 8 and _HEX.issuperset(upper):
        return upper.rjust(8, "0") + BASE
    parts = upper.split("-")
    if tuple(map(len, parts)) != _LENGTHS or not _HEX.issuperset("".join(parts)):
        raise LocalProtocolError(f"{text[:64]!r} is no UUID, short or full", argument="uuid")
    return upper


@lru_cache(_REMEMBERED)
def short_uuid(full: str) -> str:
    """The form that is sent: without base and leading zeros for types of the base UUID, else as it is."""
    return full[:8].lstrip("0") or "0" if full.endswith(BASE) else full
