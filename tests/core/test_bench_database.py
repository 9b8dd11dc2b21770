"""Our rendering of the recorded accessories, compared with what Apple's code sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hapcore.model.database import Database
from hapcore.replay.bench import bench, lightbulb

DATA = Path(__file__).parent.parent / "replay" / "data" / "adk"


def unchunked(text: str) -> str:
    """The body of a chunked answer; the recording's lengths count bytes of UTF-8."""
    rest = text.encode().partition(b"\r\n\r\n")[2]
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return body.decode()


def recorded(file: str) -> object:
    cases = json.loads((DATA / file).read_text("utf-8"))["cases"]
    texts = (entry.get("text", "") for case in cases for one in case["connections"] for entry in one["log"])
    return json.loads(unchunked(next(text for text in texts if "chunked" in text[:100])))


@pytest.mark.parametrize(("file", "make"), [("ip-read.json", bench), ("ip-lightbulb.json", lightbulb)])
def test_the_database_reads_like_the_recorded_one(file: str, make: Callable[[], Database]) -> None:
    ours = json.loads(b"".join(make().pieces()))
    theirs = recorded(file)
    assert ours == theirs
    assert members(ours) == members(theirs)


def members(value: object) -> object:
    """The names of all members, in order."""
    if isinstance(value, dict):
        return [(key, members(item)) for key, item in value.items()]
    return [members(item) for item in value] if isinstance(value, list) else None
