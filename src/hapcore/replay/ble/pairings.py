"""Lists of pairings, whose order means nothing."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter
from hapcore.codec.tlv8 import TlvError
from hapcore.pairing.items import Item

__all__ = ["differ", "records_of"]

_KEY_SIZE = 32


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


def differ(recorded: bytes, ours: bytes) -> str:
    """In which way two lists differ, nothing if they do not."""
    one, two = records_of(recorded), records_of(ours)
    if one == two:
        return ""
    missing, more = (one or set()) - (two or set()), (two or set()) - (one or set())
    if not more and all(_worthless(dict(record)) for record in missing):
        return "pairings nobody can prove to have are missing"
    return "other pairings"


def _worthless(record: dict[int, bytes]) -> bool:
    return not record.get(Item.IDENTIFIER) or record.get(Item.PUBLIC_KEY) == bytes(_KEY_SIZE)
