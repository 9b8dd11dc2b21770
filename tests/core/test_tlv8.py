"""TLV8: strict and tolerant reading, writing, lists and integers (HAP 1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.errors import LocalProtocolError

FULL = b"\x05\xff" + b"a" * 255


def items_strategy() -> st.SearchStrategy[tlv8.Items]:
    item = st.tuples(st.integers(0, 255), st.one_of(st.binary(max_size=5), st.binary(min_size=250, max_size=1030)))

    def apart(items: tlv8.Items) -> tlv8.Items:
        return [item for number, item in enumerate(items) if not number or items[number - 1][0] != item[0]]

    return st.lists(item, max_size=8).map(apart)


@given(items_strategy())
def test_round_trip(items: tlv8.Items) -> None:
    data = tlv8.encode(items)
    assert tlv8.decode(data) == items
    assert tlv8.decode_tolerant(data) == items


@given(items_strategy(), st.data())
def test_cut_anywhere(items: tlv8.Items, data: st.DataObject) -> None:
    whole = tlv8.encode(items)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        read = tlv8.decode(cut)
    except TlvError:
        return
    assert tlv8.encode(read) == cut


@given(st.binary(max_size=600))
def test_arbitrary_bytes(data: bytes) -> None:
    """Items or a TlvError; what the strict reader takes, the tolerant one reads alike."""
    try:
        tolerant = tlv8.decode_tolerant(data)
    except TlvError:
        with pytest.raises(TlvError):
            tlv8.decode(data)
        return
    try:
        strict = tlv8.decode(data)
    except TlvError:
        return
    assert strict == tolerant
    assert tlv8.encode(strict) == data


@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 509, 510, 511, 765, 100_000])
def test_fragments(length: int) -> None:
    data = tlv8.encode([(5, b"a" * length), (6, b"")])
    full, rest = divmod(length, 255)
    pieces = [255] * full + ([rest] if rest or not full else [])
    assert data == b"".join(b"\x05" + bytes((n,)) + b"a" * n for n in pieces) + b"\x06\x00"
    assert tlv8.decode(data) == [(5, b"a" * length), (6, b"")]


@pytest.mark.parametrize(
    ("data", "tolerant"),
    [
        pytest.param(b"\x06", None, id="a type alone"),
        pytest.param(b"\x06\x01\x03\x05", None, id="a type alone at the end"),
        pytest.param(b"\x06\x02\x03", [(6, b"\x03")], id="cut value"),
        pytest.param(FULL + b"\x05\xff" + b"b" * 9, [(5, b"a" * 255 + b"b" * 9)], id="cut last fragment"),
        pytest.param(FULL + b"\x05\x00", [(5, b"a" * 255)], id="empty last fragment"),
        pytest.param(b"\x06\x01\x01\x06\x01\x02", [(6, b"\x01\x02")], id="twice in a row"),
        pytest.param(b"\x06\x00\x06\x01\x02", [(6, b"\x02")], id="empty, then not"),
        pytest.param(b"\x06\x01\x02\x06\x00", [(6, b"\x02")], id="not empty, then empty"),
        pytest.param(b"\xff\x00\xff\x01a", [(255, b"a")], id="separator, then a value of its type"),
    ],
)
def test_malformed(data: bytes, tolerant: tlv8.Items | None) -> None:
    with pytest.raises(TlvError):
        tlv8.decode(data)
    if tolerant is None:
        with pytest.raises(TlvError):
            tlv8.decode_tolerant(data)
    else:
        assert tlv8.decode_tolerant(data) == tolerant


def test_the_same_type_apart_is_left_to_the_caller() -> None:
    assert tlv8.decode(b"\x06\x01a\x05\x00\x06\x01b") == [(6, b"a"), (5, b""), (6, b"b")]


@pytest.mark.parametrize("separator", [0x00, 0xFF])
def test_separators_may_repeat(separator: int) -> None:
    items = [(separator, b"")] * 3
    data = tlv8.encode(items)
    assert data == bytes((separator, 0)) * 3
    assert tlv8.decode(data) == tlv8.decode_tolerant(data) == items


@pytest.mark.parametrize(
    "items",
    [
        [(1, b"a"), (1, b"b")],
        [(1, b"a" * 255), (1, b"b")],
        [(1, b""), (1, b"")],
        [(0, b""), (0, b"a")],
        [(0, b"a"), (0, b"")],
        [(256, b"")],
        [(-1, b"")],
    ],
)
def test_what_cannot_be_written(items: tlv8.Items) -> None:
    with pytest.raises(LocalProtocolError):
        tlv8.encode(items)


def test_first() -> None:
    items = [(1, b"a"), (2, b"b"), (1, b"c")]
    assert tlv8.first(items, 1) == b"a"
    assert tlv8.first(items, 3) is None


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, "00"),
        (255, "ff"),
        (256, "0001"),
        (65535, "ffff"),
        (65536, "00000100"),
        (2**32 - 1, "ffffffff"),
        (2**32, "0000000001000000"),
        (2**64 - 1, "ffffffffffffffff"),
    ],
)
def test_integers(number: int, data: str) -> None:
    assert tlv8.write_uint(number).hex() == data
    assert tlv8.read_uint(bytes.fromhex(data), 8) == number


@pytest.mark.parametrize("number", [-1, 2**64])
def test_integers_out_of_range(number: int) -> None:
    with pytest.raises(LocalProtocolError):
        tlv8.write_uint(number)


def test_integers_of_any_width_up_to_the_field() -> None:
    assert [tlv8.read_uint(b"\x01\x00\x00\x00"[:n], 4) for n in range(5)] == [0, 1, 1, 1, 1]
    with pytest.raises(TlvError):
        tlv8.read_uint(bytes(5), 4)


def test_lists() -> None:
    a, b, separator = (1, b"a"), (1, b"b"), (255, b"ignored")
    assert tlv8.split_list([], 255) == []
    assert tlv8.split_list([a], 255) == [[a]]
    assert tlv8.split_list([a, separator, b], 255) == [[a], [b]]
    assert tlv8.split_list([separator, a, separator], 255) == [[], [a], []]
