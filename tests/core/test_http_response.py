"""The response reader and the response writers: HAP 8.3, 8.5, 8.10 and the wire quirks of real accessories."""

from __future__ import annotations

import h11
import pytest

from hapcore.codec.http import (
    LAST_CHUNK,
    MAX_CHUNK_LINE,
    MAX_HEAD,
    HttpError,
    Response,
    ResponseReader,
    write_chunk,
    write_event,
    write_response,
    write_response_head_chunked,
)
from hapcore.errors import LocalProtocolError

JSON = "application/hap+json"
BODY = b'{"characteristics":[{"aid":1,"iid":9,"value":false}]}'
EVENT = b"EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: 53\r\n\r\n" + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(data: bytes, step: int = 0, reader: ResponseReader | None = None) -> list[Response | str]:
    """All messages in `data`, fed `step` bytes at a time (0: at once), then the text of the error if one ended it."""
    reader = reader or ResponseReader()
    found: list[Response | str] = []
    try:
        for start in range(0, len(data), step or len(data)):
            reader.feed(data[start : start + (step or len(data))])
            while (response := reader.next()) is not None:
                found.append(response)
    except HttpError as error:
        found.append(str(error))
    return found


def one(data: bytes) -> Response:
    (response,) = read(data)
    assert isinstance(response, Response), response
    follower = b"HTTP/1.1 204 No Content\r\n\r\n"
    for step in (1, 2, 7):
        messages = read(data + follower + data + follower, step)
        assert messages[::2] == [response, response]
        assert [getattr(message, "status", message) for message in messages[1::2]] == [204, 204]
    return response


def refused(data: bytes) -> str:
    (outcome,) = read(data)
    assert isinstance(outcome, str)
    for step in (1, 2, 7):
        assert read(data, step) == [outcome]
    return outcome


def test_a_response_with_length() -> None:
    response = one(b"HTTP/1.1 207 Multi-Status\r\nContent-Type: application/hap+json\r\nContent-Length: 2\r\n\r\n{}")
    headers = {"content-type": JSON, "content-length": "2"}
    assert response == Response(207, "Multi-Status", headers, b"{}", event=False)


def test_an_event() -> None:
    event = one(EVENT)
    assert (event.event, event.status, event.body) == (True, 200, BODY)


def test_trailing_bytes_wait_for_their_rest() -> None:
    reader = ResponseReader()
    reader.feed(EVENT + EVENT[:9])
    assert reader.next() is not None
    assert reader.next() is None
    assert reader.buffered == 9


@pytest.mark.parametrize("head", [b"", b"X: y\r\n", b"Transfer-Encoding: identity\r\n"])
def test_without_length_or_chunks_there_is_no_body(head: bytes) -> None:
    assert one(b"HTTP/1.1 470 Connection Authorization Required\r\n" + head + b"\r\n").body == b""


@pytest.mark.parametrize(
    "head", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: x\r\n"]
)
@pytest.mark.parametrize("status", [b"204", b"304"])
def test_some_statuses_never_have_a_body(status: bytes, head: bytes) -> None:
    assert one(b"HTTP/1.1 " + status + b" x\r\n" + head + b"\r\n").body == b""


@pytest.mark.parametrize("line", [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.0  200\t"])
def test_the_reason_may_be_empty(line: bytes) -> None:
    response = one(line + b"\r\nContent-Length: 2\r\n\r\nok")
    assert (response.status, response.reason, response.body) == (200, "", b"ok")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\ncontent-LENGTH:2\n\nok",
        b"\r\n\r\nHTTP/1.1 200 OK\r\nCONTENT-LENGTH: \t2\t\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\ntransfer-encoding:CHUNKED\r\n\r\n01;a=b;c\r\no\r\n 1 ; q="0"\r\nk\r\n00;z\r\nT: x\r\n\r\n',
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n",
    ],
)
def test_liberties_that_are_taken(data: bytes) -> None:
    response = one(data)
    assert (response.status, response.reason, response.body) == (200, "OK", b"ok")


