"""Reading the lines of transcripts back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from attrs import evolve, field, frozen

from hapcore.errors import HapError
from hapcore.transcript.notes import FORMAT, VERSION

__all__ = ["Line", "Transcript", "TranscriptError", "is_transcript", "read_transcripts"]

#: A line is at most an answer with a large bridge's whole database, as hexadecimal digits.
MAX_LINE: Final = 64 * 1024 * 1024


class TranscriptError(HapError, ValueError):
    """The transcript cannot be used: empty, damaged, out of order, or of a newer version."""


@frozen
class Line:
    """One line: its `number` in the file, counted from 1, and what it says."""

    number: int
    content: Mapping[str, Any] = field(repr=False)


@frozen
class Transcript:
    """What was noted of one engine. `torn`: the writer was cut off in the middle of a line, which is left out."""

    engine: int
    header: Mapping[str, Any] = field(repr=False)
    lines: Sequence[Line] = field(repr=False)
    torn: bool = False
    #: Of a prefix: what came after it. The recording shows messages when they were read, not when they came in.
    later: Sequence[Line] = field(default=(), repr=False)

    @property
    def role(self) -> str:
        """ "accessory" or "controller"."""
        return str(self.header.get("role"))

    @property
    def secrets(self) -> bool:
        """Whether it holds the bytes as they were, keys included."""
        return self.header.get("secrets") is True

    def prefix(self, count: int) -> Transcript:
        """The first `count` lines after the header, as if the recording had ended there."""
        return evolve(self, lines=self.lines[:count], later=(*self.lines[count:], *self.later))


def is_transcript(start: bytes) -> bool:
    """Whether a file that begins with these bytes (a few hundred will do) is a transcript of this library."""
    return f'"format":"{FORMAT}"'.encode() in start[:200]


def read_transcripts(lines: bytes | Iterable[bytes]) -> tuple[Transcript, ...]:
    """The transcripts in the content of a file, one for each engine, in the order of their headers.

    Raises `TranscriptError`. A last line that is not whole is left out: whoever wrote it was cut off. The same before a
    header, where somebody else went on writing.
    """
    texts = lines.split(b"\n") if isinstance(lines, bytes) else [one.removesuffix(b"\n") for one in lines]
    while texts and not texts[-1].strip():
        texts.pop()
    if not texts:
        raise TranscriptError("the transcript is empty")
    if not any(map(is_transcript, texts)):
        raise TranscriptError("this is no transcript: it has no header")
    found: list[tuple[dict[str, Any], list[Line]]] = []
    current: dict[int, int] = {}
    torn: set[int] = set()
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        content = _content(text)
        if content is None:
            if number < len(texts) and not is_transcript(texts[number]):
                raise TranscriptError(f"line {number} is damaged: it is no JSON object")
            torn |= set(current.values())
            continue
        engine = content.get("e")
        if type(engine) is not int:
            raise TranscriptError(f"line {number} is damaged: it does not name its engine")
        if "format" in content:
            _check_header(number, content)
            current[engine] = len(found)
            found.append((content, []))
            continue
        if engine not in current:
            raise TranscriptError(f"line {number} comes before the header of its engine {engine}")
        header, rows = found[current[engine]]
        due = header["n"] + len(rows) + 1
        if content.get("n") != due:
            raise TranscriptError(
                f"line {number} is out of order: it has the number {content.get('n')!r}, {due} is due; "
                "lines are missing or were moved"
            )
        rows.append(Line(number, content))
    return tuple(
        Transcript(header["e"], header, tuple(rows), index in torn) for index, (header, rows) in enumerate(found)
    )


def _content(text: bytes) -> dict[str, Any] | None:
    if len(text) > MAX_LINE:
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _check_header(number: int, content: Mapping[str, Any]) -> None:
    version = content.get("version")
    if content.get("format") != FORMAT or type(version) is not int or type(content.get("n")) is not int:
        raise TranscriptError(f"line {number} is damaged: its header cannot be read")
    if version > VERSION:
        raise TranscriptError(
            f"the transcript has version {version}, this library reads up to {VERSION}: replay it with a newer one"
        )
    if content.get("role") not in ("accessory", "controller"):
        raise TranscriptError(f"line {number}: the role is neither accessory nor controller")
