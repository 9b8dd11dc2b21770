"""Whatever bytes arrive: a value or an orderly refusal, nothing else."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hapcore.codec.http import (
    HttpError,
    Request,
    RequestReader,
    Response,
    ResponseReader,
    write_request,
    write_response,
)
from hapcore.codec.json import JsonError, JsonValue, Object, number, read_strict, read_tolerant, string, tolerant, write
from hapcore.codec.tlv8 import TlvError, decode, decode_tolerant

REQUEST = write_request("PUT", "/characteristics", "127.0.0.1", "application/hap+json", b'{"characteristics":[]}')
RESPONSE = write_response(207, "application/hap+json", b'{"characteristics":[]}')
CHUNKED = b"EVENT/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n"
ANSWER = (
    b'{"characteristics":[{"aid":1,"iid":9,"value":0},"perms":["pr"],"ev":false,{"aid":1,"iid":18446744073709551616,'
    b'"value":-1.5e-07,},/* x */{"\\ud83d\\ude00":"\\ud800\\"\xff",},"x":{"y":[NaN,1e999]}]}'
)


def mutated(*originals: bytes) -> st.SearchStrategy[bytes]:
    """One of `originals` with some stretches replaced, doubled or gone."""

    def change(data: bytes, edits: list[tuple[float, int, bytes, bool]]) -> bytes:
        for place, length, new, double in edits:
            start = int(place * len(data))
            data = data[:start] + new + data[start if double else start + length :]
        return data

    edit = st.tuples(st.floats(0, 1), st.integers(0, 5), st.binary(max_size=3), st.booleans())
    return st.builds(change, st.sampled_from(originals), st.lists(edit, max_size=4))


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=200), mutated(REQUEST, REQUEST + REQUEST)), st.integers(1, 50))
def test_requests(data: bytes, step: int) -> None:
    reader = RequestReader()
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        try:
            while (request := reader.next()) is not None:
                assert isinstance(request, Request)
                assert request.target.startswith(request.path)
        except HttpError:
            continue


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=200), mutated(RESPONSE, CHUNKED, RESPONSE + CHUNKED)), st.integers(1, 50))
def test_responses(data: bytes, step: int) -> None:
    reader = ResponseReader()
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        try:
            while (response := reader.next()) is not None:
                assert isinstance(response, Response)
                assert 200 <= response.status <= 999 or response.event
        except HttpError:
            break
    with suppress(HttpError):
        reader.receive_eof()


json_texts = st.one_of(
    st.binary(max_size=60),
    st.text('{}[],:"\\0123456789.eE+-/* \ttrufalsn\ud800\ufeff', max_size=40).map(
        lambda t: t.encode("utf-8", "surrogatepass")
    ),
    mutated(ANSWER, b'{"pid":12997885735329922147,"a":[true,null,1.5e3]}', b'[{"a":1},"b":{"c":[]},{"d":2}]'),
)


def outcome(body: bytes) -> JsonValue | JsonError:
    try:
        return read_tolerant(body)
    except JsonError as error:
        return error


@settings(deadline=None, max_examples=500)
@given(json_texts)
def test_json(body: bytes) -> None:
    fast = outcome(body)
    saved, tolerant._fast = tolerant._fast, None
    try:
        slow = outcome(body)
    finally:
        tolerant._fast = saved
    assert repr(fast) == repr(slow)
    try:
        strict = read_strict(body)
    except JsonError:
        return
    assert repr(plain(strict)) == repr(slow)


def plain(value: JsonValue) -> JsonValue:
    if isinstance(value, Object):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, width=32) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(values)
def test_what_is_written_is_read_again(value: JsonValue) -> None:
    text = write(value)
    assert b" " not in text or " " in json.loads(json.dumps(str(value)))
    assert read_strict(text) == read_tolerant(text) == rounded(value)


def rounded(value: JsonValue) -> JsonValue:
    """`value` as the writer shows it: floats with 8 digits, without infinities."""
    if isinstance(value, float):
        return float(f"{value:.8g}") if abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None, max_examples=200)
@given(st.floats(), st.text(st.characters(), max_size=20))
def test_numbers_and_strings_are_always_json(value: float, text: str) -> None:
    shown = number(value)
    assert shown == b"null" or (b"." in shown and b"e" not in shown)
    read_strict(string(text))
    assume(text.isprintable())
    assert json.loads(string(text)) == text


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=600))
def test_tlv8(data: bytes) -> None:
    for reader in (decode, decode_tolerant):
        try:
            items = reader(data)
        except TlvError:
            continue
        assert sum(len(value) for _, value in items) <= len(data)