def test_header_values() -> None:
    response = one(b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nB:\r\nC: x\r\n  y \r\n\r\n")
    assert response.headers == {"a": "1, 2", "b": "", "c": "x y"}


def test_the_headers_of_one_response_are_its_own() -> None:
    data = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
    first, second = one(data), one(data)
    first.headers.clear()
    assert second.headers == one(data).headers == {"x": "y"}


def test_chunks_of_any_size() -> None:
    sizes = [1, 15, 16, 255, 1031, 1026, 70000, 1]
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    data = CHUNKED + b"".join(write_chunk(piece) for piece in pieces) + LAST_CHUNK
    for step in (0, 1, 1000, 1024):
        (response,) = read(data, step)
        assert isinstance(response, Response)
        assert response.body == b"".join(pieces)


@pytest.mark.parametrize("body", [BODY, b'{"a":"}{\\"}\\\\"}', b'{"s":"\xc3\xa9","o":{"p":{}},"q":[{}]}', b"{}"])
def test_an_event_without_length_has_one_json_object(body: bytes) -> None:
    event = one(b"EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\n\r\n" + body)
    assert (event.event, event.body) == (True, body)
    assert one(b"EVENT/1.0 200 OK\r\n\r\n \r\n" + body).body == body


def test_an_empty_event_is_known_by_what_follows() -> None:
    empty = b"EVENT/1.0 200 OK\r\n\r\n"
    assert read(empty) == []
    for step in (0, 1):
        messages = read(empty + EVENT + empty + b"HTTP/1.1 204 No Content\r\n\r\n", step)
        assert [(m.event, m.body) for m in messages if isinstance(m, Response)] == [
            (True, b""),
            (True, BODY),
            (True, b""),
            (False, b""),
        ]
    assert one(b"EVENT/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").body == b""


def test_events_and_responses_in_any_order() -> None:
    chunked_event = b"EVENT/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + write_chunk(BODY) + LAST_CHUNK
    stream = [EVENT, write_response(200, JSON, b"[]"), chunked_event, chunked_event, write_response(204), EVENT]
    for step in (0, 1, 11):
        messages = read(b"".join(stream), step)
        assert [m.event for m in messages if isinstance(m, Response)] == [True, False, True, True, False, True]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SPDY/1.1 200 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 -20 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1\r\n\r\n", "malformed status line"),
        (b'{"body":"of another message"}', "malformed status line"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 200 OK\r\n folded: at once\r\n\r\n", "malformed header line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed header line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n", "malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", "malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "two different Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n", "body too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", "body too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown Transfer-Encoding"),
        (CHUNKED + b"-1\r\n", "malformed chunk"),
        (CHUNKED + b"0x1\r\n", "malformed chunk"),
        (CHUNKED + b"1_0\r\n", "malformed chunk"),
        (CHUNKED + b"\r\n", "malformed chunk"),
        (CHUNKED + b"g\r\n", "malformed chunk"),
        (CHUNKED + b"00000000000000001\r\n", "malformed chunk"),
        (CHUNKED + b"2\r\nokay\r\n", "malformed chunk"),
        (CHUNKED + b"ffffffffffffffff\r\n", "body too large"),
        (CHUNKED + b"1000001\r\n", "body too large"),
        (CHUNKED + b"1\r\nx\r\n1000000\r\n", "body too large"),
        (CHUNKED + b"1;" + b"x" * MAX_CHUNK_LINE, "chunk line too long"),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * MAX_HEAD, "trailer too large"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD, "head too large"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD + b"\r\n\r\n", "head too large"),
    ],
)
def test_what_ends_the_session(data: bytes, reason: str) -> None:
    assert refused(data) == reason


