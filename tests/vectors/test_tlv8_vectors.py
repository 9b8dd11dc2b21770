"""TLV8 known answers (HAP 13.1)."""

from __future__ import annotations

import pytest

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.pairing.items import Flags, Item

H = bytes.fromhex

GOOD = [
    pytest.param(
        [(Item.STATE, b"\x03"), (Item.CERTIFICATE, b"a" * 300), (Item.IDENTIFIER, b"hello")],
        H("060103") + b"\x09\xff" + b"a" * 255 + b"\x09\x2d" + b"a" * 45 + H("010568656c6c6f"),
        id="300 bytes in two fragments",
    ),
    pytest.param([(Item.METHOD, b"\0"), (Item.STATE, b"\x01")], H("000100060101"), id="M1 as iOS sends it"),
    pytest.param([(5, bytes(510))], (b"\x05\xff" + bytes(255)) * 2, id="510 bytes"),
    pytest.param([(1, b"A"), (0, b""), (1, b"B")], H("010141 0000 010142"), id="list with separator"),
    pytest.param(
        [
            (Item.STATE, b"\x02"),
            (Item.IDENTIFIER, b"AAA"),
            (Item.PUBLIC_KEY, bytes(32)),
            (Item.PERMISSIONS, b"\x01"),
            (Item.SEPARATOR, b""),
            (Item.IDENTIFIER, b"BBB"),
            (Item.PUBLIC_KEY, bytes(32)),
            (Item.PERMISSIONS, b"\x00"),
        ],
        H("060102 0103414141 0320") + bytes(32) + H("0b0101 ff00 0103424242 0320") + bytes(32) + H("0b0100"),
        id="two pairings",
    ),
]


@pytest.mark.parametrize(("items", "data"), GOOD)
def test_good(items: tlv8.Items, data: bytes) -> None:
    assert tlv8.encode(items) == data
    assert tlv8.decode(data) == items
    assert tlv8.decode_tolerant(data) == items


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((b"\x00\x08" + bytes(8)) * 2, id="short value in two fragments"),
        pytest.param(b"\x00\xff" + bytes(255) + b"\x00\x00", id="empty last fragment"),
        pytest.param(
            b"\x00\xff" + bytes(255) + b"\x00\x10" + bytes(16) + b"\x00\xff" + bytes(255),
            id="fragment in the middle is short",
        ),
    ],
)
def test_bad(data: bytes) -> None:
    with pytest.raises(TlvError):
        tlv8.decode(data)
    assert [kind for kind, _ in tlv8.decode_tolerant(data)] == [0]


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        (Flags.TRANSIENT, "130110"),
        (Flags.SPLIT, "130400000001"),
        (Flags.TRANSIENT | Flags.SPLIT, "130410000001"),
    ],
)
def test_flags(flags: Flags, data: str) -> None:
    assert tlv8.encode([(Item.FLAGS, tlv8.write_uint(flags))]) == H(data)
    assert Flags(tlv8.read_uint(H(data)[2:], 4)) == flags
