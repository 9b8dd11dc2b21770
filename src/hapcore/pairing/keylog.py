"""Session keys as text, for tools that read captured traffic: the opt-in exception to "no secret is shown".

One line a session, fields apart by one space:

    HAP1 <time> <session> <accessory id> <controller id> <accessory's key> <controller's key>

`time` in seconds since 1970; `session` the public key of the controller in pair-verify M1, hexadecimal; the ids of the
pairing, where a byte outside the printable ASCII, a space or a percent sign is written %XX; the keys of HAP 5.2,
hexadecimal, of what the accessory sends and of what the controller sends. What is not known is "-". Empty lines, and
lines that begin with "#", are comments; of a line with more fields than these the rest is ignored.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.keys import KEY_SIZE
from hapcore.crypto.secret import Secret
from hapcore.engine import ConnectionId, Event

__all__ = ["KeyLog", "LoggedSession", "SessionKeysMade", "read_key_log", "write_line"]

_MARK: Final = b"HAP1"
_FIELDS: Final = 7
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


@frozen
class SessionKeysMade(Event):
    """A connection is encrypted from here on; only engines that were asked to tell it, by `tells_keys`.

    `public` is the controller's X25519 key of pair-verify M1 (32 bytes), empty after a transient pair-setup, where the
    controller has no id either.
    """

    connection: ConnectionId
    public: bytes
    accessory_id: str
    controller_id: bytes
    keys: SessionKeys


@frozen
class LoggedSession:
    """One line of a key log. `time` is 0 where the line has none; `public` and the ids are empty then."""

    time: float
    public: bytes
    accessory_id: str
    controller_id: str
    keys: SessionKeys


@frozen
class KeyLog:
    """What was read: the sessions in the order of the file, and what is wrong with the lines that could not be read."""

    sessions: tuple[LoggedSession, ...]
    problems: tuple[str, ...] = ()


def write_line(made: SessionKeysMade, time: float) -> bytes:
    """The line of one session, with its line end; `time` in seconds since 1970."""
    fields = (
        _MARK,
        b"%.6f" % time,
        made.public.hex().encode() or b"-",
        _escape(made.accessory_id.encode()),
        _escape(made.controller_id),
        made.keys.read.reveal().hex().encode(),
        made.keys.write.reveal().hex().encode(),
    )
    return b" ".join(fields) + b"\n"


def read_key_log(data: bytes) -> KeyLog:
    """Read a key log; never raises. A line that is none is a problem, with its number and without its text."""
    sessions: list[LoggedSession] = []
    problems: list[str] = []
    for number, line in enumerate(data.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        try:
            sessions.append(_read(fields))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return KeyLog(tuple(sessions), tuple(problems))


def _read(fields: list[bytes]) -> LoggedSession:
    if fields[0] != _MARK:
        raise ValueError(f"expected it to begin with {_MARK.decode()}")
    if len(fields) < _FIELDS:
        raise ValueError(f"expected {_FIELDS} fields, got {len(fields)}")
    _, time, public, accessory, controller, read, write = fields[:_FIELDS]
    return LoggedSession(
        _number(time),
        _hex(public, "session"),
        _text(accessory),
        _text(controller),
        SessionKeys(_key(read), _key(write)),
    )


def _number(field: bytes) -> float:
    try:
        return 0.0 if field == b"-" else float(field)
    except ValueError:
        raise ValueError("the time is no number") from None


def _hex(field: bytes, what: str) -> bytes:
    try:
        return b"" if field == b"-" else bytes.fromhex(field.decode("ascii"))
    except ValueError:
        raise ValueError(f"the {what} is not hexadecimal") from None


def _key(field: bytes) -> Secret:
    key = _hex(field, "key")
    if len(key) != KEY_SIZE:
        raise ValueError(f"expected a key of {KEY_SIZE} bytes, got {len(key)}")
    return Secret(key)


def _escape(field: bytes) -> bytes:
    return b"".join(b"%c" % one if 0x20 < one < 0x7F and one != 0x25 else b"%%%02X" % one for one in field) or b"-"


def _text(field: bytes) -> str:
    if field == b"-":
        return ""
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), field).decode("utf-8", "replace")
