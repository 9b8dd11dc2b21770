"""Reading the lines of transcripts back, one after the other: however long a file is, only what is needed is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from attrs import evolve, field, frozen

from hapcore.errors import HapError
from hapcore.transcript.notes import FORMAT, VERSION

__all__ = [
    "MAX_LINE",
    "Line",
    "Torn",
    "Transcript",
    "TranscriptError",
    "is_transcript",
    "read_lines",
    "read_transcripts",
    "split_lines",
]

#: A line is at most an answer with a large bridge's whole database, with escapes or as hexadecimal digits.
MAX_LINE: Final = 64 * 1024 * 1024
#: Values in one line: what JSON makes of more of them fills the memory.
MAX_COMMAS: Final = 2 * 1024 * 1024
#: Empty lines in a row; a packed file can hold billions of them.
MAX_EMPTY: Final = 10_000
_ROLES: Final = ("accessory", "controller")
_TRANSPORTS: Final = ("ip", "ble")


class TranscriptError(HapError, ValueError):
    """The transcript cannot be used: empty, damaged, out of order, or of a newer version."""


@frozen
class Line:
    """One line: its `number` in the file, counted from 1, what it says, and how many bytes it has."""

    number: int
    content: Mapping[str, Any] = field(repr=False)
    size: int = 0

    @property
    def heads(self) -> bool:
        """Whether a transcript begins here."""
        return "format" in self.content

    @property
    def calls(self) -> bool:
        """Whether it is an input or an output; the others tell what happened meanwhile."""
        return "in" in self.content or "out" in self.content


@frozen
class Torn:
    """Line `number` was not written to its end."""

    number: int


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
    def transport(self) -> str:
        """ "ip" or "ble"."""
        return str(self.header.get("transport", "ip"))

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


def split_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that is read piece by piece, without their ends. Raises `TranscriptError` for a huge one."""
    rest: list[bytes] = []
    size, number = 0, 1
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        for line in whole:
            yield b"".join((*rest, line))
            rest.clear()
            size, number = 0, number + 1
        rest.append(last)
        size += len(last)
        if size > MAX_LINE:
            raise TranscriptError(f"line {number} is longer than {MAX_LINE >> 20} MiB: no recorder writes that")
    if size:
        yield b"".join(rest)


def read_lines(lines: Iterable[bytes]) -> Iterator[Line | Torn]:
    """Line after line, checked: headers, then the numbers of each engine without gaps.

    Raises `TranscriptError`. A last line that is not whole is `Torn`: whoever wrote it was cut off. The same before a
    header, where somebody else went on writing.
    """
    due: dict[int, int] = {}
    held: tuple[int, bytes] | None = None
    for number, text in _numbered(lines):
        if held is not None:
            yield _read(held, due, text)
        held = number, text
    if held is None:
        raise TranscriptError("the transcript is empty: what should have written it ended before its first line")
    yield _read(held, due, None)


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    empty = 0
    for number, text in enumerate(lines, 1):
        text = text.removesuffix(b"\n")
        if text.strip():
            empty = 0
            yield number, text
            continue
        empty += 1
        if empty > MAX_EMPTY:
            raise TranscriptError(
                f"line {number}: {MAX_EMPTY} empty lines in a row; the file is damaged, or no transcript"
            )


def _read(one: tuple[int, bytes], due: dict[int, int], after: bytes | None) -> Line | Torn:
    number, text = one
    content = _content(number, text)
    engine = None if content is None else content.get("e")
    if not due and (content is None or type(engine) is not int):
        if after is not None and is_transcript(after):
            return Torn(number)
        if not is_transcript(text):
            raise TranscriptError(f"this is no transcript: line {number} is no header, as --record writes it")
    if content is None:
        if after is None and not due:
            raise TranscriptError(f"line {number}, the header, is not whole: nothing was recorded")
        if after is None or is_transcript(after):
            return Torn(number)
        raise TranscriptError(f"line {number} is damaged: it is no JSON object; {_cut(number)}")
    if type(engine) is not int:
        raise TranscriptError(f"line {number} is damaged: it does not name its engine; {_cut(number)}")
    if "format" in content:
        _check_header(number, content)
        due[engine] = content["n"] + 1
        return Line(number, content, len(text))
    if engine not in due:
        raise TranscriptError(
            f"line {number} comes before the header of its engine {engine}; the beginning of the file is missing"
        )
    if content.get("n") != due[engine]:
        raise TranscriptError(
            f"line {number} is out of order: it has the number {content.get('n')!r}, {due[engine]} is due; "
            f"lines are missing or were moved; {_cut(number)}"
        )
    due[engine] += 1
    return Line(number, content, len(text))


def _cut(number: int) -> str:
    """What can be done about a line."""
    return f"take a whole copy, or only what comes before (head -n {number - 1})"


def read_transcripts(lines: bytes | Iterable[bytes]) -> tuple[Transcript, ...]:
    """The transcripts in the content of a file, one for each engine, in the order of their headers.

    They are held in memory whole; `hapcore.replay.replay_lines` needs less. Raises `TranscriptError`.
    """
    found: list[tuple[Mapping[str, Any], list[Line]]] = []
    current: dict[int, int] = {}
    torn: set[int] = set()
    for line in read_lines(lines.split(b"\n") if isinstance(lines, bytes) else lines):
        if isinstance(line, Torn):
            torn |= set(current.values())
        elif line.heads:
            current[line.content["e"]] = len(found)
            found.append((line.content, []))
        else:
            found[current[line.content["e"]]][1].append(line)
    return tuple(
        Transcript(header["e"], header, tuple(rows), index in torn) for index, (header, rows) in enumerate(found)
    )


def _content(number: int, text: bytes) -> dict[str, Any] | None:
    if len(text) > MAX_LINE or text.count(b",") > MAX_COMMAS:
        raise TranscriptError(f"line {number} has {len(text) >> 20} MiB or too many parts: no recorder writes that")
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _check_header(number: int, content: Mapping[str, Any]) -> None:
    version = content.get("version")
    if content.get("format") != FORMAT or type(version) is not int or type(content.get("n")) is not int:
        raise TranscriptError(f"line {number} is damaged: its header cannot be read; {_cut(number)}")
    if version > VERSION:
        raise TranscriptError(
            f"line {number}: the transcript has version {version}, this library reads up to {VERSION}: "
            "replay it with a newer one"
        )
    if content.get("role") not in _ROLES or content.get("transport", "ip") not in _TRANSPORTS:
        raise TranscriptError(
            f"line {number}: expected the role accessory or controller and the transport ip or ble, "
            f"got {content.get('role')!r} and {content.get('transport', 'ip')!r}; a newer library may know it"
        )
