"""One recorded connection, played to a controller engine step by step."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

from hapcore.engine import CloseConnection, Command, CommandId, Done, Failed, SendBytes
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import CharacteristicChanged, Connection, EventUnreadable, SessionClosed
from hapcore.replay.application import identifier_of
from hapcore.replay.meaning import show, values_of
from hapcore.replay.messages import Message, Messages
from hapcore.replay.report import Cut, Difference, opener_of
from hapcore.replay.results import is_refusal, request_difference, result_difference, same_held
from hapcore.replay.script import Closed, Expect, Feed, Scene, Script, Secure, Step, Track
from hapcore.replay.wire import Frames

__all__ = ["Broken", "Conversation", "Tally"]

_HOST = "127.0.0.1"


class Broken(Exception):
    """The engine cannot go on with this connection; the difference was noted."""


class Tally:
    """What a whole replay has found so far."""

    def __init__(self, script: Script, cut: Cut) -> None:
        self.script = script
        self.cut = cut
        self.differences: list[Difference] = []
        self.compared = 0
        self.skipped = 0
        self.sent: list[bytes] = []


class _Draws:
    """Entropy: what the recorded controller drew, else a hash of the label and a counter."""

    def __init__(self) -> None:
        self.fixed: dict[str, bytes] = {}
        self._count = 0

    def __call__(self, label: str, length: int) -> bytes:
        found = self.fixed.get(label)
        if found is not None and len(found) == length:
            return found
        self._count += 1
        return hashlib.shake_256(f"{label} {self._count}".encode()).digest(length)


class Conversation:
    """The engine, the place in the recording, and what moves both on together."""

    def __init__(self, tally: Tally, scene: Scene, track: Track) -> None:
        self.tally = tally
        self.track = track
        self.opener = opener_of(track)
        self.draws = _Draws()
        self.now = 0.0
        self._scene = scene
        self._at = 0
        self._cause: Message | None = None
        self.open()

    def open(self) -> None:
        """A fresh connection."""
        self.engine = Connection(_HOST, entropy=self.draws)
        self.closed = False
        self.secured = False
        self.replies: dict[CommandId, Done | Failed] = {}
        #: Requests that were left out and whose answers are still to come.
        self.unanswered = 0
        self._requests = Messages()
        self._outbox: deque[Message] = deque()
        self._changes: deque[CharacteristicChanged] = deque()
        self._ending: HapError | None = None
        self._own: Frames | None = None
        self._sealer: Frames | None = None
        self._in_step = True

    # The place in the recording.

    @property
    def step(self) -> Step | None:
        """The step that comes next; None at the end."""
        steps = self.track.steps
        if self._at >= len(steps):
            return None
        self.now = max(self.now, steps[self._at].t)
        return steps[self._at]

    def skip_step(self) -> None:
        """Go behind the next step."""
        self._at += 1

    def go_back(self, place: int) -> None:
        """Go back to a place that `place` gave."""
        self._at = place

    @property
    def place(self) -> int:
        """Where we are."""
        return self._at

    def coming(self, *, after: int = 0) -> list[Message]:
        """The requests that are still to come."""
        steps = self.track.steps[self._at + after :]
        return [request for step in steps if isinstance(step, Feed) for request in step.requests]

    @property
    def crowded(self) -> bool:
        """Whether another request follows before this one is answered."""
        for step in self.track.steps[self._at + 1 :]:
            if isinstance(step, Expect) and not step.message.event:
                return False
            if isinstance(step, Feed) and step.requests:
                return True
        return False

    # Requests and answers.

    def submit(self, command: Command[Any]) -> CommandId:
        """Hand a command to the engine."""
        number = self.engine.submit(command, self.now)
        self.pump()
        return number

    def asked(self) -> Message | None:
        """What the engine asks, if it asks anything."""
        return self._outbox.popleft() if self._outbox else None

    @property
    def asking(self) -> bool:
        """Whether the engine waits for something to be answered."""
        return bool(self._outbox)

    def forget_asked(self) -> None:
        """What the engine asked is not answered any more."""
        self._outbox.clear()

    def exchange(self) -> Message | None:
        """Compare what the engine asks with what was asked, and give it the recorded answer."""
        asked, recorded = self.asked(), self.next_request()
        found = "nothing was asked" if asked is None else None
        if asked is not None and recorded is not None:
            found = request_difference(recorded, asked, self.opener)
        if found is not None:
            self.differ(f"another request: {found}", recorded, asked)
            raise Broken
        return self.answer()

    def next_request(self) -> Message | None:
        """Go behind the next request of the recording, which is the cause of what follows."""
        while (step := self.step) is not None:
            if isinstance(step, Feed):
                self._at += 1
                if step.requests:
                    self._cause = step.requests[-1]
                    return step.requests[-1]
            elif isinstance(step, Expect) and step.message.event:
                self.event(step)
            else:
                break
        return None

    def answer(self) -> Message | None:
        """Hand over what came up to the answer, the answer included; None if the connection ended instead."""
        while (step := self.step) is not None:
            if isinstance(step, Expect) and step.message.event:
                self.event(step)
            elif isinstance(step, Expect):
                self._at += 1
                self._deliver(step)
                return step.message
            elif isinstance(step, Feed) and not step.requests:
                self._at += 1
            else:
                if isinstance(step, Closed):
                    self._at += 1
                    self.receive_eof()
                break
        return None

    def event(self, step: Expect) -> None:
        """Hand over an event and see what the engine makes of it."""
        self._at += 1
        if self.closed or not self.secured:
            return
        self._deliver(step)
        if self._ending is not None:
            self.differ(f"the connection was given up: {self._ending!r}", step.message, None)
            raise Broken
        wanted = [(identifier_of(entry), entry.get("value")) for entry in values_of(step.message)]
        got: dict[CharacteristicId, Value] = {}
        for _ in range(min(len(wanted), len(self._changes))):
            change = self._changes.popleft()
            got[change.id] = change.value
        for number, value in wanted:
            # An entry without a value says nothing, unless it is a button that was pressed.
            if value is None and number not in got:
                continue
            if number is None or number not in got or not same_held(value, got[number]):
                self.differ(f"the event was read as {got!r}", step.message, None)
                return
        self.tally.compared += 1

    def leave_out(self) -> None:
        """Pass over a request that no regular controller sends; its answer is passed over when it comes."""
        self.tally.skipped += 1
        self.unanswered += 1
        self._at += 1

    def leave_out_answer(self) -> None:
        """Pass over an answer that our engine did not ask for; the counters of both sides part from here on."""
        self._at += 1
        self.unanswered = max(0, self.unanswered - 1)
        self._in_step = False

    def finish(self, number: CommandId, command: Command[Any], answer: Message | None) -> Done | None:
        """Judge the reply to a command that was answered so; the reply if the command was done."""
        reply = self.replies.pop(number, None)
        if reply is None:
            if answer is not None:
                self.differ("the command is not done", answer, None)
                raise Broken
            return None
        if isinstance(reply, Failed):
            if answer is not None and not is_refusal(answer, reply.error):
                self.differ(f"not accepted: {reply.error!r}", answer, None)
            else:
                self.tally.compared += 1
            return None
        found = result_difference(command, reply.result, answer) if answer is not None else None
        if found is not None:
            self.differ(found, answer, None)
        else:
            self.tally.compared += 1
        return reply

    def differ(self, reason: str, expected: Message | None, got: Message | None) -> None:
        """Note a difference."""
        self.tally.differences.append(
            Difference(
                recording=self.tally.script.name,
                scene=self._scene.name,
                track=self.track.name,
                step=max(self._at - 1, 0),
                t=self.now,
                reason=reason,
                expected=show(expected, self.opener),
                got=show(got, self.opener),
                cause=show(self._cause, self.opener) if self._cause is not None else "",
            )
        )

    # Bytes.

    def secure(self) -> None:
        """The session that our engine has proved begins."""
        step = self.step
        if not isinstance(step, Secure):
            self.differ("a session began that was not recorded", None, None)
            raise Broken
        self._at += 1
        self.secured = True
        self._in_step = True
        self._own, self._sealer = Frames(step.c2a), Frames(step.a2c)

    def receive_eof(self) -> None:
        """The accessory closed the connection."""
        self.closed = True
        self.engine.receive_eof(self.now)
        self.pump()

    def _deliver(self, step: Expect) -> None:
        data = step.raw
        if self._sealer is not None:
            if self._in_step:
                self._sealer.count(data)
            else:
                data = self._sealer.seal(step.message.data)
        for piece in self.tally.cut(data):
            self.engine.receive_data(piece, self.now)
            self.pump()

    def pump(self) -> None:
        """Take everything the engine puts out."""
        while (output := self.engine.poll()) is not None:
            match output:
                case SendBytes(_, data):
                    self.tally.sent.append(data)
                    self._outbox += self._requests.feed(self._own.open(data) if self._own is not None else data)
                case CloseConnection():
                    self.closed = True
                case Done(command) | Failed(command):
                    self.replies[command] = output
                case CharacteristicChanged():
                    self._changes.append(output)
                case EventUnreadable(error):
                    self.differ(f"an event was not understood: {error}", None, None)
                case SessionClosed(reason):
                    self._ending = reason
                case _:
                    pass
