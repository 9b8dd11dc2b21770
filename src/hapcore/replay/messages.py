"""HTTP messages as a listener sees them: cut out of a byte stream, nothing refused that can be read.

Written apart from the engines' own parsers, so that it can judge them.
"""

from __future__ import annotations

from attrs import field, frozen

from hapcore.codec import tlv8

__all__ = ["Message", "Messages", "parse_message"]


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class Message:
    """One request, response or event. `start` is the first line; header names are lower case; `body` is unchunked."""

    start: str
    headers: dict[str, str]
    body: bytes = field(repr=_size)
    #: The message as it was, chunks and all.
    data: bytes = field(default=b"", repr=False, eq=False)

    @property
    def method(self) -> str:
        return self.start.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """The request target with its query; "" in a response."""
        if self.start.startswith(("HTTP/", "EVENT/")):
            return ""
        return self.start.split(" ", 1)[1].rsplit(" ", 1)[0] if " " in self.start else ""

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    @property
    def query(self) -> str | None:
        return self.target.split("?", 1)[1] if "?" in self.target else None

    @property
    def event(self) -> bool:
        return self.start.startswith("EVENT/")

    @property
    def status(self) -> int:
        """The HTTP status; 0 in a request or where there is none."""
        parts = self.start.split(" ")
        return int(parts[1]) if len(parts) > 1 and "/" in parts[0] and parts[1].isdigit() else 0

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("content-type", "") or self.body[:1] in (b"{", b"[")

    @property
    def is_pairing(self) -> bool:
        return "tlv8" in self.headers.get("content-type", "")

    @property
    def items(self) -> list[tuple[int, bytes]]:
        """The TLV items of the body, read tolerantly; empty where it holds none."""
        try:
            return tlv8.decode_tolerant(self.body)
        except tlv8.TlvError:
            return []

    @property
    def state(self) -> int | None:
        """The pairing State (1 to 6) of the body, if it has one."""
        return next((value[0] for kind, value in self.items if kind == 6 and len(value) == 1), None)


class Messages:
    """Cuts one direction of a connection into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes."""
        self._data += data
        found: list[Message] = []
        while True:
            cut = _cut(bytes(self._data))
            if cut is None:
                return found
            message, length = cut
            del self._data[:length]
            found.append(message)

    @property
    def waiting(self) -> bytes:
        """What has come of a message that is not complete."""
        return bytes(self._data)


def parse_message(data: bytes) -> Message:
    """A message that is known to be whole; bytes that are none come back as a body without a start line."""
    cut = _cut(data)
    return cut[0] if cut is not None else Message("", {}, data, data)


def _cut(data: bytes) -> tuple[Message, int] | None:
    end, gap = data.find(b"\r\n\r\n"), 4
    bare = data.find(b"\n\n")
    if bare >= 0 and (end < 0 or bare < end):
        end, gap = bare, 2
    if end < 0:
        return None
    lines = data[:end].decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    start = end + gap
    if "chunked" in headers.get("transfer-encoding", "").lower():
        unchunked = _unchunk(data, start)
        if unchunked is None:
            return None
        return Message(lines[0], headers, unchunked[0], data[: unchunked[1]]), unchunked[1]
    length = headers.get("content-length", "0")
    stop = start + (int(length) if length.isascii() and length.isdigit() else 0)
    if stop > len(data):
        return None
    return Message(lines[0], headers, data[start:stop], data[:stop]), stop


def _unchunk(data: bytes, at: int) -> tuple[bytes, int] | None:
    pieces: list[bytes] = []
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        try:
            size = int(data[at:line].split(b";", 1)[0], 16)
        except ValueError:
            return b"".join(pieces), len(data)
        at = line + 2
        if at + size + 2 > len(data):
            return None
        if size == 0:
            return b"".join(pieces), at + 2
        pieces.append(data[at : at + size])
        at += size + 2
