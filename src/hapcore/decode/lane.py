"""One direction of a connection in the clear: cut into messages, and found again behind a gap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

from hapcore.codec.http import HttpError, Request, RequestReader, Response, ResponseReader
from hapcore.codec.http.message import split_header_line

__all__ = ["MAX_BODY", "Heard", "Lane", "headers_of"]

#: Bytes of a message; pictures of cameras have a few MB.
MAX_BODY: Final = 16 * 1024 * 1024

_REQUEST: Final = re.compile(rb"[A-Z]{3,10} /")
_RESPONSE: Final = re.compile(rb"(?:HTTP|EVENT)/1\.[0-9] [0-9]{3}")
_START_SIZE: Final = 16


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class Heard:
    """A message with its bytes; or, without `message`, bytes that are none, and why."""

    message: Request | Response | None
    raw: bytes = field(repr=_size)
    problem: str = ""


class Lane:
    """Messages of one direction. At most one incomplete message is kept, with its raw bytes."""

    __slots__ = ("_lost", "_raw", "_reader", "_requests")

    def __init__(self, *, requests: bool, lost: bool = False) -> None:
        self._requests = requests
        self._lost = lost
        self._raw = bytearray()
        self._reader: RequestReader | ResponseReader = self._fresh()

    def _fresh(self) -> RequestReader | ResponseReader:
        return RequestReader(max_body=MAX_BODY) if self._requests else ResponseReader(max_body=MAX_BODY)

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete message."""
        return len(self._raw)

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What `data` completes. Behind a gap only a portion that begins like a message is read."""
        if self._lost:
            if not (_REQUEST if self._requests else _RESPONSE).match(data[:_START_SIZE]):
                yield Heard(None, data, "they follow a gap, their beginning is missing")
                return
            self._lost = False
        self._raw += data
        reader = self._reader
        reader.feed(data)
        while True:
            problem = ""
            message: Request | Response | None = None
            try:
                message = reader.next()
                if message is None:
                    return
            except HttpError as error:
                problem = f"no message of HAP: {error}"
                if error.answer is None:
                    yield Heard(None, self.lose(), problem)
                    return
            size = len(self._raw) - reader.buffered
            raw = bytes(self._raw[:size])
            del self._raw[:size]
            yield Heard(message, raw, problem)

    def lose(self) -> bytes:
        """Something is missing: what was there of an incomplete message."""
        raw = bytes(self._raw)
        self._raw = bytearray()
        self._reader = self._fresh()
        self._lost = True
        return raw

    def release(self) -> bytes:
        """Take back what has not become a message: it is no plain text."""
        raw = self.lose()
        self._lost = False
        return raw


def headers_of(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The header lines of a message that was read, as pairs."""
    found: list[tuple[str, str]] = []
    lines = iter(raw.lstrip().split(b"\n"))
    next(lines, None)
    for line in lines:
        text = line.decode("latin-1").rstrip("\r")
        if not text:
            break
        name, value = split_header_line(text)
        if name:
            found.append((text.partition(":")[0], value))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {value}")
    return tuple(found)
