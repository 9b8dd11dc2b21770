"""Writing requests, responses and events: one bytes object per message, in the exact form of HAP 8.2, 8.3 and 8.10."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from hapcore.errors import LocalProtocolError

__all__ = [
    "LAST_CHUNK",
    "write_chunk",
    "write_event",
    "write_request",
    "write_response",
    "write_response_head",
    "write_response_head_chunked",
]

#: Ends a chunked body.
LAST_CHUNK: Final = b"0\r\n\r\n"

_REASONS: Final = {
    200: "OK",
    204: "No Content",
    207: "Multi-Status",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    470: "Connection Authorization Required",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

# The characters Apple's reader takes in a target: anything else closes the connection there.
_TARGET = re.compile(r"/[A-Za-z0-9%\-._~:/?#\[\]@!$&'()*+,;=]*")
_METHOD = re.compile(r"[A-Z]+")
_VALUE = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")


def write_request(
    method: str, target: str, host: str, content_type: str | None = None, body: bytes | None = None
) -> bytes:
    """A request in the form iOS gives it: Host, Content-Length, Content-Type and nothing else (HAP 8.2).

    `host` is an IP literal without port, IPv6 in brackets. Without `body` (None) there is only Host; an empty body is
    announced as `Content-Length: 0`. Raises `LocalProtocolError` for text that would break the head.
    """
    head = _request_head(method, target, host)
    if body is None:
        return head + b"\r\n"
    if content_type is None:
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    return b"%bContent-Length: %d\r\nContent-Type: %b\r\n\r\n%b" % (head, len(body), _value(content_type), body)


def write_response(status: int, content_type: str | None = None, body: bytes = b"") -> bytes:
    """A response with Content-Type (if there is a body) and Content-Length; a 204 has neither (HAP 8.3, 8.5)."""
    if body:
        return b"%bContent-Length: %d\r\n\r\n%b" % (_response_head(status, content_type), len(body), body)
    return _empty_response(status)


def write_response_head(status: int, content_type: str, length: int) -> bytes:
    """The head of a response whose body of `length` bytes follows on its own, piece by piece."""
    return b"%bContent-Length: %d\r\n\r\n" % (_response_head(status, content_type), length)


def write_response_head_chunked(status: int, content_type: str) -> bytes:
    """The head of a response whose body follows in chunks (`write_chunk` ..., `LAST_CHUNK`), in Apple's order."""
    return b"%bTransfer-Encoding: chunked\r\nContent-Type: %b\r\n\r\n" % (
        _response_head(status, None),
        _value(content_type),
    )


def write_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; nothing for empty data, because an empty chunk would end the body."""
    return b"%X\r\n%b\r\n" % (len(data), data) if data else b""


def write_event(body: bytes) -> bytes:
    """An event notification with a JSON body (HAP 8.10)."""
    return b"EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@lru_cache(maxsize=64)
def _request_head(method: str, target: str, host: str) -> bytes:
    for text, pattern, argument in ((method, _METHOD, "method"), (target, _TARGET, "target"), (host, _VALUE, "host")):
        if not pattern.fullmatch(text):
            raise LocalProtocolError("has characters that do not belong there", argument=argument)
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode("ascii")


@lru_cache(maxsize=64)
def _response_head(status: int, content_type: str | None) -> bytes:
    reason = _REASONS.get(status)
    if reason is None:
        raise LocalProtocolError(f"no such HTTP status in HAP: {status}", argument="status")
    line = f"HTTP/1.1 {status} {reason}\r\n".encode("ascii")
    return line if content_type is None else b"%bContent-Type: %b\r\n" % (line, _value(content_type))


@lru_cache(maxsize=32)
def _empty_response(status: int) -> bytes:
    head = _response_head(status, None)
    return head + (b"\r\n" if status == 204 else b"Content-Length: 0\r\n\r\n")


@lru_cache(maxsize=16)
def _value(content_type: str) -> bytes:
    if not _VALUE.fullmatch(content_type):
        raise LocalProtocolError("has characters that do not belong there", argument="content_type")
    return content_type.encode("ascii")
