"""Attribute values for people: PDUs, their bodies, pairing messages."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter, PduStatus
from hapcore.codec.tlv8 import TlvError
from hapcore.pairing.items import Item

__all__ = ["differs", "request", "response"]

_CONTINUATION = 0x80


def _items(body: bytes, *, pairing: bool) -> list[str]:
    try:
        items = tlv8.decode_tolerant(body)
    except TlvError:
        return [f"  {body.hex()}"]
    lines: list[str] = []
    for kind, value in items:
        if pairing:
            name = Item(kind).name.title().replace("_", "") if kind in _ITEMS else f"item {kind:02x}"
            lines.append(f"  {name}: {value.hex()}")
        else:
            name = Parameter(kind).name.lower().replace("_", " ") if kind in _PARAMETERS else f"item {kind:02x}"
            lines.append(f"  {name}: {value.hex()}")
    return lines


_ITEMS = frozenset(Item)
_PARAMETERS = frozenset(Parameter)


def _body(body: bytes, *, pairing: bool) -> list[str]:
    lines = _items(body, pairing=False)
    if pairing:
        try:
            message = tlv8.first(tlv8.decode_tolerant(body), Parameter.VALUE)
        except TlvError:
            message = None
        if message is not None:
            lines = [line for line in lines if not line.startswith("  value: ")] + _items(message, pairing=True)
    return lines


def request(name: str, opcode: int, iid: int, body: bytes | None, *, pairing: bool) -> str:
    """A whole request to the characteristic with that name."""
    try:
        what = Opcode(opcode).name.lower().replace("_", " ")
    except ValueError:
        what = f"opcode {opcode:02x}"
    lines = [f"{name}: {what}, iid {iid:x}" + ("" if body is None else f", {len(body)} bytes")]
    return "\n".join(lines + _body(body or b"", pairing=pairing))


def response(plain: bytes, *, pairing: bool) -> str:
    """One fragment of a response."""
    if len(plain) < 2:
        return plain.hex() or "nothing"
    if plain[0] & _CONTINUATION or len(plain) < 3:
        return f"continuation of transaction {plain[1]}: {plain[2:].hex()}"
    try:
        status = PduStatus(plain[2]).name.lower().replace("_", " ")
    except ValueError:
        status = "unknown"
    body = plain[5:]
    lines = [f"transaction {plain[1]}, status {plain[2]:02x} ({status}), {int.from_bytes(plain[3:5], 'little')} bytes"]
    return "\n".join(lines + _body(body, pairing=pairing))


def differs(expected: bytes, got: bytes) -> str:
    """What is different between two fragments, in a few words."""
    if len(expected) > 2 and len(got) > 2 and not (expected[0] | got[0]) & _CONTINUATION and expected[2] != got[2]:
        return f"status {got[2]:02x} instead of {expected[2]:02x}"
    return "another body" if expected[:3] == got[:3] else "another fragment"
