"""The request reader and the request writer: HAP 8.2, 8.3 and the samples of HAP 13.13."""

from __future__ import annotations

import h11
import pytest

from hapcore.codec.http import MAX_HEAD, MAX_REQUEST_BODY, HttpError, Request, RequestReader, write_request
from hapcore.errors import LocalProtocolError

HOST = b"Host: HASS\\032Bridge\\032AD1C22._hap._tcp.local\r\n"
JSON = b'{"characteristics":[{"aid":1,"iid":9,"ev":true}]}'
PUT = (
    b"PUT /characteristics HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 49\r\nContent-Type: application/hap+json\r\n\r\n"
    + JSON
)
GET = b"GET /characteristics?id=3762173001.7 HTTP/1.1\r\n" + HOST + b"\r\n"
M1 = b"POST /pair-setup HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\n\r\n\x00\x01\x00\x06\x01\x01"


def read(data: bytes, step: int = 0, reader: RequestReader | None = None) -> list[Request | tuple[str, int | None]]:
    """All requests in `data`, fed `step` bytes at a time (0: at once); ends with (message, answer) of a fatal error."""
    reader = reader or RequestReader()
    found: list[Request | tuple[str, int | None]] = []
    for start in range(0, len(data), step or len(data)):
        reader.feed(data[start : start + (step or len(data))])
        while True:
            try:
                request = reader.next()
            except HttpError as error:
                found.append((str(error), error.answer))
                if error.answer is None:
                    return found
                continue
            if request is None:
                break
            found.append(request)
    return found


def one(data: bytes) -> Request:
    (request,) = read(data)
    assert isinstance(request, Request)
    assert read(data, 1) == [request]
    assert read(data + data, 7) == [request, request]
    return request


def refused(data: bytes) -> str:
    """The reason, the same for every cutting, of closing the connection without an answer."""
    (outcome,) = read(data)
    assert isinstance(outcome, tuple)
    assert outcome[1] is None
    assert read(data, 1) == [outcome]
    assert read(data, 5) == [outcome]
    return outcome[0]


def test_a_put_of_ios() -> None:
    request = one(PUT)
    assert (request.method, request.target, request.path) == ("PUT", "/characteristics", "/characteristics")
    assert request.query is None
    assert (request.content_type, request.has_length, request.body) == ("application/hap+json", True, JSON)


def test_a_get_of_ios() -> None:
    request = one(GET)
    assert (request.method, request.path, request.query) == ("GET", "/characteristics", "id=3762173001.7")
    assert (request.content_type, request.has_length, request.body) == (None, False, b"")


def test_a_binary_body() -> None:
    assert one(M1).body == b"\x00\x01\x00\x06\x01\x01"


def test_pipelined_requests_come_in_order() -> None:
    assert [r.method for r in read(GET + PUT + M1 + GET) if isinstance(r, Request)] == ["GET", "PUT", "POST", "GET"]


def test_trailing_bytes_wait_for_their_rest() -> None:
    reader = RequestReader()
    reader.feed(PUT + GET[:20])
    assert reader.next() is not None
    assert reader.next() is None
    assert reader.buffered == 20
    reader.feed(memoryview(GET)[20:])
    assert reader.next() == one(GET)
    assert reader.buffered == 0


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a", "/a", None),
        ("/a?", "/a", ""),
        ("/a?b?c", "/a", "b?c"),
        ("/a?id=1.2#x", "/a", "id=1.2#x"),
        ("/a#x?y", "/a#x", "y"),
        ("/A%2c", "/A%2c", None),
        ("*", "*", None),
    ],
)
def test_target_path_and_query(target: str, path: str, query: str | None) -> None:
    request = one(f"GET {target} HTTP/1.1\r\n\r\n".encode())
    assert (request.target, request.path, request.query) == (target, path, query)


