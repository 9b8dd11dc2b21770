"""Plays a recording to our accessory: the recorded controller speaks, our engine answers, the answers are compared."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping

from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import make_verifier
from hapcore.discovery import Advertise
from hapcore.engine import CloseConnection, Command, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.accessory import (
    AnswerRead,
    AnswerWrite,
    Config,
    ReadRequested,
    Server,
    UpdateValues,
    WriteRequested,
)
from hapcore.model.database import Database
from hapcore.pairing.records import Identity
from hapcore.replay.application import Application
from hapcore.replay.draws import Draws
from hapcore.replay.fields import RecordingError
from hapcore.replay.meaning import difference, show
from hapcore.replay.messages import Message, Messages
from hapcore.replay.report import Cut, Difference, Outcome, opener_of, whole
from hapcore.replay.script import Closed, Expect, Feed, Hangup, Reopen, Scene, Script, Secure, Silence, Step, Track
from hapcore.replay.wire import Frames
from hapcore.setup_code import SetupCode

__all__ = ["AccessoryPlayer", "play_accessory"]

#: How much later than recorded a message may come: the recorded clock is the controller's.
_SLACK = 0.1
_MAX_ATTEMPTS = 100
#: As many connections Apple's accessory took at a time; the next one it left to TCP until another was closed.
_ACCEPTED = 17
_ATTEMPTS = re.compile(r"attempt counter set to (\d+)")


def play_accessory(
    script: Script,
    database: Database,
    *,
    application: Callable[[Database], Application] = Application,
    cut: Cut = whole,
) -> Outcome:
    """Play all scenes to a fresh accessory with this database.

    `application` makes the one behind it; `cut` says how the bytes are handed over.
    """
    return AccessoryPlayer(script, database, application=application(database), cut=cut).play()


class _Link:
    """One connection of the recording and ours in its place."""

    def __init__(self, track: Track, connection: ConnectionId) -> None:
        self.track = track
        self.opener = opener_of(track)
        self.answers = _answers(track)
        self.reopen(connection)

    def reopen(self, connection: ConnectionId) -> None:
        self.connection = connection
        self.messages = Messages()
        self.received: deque[Message] = deque()
        self.frames: Frames | None = None
        self.closed = False
        #: Nothing more can be compared; the reason was reported.
        self.broken = False
        self.cause: Message | None = None
        #: What was sent before the accessory took the connection; None as soon as it has.
        self.held: list[bytes] | None = None

    def take(self, data: bytes) -> None:
        self.received += self.messages.feed(self.frames.open(data) if self.frames is not None else data)


class AccessoryPlayer:
    """One replay; `play` does it once."""

    def __init__(self, script: Script, database: Database, *, application: Application, cut: Cut = whole) -> None:
        self._script = script
        self._database = database
        self._application = application
        self._cut = cut
        accessory = script.accessory
        verifier = make_verifier(accessory.setup_code, accessory.salt) if accessory.salt is not None else None
        self._draws = Draws(script, verifier)
        self._config = Config(
            name="Replay",
            category=int(script.announced[0].get("ci", "1")) if script.announced else 1,
            setup_code=SetupCode.parse(accessory.setup_code),
            setup_id=accessory.setup_id or "RPLY",
        )
        ltsk = accessory.ltsk or Secret(self._draws("identity.ltsk", 32))
        #: The engine's store.
        self.stored: dict[str, bytes] = {"identity": Identity(accessory.device_id, ltsk).to_json()}
        #: TXT records in the order they were announced, repetitions left out.
        self.announced: list[Mapping[str, str]] = []
        self._links: dict[int, _Link] = {}
        self._sent: dict[ConnectionId, bytearray] = {}
        self._differences: list[Difference] = []
        self._compared = 0
        self._scene = Scene("", "", ())
        self._at: tuple[int, int] = (0, 0)
        self._now = 0.0
        self._server = self._start()

    def play(self) -> Outcome:
        """Play everything."""
        for scene in self._script.scenes:
            self._play_scene(scene)
        sent = tuple(bytes(data) for data in self._sent.values())
        return Outcome(tuple(self._differences), self._compared, 0, sent, tuple(self.announced))

    def _start(self) -> Server:
        self._server = Server(self._database, config=self._config, state=self.stored, entropy=self._draws)
        self._pump()
        return self._server

    def _play_scene(self, scene: Scene) -> None:
        self._scene = scene
        self._links = {}
        found = _ATTEMPTS.search(scene.note)
        if found is not None:
            self.stored["attempts"] = found[1].encode()
            self._start()
        for number, index, step in scene.in_order():
            self._at = (number, index)
            self._advance(step.t)
            link = self._links.get(number) or self._open(number)
            self._play_step(link, index, step)
        for number, link in self._links.items():
            self._at = (number, len(link.track.steps))
            for message in link.received:
                self._differ(link, "a message too much", None, message)
            if not link.closed and link.held is None:
                self._server.receive_eof(link.connection, self._now)
        self._links = {}
        self._pump()

    def _open(self, number: int) -> _Link:
        link = self._links[number] = _Link(self._scene.tracks[number], ConnectionId(0))
        link.held = []
        self._accept_waiting()
        return link

    def _accept_waiting(self) -> None:
        """Take the connections there is room for, in the order in which they came."""
        room = _ACCEPTED - sum(not each.closed and each.held is None for each in self._links.values())
        waiting = [each for each in self._links.values() if each.held is not None and not each.closed]
        for link in waiting[: max(room, 0)]:
            self._accept(link)

    def _accept(self, link: _Link) -> None:
        held, link.held = link.held or [], None
        link.connection = self._server.connection_opened(self._now)
        self._pump()
        for data in held:
            self._receive(link, data)

    def _play_step(self, link: _Link, index: int, step: Step) -> None:
        match step:
            case Feed():
                self._feed(link, index, step)
            case Expect():
                self._expect(link, step.message)
            case Secure():
                link.frames = Frames(step.a2c)
            case Silence():
                self._silence(link)
            case Closed():
                if not link.closed:
                    self._advance(step.t + _SLACK)
                if not link.closed and not link.broken:
                    self._differ(link, "the connection should be closed", None, None)
                self._hang_up(link)
            case Hangup():
                # Whether we closed first after the last answer, nobody could have told.
                self._hang_up(link)
            case Reopen():
                link.reopen(self._server.connection_opened(self._now))
                self._pump()

    def _feed(self, link: _Link, index: int, step: Feed) -> None:
        answer = link.answers.get(index)
        link.cause = step.requests[-1] if step.requests else None
        self._draws.prepare(answer)
        if answer is not None and answer.state == 2 and link.cause is not None and link.cause.path == "/pair-setup":
            self._reset_attempts(link, answer)
        if step.requests:
            self._set_from_inside(link, self._application.before(step.requests[-1], answer))
        if link.held is not None:
            link.held.append(step.raw)
        else:
            self._receive(link, step.raw)

    def _receive(self, link: _Link, data: bytes) -> None:
        for piece in self._cut(data):
            if link.closed:
                break
            self._server.receive_data(link.connection, piece, self._now)
            self._pump()

    def _reset_attempts(self, link: _Link, answer: Message) -> None:
        """An M2 without error after a hundred failures: somebody has reset the counter."""
        if int(self.stored.get("attempts", b"0")) < _MAX_ATTEMPTS or any(kind == 7 for kind, _ in answer.items):
            return
        del self.stored["attempts"]
        self._start()
        for other in self._links.values():
            if other is link or not other.closed:
                other.reopen(self._server.connection_opened(self._now))
        self._pump()

    def _expect(self, link: _Link, message: Message) -> None:
        if link.broken:
            return
        if message.event:
            self._expect_event(link, message)
        elif not link.received:
            self._advance(self._now + _SLACK)
        got = next((each for each in link.received if each.event is message.event), None)
        if got is None:
            waiting = len(link.messages.waiting)
            reason = "closed without an answer" if link.closed else "no answer"
            self._differ(link, f"{reason} ({waiting} bytes wait)" if waiting else reason, message, None)
            link.broken = link.closed
            return
        link.received.remove(got)
        self._compared += 1
        found = difference(message, got, link.opener)
        if found is not None:
            self._differ(link, found, message, got)

    def _expect_event(self, link: _Link, message: Message) -> None:
        if any(each.event for each in link.received):
            return
        due = self._server.next_timeout()
        pending = due is not None and due <= self._now + _SLACK
        changes = self._application.before_event(message)
        self._set_from_inside(link, changes if changes or pending else self._application.presses(message))
        self._advance(self._now + _SLACK)

    def _silence(self, link: _Link) -> None:
        # They stay where they are: perhaps they only came early.
        for message in link.received:
            self._differ(link, "a message where none came", None, message)
        if link.closed and not link.broken:
            self._differ(link, "the connection is closed, in the recording it stayed open", None, None)
            link.broken = True

    def _hang_up(self, link: _Link) -> None:
        if not link.closed:
            link.closed = True
            if link.held is None:
                self._server.receive_eof(link.connection, self._now)
                self._pump()
        self._accept_waiting()

    def _set_from_inside(self, link: _Link, values: Mapping[CharacteristicId, Value]) -> None:
        if not values:
            return
        try:
            self._server.submit(UpdateValues(values), self._now)
        except HapError as error:
            self._differ(link, f"the application could not set {dict(values)!r}: {error}", None, None)
        self._pump()

    def _advance(self, now: float) -> None:
        while (due := self._server.next_timeout()) is not None and due <= now:
            self._now = max(self._now, due)
            self._server.handle_timeout(self._now)
            self._pump()
            if self._server.next_timeout() == due:
                break
        self._now = max(self._now, now)

    def _pump(self) -> None:
        while (output := self._server.poll()) is not None:
            self._carry_out(output)

    def _carry_out(self, output: Output) -> None:
        match output:
            case SendBytes(connection, data):
                self._sent.setdefault(connection, bytearray()).extend(data)
                for link in self._links.values():
                    if link.connection == connection and not link.broken:
                        try:
                            link.take(data)
                        except RecordingError as error:
                            self._differ(link, f"not sealed with the recorded key: {error}", None, None)
                            link.broken = True
            case CloseConnection(connection):
                for link in self._links.values():
                    if link.connection == connection:
                        link.closed = True
            case Persist(key, value):
                self.stored[key] = value
            case Forget(key):
                self.stored.pop(key, None)
            case Advertise(record):
                txt = record.txt()
                if not self.announced or self.announced[-1] != txt:
                    self.announced.append(txt)
            case WriteRequested(request, _, writes):
                statuses = {write.id: self._application.write(write) for write in writes}
                responses = {write.id: self._application.respond(write) for write in writes}
                given = {one: value for one, value in responses.items() if value is not None}
                self._submit(AnswerWrite(request, statuses, given))
            case ReadRequested(request, _, ids):
                self._submit(AnswerRead(request, {one: self._application.read(one) for one in ids}))
            case _:
                pass

    def _submit(self, command: Command[bool]) -> None:
        self._server.submit(command, self._now)

    def _differ(self, link: _Link, reason: str, expected: Message | None, got: Message | None) -> None:
        track, step = self._at
        self._differences.append(
            Difference(
                recording=self._script.name,
                scene=self._scene.name,
                track=self._scene.tracks[track].name,
                step=step,
                t=self._now,
                reason=reason,
                expected=show(expected, link.opener),
                got=show(got, link.opener),
                cause=show(link.cause, link.opener) if link.cause is not None else "",
            )
        )


def _answers(track: Track) -> dict[int, Message]:
    """The recorded answer to what is fed at each step; requests may follow each other without waiting."""
    found: dict[int, Message] = {}
    waiting: deque[int] = deque()
    last: int | None = None
    for index, step in enumerate(track.steps):
        if isinstance(step, Feed):
            last = index
            waiting += [index] * len(step.requests)
        elif isinstance(step, Reopen):
            waiting.clear()
        elif isinstance(step, Expect) and not step.message.event:
            asked = waiting.popleft() if waiting else last
            if asked is not None:
                found.setdefault(asked, step.message)
    return found
