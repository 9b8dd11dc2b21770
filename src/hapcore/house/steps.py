"""Reading what is to be done: a command, or an HTTP request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from hapcore.house.actions import MARK, Action, Call, Run
from hapcore.house.plan import Place
from hapcore.house.table import Table
from hapcore.model.metadata import Format

__all__ = ["ACTION", "LISTEN", "POLL", "read_action", "read_listening", "read_path"]

ACTION = ("run", "url", "method", "json", "headers", "timeout")
POLL = ("field", "max_age", "every")
LISTEN = ("run", "field")
_HTTP_ONLY = ("method", "json", "headers")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Seconds unless the file says otherwise, and at most: the engine gives up on a handler after 9, and what is stopped
#: needs a moment to end.
_TIMEOUT = 5.0
_LONGEST_TIMEOUT = 8.0
_SHORTEST_TIMEOUT = 0.05
#: http or https, a host without user and password, an optional port; path and query without spaces and controls.
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?P<path>/[!-\"$->@-~]*)?(?P<query>\?[!-\"$-~]*)?"
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
#: Programs that run the argument behind such an option.
_INTERPRETERS = re.compile(
    r"(?:.*/)?(?:(?:ba|da|z|k|c|tc|fi|a|mk)?sh|python[0-9.]*|perl|ruby|node|php|lua|awk|sed|osascript)"
)
_SCRIPT_OPTION = re.compile(r"-[a-z]*[cepr]|--(?:eval|command|execute|expression|print|run)|-")
#: Programs that make one text of all their arguments, for a shell or for themselves.
_JOINERS = re.compile(r"(?:.*/)?(?:ssh|rsh|eval|su|watch|parallel)")


def read_action(part: Table, key: str, known: tuple[str, ...], place: Place, *, polled: bool = False) -> Action:
    """What `part` has under `key` for a characteristic."""
    table = part.table(key, known)
    one = place.characteristic
    if polled and (not one.readable or one.reads_null):
        raise table.error("it cannot be read")
    if not polled and not one.writable:
        raise table.error("no controller can write it")
    given = table.number("timeout", _SHORTEST_TIMEOUT, _LONGEST_TIMEOUT)
    timeout = _TIMEOUT if given is None else given
    if ("run" in table) == ("url" in table):
        raise table.error('wanted either run = ["command", "argument"] or url = "http://..."')
    text = one.metadata.format is Format.STRING
    if "run" in table:
        for wrong in _HTTP_ONLY:
            if wrong in table:
                raise table.error("goes with a url only", wrong)
        return Run(_command(table, text, polled), timeout)
    return _call(table, text, polled, timeout)


def read_listening(part: Table, key: str, place: Place) -> tuple[str, ...]:
    """The command that `part` has under `key`, which tells the values of a characteristic."""
    table = part.table(key, LISTEN)
    if not (place.characteristic.readable or place.characteristic.notifies):
        raise table.error("nobody could be told")
    return _command(table, text=False, polled=True)


def read_path(table: Table) -> tuple[str, ...]:
    """The way to the value in an answer of JSON: "main.temp", "0.state"."""
    given = table.text("field")
    steps = () if given is None else tuple(given.split("."))
    if "" in steps:
        raise table.error(f"{given!r} is not of the form main.temp", "field")
    return steps


def _command(table: Table, text: bool, polled: bool) -> tuple[str, ...]:
    command = table.texts("run") or ()
    if not command or not command[0]:
        raise table.error("wanted a list of texts: the command and its arguments", "run")
    for at, argument in enumerate(command):
        if "\0" in argument:
            raise table.error("no argument can hold a NUL", "run")
        if MARK not in argument:
            continue
        if polled:
            raise table.error(f"there is no {MARK} yet where values come from", "run")
        if at == 0:
            raise table.error(f"{MARK} cannot be the command", "run")
        if argument != MARK:
            raise table.error(
                f"{MARK} stands for a whole argument, not for a part of {argument!r}; a script reads $HAP_VALUE", "run"
            )
        _no_script(table, command[:at], text)
    return command


def _no_script(table: Table, before: tuple[str, ...], text: bool) -> None:
    """Refuse to have a value run as a program."""
    if _SCRIPT_OPTION.fullmatch(before[-1]) and any(_INTERPRETERS.fullmatch(one) for one in before):
        raise table.error(f"{MARK} would be run as a program; a script reads $HAP_VALUE", "run")
    # Numbers, words and base64 have nothing that a shell would take for its own.
    if text and any(_JOINERS.fullmatch(one) for one in before):
        raise table.error(f"a text must not be {MARK} here, for it ends up in a shell", "run")


def _call(table: Table, text: bool, polled: bool, timeout: float) -> Call:
    url = table.text("url") or ""
    parts = _URL.fullmatch(url.replace(MARK, "0"))
    if parts is None:
        # It is not quoted: where a password is what is wrong with it, nobody else should read that.
        raise table.error("wanted an address of the form http://host:port/path?query, without user and #", "url")
    if MARK in url:
        if polled:
            raise table.error(f"there is no {MARK} yet when a value is asked for", "url")
        authority = "/".join(url.replace("?", "/?").split("/")[:3])
        if MARK in authority:
            raise table.error(f"{MARK} cannot be in the host", "url")
        if text and MARK in url.partition("?")[0]:
            raise table.error(f"a text can be {MARK} behind the question mark only, or in json", "url")
    method = (table.text("method") or ("GET" if polled else "POST")).upper()
    if method not in _METHODS:
        raise table.error(f"wanted one of {', '.join(_METHODS)}", "method")
    body = table.get("json")
    _check_body(table, body, polled)
    if body is None and not polled and method not in ("GET", "DELETE") and MARK not in url:
        body = {"value": MARK}
    return Call(method, url, _headers(table), body, timeout)


def _check_body(table: Table, body: object, polled: bool) -> None:
    if isinstance(body, Mapping):
        for one in cast("Mapping[str, object]", body).values():
            _check_body(table, one, polled)
    elif isinstance(body, list):
        for one in cast("list[object]", body):
            _check_body(table, one, polled)
    elif isinstance(body, str):
        if MARK in body and (polled or body != MARK):
            why = "there is no value yet" if polled else f"it stands for a whole value, not for a part of {body[:60]!r}"
            raise table.error(f"{MARK}: {why}", "json")
    elif isinstance(body, float) and not -1e308 <= body <= 1e308:
        raise table.error(f"JSON has no {body}", "json")
    elif body is not None and not isinstance(body, bool | int | float):
        raise table.error(f"JSON has no {type(body).__name__}", "json")


def _headers(table: Table) -> dict[str, str]:
    given = table.table("headers")
    headers = {name: given.text(name) or "" for name in given}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise given.error("wanted the name of a header and a line of ASCII", name)
    return headers