def test_body_limits_hold_for_each_kind_of_body() -> None:
    fits = [
        write_response(200, JSON, b"x" * 50),
        CHUNKED + write_chunk(b"x" * 25) * 2 + LAST_CHUNK,
        b'EVENT/1.0 200 OK\r\n\r\n{"x":"' + b"x" * 42 + b'"}',
    ]
    for data in fits:
        for step in (0, 1):
            (response,) = read(data, step, ResponseReader(max_body=50))
            assert isinstance(response, Response)
            assert len(response.body) == 50
            assert read(data, step, ResponseReader(max_body=49)) == ["body too large"]


def test_after_an_error_the_reader_is_dead() -> None:
    reader = ResponseReader()
    reader.feed(b"nonsense")
    for _ in range(2):
        with pytest.raises(HttpError, match="malformed status line"):
            reader.next()
        reader.feed(EVENT)
        assert reader.buffered == 0
    with pytest.raises(HttpError, match="malformed status line"):
        reader.receive_eof()


def test_messages_nobody_fetches_do_not_pile_up_for_ever() -> None:
    reader = ResponseReader(max_head=100, max_body=100)
    for _ in range(100):
        reader.feed(EVENT)
        assert reader.buffered <= 2 * 200 + len(EVENT)
    with pytest.raises(HttpError, match="not fetched"):
        reader.next()


@pytest.mark.parametrize("data", [b"", b"\r\n", EVENT, b"EVENT/1.0 200 OK\r\n\r\n", CHUNKED + LAST_CHUNK])
def test_the_end_between_messages_is_fine(data: bytes) -> None:
    reader = ResponseReader()
    read(data or b"\n", 0, reader)
    reader.receive_eof()


@pytest.mark.parametrize(
    "data",
    [EVENT[:5], EVENT[:-1], EVENT[:-53], CHUNKED, CHUNKED + b"1", CHUNKED + b"0\r\n", b"EVENT/1.0 200 OK\r\n\r\n{"],
)
def test_the_end_inside_a_message_is_an_error(data: bytes) -> None:
    reader = ResponseReader()
    assert read(data, 0, reader) == []
    with pytest.raises(HttpError, match="ended inside"):
        reader.receive_eof()


def test_the_body_is_not_in_the_repr() -> None:
    assert "aid" not in repr(one(EVENT))


def test_the_exact_form_of_responses() -> None:
    assert write_response(204) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert write_response(400) == b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    assert write_response(470, JSON, b'{"status":-70411}') == (
        b"HTTP/1.1 470 Connection Authorization Required\r\n"
        b'Content-Type: application/hap+json\r\nContent-Length: 17\r\n\r\n{"status":-70411}'
    )
    assert write_event(BODY) == EVENT
    assert write_response_head_chunked(200, JSON) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/hap+json\r\n\r\n"
    )
    assert write_chunk(b"x" * 1031)[:5] == b"407\r\n"
    assert write_chunk(b"") == b""


def test_a_status_that_hap_does_not_know_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="status"):
        write_response(299, JSON, b"{}")
    with pytest.raises(LocalProtocolError, match="content_type"):
        write_response(200, "a\r\nb: c", b"{}")


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 17])
@pytest.mark.parametrize("status", [200, 204, 207, 400, 404, 405, 422, 470, 500, 503])
@pytest.mark.parametrize("chunked", [False, True])
def test_what_we_write_reads_alike_here_and_in_h11(status: int, body: bytes, chunked: bool) -> None:
    if status == 204:
        body = b""
        data = write_response(status)
    elif chunked:
        data = write_response_head_chunked(status, JSON)
        data += b"".join(write_chunk(body[i : i + 1000]) for i in range(0, len(body), 1000)) + LAST_CHUNK
    else:
        data = write_response(status, JSON, body)
    response = one(data)

    oracle = h11.Connection(h11.CLIENT)
    oracle.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    oracle.send(h11.EndOfMessage())
    oracle.receive_data(data)
    head = oracle.next_event()
    assert isinstance(head, h11.Response)
    assert (head.status_code, head.reason.decode()) == (response.status, response.reason)
    assert {name.decode(): value.decode() for name, value in head.headers} == response.headers
    seen = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        seen += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert seen == response.body == body
