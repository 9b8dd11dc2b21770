"""What the two HTTP readers share: limits, the error, the growing buffer, the grammar of header lines (HAP 8)."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "EMPTY_LINES",
    "MAX_CACHED_HEAD",
    "MAX_HEAD",
    "HttpError",
    "Inbox",
    "check_header_line",
    "size_only",
    "split_header_line",
]

#: Largest head, blank line included. Apple's accessory keeps head and body in one buffer of 32 768 bytes, so that no
#: head it would take is refused here; the longest useful one (a GET of 100 ids of full length) has 4 KiB.
MAX_HEAD: Final = 32 * 1024

#: Heads up to this size are remembered after parsing: peers repeat them verbatim. Ordinary ones have 50 to 150 bytes.
MAX_CACHED_HEAD: Final = 512

#: What may stand before a message: RFC 9112 section 2.2 wants blank lines skipped, Apple's reader skips spaces too.
EMPTY_LINES: Final = b" \t\r\n"

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\x00-\x08\x0a-\x1f\x7f]*)")
_TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class HttpError(ValueError):
    """The bytes are not a message of the HTTP subset of HAP 8.

    `answer` is the status to answer with before going on (400), or None: say nothing and close the connection.
    """

    def __init__(self, message: str, *, answer: int | None = None) -> None:
        super().__init__(message)
        self.answer = answer


class Inbox:
    """Bytes received and not consumed yet.

    The usual case, one small message in one piece, is kept as the `bytes` object it came in; only a second piece makes
    a `bytearray` of it, which grows and is cut at the front without copying what remains.
    """

    __slots__ = ("data", "scanned")

    def __init__(self) -> None:
        self.data: bytes | bytearray = b""
        # No end of a head or line was found before this place: input byte by byte must not be searched over and over.
        self.scanned = 0

    def append(self, piece: bytes | bytearray | memoryview) -> None:
        data = self.data
        if isinstance(data, bytearray):
            data += piece
        elif data:
            self.data = bytearray(data)
            self.data += piece
        else:
            self.data = piece if type(piece) is bytes else bytes(piece)

    def consume(self, size: int) -> None:
        data = self.data
        self.scanned = 0
        if size >= len(data):
            self.data = b""
        elif isinstance(data, bytearray):
            del data[:size]
        else:
            self.data = bytearray(memoryview(data)[size:])

    def skip_empty_lines(self) -> None:
        """Drop blank lines and spaces in front of a message."""
        rest = len(self.data.lstrip(EMPTY_LINES))
        if rest != len(self.data):
            self.consume(len(self.data) - rest)

    def take_head(self, max_head: int) -> bytes | None:
        """The next head without its blank line, None while incomplete. Lines end in CRLF or a bare LF (HAP 8.3)."""
        data = self.data
        start = self.scanned
        stop = data.find(b"\n\r\n", start, max_head)
        bare = data.find(b"\n\n", start, stop + 1 if stop >= 0 else max_head)
        if bare >= 0:
            stop, end = bare, bare + 2
        elif stop >= 0:
            end = stop + 3
        else:
            self.scanned = max(0, min(len(data), max_head) - 2)
            return None
        head = data[:stop] if isinstance(data, bytes) else bytes(data[:stop])
        self.consume(end)
        return head


def size_only(body: bytes) -> str:
    """How a body is shown: it may hold what must not be shown."""
    return f"<{len(body)} bytes>"


def check_header_line(line: str) -> None:
    """Raise `HttpError` unless `line` (without its line end) is a header or the continuation of one."""
    if line[:1] in (" ", "\t"):
        if _TEXT.fullmatch(line):
            return
    elif _HEADER.fullmatch(line):
        return
    raise HttpError("malformed header line")


def split_header_line(line: str) -> tuple[str, str]:
    """Name in lower case and trimmed value of a checked line; the name is empty for a continuation (folded) line."""
    if line[:1] in (" ", "\t"):
        return "", line.strip(" \t")
    name, _, value = line.partition(":")
    return name.lower(), value.strip(" \t")
