"""What a house does when a characteristic is written or read: run a command, or send an HTTP request.

A value that a controller wrote never becomes part of a script: it is a whole argument, a variable of the environment,
a JSON value, or percent-encoded in a URL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias, cast

from attrs import field, frozen

from hapcore.errors import ValueRefused
from hapcore.house.values import as_json, as_text
from hapcore.ids import Value

__all__ = ["MARK", "Action", "Call", "Message", "Run", "filled"]

#: What stands for the value.
MARK = "{value}"
#: Longer values, in characters, are on the standard input only: systems limit what fits into the environment.
LONGEST = 32_768
#: Behind it a program takes nothing for an option.
_END_OF_OPTIONS = "--"


@frozen
class Run:
    """A command and its arguments; no shell is involved. `timeout` is in seconds."""

    command: tuple[str, ...]
    timeout: float

    def arguments(self, value: Value) -> list[str]:
        """The command with the value in its place.

        Raises `ValueRefused` for a value that is too long, and for a text that the program would take for an option.
        """
        if MARK not in self.command:
            return list(self.command)
        text = as_text(value)
        if len(text) > LONGEST:
            raise ValueRefused(f"it has {len(text)} characters, too many for an argument; read the standard input")
        before = self.command[: self.command.index(MARK)]
        if isinstance(value, str) and text.startswith("-") and _END_OF_OPTIONS not in before:
            raise ValueRefused(f"{text[:20]!r} would be an option; put '--' before {MARK!r}, or read $HAP_VALUE")
        return [text if one == MARK else one for one in self.command]

    def environment(self, value: Value) -> dict[str, str]:
        """The variables that hold the value: none where it is too long, and then it is on the standard input only."""
        text = as_text(value)
        return {} if len(text) > LONGEST else {"HAP_VALUE": text}

    def input(self, value: Value) -> bytes:
        """What is on the standard input: the value and a newline."""
        return as_text(value).encode() + b"\n"


@frozen
class Message:
    """An HTTP request, ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@frozen
class Call:
    """An HTTP request to be made. `json` is sent with the value in place of "{value}"; `timeout` is in seconds."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: object
    timeout: float

    def message(self, value: Value) -> Message:
        """The request that carries `value`."""
        url = self.url.replace(MARK, _escaped(as_text(value)))
        if self.json is None:
            return Message(self.method, url, self.headers, None)
        body = json.dumps(filled(self.json, as_json(value)), ensure_ascii=False).encode()
        given = {name.lower() for name in self.headers}
        kind = {} if "content-type" in given else {"Content-Type": "application/json"}
        return Message(self.method, url, {**kind, **self.headers}, body)


Action: TypeAlias = Run | Call

#: What stands for itself in every part of a URL.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _escaped(text: str) -> str:
    return "".join(chr(one) if one in _PLAIN else f"%{one:02X}" for one in text.encode())


def filled(body: object, value: object) -> object:
    """`body` with `value` wherever it says "{value}"."""
    if isinstance(body, Mapping):
        return {key: filled(one, value) for key, one in cast("Mapping[str, object]", body).items()}
    if isinstance(body, list):
        return [filled(one, value) for one in cast("list[object]", body)]
    return value if body == MARK else body
