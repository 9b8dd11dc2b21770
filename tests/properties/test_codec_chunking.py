"""Any cutting of the input gives the same messages and the same refusal, within bounded memory (HAP 8.3)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hapcore.codec.http import (
    LAST_CHUNK,
    HttpError,
    Request,
    RequestReader,
    Response,
    ResponseReader,
    write_chunk,
    write_event,
    write_request,
    write_response,
    write_response_head_chunked,
)

Outcome = list[Request | Response | tuple[str, int | None]]
MAX_HEAD, MAX_BODY = 256, 512
JSON = "application/hap+json"

bodies = st.binary(max_size=MAX_BODY)
requests = st.one_of(
    st.builds(write_request, st.just("PUT"), st.just("/characteristics"), st.just("h"), st.just(JSON), bodies),
    st.sampled_from(["/accessories", "/characteristics?id=1.2,1.3"]).map(
        lambda t: write_request("GET", t, "127.0.0.1")
    ),
    bodies.map(lambda body: b"\r\nPOST /p HTTP/1.1\nA: b\nContent-Length: %d\n\n%b" % (len(body), body)),
    st.just(b"PUT /p HTTP/1.1\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\nabc"),
)
chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=9).map(lambda pieces: b"".join(map(write_chunk, pieces)))
responses = st.one_of(
    st.builds(write_response, st.sampled_from([200, 207, 400]), st.just(JSON), bodies),
    st.just(write_response(204)),
    st.builds(write_event, bodies),
    chunks.map(lambda data: write_response_head_chunked(200, JSON) + data + LAST_CHUNK),
    chunks.map(lambda data: b"EVENT/1.0 200 \nTransfer-Encoding: CHUNKED\r\n\n" + data + b"0;x\r\nT: y\r\n\r\n"),
    st.sampled_from([b'{"a":"}\\"{"}', b"{}", b'\r\n{"b":{"c":[{}]}}', b""]).map(
        lambda b: b"EVENT/1.0 200 OK\r\n\r\n" + b
    ),
)
# Bytes that often mean something, so that random input gets past the first line.
noise = st.lists(
    st.sampled_from(
        [
            *(b"GET /p HTTP/1.1\r\n", b"PUT ", b"/p", b" HTTP/1.1", b"HTTP/1.1 200 OK\r\n", b"EVENT/1.0 200\r\n"),
            *(b"\r\n", b"\n", b"\r", b" ", b":", b"Content-Length: 3\r\n", b"Content-Length: 999\r\n", b"abc"),
            *(b"Content-Type: t\r\n", b"Transfer-Encoding: chunked\r\n", b"3\r\n", b"0\r\n", b"fff\r\n", b"\r\n\r\n"),
            *(b"{", b"}", b'"', b"\\", b"\x00", b"\xff", b"A: b\r\n", b"x" * 100),
        ]
    ),
    max_size=30,
).map(b"".join)


@st.composite
def cut(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> tuple[bytes, list[bytes]]:
    data = draw(source)
    places = draw(st.lists(st.integers(0, len(data)), max_size=20).map(sorted))
    return data, [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def joined(parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(parts, max_size=6).map(b"".join)


def run(reader: RequestReader | ResponseReader, pieces: list[bytes]) -> Outcome:
    found: Outcome = []
    longest = max(map(len, pieces), default=0)
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                message = reader.next()
            except HttpError as error:
                found.append((str(error), error.answer))
                if error.answer is None:
                    assert reader.buffered == 0
                    return found
                continue
            if message is None:
                break
            found.append(message)
        assert reader.buffered < MAX_HEAD + MAX_BODY + longest
    return found


def check(kind: type[RequestReader | ResponseReader], data: bytes, pieces: list[bytes]) -> Outcome:
    whole = run(kind(MAX_HEAD, MAX_BODY), [data])
    assert run(kind(MAX_HEAD, MAX_BODY), pieces) == whole
    assert run(kind(MAX_HEAD, MAX_BODY), [data[i : i + 1] for i in range(len(data))]) == whole
    return whole


@settings(deadline=None)
@given(cut(joined(requests)))
def test_requests(sample: tuple[bytes, list[bytes]]) -> None:
    outcome = check(RequestReader, *sample)
    refusals = [part for part in outcome if isinstance(part, tuple)]
    assert all(part == ("folded header", 400) for part in refusals)


@settings(deadline=None)
@given(cut(joined(responses)))
def test_responses(sample: tuple[bytes, list[bytes]]) -> None:
    assert all(isinstance(part, Response) for part in check(ResponseReader, *sample))


@settings(deadline=None)
@given(cut(st.one_of(noise, joined(st.one_of(noise, requests)))))
@example((b"GET /p HTTP/1.1\r\nbad\r\n" + b"x" * MAX_HEAD, [b"GET /p HTTP/1.1\r\n", b"bad\r\n" + b"x" * MAX_HEAD]))
@example((b"GET /p HTTP/1.1\r\n a\r\nbad\r\n\r\n", [b"GET /p HTTP/1.1\r\n a\r\nbad\r\n", b"\r\n"]))
def test_anything_as_requests(sample: tuple[bytes, list[bytes]]) -> None:
    check(RequestReader, *sample)


@settings(deadline=None)
@given(cut(st.one_of(noise, joined(st.one_of(noise, responses)))))
def test_anything_as_responses(sample: tuple[bytes, list[bytes]]) -> None:
    check(ResponseReader, *sample)


@settings(deadline=None)
@given(st.lists(bodies, max_size=8))
def test_messages_survive_the_way(contents: list[bytes]) -> None:
    sent = b"".join(write_request("POST", "/x", "h", "t", body) for body in contents)
    back = b"".join(write_response(200, "t", body) + write_event(body) for body in contents)
    assert [m.body for m in check(RequestReader, sent, [sent]) if isinstance(m, Request)] == contents
    received = [m for m in check(ResponseReader, back, [back]) if isinstance(m, Response)]
    assert [m.body for m in received if m.event] == [m.body for m in received if not m.event] == contents
