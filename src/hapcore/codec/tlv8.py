"""TLV8: the type-length-value form of all pairing messages and of many characteristic values (HAP 1).

One element is a type byte, a length byte and that many bytes. A value longer than 255 bytes is cut into elements of the
same type in a row, all of them full but the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from hapcore.errors import LocalProtocolError

__all__ = [
    "Items",
    "TlvError",
    "decode",
    "decode_tolerant",
    "encode",
    "first",
    "read_uint",
    "split_list",
    "write_uint",
]

#: Decoded elements in wire order, fragments joined.
Items: TypeAlias = list[tuple[int, bytes]]

_FULL = 255
#: Types that stand between list entries: 0xFF in pairing messages, 0x00 in characteristic values (HAP 1.3).
_SEPARATORS = frozenset({0x00, 0xFF})


class TlvError(ValueError):
    """Bytes that are no well-formed TLV8, or an element that does not fit its field (HAP 1.2)."""


def encode(items: Iterable[tuple[int, bytes]]) -> bytes:
    """Write (type 0..255, value) pairs; values longer than 255 bytes are fragmented, empty values are legal (HAP 1.1).

    Raises `LocalProtocolError` for two equal types in a row (a reader could not tell them apart) unless both are empty
    separators, and for a type outside 0..255.
    """
    out = bytearray()
    previous = -1
    previous_empty = False
    for kind, value in items:
        length = len(value)
        if not 0 <= kind <= 255:
            raise LocalProtocolError(f"type {kind} is not a byte", argument="items")
        if kind == previous and not (previous_empty and not length and kind in _SEPARATORS):
            raise LocalProtocolError(f"two elements of type {kind} in a row need a separator", argument="items")
        previous, previous_empty = kind, not length
        if length <= _FULL:
            out.append(kind)
            out.append(length)
            out += value
            continue
        view = memoryview(value)
        for start in range(0, length, _FULL):
            piece = view[start : start + _FULL]
            out.append(kind)
            out.append(len(piece))
            out += piece
    return bytes(out)


def decode(data: bytes) -> Items:
    """Read what a request carries, strictly (HAP 1.2, the accessory's side).

    Raises `TlvError` when an element is cut off, when a type follows itself without a full fragment before it, and when
    a full fragment is followed by an empty one of the same type. Only empty separators may repeat.
    """
    items: Items = []
    position = 0
    end = len(data)
    previous = -1
    previous_length = 0
    fragments = bytearray()
    while position < end:
        if position + 2 > end:
            raise TlvError("one byte is left over after the last element")
        kind = data[position]
        length = data[position + 1]
        position += 2
        stop = position + length
        if stop > end:
            raise TlvError(f"element of type {kind} passes the end of the data")
        if kind != previous:
            items.append((kind, data[position:stop]))
            fragments.clear()
        elif previous_length == _FULL:
            if not length:
                raise TlvError(f"empty last fragment of type {kind}")
            if not fragments:
                fragments += items[-1][1]
            fragments += data[position:stop]
            if length < _FULL or stop == end or data[stop] != kind:
                items[-1] = (kind, bytes(fragments))
        elif previous_length or length or kind not in _SEPARATORS:
            raise TlvError(f"type {kind} twice in a row without a separator")
        else:
            items.append((kind, b""))
        previous = kind
        previous_length = length
        position = stop
    return items


def decode_tolerant(data: bytes) -> Items:
    """Read what a response carries, forgivingly (HAP 1.2, the controller's side).

    A value cut off by the end of the data is taken as it is; neighbours of the same type are joined whatever their
    length, but for empty separators. Raises `TlvError` only when a type stands at the very end without a length.
    """
    parts: list[tuple[int, bytearray]] = []
    position = 0
    end = len(data)
    while position < end:
        if position + 2 > end:
            raise TlvError("one byte is left over after the last element")
        kind = data[position]
        stop = position + 2 + data[position + 1]
        value = data[position + 2 : stop]
        if parts and parts[-1][0] == kind and (value or parts[-1][1] or kind not in _SEPARATORS):
            parts[-1][1].extend(value)
        else:
            parts.append((kind, bytearray(value)))
        position = stop
    return [(kind, bytes(value)) for kind, value in parts]


def first(items: Iterable[tuple[int, bytes]], kind: int) -> bytes | None:
    """The value of the first element of this type, or None."""
    for candidate, value in items:
        if candidate == kind:
            return value
    return None


def read_uint(value: bytes, width: int) -> int:
    """Read a little-endian unsigned integer of at most `width` bytes; missing high bytes are zero (HAP 1.1).

    Raises `TlvError` when there are more than `width` bytes.
    """
    if len(value) > width:
        raise TlvError(f"integer of {len(value)} bytes in a field of {width}")
    return int.from_bytes(value, "little")


def write_uint(number: int) -> bytes:
    """Write 0 .. 2^64-1 little-endian in the shortest of 1, 2, 4 or 8 bytes (HAP 1.1)."""
    for width in (1, 2, 4, 8):
        if 0 <= number < 1 << (8 * width):
            return number.to_bytes(width, "little")
    raise LocalProtocolError(f"{number} does not fit 64 bits", argument="number")


def split_list(items: Sequence[tuple[int, bytes]], separator: int) -> list[Items]:
    """Cut at every element of type `separator` (its value is ignored); no items at all are no entries (HAP 1.3)."""
    if not items:
        return []
    entries: list[Items] = [[]]
    for item in items:
        if item[0] == separator:
            entries.append([])
        else:
            entries[-1].append(item)
    return entries
