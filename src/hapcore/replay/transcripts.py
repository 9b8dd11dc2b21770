"""Replaying our own transcripts: a fresh engine gets the recorded inputs and draws and must say the same again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final, TypeAlias

from attrs import frozen

from hapcore.ble.accessory import Peripheral
from hapcore.errors import HapError, LocalProtocolError
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.replay.drivers import Driver, make_driver
from hapcore.replay.played import Steps, Unrecorded
from hapcore.replay.report import Cut, Difference, Outcome, bytewise, whole
from hapcore.replay.shown import Places, show_input, show_output
from hapcore.replay.supplies import Draws, Fragments, Streams
from hapcore.transcript import Transcript, TranscriptError, read_transcripts
from hapcore.transcript.reading import Line, Torn, read_lines

__all__ = ["Replayed", "assert_replays", "replay_lines", "replay_transcript"]

#: What a line that was tampered with can lead to when it is carried out.
_DAMAGE: Final = (KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError, OverflowError)
#: Bytes of lines that are read ahead of the one that is played: it waits there for the end of a message that came in
#: parts. Engines give unfinished messages up after seconds.
MAX_AHEAD: Final = 64 * 1024 * 1024

#: That a key log was written beside. The keys are in no transcript, and an engine that replays does not tell them.
_KEYS: Final = {"$other": SessionKeysMade.__name__}

#: Parts of procedures over Bluetooth LE: what led there is the whole message that was heard.
_PARTS: Final = frozenset({"read", "write", "gatt"})

_Said: TypeAlias = Mapping[str, Any] | None
#: Outputs between two times of nothing to say: what was sent by connection, and everything else, under None.
_Joined: TypeAlias = dict[int | None, list[dict[str, Any]]]


@frozen
class Replayed:
    """How one transcript of a file went."""

    engine: int
    role: str
    transport: str
    outcome: Outcome
    torn: bool = False


def replay_transcript(transcript: Transcript, cut: Cut = whole, name: str = "transcript") -> Outcome:
    """Replay one transcript; what came in on connections is cut up by `cut`, such as `bytewise`.

    Over Bluetooth LE nothing is cut: what comes in is whole attributes. The outcome has the first difference, if there
    is one. Raises `TranscriptError` for a transcript that cannot be carried out at all.
    """
    player = _Player(transcript, cut, name)
    for line in transcript.lines:
        player.supply(line)
    for line in transcript.later:
        player.supply(line, later=True)
    player.end()
    return player.outcome


def replay_lines(lines: Iterable[bytes], name: str = "transcript") -> Iterator[Replayed]:
    """Replay the transcripts of a file while it is read; each is told when it ends. Raises `TranscriptError`.

    In memory is what an engine keeps, and of the file what is read ahead, `MAX_AHEAD` bytes at most.
    """
    current: dict[int, _Player] = {}
    for line in read_lines(lines):
        if isinstance(line, Torn):
            for player in current.values():
                player.torn = True
            continue
        engine = line.content["e"]
        if line.heads:
            if engine in current:
                yield current.pop(engine).ended()
            current[engine] = _Player(Transcript(engine, line.content, ()), whole, name)
        else:
            current[engine].supply(line)
            current[engine].go_on()
    for player in current.values():
        yield player.ended()


def assert_replays(lines: bytes | Iterable[bytes], *, prefixes: int = 8) -> None:
    """For tests: every transcript replays whole, byte by byte, and from some prefixes. Raises `AssertionError`."""
    for transcript in read_transcripts(lines):
        size = len(transcript.lines)
        parts = sorted({size * part // (prefixes + 1) for part in range(1, prefixes + 1)})
        for one, cut in [(transcript, whole), (transcript, bytewise), *((transcript.prefix(p), whole) for p in parts)]:
            outcome = replay_transcript(one, cut)
            if outcome.first is not None:
                raise AssertionError(str(outcome.first))


class _Player:
    """Takes lines, plays each once everything that belongs to it is there."""

    def __init__(self, transcript: Transcript, cut: Cut, name: str) -> None:
        self._transcript = transcript
        self._cut = cut
        self._name = name
        self.torn = transcript.torn
        self.outcome = Outcome((), 0)
        self._lines: deque[Line] = deque()
        self._ahead = 0
        #: Inputs and outputs among the lines that wait.
        self._calls = 0
        self._over = False
        self._said: list[dict[str, Any]] = []
        self._places = Places()
        self._cause = ""
        self._track = ""
        self._compared = 0
        self._wanted: _Joined = {}
        self._got: _Joined = {}
        self._draws = Draws()
        self._steps = Steps()
        self._supply = _supply(transcript)
        self._driver: Driver | None = None

    # Taking lines

    def supply(self, line: Line, *, later: bool = False) -> None:
        """Take a line; `later`: it is not to be played, but tells what came in before."""
        if self._over:
            return
        try:
            if not self._transcript.secrets:
                self._supply.add(line.content)
            if not later:
                self._draws.add(line.content)
                self._steps.add(line.content)
        except _DAMAGE as error:
            raise _unplayable(f"line {line.number}", error) from None
        if not later:
            self._lines.append(line)
            self._ahead += line.size
            self._calls += line.calls

    def go_on(self) -> None:
        """Play what is complete."""
        while self._lines and not self._over:
            first = self._lines[0]
            # What happened during a call stands behind it, up to the next one.
            if first.calls and (self._calls < 2 or not self._has(first)):
                if self._ahead > MAX_AHEAD:
                    raise TranscriptError(
                        f"line {first.number}: what came in there is not told within the next {MAX_AHEAD >> 20} MiB; "
                        f"replay what comes before (head -n {first.number - 1})"
                    )
                return
            self._next()

    def end(self) -> None:
        """No more lines will come: play what is left."""
        while self._lines and not self._over:
            self._next()
        if self._driver is None and not self._over:
            self._begin()

    def ended(self) -> Replayed:
        """The same, with what is to be told of it."""
        self.end()
        one = self._transcript
        return Replayed(one.engine, one.role, one.transport, self.outcome, self.torn)

    def _has(self, line: Line) -> bool:
        try:
            return self._supply.has(line.content)
        except _DAMAGE as error:
            raise _unplayable(f"line {line.number}", error) from None

    def _next(self) -> None:
        line = self._lines.popleft()
        self._ahead -= line.size
        self._calls -= line.calls
        difference: Difference | None = None
        try:
            difference = self._play(line)
        except Unrecorded as problem:
            if any(one.calls for one in self._lines):
                difference = self._difference(line, self._places.after(str(problem)), "nothing", "more")
            else:  # The recording ends in the middle of this call.
                self._over = True
        except TranscriptError as error:
            raise TranscriptError(f"line {line.number}: {error}") from None
        except (HapError, *_DAMAGE) as error:
            raise _unplayable(f"line {line.number}", error) from None
        self._over = self._over or difference is not None
        found = () if difference is None else (difference,)
        self.outcome = Outcome(found, self._compared)

    # Playing them

    def _begin(self) -> Driver | None:
        """The engine; None where the recording ended while it was made."""
        try:
            self._driver = make_driver(self._transcript, self._supply, self._draws, self._steps, self._listen)
        except Unrecorded:
            self._over = True
        except TranscriptError:
            raise
        except (HapError, *_DAMAGE) as error:
            raise _unplayable("the header", error) from None
        else:
            if isinstance(engine := self._driver.engine, Peripheral):
                self._places.publish(engine.gatt)
        return self._driver

    def _listen(self, line: bytes) -> None:
        self._said.append(json.loads(line))

    def _play(self, line: Line) -> Difference | None:
        content = line.content
        if "message" in content or "pdu" in content:
            self._cause = self._places.heard(content)
        if not line.calls:
            return None
        driver = self._driver or self._begin()
        if driver is None:
            return None
        if "handled" in content:
            driver.handle(content["handled"])
        return self._input(driver, line) if "in" in content else self._poll(driver, line)

    def _input(self, driver: Driver, line: Line) -> Difference | None:
        content = line.content
        if content["in"] not in _PARTS:
            self._cause = show_input(content)
        self._track = str(content.get("connection", ""))
        if "table" in content:
            self._places.publish_table(content["table"])
        if content["in"] == "submit":
            if self._cut is not whole:
                # What it answers may have been asked between pieces that ours gives out in one more.
                self._drain(driver)
            return self._submit(driver, line)
        if self._cut is not whole:
            self._handle_ahead(driver)
        said = driver.put(content, self._cut)
        if said is None:
            return None
        return self._difference(line, self._places.after(f"{said[1]} instead of {said[0]}"), *said)

    def _handle_ahead(self, driver: Driver) -> None:
        """Ours may come to ask the application sooner than the recorded one did, though not before this input."""
        for line in self._lines:
            if "in" in line.content:
                return
            if "handled" in line.content:
                driver.handle(line.content["handled"])

    def _submit(self, driver: Driver, line: Line) -> Difference | None:
        content = line.content
        said: str
        try:
            said = str(driver.submit(content))
        except LocalProtocolError as error:
            said = type(error).__name__
        wanted = str(content["refused"] if "refused" in content else content["number"])
        return None if said == wanted else self._difference(line, "the command ended otherwise", wanted, said)

    # Outputs

    def _poll(self, driver: Driver, line: Line) -> Difference | None:
        wanted = line.content["out"]
        if wanted == _KEYS:
            return None
        if self._cut is not whole:
            return self._poll_loosely(driver, line, wanted)
        driver.poll()
        return self._compare(line, wanted, self._heard())

    def _compare(self, line: Line, wanted: _Said, got: _Said) -> Difference | None:
        self._compared += wanted is not None
        if got == wanted:
            if wanted is not None:
                self._places.sent(wanted)
            return None
        return self._difference(line, self._places.reason(wanted, got), show_output(wanted), show_output(got))

    def _poll_loosely(self, driver: Driver, line: Line, wanted: _Said) -> Difference | None:
        """Input that is cut otherwise may be answered in other pieces: they are put together before comparing."""
        if wanted is not None:
            self._compared += 1
            _join(self._wanted, wanted)
        if wanted is None:
            self._drain(driver)
            return self._rest(line)
        self._take(driver)
        return None

    def _take(self, driver: Driver) -> bool:
        """One more output of ours; False when there is none."""
        driver.poll()
        got = self._heard()
        if got is not None:
            _join(self._got, got)
        return got is not None

    def _drain(self, driver: Driver) -> None:
        while self._take(driver):
            pass

    def _rest(self, line: Line) -> Difference | None:
        """Compare what has been put together."""
        ours, theirs = self._got, self._wanted
        self._got, self._wanted = {}, {}
        for key in {**theirs, **ours} if ours != theirs else ():
            for wanted, got in zip_longest(theirs.get(key, ()), ours.get(key, ())):
                if wanted != got:
                    place = self._places.reason(wanted, got)
                    return self._difference(line, place, show_output(wanted), show_output(got))
        return None

    def _heard(self) -> _Said:
        """The line of our own that the last poll led to."""
        got: _Said = next(one["out"] for one in reversed(self._said) if "out" in one)
        self._said.clear()
        return got

    def _difference(self, line: Line, reason: str, expected: str, got: str) -> Difference:
        t = line.content.get("t", 0.0)
        return Difference(
            self._name,
            f"engine {self._transcript.engine}, {self._transcript.role}",
            self._track,
            line.number,
            float(t) if isinstance(t, int | float) else 0.0,
            reason,
            expected,
            got,
            self._cause,
        )


def _supply(transcript: Transcript) -> Streams | Fragments:
    if transcript.transport == "ble":
        return Fragments(response=transcript.role == "controller")
    return Streams(answers=transcript.role == "controller")


def _unplayable(place: str, error: Exception) -> TranscriptError:
    return TranscriptError(f"{place} cannot be carried out: {type(error).__name__}: {error}")


def _join(joined: _Joined, output: Mapping[str, Any]) -> None:
    """Add an output; bytes that follow others to the same connection are put behind them.

    What happens on one connection has an order. Among connections there is none: requests that are sent ahead are
    answered in pieces, and what others are told meanwhile stands between other pieces.
    """
    sends = output.get("$") == "SendBytes"
    said = joined.setdefault(output["connection"] if sends else None, [])
    last = said[-1] if said else {}
    if sends and last:
        if "text" in output or "text" in last:
            last["text"] = last.get("text", "") + output.get("text", "")
        if "data" in output:
            last["data"] = {"$bytes": last["data"]["$bytes"] + output["data"]["$bytes"]}
    else:
        said.append(dict(output))
