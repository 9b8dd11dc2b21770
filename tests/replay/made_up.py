"""Recordings written by hand, in the format of Apple's: real handshakes, then whatever is said here.

The frames are sealed with the recorded session keys, so that the engines cannot tell them from recorded ones.
"""

from __future__ import annotations

import copy
import json

from tests.replay.recordings import raw

from hapcore.crypto.secret import Secret
from hapcore.replay import Script, read
from hapcore.replay.wire import Frames

SOURCE = "ip-read"
#: Cases of the source that begin with a pair-verify by its admin.
_VERIFIED = ("accessories", "values", "accessories with values", "numbers", "strings")
_START = 10.0


def http(start: str, body: object = None) -> str:
    """A request or an answer."""
    if body is None:
        return f"{start}\r\nHost: 127.0.0.1\r\n\r\n" if " HTTP/1.1" in start else f"{start}\r\n\r\n"
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    length = len(text.encode())
    return f"{start}\r\nContent-Type: application/hap+json\r\nContent-Length: {length}\r\n\r\n{text}"


def get(*ids: str) -> str:
    return http(f"GET /characteristics?id={','.join(ids)} HTTP/1.1")


def put(*entries: dict, **more: object) -> str:
    return http("PUT /characteristics HTTP/1.1", {"characteristics": list(entries), **more})


def values(*entries: dict, start: str = "HTTP/1.1 200 OK") -> str:
    return http(start, {"characteristics": list(entries)})


def event(*entries: dict) -> str:
    return values(*entries, start="EVENT/1.0 200 OK")


DONE = http("HTTP/1.1 204 No Content")


class Line:
    """One connection, verified; all its methods add a record, at the time `at` or a little after the one before."""

    def __init__(self, name: str, case: str, start: float) -> None:
        source = next(one for one in raw(SOURCE)["cases"] if one["name"] == case)
        self.connection = copy.deepcopy(source["connections"][0])
        self.connection["id"] = name
        log = self.connection["log"]
        del log[next(index for index, record in enumerate(log) if "secured" in record) + 1 :]
        offset = start - log[0]["t"]
        for record in log:
            record["t"] += offset
        self.log = log
        keys = self.connection["sessions"][0]
        self.own, self.theirs = (Frames(Secret(bytes.fromhex(keys[key]))) for key in ("c2a", "a2c"))

    def _add(self, at: float | None, **record: object) -> None:
        self.log.append({"t": at if at is not None else self.log[-1]["t"] + 0.001, **record})

    def ask(self, text: str, at: float | None = None) -> bytes:
        sealed = self.own.seal(text.encode())
        self._add(at, dir=">", raw=sealed.hex(), encrypted=True, text=text)
        return sealed

    def send(self, data: bytes, what: str, at: float | None = None) -> None:
        """Bytes made by hand."""
        self._add(at, dir=">", raw=data.hex(), encrypted=False, what=what)

    def hears(self, *texts: str, at: float | None = None) -> None:
        """One read on the socket, one record for each message in it."""
        sealed = b"".join(self.theirs.seal(text.encode()) for text in texts)
        for index, text in enumerate(texts):
            more = {"more_in_same_read": True} if index < len(texts) - 1 else {}
            self._add(at, dir="<", raw=sealed.hex() if index == 0 else "", encrypted=True, text=text, **more)

    def silent(self, seconds: float, at: float | None = None) -> None:
        self._add(at, dir="<", nothing_for=seconds)

    def closed(self, at: float | None = None) -> None:
        self._add(at, dir="<", closed="eof")

    def close(self, at: float | None = None) -> None:
        self._add(at, dir=">", closed="eof")


class Recording:
    """A pairing, then one case with as many connections as asked for."""

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.lines: list[Line] = []

    def line(self) -> Line:
        number = len(self.lines)
        line = Line(f"c{number}", _VERIFIED[number], _START + number / 100)
        self.lines.append(line)
        return line

    def json(self) -> dict:
        source = raw(SOURCE)
        made = {"name": "made up", "note": self.note, "connections": [line.connection for line in self.lines]}
        return {**source, "name": "made-up", "cases": [source["cases"][0], made]}

    def script(self) -> Script:
        return read(self.json())
