"""Replaying our own transcripts: a fresh engine gets the recorded inputs and draws and must say the same again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from hapcore.engine import ConnectionId, Effect, Output
from hapcore.errors import HapError, LocalProtocolError
from hapcore.ip.accessory import Config, Server
from hapcore.ip.controller import Connection
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.replay.meaning import show
from hapcore.replay.messages import parse_message
from hapcore.replay.played import PlayedConnection, PlayedServer, Steps, Unrecorded
from hapcore.replay.report import Cut, Difference, Outcome, bytewise, whole
from hapcore.setup_code import SetupCode
from hapcore.transcript import RecordedConnection, RecordedServer, Transcript, TranscriptError, read_transcripts
from hapcore.transcript.coding import decode
from hapcore.transcript.masks import NoMasks
from hapcore.transcript.reading import Line

__all__ = ["assert_replays", "replay_transcript"]

#: What a line that was tampered with can lead to when it is carried out.
_DAMAGE: Final = (KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError, OverflowError)
_FILLER: Final = b"PUT /configured HTTP/1.1\r\nContent-Length: "

#: That a key log was written beside. The keys are in no transcript, and an engine that replays does not tell them.
_KEYS: Final = {"$other": SessionKeysMade.__name__}

_Said: TypeAlias = Mapping[str, Any] | None


def replay_transcript(transcript: Transcript, cut: Cut = whole, name: str = "transcript") -> Outcome:
    """Replay one transcript; what came in on connections is cut up by `cut`, such as `bytewise`.

    The outcome has the first difference, if there is one. Raises `TranscriptError` for a transcript that cannot be
    carried out at all.
    """
    return _Player(transcript, cut, name).play()


def assert_replays(lines: bytes | Iterable[bytes], *, prefixes: int = 8) -> None:
    """For tests: every transcript replays whole, byte by byte, and from some prefixes. Raises `AssertionError`."""
    for transcript in read_transcripts(lines):
        size = len(transcript.lines)
        parts = sorted({size * part // (prefixes + 1) for part in range(1, prefixes + 1)})
        for one, cut in [(transcript, whole), (transcript, bytewise), *((transcript.prefix(p), whole) for p in parts)]:
            outcome = replay_transcript(one, cut)
            if outcome.first is not None:
                raise AssertionError(str(outcome.first))


class _Draws:
    """The recorded draws by label."""

    def __init__(self, transcript: Transcript) -> None:
        self._known: dict[str, deque[bytes]] = {}
        for line in transcript.lines:
            if "draw" in line.content:
                data = bytes.fromhex(line.content["data"])
                self._known.setdefault(str(line.content["draw"]), deque()).append(data)

    def __call__(self, label: str, length: int) -> bytes:
        queue = self._known.get(label)
        if not queue:
            raise Unrecorded(f"our engine drew {length} bytes for {label!r} once more than the recorded one")
        return queue.popleft()


class _Streams:
    """What came in on each connection in the clear, in the order of reading."""

    def __init__(self, transcript: Transcript) -> None:
        self._data: dict[int, bytearray] = {}
        sizes: dict[int, int] = {}
        for line in (*transcript.lines, *transcript.later):
            content = line.content
            if "message" in content:
                self._data.setdefault(content["connection"], bytearray()).extend(content["message"].encode("latin-1"))
            elif content.get("in") == "receive":
                sizes[content["connection"]] = sizes.get(content["connection"], 0) + content["size"]
        for connection, size in sizes.items():
            known = self._data.setdefault(connection, bytearray())
            if size > len(known):
                # The beginning of a message that never became whole; what it was is not in the transcript.
                rest = size - len(known)
                known += (_FILLER + b"%d\r\n\r\n" % rest).ljust(rest, b"0")[:rest]

    def take(self, connection: int, size: int) -> bytes:
        data = self._data.get(connection, bytearray())
        found = bytes(data[:size])
        del data[:size]
        return found


class _Player:
    def __init__(self, transcript: Transcript, cut: Cut, name: str) -> None:
        self._transcript = transcript
        self._cut = cut
        self._name = name
        self._said: list[dict[str, Any]] = []
        self._last: Output | None = None
        self._cause = ""
        self._track = ""
        self._compared = 0
        self._wanted: list[dict[str, Any]] = []
        self._got: list[dict[str, Any]] = []

    def play(self) -> Outcome:
        line, lines = Line(0, {}), self._transcript.lines
        try:
            self._draws = _Draws(self._transcript)
            self._streams = _Streams(self._transcript)
            self._engine = self._make()
            for line in lines:
                difference = self._play(line)
                if difference is not None:
                    return Outcome((difference,), self._compared)
            difference = None
        except Unrecorded as problem:
            if not any(one.number > line.number and ("in" in one.content or "out" in one.content) for one in lines):
                # The recording ends in the middle of this call.
                return Outcome((), self._compared)
            difference = self._difference(line, str(problem), "nothing", "more")
        except TranscriptError:
            raise
        except (HapError, *_DAMAGE) as error:
            place = f"line {line.number}" if line.content else "the header"
            raise TranscriptError(f"{place} cannot be carried out: {type(error).__name__}: {error}") from None
        return Outcome(() if difference is None else (difference,), self._compared)

    def _make(self) -> Server | Connection:
        header, secrets = self._transcript.header, self._transcript.secrets
        config = dict(header["config"])
        common: dict[str, Any] = {
            "entropy": self._draws,
            "sink": self._listen,
            "masks": NoMasks(redacts=not secrets),
        }
        if not secrets:
            common["steps"] = Steps(self._transcript)
        database = decode(header["database"])
        if self._transcript.role == "accessory":
            code = config.pop("setup_code")
            settings = Config(**config, setup_code=None if code is None else SetupCode(code, allow_trivial=True))
            state = {key: bytes.fromhex(value) for key, value in header["state"].items()}
            make: Callable[..., Server] = RecordedServer if secrets else PlayedServer
            return make(database, config=settings, state=state, **common)
        connect: Callable[..., Connection] = RecordedConnection if secrets else PlayedConnection
        return connect(config.pop("host"), database=database, **config, **common)

    def _listen(self, line: bytes) -> None:
        self._said.append(json.loads(line))

    def _play(self, line: Line) -> Difference | None:
        content = line.content
        if "handled" in content:
            self._handle(content["handled"])
        if "in" in content:
            return self._input(line)
        if "out" in content:
            return self._poll(line)
        if "message" in content:
            self._cause = show(parse_message(content["message"].encode("latin-1")))
        return None

    def _handle(self, handled: Mapping[str, Any]) -> None:
        """The application has come to answer for more characteristics."""
        if isinstance(self._engine, Server):
            for kind, ids in handled.items():
                for aid, iid in ids:
                    if (one := self._engine.database.find(aid, iid)) is not None and kind in ("read", "write"):
                        setattr(one, f"{kind}_handled", True)

    # Inputs

    def _input(self, line: Line) -> Difference | None:
        content, engine = line.content, self._engine
        kind, now = content["in"], float(content["t"])
        self._cause = _describe_input(content)
        self._track = str(content.get("connection", ""))
        if kind == "submit":
            return self._submit(line, now)
        if kind == "timeout":
            engine.handle_timeout(now)
        elif kind == "failed":
            if not isinstance(self._last, Effect):
                return self._difference(line, "an effect failed where ours gave none", "an effect", "none")
            engine.effect_failed(self._last, content["reason"], now)
        elif kind == "receive":
            self._receive(content, now)
        elif isinstance(engine, Connection):
            if kind != "eof":
                raise TranscriptError(f"line {line.number}: a controller has no input {kind!r}")
            engine.receive_eof(now)
        elif kind == "open":
            number = engine.connection_opened(now)
            if number != content["connection"]:
                return self._difference(line, "another number", str(content["connection"]), str(number))
        else:
            inputs = {"eof": engine.receive_eof, "pause": engine.pause_sending, "resume": engine.resume_sending}
            inputs[kind](ConnectionId(content["connection"]), now)
        return None

    def _receive(self, content: Mapping[str, Any], now: float) -> None:
        engine, connection = self._engine, ConnectionId(content["connection"])
        secrets = self._transcript.secrets
        data = bytes.fromhex(content["data"]) if secrets else self._streams.take(connection, content["size"])
        pieces = list(self._cut(data)) or [b""]
        for index, piece in enumerate(pieces, 1):
            if isinstance(engine, PlayedServer | PlayedConnection) and index == len(pieces):
                engine.fault(connection, content.get("fault"))
            if isinstance(engine, Connection):
                engine.receive_data(piece, now)
            else:
                engine.receive_data(connection, piece, now)

    def _submit(self, line: Line, now: float) -> Difference | None:
        content = line.content
        said: str
        try:
            said = str(self._engine.submit(decode(content["command"]), now))
        except LocalProtocolError as error:
            said = type(error).__name__
        wanted = str(content["refused"] if "refused" in content else content["number"])
        return None if said == wanted else self._difference(line, "the command ended otherwise", wanted, said)

    # Outputs

    def _poll(self, line: Line) -> Difference | None:
        wanted = line.content["out"]
        if wanted == _KEYS:
            return None
        if self._cut is not whole:
            return self._poll_loosely(line, wanted)
        self._last = self._engine.poll()
        got = self._heard()
        self._compared += wanted is not None
        if got == wanted:
            return None
        return self._difference(line, _reason(wanted, got), _decoded(wanted), _decoded(got))

    def _poll_loosely(self, line: Line, wanted: _Said) -> Difference | None:
        """Input that is cut otherwise may be answered in other pieces: they are put together before comparing."""
        if wanted is not None:
            self._compared += 1
            _join(self._wanted, wanted)
        busy = True
        while busy:
            output = self._engine.poll()
            if output is not None:
                self._last = output
            got = self._heard()
            if got is not None:
                _join(self._got, got)
            busy = wanted is None and got is not None
        return self._rest(line) if wanted is None else None

    def _rest(self, line: Line) -> Difference | None:
        """Compare what has been put together."""
        ours, theirs = self._got, self._wanted
        self._got, self._wanted = [], []
        for index in range(max(len(ours), len(theirs)) if ours != theirs else 0):
            wanted = theirs[index] if index < len(theirs) else None
            got = ours[index] if index < len(ours) else None
            if wanted != got:
                return self._difference(line, _reason(wanted, got), _decoded(wanted), _decoded(got))
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


def _join(said: list[dict[str, Any]], output: Mapping[str, Any]) -> None:
    """Add an output; bytes that follow others to the same connection are put behind them."""
    last = said[-1] if said else {}
    if output.get("$") == last.get("$") == "SendBytes" and output["connection"] == last["connection"]:
        if "text" in output or "text" in last:
            last["text"] = last.get("text", "") + output.get("text", "")
        if "data" in output:
            last["data"] = {"$bytes": last["data"]["$bytes"] + output["data"]["$bytes"]}
    else:
        said.append(dict(output))


def _reason(wanted: _Said, got: _Said) -> str:
    if wanted is None or got is None:
        return "an output more than recorded" if wanted is None else "an output less than recorded"
    if wanted.get("$") != got.get("$"):
        return f"{got.get('$')} instead of {wanted.get('$')}"
    differing = sorted(key for key in {*wanted, *got} if wanted.get(key) != got.get(key))
    return f"another {wanted.get('$')}: {', '.join(differing)}"


def _decoded(output: _Said) -> str:
    """An output for people."""
    if output is None:
        return "nothing"
    if "text" in output:
        return show(parse_message(str(output["text"]).encode("latin-1")))
    if output.get("$") == "SendBytes":
        data = bytes.fromhex(output["data"]["$bytes"])
        return show(parse_message(data)) if data[:5] in (b"HTTP/", b"POST ", b"EVENT") else f"{len(data)} bytes"
    return json.dumps(output, indent=1, ensure_ascii=False)


def _describe_input(content: Mapping[str, Any]) -> str:
    kind = content["in"]
    if kind == "submit":
        return json.dumps(content["command"], indent=1, ensure_ascii=False)
    return f"{kind} {content.get('connection', '')}".strip()
