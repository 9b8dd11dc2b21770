"""The two JSON readers and the writer: HAP 8.7, 8.8, 8.2."""

from __future__ import annotations

import json
import math
import struct

import pytest

from hapcore.codec.json import (
    MAX_DEPTH,
    MAX_NUMBER,
    MAX_REPAIR,
    JsonError,
    JsonInput,
    JsonValue,
    Object,
    number,
    read_strict,
    read_tolerant,
    string,
    tolerant,
    write,
)
from hapcore.errors import LocalProtocolError


@pytest.fixture(params=["orjson", "stdlib"])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with orjson and as if it were not installed."""
    if request.param == "stdlib":
        monkeypatch.setattr(tolerant, "_fast", None)
    else:
        pytest.importorskip("orjson")


both = pytest.mark.usefixtures("_both")


def same(left: JsonValue, right: JsonValue) -> bool:
    """Equal, and the same kind of number everywhere (1, 1.0 and True are equal in Python)."""
    return repr(left) == repr(right)


PROPER: list[tuple[bytes, JsonValue]] = [
    (b'{"characteristics":[{"aid":1,"iid":9,"ev":true}]}', {"characteristics": [{"aid": 1, "iid": 9, "ev": True}]}),
    (b'{"ttl":5000,"pid":12997885735329922147}', {"ttl": 5000, "pid": 12997885735329922147}),
    (b" \t\r\n[ 1 , 2 ]\n ", [1, 2]),
    (b"18446744073709551615", 2**64 - 1),
    (b"-9223372036854775808", -(2**63)),
    (b"0", 0),
    (b"-0", 0),
    (b"1.0", 1.0),
    (b"-0.0", -0.0),
    (b"1.5e3", 1500.0),
    (b"1.5E-3", 0.0015),
    (b"0.10000000000000000000000001", 0.1),
    (b"true", True),
    (b"null", None),
    (b'""', ""),
    ('"h\u00e9\u20ac\U0001f600"'.encode(), "h\u00e9\u20ac\U0001f600"),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"a\\u0000b"', "a\x00b"),
    (b'"a\x01\tb\x7f"', "a\x01\tb\x7f"),
    (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    (b'{"a":1,"b":{},"a":2}', {"a": 2, "b": {}}),
    (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
]


@pytest.mark.parametrize(("body", "value"), PROPER)
def test_strict_takes(body: bytes, value: JsonValue) -> None:
    assert same(json.loads(body, strict=False) if value is None else value, read_strict(body))


@both
@pytest.mark.parametrize(("body", "value"), PROPER)
def test_tolerant_takes_all_that_strict_takes(body: bytes, value: JsonValue) -> None:
    assert same(json.loads(body, strict=False) if value is None else value, read_tolerant(body))


# What only the tolerant reader takes, and what it makes of it. Each of them is refused by Apple's accessory.
BROKEN: list[tuple[bytes, JsonValue]] = [
    (b"1e38", 1e38),
    (b"1e-07", 1e-07),
    (b"1E0", 1.0),
    (b"18446744073709551616", 2**64),
    (b"-9223372036854775809", -(2**63) - 1),
    (b'{"pid":123456789012345678901234567890}', {"pid": 123456789012345678901234567890}),
    (b"NaN", None),
    (b"1.0e999", None),
    (b"[Infinity,-Infinity]", [None, None]),
    (b"[1.0e999,-1e400]", [None, None]),
    (b"\xef\xbb\xbf{}", {}),
    (b"{}\x00", {}),
    (b"[1,2,]", [1, 2]),
    (b'{"a":1,}', {"a": 1}),
    (b'{"a":[{"b":1,},],}', {"a": [{"b": 1}]}),
    (b"[1,,2]", [1, 2]),
    (b"[,1]", [1]),
    (b'{"a":1} // done', {"a": 1}),
    (b'// first\n{"a"/* the key */:1/*,*/,"b":"// no /* comment */"}', {"a": 1, "b": "// no /* comment */"}),
    (b'"\\ud800"', "\ufffd"),
    (b'"\\uD800"', "\ufffd"),
    (b'{"\\udc00":1}', {"\ufffd": 1}),
    (b'{"\\udc00":["\\ud800x\\ud83d\\ude00"]}', {"\ufffd": ["\ufffdx\U0001f600"]}),
    (b'"\xff\xc3"', "\ufffd\ufffd"),
    (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
    (b'[{"iid":1},"ev":true]', [{"iid": 1, "ev": True}]),
    (b'[{"iid":1},"perms":["pr"]}]', [{"iid": 1, "perms": ["pr"]}]),
    (b'[{},"ev":true,{"iid":2}]', [{"ev": True}, {"iid": 2}]),
    (
        b'[{"iid":1},"o":{"p":{}},"q":[{}],{"iid":2},"ev":false,]',
        [{"iid": 1, "o": {"p": {}}, "q": [{}]}, {"iid": 2, "ev": False}],
    ),
    (
        b'{"characteristics":[{"aid":1,"iid":51,"value":0},"perms":["pr","ev"],"ev":false,{"aid":1,"status":-1},"x":[]]}',
        {
            "characteristics": [
                {"aid": 1, "iid": 51, "value": 0, "perms": ["pr", "ev"], "ev": False},
                {"aid": 1, "status": -1, "x": []},
            ]
        },
    ),
]


@pytest.mark.parametrize("body", [body for body, _ in BROKEN])
def test_strict_refuses(body: bytes) -> None:
    with pytest.raises(JsonError):
        read_strict(body)


@both
@pytest.mark.parametrize(("body", "value"), BROKEN)
def test_tolerant_repairs(body: bytes, value: JsonValue) -> None:
    assert same(read_tolerant(body), value)


HOPELESS = [
    b"",
    b" ",
    b"{",
    b"}",
    b"]",
    b":",
    b"{} {}",
    b"{}x",
    b"[1 2]",
    b"01",
    b"-",
    b"1.",
    b".5",
    b"+1",
    b"0x10",
    b"'a'",
    b'"a',
    b'"\\x"',
    b'"\\u12"',
    b"tru",
    b'{"a"}',
    b"{1:2}",
    b'{"a":}',
    b"/* [1]",
    b"[1}",
    b'[},"x":1]',
    b'[[},"x":1]',
    b'{"a":1},"b":2',
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    b'{"":[' * (MAX_DEPTH // 2) + b"[]" + b"]}" * (MAX_DEPTH // 2),
    b"[" * 1_000_000,
    b'["]",' * (MAX_DEPTH + 1) + b"0" + b"]" * (MAX_DEPTH + 1),
    b'["\\"]",' * (MAX_DEPTH + 1) + b"0" + b"]" * (MAX_DEPTH + 1),
    b"1" * (MAX_NUMBER + 1),
    b"1" * 5000,
]


@pytest.mark.parametrize("body", HOPELESS)
def test_strict_refuses_the_hopeless(body: bytes) -> None:
    with pytest.raises(JsonError):
        read_strict(body)


@both
@pytest.mark.parametrize("body", HOPELESS)
def test_tolerant_refuses_the_hopeless(body: bytes) -> None:
    with pytest.raises(JsonError):
        read_tolerant(body)


@both
def test_many_brackets_are_not_depth() -> None:
    body = b"[" + b'{"]":["{"]},' * 1000 + b'"\\"["]'
    assert read_tolerant(body) == read_strict(body) == json.loads(body)
    flat = b"[" + b"[[[]]]," * 1000 + b"{}]"
    assert read_tolerant(flat) == read_strict(flat) == json.loads(flat)


@both
def test_number_length_limit() -> None:
    digits = b"9" * MAX_NUMBER
    assert read_tolerant(digits) == int(digits)
    with pytest.raises(JsonError, match="too long"):
        read_tolerant(digits + b"9")
    with pytest.raises(JsonError, match="too long"):
        read_strict(b"0." + digits)
    with pytest.raises(JsonError, match="integer out of range"):
        read_strict(digits * 10)


def test_repair_has_a_size_limit() -> None:
    padding = b" " * MAX_REPAIR
    assert read_tolerant(b"[1" + padding + b"]") == [1]
    assert read_tolerant(b"\xef\xbb\xbf[1" + padding + b"]\x00") == [1]
    with pytest.raises(JsonError, match="too large"):
        read_tolerant(b"[1," + padding + b"]")


def test_strict_objects_know_their_repeated_keys() -> None:
    outer = read_strict(b'{"pid":1,"ttl":0,"x":{"a":1,"b":2},"pid":2,"pid":3,"y":5,"ttl":4}')
    assert isinstance(outer, Object)
    assert outer == {"pid": 3, "x": {"a": 1, "b": 2}, "y": 5, "ttl": 4}
    assert outer.duplicates == {"pid", "ttl"}
    inner = outer["x"]
    assert isinstance(inner, Object)
    assert inner.duplicates == frozenset()


def test_errors_do_not_quote_the_text() -> None:
    for body in (b'{"authData":"c2VjcmV0"', b'"c2VjcmV0\xff"', b"c2VjcmV0"):
        for reader in (read_strict, read_tolerant):
            with pytest.raises(JsonError) as caught:
                reader(body + b"[")
            assert "c2V" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, b"0.1"),
        (1.0, b"1.0"),
        (-1.5, b"-1.5"),
        (21.5, b"21.5"),
        (1e-07, b"0.0000001"),
        (-1.5e-07, b"-0.00000015"),
        (16777216.0, b"16777216.0"),
        (123456789.0, b"123456790.0"),
        (1e10, b"10000000000.0"),
        (3.4e38, b"34" + b"0" * 37 + b".0"),
        (-3.4028234663852886e38, b"-34028235" + b"0" * 31 + b".0"),
        (1e-38, b"0." + b"0" * 37 + b"1"),
        (0.10000000149011612, b"0.1"),
        (1 / 3, b"0.33333333"),
        (99999999.9, b"100000000.0"),
        (0.0, b"0.0"),
        (-0.0, b"0.0"),
        (math.nan, b"null"),
        (math.inf, b"null"),
        (-math.inf, b"null"),
        (0, b"0"),
        (-70402, b"-70402"),
        (2**64 - 1, b"18446744073709551615"),
        (-(2**63), b"-9223372036854775808"),
        (True, b"1"),
        (False, b"0"),
    ],
)
def test_numbers(value: float, text: bytes) -> None:
    assert number(value) == text


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
def test_integers_beyond_64_bits_are_our_own_mistake(value: int) -> None:
    with pytest.raises(LocalProtocolError, match="64 bits"):
        number(value)


@pytest.mark.parametrize(
    "bits", [1, 0x007FFFFF, 0x00800000, 0x33D6BF95, 0x3DCCCCCD, 0x42C80000, 0x4B800000, 0x7F7FFFFF]
)
def test_a_printed_float_is_within_float32_of_the_value(bits: int) -> None:
    (value,) = struct.unpack("f", struct.pack("I", bits))
    text = number(value)
    assert b"." in text
    assert b"e" not in text.lower()
    assert float(text) == pytest.approx(value, rel=5e-8)
    assert read_strict(text) == float(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", b'""'),
        ("lamp", b'"lamp"'),
        ('a"b\\c/d', b'"a\\"b\\\\c/d"'),
        ("\x00\x1f\n\t", b'"\\u0000\\u001f\\n\\t"'),
        ("h\u00e9\U0001f600", '"h\u00e9\U0001f600"'.encode()),
        ("\ud800!", b'"\xef\xbf\xbd!"'),
        ("\ud83d\ude00", '"\U0001f600"'.encode()),
    ],
)
def test_strings(value: str, text: bytes) -> None:
    assert string(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"aid": 1, "iid": 9, "value": True}, b'{"aid":1,"iid":9,"value":true}'),
        ({"a": [1, 0.5, None, False, "x"], "b": {}, "c": []}, b'{"a":[1,0.5,null,false,"x"],"b":{},"c":[]}'),
        (({"x": 1e-07}, ()), b'[{"x":0.0000001},[]]'),
        ("\u00e9", b'"\xc3\xa9"'),
        (None, b"null"),
    ],
)
def test_writing(value: JsonInput, text: bytes) -> None:
    assert write(value) == text
    assert json.loads(text) == json.loads(json.dumps(value))
