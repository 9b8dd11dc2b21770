"""Reading requests: the accessory's side of HAP 8.3."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from attrs import define, field

from hapcore.codec.http.message import (
    EMPTY_LINES,
    MAX_CACHED_HEAD,
    MAX_HEAD,
    HttpError,
    Inbox,
    check_header_line,
    size_only,
    split_header_line,
)

__all__ = ["MAX_REQUEST_BODY", "Request", "RequestReader"]

#: Largest request body. HAP 8.3 asks for 64 KiB at least; a PUT of a whole scene on a big bridge stays far below 1 MiB.
MAX_REQUEST_BODY: Final = 1024 * 1024

_METHOD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TARGET = r"[A-Za-z0-9%\-._~:/?#\[\]@!$&'()*+,;=]+"
# Apple's reader looks at the letters of the version only, never at its number.
_REQUEST_LINE = re.compile(rf"({_METHOD})[ \t]+({_TARGET})[ \t]+[HTP/.0-9]+")
_REQUEST_LINE_SO_FAR = re.compile(rf"(?:{_METHOD}(?:[ \t]+(?:{_TARGET}(?:[ \t]+(?:[HTP/.0-9]+\r?)?)?)?)?)?")
# So much of an incomplete request line is looked at, each time more of it comes.
_EARLY = 1024
_DIGITS = re.compile(r"[0-9]+")
_BAD_LINE = "malformed request line"
# More digits than any length that could be accepted: refused by their number alone, whatever their value.
_MAX_LENGTH_DIGITS = 19


@define(weakref_slot=False)
class Request:
    """One request.

    `target` is what stands in the request line, `path` its part before the first "?", `query` the part after it (None
    without "?"; a "#" is left in). `content_type` is None where the header is missing. `body` is empty and `has_length`
    False where there is no Content-Length.
    """

    method: str
    target: str
    path: str
    query: str | None
    content_type: str | None
    has_length: bool
    body: bytes = field(repr=size_only)


class _Head(NamedTuple):
    method: str
    target: str
    path: str
    query: str | None
    content_type: str | None
    has_length: bool
    length: int
    folded: bool


class RequestReader:
    """Cuts a byte stream into requests (HAP 8.3).

    After `feed`, call `next` until it returns None. `next` raises `HttpError`: with `answer` 400 the request at fault
    has been read to its end and reading can go on; with `answer` None the stream is unreadable from here on, the
    connection is to be closed, and every later call raises the same error.

    At most one message of `max_head` plus `max_body` bytes waits to be complete. Complete requests that nobody fetches
    may pile up to as much again; beyond that the reader gives up.
    """

    __slots__ = ("_dead", "_head", "_inbox", "_line_start", "_max_body", "_max_head")

    def __init__(self, max_head: int = MAX_HEAD, max_body: int = MAX_REQUEST_BODY) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._inbox = Inbox()
        self._head: _Head | None = None
        self._line_start = 0  # start of the first line of an incomplete head that has not been checked yet
        self._dead: str | None = None

    @property
    def buffered(self) -> int:
        """Bytes waiting: of an incomplete request, or of requests not fetched yet."""
        return len(self._inbox.data)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append received bytes. Never raises."""
        if self._dead is not None:
            return
        if len(self._inbox.data) > 2 * (self._max_head + self._max_body):
            self._kill("too many requests sent ahead")
            return
        self._inbox.append(data)

    def next(self) -> Request | None:
        """The next complete request, or None while there is none. Raises `HttpError`."""
        inbox = self._inbox
        head = self._head
        if head is None:
            if not inbox.data:
                if self._dead is not None:
                    raise HttpError(self._dead)
                return None
            try:
                head = self._next_head()
            except HttpError as error:
                self._kill(str(error))
                raise
            if head is None:
                return None
        length = head.length
        if length:
            data = inbox.data
            if len(data) < length:
                self._head = head
                return None
            body = data[:length] if isinstance(data, bytes) else bytes(data[:length])
            inbox.consume(length)
        else:
            body = b""
        self._head = None
        if head.folded:
            raise HttpError("folded header", answer=400)
        return Request(head.method, head.target, head.path, head.query, head.content_type, head.has_length, body)

    def release(self) -> bytes:
        """Take back what was fed but not yet read as a request: after the switch to encryption it is no plain text."""
        rest = bytes(self._inbox.data)
        self._inbox = Inbox()
        self._head = None
        self._line_start = 0
        return rest

    def _next_head(self) -> _Head | None:
        inbox = self._inbox
        if inbox.data[0] in EMPTY_LINES:
            inbox.skip_empty_lines()
        raw = inbox.take_head(self._max_head)
        if raw is None:
            self._check_incomplete_head()
            return None
        self._line_start = 0
        head = _read_head(raw) if len(raw) <= MAX_CACHED_HEAD else _parse_head(raw)
        if head.length > self._max_body:
            raise HttpError("body too large")
        return head

    def _check_incomplete_head(self) -> None:
        """Refuse what can no longer become a head now, not when (if ever) its end arrives."""
        data = self._inbox.data
        known = min(len(data), self._max_head)
        start = self._line_start
        while (end := data.find(b"\n", start, known)) >= 0:
            line = data[start:end].decode("latin-1").removesuffix("\r")
            if start:
                check_header_line(line)
            elif not _REQUEST_LINE.fullmatch(line):
                raise HttpError(_BAD_LINE)
            start = self._line_start = end + 1
        if not start and not _REQUEST_LINE_SO_FAR.fullmatch(data[: min(known, _EARLY)].decode("latin-1")):
            raise HttpError(_BAD_LINE)
        if len(data) >= self._max_head:
            raise HttpError("head too large")

    def _kill(self, reason: str) -> None:
        self._dead = reason
        self._head = None
        self._inbox = Inbox()


def _parse_head(raw: bytes) -> _Head:
    lines = raw.decode("latin-1").split("\n")
    if "\r" in lines[0] or len(lines) > 1:
        lines = [line.removesuffix("\r") for line in lines]
    request_line = _REQUEST_LINE.fullmatch(lines[0])
    if request_line is None:
        raise HttpError(_BAD_LINE)
    del lines[0]
    for line in lines:
        check_header_line(line)
    if lines and lines[0][:1] in (" ", "\t"):
        raise HttpError("malformed header line")
    method, target = request_line.groups()
    length: int | None = None
    content_type: str | None = None
    folded = False
    name = ""
    for line in lines:
        previous, (name, value) = name, split_header_line(line)
        if not name:
            if previous == "content-length":
                raise HttpError("folded Content-Length")
            folded, name = True, previous
        elif name == "content-length":
            if length is not None:
                raise HttpError("Content-Length twice")
            length = _read_length(value)
        elif name == "content-type":
            if content_type is not None:
                raise HttpError("Content-Type twice")
            if not value:
                raise HttpError("empty Content-Type")
            content_type = value
    path, mark, query = target.partition("?")
    return _Head(method, target, path, query if mark else None, content_type, length is not None, length or 0, folded)


_read_head = lru_cache(maxsize=128)(_parse_head)


def _read_length(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise HttpError("malformed Content-Length")
    if len(text) > _MAX_LENGTH_DIGITS:
        raise HttpError("malformed Content-Length")
    return int(text)
