"""Lists of pairings, whose order means nothing."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter
from hapcore.codec.tlv8 import TlvError
from hapcore.pairing.items import Item

__all__ = ["records_of"]


def records_of(body: bytes) -> set[tuple[tuple[int, bytes], ...]] | None:
    """The records in the body of an answer; None where it is no list."""
    try:
        items = tlv8.decode_tolerant(tlv8.first(tlv8.decode_tolerant(body), Parameter.VALUE) or b"")
    except TlvError:
        return None
    if tlv8.first(items, Item.PERMISSIONS) is None:
        return None
    records = tlv8.split_list([item for item in items if item[0] != Item.STATE], Item.SEPARATOR)
    return {tuple(sorted(record)) for record in records}
