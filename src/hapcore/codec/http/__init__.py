"""The HTTP/1.1 subset of HAP 8, with EVENT/1.0: a request reader, a response reader, and writers."""

from __future__ import annotations

from hapcore.codec.http.message import MAX_HEAD, HttpError
from hapcore.codec.http.request import MAX_REQUEST_BODY, Request, RequestReader
from hapcore.codec.http.response import MAX_CHUNK_LINE, MAX_RESPONSE_BODY, Response, ResponseReader
from hapcore.codec.http.write import (
    LAST_CHUNK,
    write_chunk,
    write_event,
    write_request,
    write_response,
    write_response_head,
    write_response_head_chunked,
)

__all__ = [
    "LAST_CHUNK",
    "MAX_CHUNK_LINE",
    "MAX_HEAD",
    "MAX_REQUEST_BODY",
    "MAX_RESPONSE_BODY",
    "HttpError",
    "Request",
    "RequestReader",
    "Response",
    "ResponseReader",
    "write_chunk",
    "write_event",
    "write_request",
    "write_response",
    "write_response_head",
    "write_response_head_chunked",
]
