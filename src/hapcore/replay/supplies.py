"""What a transcript tells an engine that replays it: its draws, and what came in, in the clear."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, cast

from hapcore.replay.played import Unrecorded
from hapcore.transcript.fragments import TAG

__all__ = ["Draws", "Fragments", "Streams"]

_REQUEST: Final = b"PUT /configured HTTP/1.1\r\nContent-Length: "
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: "


class Draws:
    """The recorded draws by label."""

    def __init__(self) -> None:
        self._known: dict[str, deque[bytes]] = {}

    def add(self, content: Mapping[str, Any]) -> None:
        """Take what a line says of it."""
        if "draw" in content:
            self._known.setdefault(str(content["draw"]), deque()).append(bytes.fromhex(content["data"]))

    def __call__(self, label: str, length: int) -> bytes:
        queue = self._known.get(label)
        if not queue:
            raise Unrecorded(f"our engine drew {length} bytes for {label!r} once more than the recorded one")
        return queue.popleft()


class Streams:
    """What came in on each connection over IP, in the order of reading: requests, or answers."""

    def __init__(self, *, answers: bool = False) -> None:
        self._filler = _ANSWER if answers else _REQUEST
        self._data: dict[int, bytearray] = {}
        self._sizes: dict[int, int] = {}
        self._over: set[int] = set()

    def add(self, content: Mapping[str, Any]) -> None:
        """Take what a line says of it."""
        if "message" in content:
            self._data.setdefault(content["connection"], bytearray()).extend(content["message"].encode("latin-1"))
        elif content.get("in") == "receive":
            connection = content["connection"]
            self._sizes[connection] = self._sizes.get(connection, 0) + content["size"]
        elif isinstance(content.get("out"), dict):
            out = cast("dict[str, Any]", content["out"])
            if out.get("$") == "CloseConnection":
                self._over.add(out["connection"])

    def has(self, content: Mapping[str, Any]) -> bool:
        """Whether all is there that an input brought, or nothing more will come of its connection."""
        if content.get("in") != "receive" or "data" in content:
            return True
        connection = content["connection"]
        return connection in self._over or len(self._data.get(connection, b"")) >= content["size"]

    def take(self, content: Mapping[str, Any]) -> bytes:
        """What an input brought."""
        connection, size = content["connection"], content["size"]
        data = self._data.setdefault(connection, bytearray())
        missing = self._sizes.get(connection, 0) - len(data)
        if size > len(data) and missing > 0:
            # The beginning of a message that never became whole; what it was is not in the transcript.
            data += (self._filler + b"%d\r\n\r\n" % missing).ljust(missing, b"0")[:missing]
        found = bytes(data[:size])
        del data[:size]
        self._sizes[connection] = self._sizes.get(connection, 0) - size
        if connection in self._over and not self._sizes[connection]:
            self._over.discard(connection)
            del self._data[connection], self._sizes[connection]
        return found


class Fragments:
    """What came in over Bluetooth LE: fragments, once the body that they are of is known."""

    def __init__(self, *, response: bool) -> None:
        self._response = response
        #: Those that wait for their body, by handle, and the bodies of the others, in the order of coming in.
        self._waiting: dict[int, deque[tuple[int, int]]] = {}
        self._bodies: dict[int, bytes] = {}

    def _handle(self, content: Mapping[str, Any]) -> int:
        return 0 if self._response else int(content["handle"])

    def add(self, content: Mapping[str, Any]) -> None:
        """Take what a line says of it."""
        if "pdu" in content:
            waiting = self._waiting.pop(self._handle(content), deque[tuple[int, int]]())
            body, at = bytes.fromhex(content["body"]), 0
            # What came before may never have become whole.
            missing = sum(size for _, size in waiting) - len(body)
            for number, size in waiting:
                if missing > 0:
                    missing -= size
                    self._bodies[number] = bytes(size)
                    continue
                self._bodies[number] = body[at : at + size]
                at += size
        elif content.get("in") in ("open", "close"):
            self._give_up()
        elif "head" in content:
            handle, size = self._handle(content), int(content["size"])
            if not size:
                self._bodies[content["n"]] = b""
                return
            head = bytes.fromhex(content["head"])
            if head and not head[0] & 0x80:
                self._give_up(handle)
            self._waiting.setdefault(handle, deque()).append((content["n"], size))

    def _give_up(self, handle: int | None = None) -> None:
        for one in [handle] if handle is not None else list(self._waiting):
            for number, size in self._waiting.pop(one, ()):
                self._bodies[number] = bytes(size)

    def has(self, content: Mapping[str, Any]) -> bool:
        """Whether all is there that an input brought."""
        return "head" not in content or "data" in content or content["n"] in self._bodies

    def take(self, content: Mapping[str, Any]) -> bytes:
        """What an input brought, with room for a tag where it was a record."""
        if content.get("fault") is True:
            plain = bytes(content["size"])
        elif "plain" in content:
            return bytes.fromhex(content["plain"])
        else:
            plain = bytes.fromhex(content["head"]) + self._bodies.pop(content["n"], bytes(content["size"]))
        return plain + TAG if content.get("sealed") is True else plain
