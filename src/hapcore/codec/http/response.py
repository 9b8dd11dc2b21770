"""Reading responses and events: the controller's side of HAP 8.3 and 8.10."""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field

from hapcore.codec.http.head import BAD_STATUS_LINE, Body, Head, parse_head, read_head
from hapcore.codec.http.message import (
    EMPTY_LINES,
    MAX_CACHED_HEAD,
    MAX_HEAD,
    HttpError,
    Inbox,
    size_only,
)

__all__ = ["MAX_CHUNK_LINE", "MAX_RESPONSE_BODY", "Response", "ResponseReader"]

#: Largest response body. /accessories of 150 accessories has some hundred kB; camera pictures have a few MB.
MAX_RESPONSE_BODY: Final = 16 * 1024 * 1024

#: Longest line before a chunk: up to 16 digits and the extensions a device adds. Nobody uses more than a few bytes.
MAX_CHUNK_LINE: Final = 1024

_STARTS = (b"HTTP/1.", b"EVENT/1.")
_CHUNK_LINE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?")
_JSON_MARKS = re.compile(rb'["{}]')
_STRING_MARKS = re.compile(rb'["\\]')


@define(weakref_slot=False)
class Response:
    """One response, or (`event` True) one event. Header names are in lower case; a missing reason is ""."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes = field(repr=size_only)
    event: bool


class ResponseReader:
    """Cuts a byte stream into responses and events (HAP 8.3, 8.10).

    After `feed`, call `next` until it returns None. `next` raises `HttpError` when the stream is unreadable; every
    later call raises the same again. Interim responses (1xx) are passed over. A response with neither Content-Length
    nor chunks has no body; an event without them has one JSON object, or none if the next message follows at once.
    """

    __slots__ = (
        "_chunks",
        "_dead",
        "_depth",
        "_head",
        "_inbox",
        "_left",
        "_max_body",
        "_max_head",
        "_quoted",
        "_state",
    )

    def __init__(self, max_head: int = MAX_HEAD, max_body: int = MAX_RESPONSE_BODY) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._inbox = Inbox()
        self._head: Head | None = None
        self._state = Body.NONE
        self._chunks = bytearray()  # the chunked body so far
        self._left = 0  # CHUNK_DATA: bytes missing; TRAILER: bytes seen; JSON: bytes scanned
        self._depth = 0  # JSON: open braces
        self._quoted = False  # JSON: inside a string
        self._dead: str | None = None

    @property
    def buffered(self) -> int:
        """Bytes waiting, those of an incomplete message included."""
        return len(self._inbox.data) + len(self._chunks)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append received bytes. Never raises."""
        if self._dead is not None:
            return
        if len(self._inbox.data) > 2 * (self._max_head + self._max_body):
            self._kill("too many messages not fetched")
            return
        self._inbox.append(data)

    def receive_eof(self) -> None:
        """The stream has ended. Raises `HttpError` if that cuts a message; to be called after `next` returned None."""
        if self._dead is not None:
            raise HttpError(self._dead)
        whole = self._head is None or self._state is Body.JSON  # a begun object would still stand in the inbox
        if not whole or self._inbox.data:
            self._kill("the connection ended inside a message")
            raise HttpError("the connection ended inside a message")

    def next(self) -> Response | None:
        """The next complete message, or None while there is none. Raises `HttpError`."""
        if self._dead is not None:
            raise HttpError(self._dead)
        try:
            return self._next()
        except HttpError as error:
            self._kill(str(error))
            raise

    def _next(self) -> Response | None:
        inbox = self._inbox
        head = self._head
        while head is None:
            if not inbox.data:
                return None
            head = self._next_head()
            if head is None:
                return None
            if head.status < 200 and not head.event:
                head = None
        state = self._state
        if state is Body.LENGTH:
            data = inbox.data
            length = head.length
            if len(data) < length:
                self._head = head
                return None
            body = data[:length] if isinstance(data, bytes) else bytes(data[:length])
            inbox.consume(length)
        elif state is Body.NONE:
            body = b""
        else:
            self._head = head
            found = self._next_json() if state is Body.JSON else self._next_chunks()
            if found is None:
                return None
            body = found
        self._head = None
        return Response(head.status, head.reason, head.headers.copy(), body, head.event)

    def _next_head(self) -> Head | None:
        inbox = self._inbox
        if inbox.data[0] in EMPTY_LINES:
            inbox.skip_empty_lines()
        raw = inbox.take_head(self._max_head)
        if raw is None:
            data = inbox.data
            if not any(data[: len(start)] == start[: len(data)] for start in _STARTS):
                raise HttpError(BAD_STATUS_LINE)
            if len(data) >= self._max_head:
                raise HttpError("head too large")
            return None
        head = read_head(raw) if len(raw) <= MAX_CACHED_HEAD else parse_head(raw)
        if head.length > self._max_body:
            raise HttpError("body too large")
        self._state = head.body
        return head

    def _next_chunks(self) -> bytes | None:
        inbox = self._inbox
        body = self._chunks
        while True:
            data = inbox.data
            if self._state is Body.CHUNK_DATA:
                if not data:
                    return None
                size = min(self._left, len(data))
                body += data[:size] if size < len(data) else data
                inbox.consume(size)
                self._left -= size
                if self._left:
                    return None
                self._state = Body.CHUNK_END
                continue
            end = data.find(b"\n", inbox.scanned, MAX_CHUNK_LINE)
            if end < 0:
                if len(data) >= MAX_CHUNK_LINE:
                    raise HttpError("chunk line too long")
                inbox.scanned = len(data)
                return None
            line = bytes(data[:end])
            inbox.consume(end + 1)
            if self._state is Body.CHUNK_END:
                if line not in (b"", b"\r"):
                    raise HttpError("malformed chunk")
                self._state = Body.CHUNK_LINE
            elif self._state is Body.CHUNK_LINE:
                size_line = _CHUNK_LINE.fullmatch(line)
                if size_line is None:
                    raise HttpError("malformed chunk")
                self._left = int(size_line[1], 16)
                if len(body) + self._left > self._max_body:
                    raise HttpError("body too large")
                self._state = Body.CHUNK_DATA if self._left else Body.TRAILER
            elif line in (b"", b"\r"):
                self._chunks = bytearray()
                self._left = 0
                return bytes(body)
            else:
                self._left += len(line)
                if self._left > self._max_head:
                    raise HttpError("trailer too large")

    def _next_json(self) -> bytes | None:
        inbox = self._inbox
        if not self._depth:
            inbox.skip_empty_lines()
            if not inbox.data:
                return None
            if inbox.data[0] != 0x7B:
                return b""
            self._depth = self._left = 1
        data = inbox.data
        position = self._left
        while position < len(data):
            mark = (_STRING_MARKS if self._quoted else _JSON_MARKS).search(data, position)
            if mark is None:
                position = len(data)
                break
            position = mark.end()
            letter = mark[0]
            if letter == b'"':
                self._quoted = not self._quoted
            elif letter == b"\\":
                position += 1
            elif letter == b"{":
                self._depth += 1
            else:
                self._depth -= 1
                if not self._depth:
                    break
        if position > self._max_body:
            raise HttpError("body too large")
        if self._depth:
            self._left = position
            return None
        body = bytes(data[:position])
        inbox.consume(position)
        return body

    def _kill(self, reason: str) -> None:
        self._dead = reason
        self._head = None
        self._inbox = Inbox()
        self._chunks = bytearray()
