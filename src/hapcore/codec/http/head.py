"""The head of a response or event, and what it says about the body (HAP 8.3, 8.10)."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from hapcore.codec.http.message import HttpError, check_header_line, split_header_line

__all__ = ["BAD_STATUS_LINE", "Body", "Head", "parse_head", "read_head"]

BAD_STATUS_LINE = "malformed status line"

_STATUS_LINE = re.compile(r"(HTTP|EVENT)/1\.[0-9][ \t]+([0-9]{3})(?:[ \t]+([^\x00-\x08\x0a-\x1f\x7f]*))?")
_LENGTH = re.compile(r"[0-9]{1,19}")


class Body(Enum):
    """How the body is delimited, and how far reading it has come."""

    NONE = "no body"
    LENGTH = "Content-Length"
    JSON = "an event without length: one JSON object, or nothing"
    CHUNK_LINE = "chunked, a size line is due"
    CHUNK_DATA = "chunked, inside a chunk"
    CHUNK_END = "chunked, the line end after a chunk is due"
    TRAILER = "chunked, after the last chunk"


class Head(NamedTuple):
    status: int
    reason: str
    headers: dict[str, str]
    event: bool
    body: Body
    length: int


def parse_head(raw: bytes) -> Head:
    lines = [line.removesuffix("\r") for line in raw.decode("latin-1").split("\n")]
    status_line = _STATUS_LINE.fullmatch(lines[0])
    if status_line is None:
        raise HttpError(BAD_STATUS_LINE)
    kind, status_text, reason = status_line.groups()
    status, event = int(status_text), kind == "EVENT"
    headers: dict[str, str] = {}
    last = ""
    for line in lines[1:]:
        check_header_line(line)
        name, value = split_header_line(line)
        if not name:
            if not last:
                raise HttpError("malformed header line")
            headers[last] = f"{headers[last]} {value}".strip(" ")
        elif name in headers and name != "content-length":
            headers[name] = f"{headers[name]}, {value}"
        elif headers.setdefault(name, value) != value:
            raise HttpError("two different Content-Length")
        last = name or last
    state, length = _framing(status, event, headers)
    return Head(status, (reason or "").strip(" \t"), headers, event, state, length)


def _framing(status: int, event: bool, headers: dict[str, str]) -> tuple[Body, int]:
    if (status < 200 and not event) or status in (204, 304):
        return Body.NONE, 0
    coding = headers.get("transfer-encoding", "").lower()
    if coding and coding != "identity":
        if coding != "chunked":
            raise HttpError("unknown Transfer-Encoding")
        return Body.CHUNK_LINE, 0
    length = headers.get("content-length")
    if length is None:
        return (Body.JSON if event else Body.NONE), 0
    if not _LENGTH.fullmatch(length):
        raise HttpError("malformed Content-Length")
    return Body.LENGTH, int(length)


#: `parse_head` with a memory, for heads up to `MAX_CACHED_HEAD`.
read_head = lru_cache(maxsize=128)(parse_head)