@pytest.mark.parametrize(
    "data",
    [
        b"PUT /p HTTP/1.1\nContent-Type: t\nContent-Length: 2\n\n{}",
        b"PUT /p HTTP/1.1\r\nContent-Type: t\nContent-Length: 2\r\n\n{}",
        b"PUT /p HTTP/1.1\nContent-Type: t\nContent-Length: 2\n\r\n{}",
        b"\r\n\n \tPUT /p HTTP/1.1\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\n{}",
        b"PUT \t /p\tHTTP/1.0\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\n{}",
        b"PUT /p HTTP/1.1\r\ncONTENT-tYPE:t\r\nCONTENT-LENGTH:0002\r\n\r\n{}",
        b"PUT /p HTTP/1.1\r\nContent-Type: \t t \t\r\nContent-Length: \t2 \r\n\r\n{}",
        b'PUT /p HTTP/1.1\r\nX: \xe9"\\\r\nContent-Type: t\r\nEmpty:\r\nContent-Length: 2\r\n\r\n{}',
        b"PUT /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: t\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_liberties_that_are_taken(data: bytes) -> None:
    assert one(data) == Request("PUT", "/p", "/p", None, "t", True, b"{}")


def test_blank_lines_inside_a_body_do_not_end_anything() -> None:
    body = b"\r\n\r\n\n\nGET / HTTP/1.1\r\n\r\n"
    assert one(b"POST /p HTTP/1.1\nContent-Length: %d\n\n%b" % (len(body), body)).body == body


def test_a_folded_header_is_answered_with_400_and_reading_goes_on() -> None:
    folded = PUT.replace(b"\\032AD", b"\r\n\tAD")
    for step in (0, 1, 3):
        assert read(folded + GET, step) == [("folded header", 400), one(GET)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PUT /p HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Content-Length twice"),
        (b"PUT /p HTTP/1.1\r\nContent-Type: a\r\ncontent-type: a\r\n\r\n", "Content-Type twice"),
        (b"PUT /p HTTP/1.1\r\nContent-Type: \r\n\r\n", "empty Content-Type"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 1\r\n 2\r\n\r\n{}", "folded Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length:\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 2 2\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 0x2\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n{}", "malformed Content-Length"),
        (b"PUT /p HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n{}", "body too large"),
        (b"PUT /p HTTP/1.1\r\n folded: at once\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\nno colon\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\nspace : x\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\n: nameless\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\nA: \x00\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\nA: a\rb\r\n\r\n", "malformed header line"),
        (b"PUT /p HTTP/1.1\r\nA: a\r\n \x7f\r\n\r\n", "malformed header line"),
        (b"PUT /p\r\n\r\n", "malformed request line"),
        (b"PUT /p HTTP/1.1 \r\n\r\n", "malformed request line"),
        (b"PUT /p SPDY\r\n\r\n", "malformed request line"),
        (b"PUT /p?a b HTTP/1.1\r\n\r\n", "malformed request line"),
        (b"GET /characteristics?id= 1.51 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "malformed request line"),
        (b'PUT /"p" HTTP/1.1\r\n\r\n', "malformed request line"),
        (b"PUT /\xc3\xa9 HTTP/1.1\r\n\r\n", "malformed request line"),
        (b"P(T /p HTTP/1.1\r\n\r\n", "malformed request line"),
        (b"\x00\x00\x00\x00\r\n\r\n", "malformed request line"),
    ],
)
def test_what_closes_the_connection(data: bytes, reason: str) -> None:
    assert refused(data) == reason


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02", b"{", b"GET /p HTTP/1.1\rX", b"GET /p HTTP/1.1\r\nbad\r\nA: b", b"GET /p\n"]
)
def test_garbage_is_refused_without_waiting_for_a_blank_line(data: bytes) -> None:
    refused(data)


def test_after_a_refusal_the_reader_is_dead() -> None:
    reader = RequestReader()
    reader.feed(b"\x00" + GET)
    for _ in range(2):
        with pytest.raises(HttpError, match="malformed request line"):
            reader.next()
        reader.feed(GET)
        assert reader.buffered == 0


def test_the_largest_head_and_one_byte_more() -> None:
    start = b"GET /p HTTP/1.1\r\nX: "
    head = start + b"x" * (MAX_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert len(head) == MAX_HEAD
    assert read(head) == read(head, 1000) == [Request("GET", "/p", "/p", None, None, False, b"")]
    assert read(head[:-4] + b"xxxx") == [("head too large", None)]
    for step in (0, 1, 1000):
        assert read(head.replace(b"X: ", b"X:  "), step) == [("head too large", None)]
        assert read(b"GET /" + b"x" * MAX_HEAD, step) == [("head too large", None)]


def test_the_largest_body_and_one_byte_more() -> None:
    reader = RequestReader(max_body=100)
    assert len(read(b"PUT /p HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + b"x" * 100, 9, reader)) == 1
    assert read(b"PUT /p HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 0, reader) == [("body too large", None)]
    body = bytes(MAX_REQUEST_BODY)
    (request,) = read(b"PUT /p HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), 65536)
    assert isinstance(request, Request)
    assert request.body == body


def test_requests_nobody_fetches_do_not_pile_up_for_ever() -> None:
    reader = RequestReader(max_head=100, max_body=100)
    most = 0
    for _ in range(100):
        reader.feed(GET)
        most = max(most, reader.buffered)
    assert most <= 2 * 200 + len(GET)
    with pytest.raises(HttpError, match="sent ahead"):
        reader.next()


def test_the_body_is_not_in_the_repr() -> None:
    assert "ev" not in repr(one(PUT))
    assert "<49 bytes>" in repr(one(PUT))


@pytest.mark.parametrize("body", [None, b"", b"{}", JSON, bytes(range(256)) * 9])
@pytest.mark.parametrize("target", ["/accessories", "/characteristics?id=1.9,1.10&ev=1", "/x%20y?"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_what_we_write_reads_alike_here_and_in_h11(method: str, target: str, body: bytes | None) -> None:
    data = write_request(method, target, "[fe80::1]", None if body is None else "application/hap+json", body)
    request = one(data)
    assert (request.method, request.target, request.body) == (method, target, body or b"")
    assert request.has_length is (body is not None)

    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(data)
    head = oracle.next_event()
    assert isinstance(head, h11.Request)
    assert (head.method.decode(), head.target.decode()) == (request.method, request.target)
    headers = dict(head.headers)
    assert headers[b"host"] == b"[fe80::1]"
    assert headers.get(b"content-type", b"").decode() == (request.content_type or "")
    assert read_h11_body(oracle) == request.body


def read_h11_body(oracle: h11.Connection) -> bytes:
    body = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return body


def test_the_exact_form_of_requests() -> None:
    assert write_request("GET", "/accessories", "127.0.0.1") == b"GET /accessories HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert write_request("PUT", "/prepare", "::1", "application/hap+json", b"{}") == (
        b"PUT /prepare HTTP/1.1\r\nHost: ::1\r\nContent-Length: 2\r\nContent-Type: application/hap+json\r\n\r\n{}"
    )
    assert write_request("POST", "/identify", "h", None, b"") == (
        b"POST /identify HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "target", "host", "content_type", "argument"),
    [
        ("get", "/", "h", "t", "method"),
        ("GET", "/a b", "h", "t", "target"),
        ("GET", "a", "h", "t", "target"),
        ("GET", "/\r\nX: y", "h", "t", "target"),
        ("GET", "/\n", "h", "t", "target"),
        ("GET", "/", "h\r\nX: y", "t", "host"),
        ("GET", "/", "h\n", "t", "host"),
        ("GET", "/", "", "t", "host"),
        ("GET", "/", "h", "t\r\nX: y", "content_type"),
    ],
)
def test_heads_cannot_be_broken_from_inside(
    method: str, target: str, host: str, content_type: str, argument: str
) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        write_request(method, target, host, content_type, b"x")
    assert caught.value.argument == argument
