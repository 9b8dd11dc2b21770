"""Transcripts of our own engines: what is noted replays, and a redacted one holds no secret in any form."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import accessory_rig
from tests.core.accessory_rig import CODE, TLV8, Draws, Rig

from hapcore.crypto.frames import session_keys
from hapcore.crypto.keys import x25519, x25519_public
from hapcore.engine import CloseConnection, Done, Failed, SendBytes
from hapcore.ids import HapStatus
from hapcore.ip.accessory import AnswerRead, AnswerWrite, ReadRequested, UpdateValues, WriteRequested
from hapcore.ip.controller import (
    CharacteristicWrite,
    FinishPairSetup,
    GetAccessories,
    ListPairings,
    Read,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.replay import assert_replays, bytewise, replay_transcript, whole
from hapcore.setup_code import SetupCode
from hapcore.transcript import (
    VERSION,
    RecordedConnection,
    RecordedServer,
    TranscriptError,
    is_transcript,
    read_transcripts,
)

AUTH = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90")
TOKEN = bytes.fromhex("0110") + bytes(range(100, 116))
WRONG = SetupCode("987-65-432")


class Session:
    """A life of both engines, each recorded: pairing after a wrong code, reads, writes, events, a bad frame."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, with_secrets: bool, cut: int = 0) -> None:
        self.accessory: list[bytes] = []
        self.controller: list[bytes] = []
        self.secrets = Draws("controller")
        self.with_secrets = with_secrets

        def server(accessories: object, **more: object) -> RecordedServer:
            return RecordedServer(accessories, sink=self.accessory.append, with_secrets=with_secrets, **more)

        monkeypatch.setattr(accessory_rig, "Server", server)
        pieces = (lambda data: [data[i : i + cut] for i in range(0, len(data), cut)]) if cut else None
        self.rig = Rig(cut=pieces)
        self.rig.application = self.application
        lamp = self.rig.lamp
        lamp.guarded.setter(lambda _value, _caller: None)
        lamp.control.setter(lambda _value, _caller: None)
        lamp.read_only.getter(lambda _caller: 3)
        self.line = self.rig.line()
        self.line.receive = lambda data: None
        self.home = RecordedConnection(
            "127.0.0.1", entropy=self.secrets, sink=self.controller.append, with_secrets=with_secrets
        )
        self.results: dict[int, object] = {}
        self.sent: list[bytes] = []

    def application(self, event: object) -> None:
        if isinstance(event, ReadRequested):
            self.rig.server.submit(AnswerRead(event.request, dict.fromkeys(event.ids, 3)), self.rig.now)
        elif isinstance(event, WriteRequested):
            values = {one.id: TOKEN for one in event.writes if one.response}
            self.rig.server.submit(AnswerWrite(event.request, {}, values), self.rig.now)

    def do(self, command: object) -> object:
        number = self.home.submit(command, self.rig.now)
        self.pump()
        return self.results[number]

    def pump(self) -> None:
        busy = True
        while busy:
            busy = False
            while (output := self.home.poll()) is not None:
                busy = True
                if isinstance(output, SendBytes):
                    self.rig.feed(self.line, output.data)
                elif isinstance(output, Done | Failed):
                    self.results[output.command] = output.result if isinstance(output, Done) else output.error
                elif isinstance(output, CloseConnection):
                    self.rig.server.receive_eof(self.line.connection, self.rig.now)
                    self.rig.drain()
            for output in self.rig.outputs:
                if isinstance(output, SendBytes):
                    busy = True
                    self.home.receive_data(output.data, self.rig.now)
            self.rig.outputs.clear()

    def run(self) -> Session:
        self.do(StartPairSetup())
        assert "setup code is wrong" in str(self.do(FinishPairSetup(WRONG)))
        self.do(StartPairSetup())
        self.pairing = self.do(FinishPairSetup(CODE))
        self.do(VerifyPairing(self.pairing))
        lamp = self.rig.lamp
        # Before the database is known, nobody can tell which texts are secrets.
        assert self.do(Write([CharacteristicWrite(lamp.control.id, base64.b64encode(TOKEN).decode(), response=True)]))
        self.do(GetAccessories())
        assert self.do(Read([lamp.on.id, lamp.level.id, lamp.read_only.id, (9, 9)]))[lamp.read_only.id].value == 3
        guarded = CharacteristicWrite(lamp.guarded.id, True, auth_data=AUTH)
        answered = self.do(Write([CharacteristicWrite(lamp.control.id, TOKEN, response=True), guarded]))
        assert answered[lamp.control.id].value == TOKEN
        assert answered[lamp.guarded.id].status == HapStatus.SUCCESS
        self.do(Write([CharacteristicWrite(lamp.lock.id, True)]))
        self.do(Subscribe([lamp.level.id]))
        for level in (70, 71):
            self.rig.submit(UpdateValues({lamp.level.id: level}))
            self.pump()
        self.rig.pass_time(2.0)
        self.pump()
        self.do(ListPairings())
        second = self.rig.line()
        second.ask("GET", "/accessories")
        second.ask("POST", "/pair-verify", b"\x06\x01\x07", TLV8)
        second.send(b"GET /characteristics?id=1.10 HT")
        self.rig.feed(self.line, b"\x03\x00" + bytes(19))
        self.pump()
        return self

    @property
    def transcripts(self) -> list[list[bytes]]:
        return [self.accessory, self.controller]

    def all_secrets(self) -> dict[str, bytes]:
        """Everything that nobody but the two may know, by what it is."""
        found = {}
        for entropy in (self.rig.entropy, self.secrets):
            for label, data in zip(entropy.labels, entropy.secrets, strict=True):
                if label not in {
                    "pair-setup.salt",
                    "identity.device-id",
                    "setup-id",
                    "controller.pairing-id",
                    "timed-write.pid",
                }:
                    found[f"{label} {len(found)}"] = data
        ours, theirs = (
            next(data for label, data in zip(one.labels, one.secrets, strict=True) if label == "pair-verify.x25519")
            for one in (self.rig.entropy, self.secrets)
        )
        shared = x25519(ours, x25519_public(theirs))
        assert shared is not None
        stored = self.rig.server.stored
        return {
            **found,
            "shared secret": shared,
            "read key": session_keys(shared).read.reveal(),
            "write key": session_keys(shared).write.reveal(),
            "controller key": self.pairing.controller_ltsk.reveal(),
            "accessory key": stored.identity.ltsk.reveal(),
            "verifier": stored.setup.verifier.verifier.reveal(),
            "authorization": AUTH,
            "token": TOKEN[2:],
        }


@pytest.fixture(autouse=True)
def _labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws remember their labels too."""
    plain = Draws.__call__

    def call(self: Draws, label: str, length: int) -> bytes:
        self.__dict__.setdefault("labels", []).append(label)
        return plain(self, label, length)

    monkeypatch.setattr(Draws, "__call__", call)


def forms(secret: bytes) -> list[bytes]:
    """How bytes could stand in a line of JSON."""
    text = json.dumps(secret.decode("latin-1"))[1:-1]
    packed = base64.b64encode(secret).decode().rstrip("=")
    # Base64 of something longer around it: the same bytes at the three places of a group.
    shifted = [base64.b64encode(bytes(lead) + secret).decode()[4:-4] for lead in (1, 2)]
    texts = [secret.hex(), secret.hex().upper(), text, packed, *shifted, packed.replace("/", "\\/"), secret.hex(":")]
    texts += [str(list(secret))[1:-1], str(int.from_bytes(secret, "big")), str(int.from_bytes(secret, "little"))]
    return [each.encode() for each in {*texts, base64.b64encode(secret.hex().encode()).decode()}]


@pytest.mark.parametrize("with_secrets", [False, True])
@pytest.mark.parametrize("cut", [0, 7])
def test_a_session_replays(monkeypatch: pytest.MonkeyPatch, with_secrets: bool, cut: int) -> None:
    session = Session(monkeypatch, with_secrets=with_secrets, cut=cut).run()
    for lines in session.transcripts:
        (transcript,) = read_transcripts(lines)
        assert transcript.secrets is with_secrets
        assert is_transcript(lines[0])
        outcome = replay_transcript(transcript)
        assert outcome.first is None, str(outcome.first)
        assert outcome.compared > 20
        if not cut:
            assert_replays(b"".join(lines))


def test_from_every_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(monkeypatch, with_secrets=False).run()
    for lines in session.transcripts:
        (transcript,) = read_transcripts(lines)
        for size in range(0, len(transcript.lines), 3):
            outcome = replay_transcript(transcript.prefix(size))
            assert outcome.first is None, (size, str(outcome.first))
            # The same where the file really ends there.
            (shorter,) = read_transcripts(lines[: size + 1])
            outcome = replay_transcript(shorter)
            assert outcome.first is None, (size, str(outcome.first))


def test_a_redacted_transcript_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    redacted = Session(monkeypatch, with_secrets=False).run()
    open_ = Session(monkeypatch, with_secrets=True).run()
    texts = [b"".join(lines) for lines in redacted.transcripts]
    shown = 0
    for name, secret in redacted.all_secrets().items():
        for form in forms(secret):
            assert not any(form in text for text in texts), name
            shown += any(form in b"".join(lines) for lines in open_.transcripts)
    assert shown > 10  # the same search finds them where they are
    hexes = [bytes.fromhex(one) for text in texts for one in _hexadecimal(text)]
    for name, secret in redacted.all_secrets().items():
        assert not any(secret in one or secret.hex().encode() in one for one in hexes), name
    for code in (CODE.text, WRONG.text):
        for form in (code, code.replace("-", "")):
            assert not any(form.encode() in text for text in texts)
            assert not any(form.encode() in one for one in hexes)


def _hexadecimal(text: bytes) -> list[str]:
    found: list[str] = []

    def walk(tree: object) -> None:
        if isinstance(tree, dict):
            for one in tree.values():
                walk(one)
        elif isinstance(tree, list):
            for one in tree:
                walk(one)
        elif isinstance(tree, str) and len(tree) > 7 and len(tree) % 2 == 0:
            try:
                bytes.fromhex(tree)
            except ValueError:
                return
            found.append(tree)

    for line in text.splitlines():
        walk(json.loads(line))
    assert found
    return found


SECRET = base64.b64encode(bytes(range(200, 248)))
PUT = b"PUT /characteristics HTTP/1.1\r\n"
BODY = b'{"characteristics":[{"aid":1,"iid":18,"value":true,"authData":"%b"}]}' % SECRET
ESCAPED = b"".join(b"\\u%04x" % one for one in SECRET)


def with_length(body: bytes, start: bytes = PUT) -> bytes:
    return start + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "message",
    [
        with_length(BODY),
        with_length(BODY[:-3]),
        PUT + b"Content-Length: 30\r\n\r\n" + BODY,
        PUT + b"Content-Length: -1\r\n\r\n" + BODY,
        PUT + b"\r\n" + BODY,
        with_length(BODY, b"POST /pairings HTTP/1.1\r\n"),
        with_length(BODY, b"POST /resource HTTP/1.1\r\nContent-Type: application/pairing+tlv8\r\n"),
        with_length(BODY.replace(b'"}', b'","authData":"x"}')),
        with_length(BODY.replace(SECRET, ESCAPED)),
        with_length(b'{"characteristics":[{"aid":1,"iid":19,"value":"%b"}]}' % SECRET),
        with_length(b'{"characteristics":[{"aid":1,"iid":99,"value":"%b"}]}' % SECRET),
        with_length(b'{"characteristics":[{"aid":1,"iid":19,"value":["%b"]}]}' % SECRET),
        with_length(b'{"characteristics":[{"aid":1,"iid":19,"value":{"a":"%b"}}]}' % SECRET),
        BODY,
    ],
)
def test_a_secret_that_is_sent_the_wrong_way_is_one_too(monkeypatch: pytest.MonkeyPatch, message: bytes) -> None:
    session = Session(monkeypatch, with_secrets=False)
    line = session.rig.line()
    line.verify(line.pair())
    line.receive = lambda data: None
    line.send(message)
    text = b"".join(session.accessory)
    for piece in (SECRET, SECRET[:16], SECRET[24:40], ESCAPED[:60], ESCAPED.replace(b"\\", b"\\\\")[:60]):
        assert piece not in text
    assert_replays(session.accessory, prefixes=2)


def test_a_redacted_transcript_tells_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(monkeypatch, with_secrets=False).run()
    text = b"".join(session.accessory).decode()
    for said in ("GET /accessories", "EVENT/1.0", '\\"value\\":70', "PairingAdded", "SetupAttemptFailed", "fault"):
        assert said in text


def test_an_engine_that_says_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(monkeypatch, with_secrets=False).run()
    (transcript,) = read_transcripts(session.accessory)
    from hapcore.ip.accessory import exchange

    monkeypatch.setattr(exchange, "_PREPARED", exchange._PREPARED.replace(b'"status":0', b'"status":1'))
    difference = replay_transcript(transcript).first
    assert difference is not None
    assert '"status":0' in difference.expected
    assert '"status":1' in difference.got
    assert "PUT /prepare" in difference.cause
    assert "the answer to PUT /prepare: status: 1 instead of 0" in difference.reason


@pytest.mark.parametrize("with_secrets", [False, True])
def test_every_changed_output_is_found(monkeypatch: pytest.MonkeyPatch, with_secrets: bool) -> None:
    session = Session(monkeypatch, with_secrets=with_secrets).run()
    for lines in session.transcripts:
        places = [index for index, line in enumerate(lines) if b'"out":{' in line]
        for place in places[::5]:
            content = json.loads(lines[place])
            content["out"]["$"] += "X"
            changed = [*lines[:place], json.dumps(content).encode(), *lines[place + 1 :]]
            for cut in (whole, bytewise):
                (transcript,) = read_transcripts(changed)
                assert replay_transcript(transcript, cut).first is not None


# Bad input


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return Session(monkeypatch, with_secrets=False).run().accessory


@pytest.mark.parametrize("nothing", [b"", b"\n\n", [], [b""]])
def test_empty(nothing: bytes | list[bytes]) -> None:
    with pytest.raises(TranscriptError, match="empty"):
        read_transcripts(nothing)


@pytest.mark.parametrize("other", [b"hello", b"{}", b'{"format":"hap-capture/1"}', b"\x00\xff" * 40, b"[" * 100_000])
def test_something_else(other: bytes) -> None:
    with pytest.raises(TranscriptError, match="no transcript"):
        read_transcripts(other)


def test_a_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch)
    lines[0] = lines[0].replace(b'"version":%d' % VERSION, b'"version":%d' % (VERSION + 1))
    with pytest.raises(TranscriptError, match="newer"):
        read_transcripts(lines)


def test_a_torn_end_is_told_and_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch)
    (transcript,) = read_transcripts([*lines[:-1], lines[-1][:9]])
    assert transcript.torn
    assert replay_transcript(transcript).first is None
    # Somebody else went on writing behind it.
    first, second = read_transcripts(b"".join(lines)[:-5] + b"\n" + b"".join(lines))
    assert first.torn
    assert not second.torn
    assert replay_transcript(second).first is None


def test_two_engines_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch)
    other = [line.replace(b'{"e":1,', b'{"e":2,', 1) for line in lines]
    mixed = [line for pair in zip(lines, other, strict=True) for line in pair]
    for transcript in read_transcripts(mixed):
        assert replay_transcript(transcript).first is None


def test_missing_and_moved_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = recorded(monkeypatch)
    for place in range(2, len(lines) - 2, 9):
        with pytest.raises(TranscriptError, match="out of order"):
            read_transcripts([*lines[:place], *lines[place + 1 :]])
        with pytest.raises(TranscriptError, match="out of order"):
            read_transcripts([*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]])
    with pytest.raises(TranscriptError, match="before the header"):
        read_transcripts([lines[1], lines[0]])


LINES: list[bytes] = []


def replay_or_refuse(lines: bytes | list[bytes]) -> None:
    """Anything but a clear error is ours."""
    try:
        for transcript in read_transcripts(lines):
            replay_transcript(transcript)
    except TranscriptError:
        pass


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_an_error_or_a_difference(data: st.DataObject) -> None:
    if not LINES:
        with pytest.MonkeyPatch.context() as patch:
            LINES.extend(Session(patch, with_secrets=False).run().accessory)
    text = bytearray(b"".join(LINES))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    replay_or_refuse(bytes(text))


@settings(max_examples=30, deadline=None)
@given(line=st.integers(0, 10**6), content=st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_any_line_in_any_place(line: int, content: dict[str, object]) -> None:
    if not LINES:
        with pytest.MonkeyPatch.context() as patch:
            LINES.extend(Session(patch, with_secrets=False).run().accessory)
    place = line % len(LINES)
    known = json.loads(LINES[place])
    known.update(content)
    if known:
        known.pop(sorted(known)[line % len(known)])
    changed = [*LINES[:place], json.dumps(known).encode(), *LINES[place + 1 :]]
    replay_or_refuse(changed)


def test_numbers_rise(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.loads(line) for line in recorded(monkeypatch)]
    assert all(two["n"] == one["n"] + 1 for one, two in pairwise(lines))


def test_requests_sent_ahead_beside_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, the event for one connection stands between other pieces of the answers on the other."""
    session = Session(monkeypatch, with_secrets=False)
    rig, level = session.rig, session.rig.lamp.level.id
    pairing = rig.line().pair()
    listener, busy = rig.line().verify(pairing), rig.line().verify(pairing)
    listener.put({"aid": level.aid, "iid": level.iid, "ev": True})
    listener.receive = busy.receive = lambda data: None
    body = b'{"characteristics":[{"aid":%d,"iid":%d,"value":%%d}]}' % level
    ahead = b"".join(with_length(body % value) for value in (50, 60, 70)) + b"GET /accessories HTTP/1.1\r\n\r\n"
    rig.feed(busy, busy.sealer.seal(ahead))
    rig.pass_time(3.0)
    (transcript,) = read_transcripts(session.accessory)
    for cut in (whole, bytewise, lambda data: (data[:90], data[90:])):
        outcome = replay_transcript(transcript, cut)
        assert outcome.first is None, str(outcome.first)
        assert outcome.compared > 15


def test_an_answer_that_is_cut_off() -> None:
    """What a peer has of an answer when the connection ends is the beginning of one in a replay, too."""
    from tests.core import controller_peer

    lines: list[bytes] = []
    peer = controller_peer.Accessory([b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"])
    engine = RecordedConnection("192.0.2.7", entropy=controller_peer.entropy, sink=lines.append)
    link = controller_peer.Link(engine, peer)
    assert link.ask(VerifyPairing(controller_peer.PAIRING)) is None
    number = link.do(GetAccessories())
    engine.receive_eof(1.0)
    link.pump()
    assert isinstance(link.reply(number), Exception)
    (transcript,) = read_transcripts(lines)
    outcome = replay_transcript(transcript)
    assert outcome.first is None, str(outcome.first)
