"""Plays a recording to our controller: our engine asks what was asked, the recorded accessory answers, it must accept.

Every connection of the recording is played for itself. Requests that no regular controller sends are left out, with
their answers; from there on the answers are sealed anew, because the counters of the record layer have moved on.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from hapcore.codec import tlv8
from hapcore.codec.json import JsonValue, read_tolerant
from hapcore.crypto.keys import x25519_public
from hapcore.crypto.srp import Padding, SrpController
from hapcore.engine import CloseConnection, Command, CommandId, Done, Failed, SendBytes
from hapcore.errors import HapError, LocalProtocolError, Refused
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import (
    CharacteristicChanged,
    Connection,
    EventUnreadable,
    FinishPairSetup,
    GetAccessories,
    ListPairings,
    Read,
    ReadResult,
    StartPairSetup,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.pairing.items import Item, Method
from hapcore.pairing.records import ControllerIdentity, Pairing
from hapcore.pairing.setup import PairSetupController
from hapcore.replay.application import identifier_of
from hapcore.replay.meaning import Opener, json_difference, same_value, show, tlv_difference, values_of
from hapcore.replay.messages import Message, Messages
from hapcore.replay.regular import command_for
from hapcore.replay.report import Cut, Difference, Outcome, opener_of, whole
from hapcore.replay.script import Closed, Expect, Feed, Hangup, Reopen, Scene, Script, Secure, SetupRun, Step, Track
from hapcore.replay.wire import Frames
from hapcore.setup_code import SetupCode

__all__ = ["play_controller"]

_HOST = "127.0.0.1"


def play_controller(script: Script, *, cut: Cut = whole, padding: Padding | None = None) -> Outcome:
    """Play every connection to a fresh controller engine.

    `cut` says how the answers are handed over; `padding` is the habit of the recorded controller with SRP's leading
    zeros, where it is known.
    """
    return _Player(script, cut, padding).play()


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


class _Broken(Exception):
    """The engine cannot go on with this connection; the difference was noted."""


class _Player:
    def __init__(self, script: Script, cut: Cut, padding: Padding | None) -> None:
        self._script = script
        self._cut = cut
        self._padding = padding
        self._differences: list[Difference] = []
        self._compared = 0
        self._skipped = 0
        self._sent: list[bytes] = []

    def play(self) -> Outcome:
        for scene in self._script.scenes:
            for track in scene.tracks:
                _TrackPlayer(self, scene, track).play()
        return Outcome(tuple(self._differences), self._compared, self._skipped, tuple(self._sent))

    @property
    def script(self) -> Script:
        return self._script

    @property
    def cut(self) -> Cut:
        return self._cut

    @property
    def padding(self) -> Padding | None:
        return self._padding

    def sent(self, data: bytes) -> None:
        self._sent.append(data)

    def alike(self) -> None:
        self._compared += 1

    def skip(self) -> None:
        self._skipped += 1

    def differ(self, difference: Difference) -> None:
        self._differences.append(difference)


class _TrackPlayer:
    """One connection of the recording."""

    def __init__(self, player: _Player, scene: Scene, track: Track) -> None:
        self._player = player
        self._scene = scene
        self._track = track
        self._opener = opener_of(track)
        self._steps: Sequence[Step] = track.steps
        self._at = 0
        self._now = 0.0
        self._draws = _Draws()
        self._cause: Message | None = None
        self._open()

    def _open(self) -> None:
        """A fresh connection."""
        self._engine = Connection(_HOST, entropy=self._draws)
        self._sent = Messages()
        self._outbox: deque[Message] = deque()
        self._replies: dict[CommandId, Done | Failed] = {}
        self._changes: deque[CharacteristicChanged] = deque()
        self._closed = False
        self._own: Frames | None = None
        self._recorded: Frames | None = None
        self._sealer: Frames | None = None
        self._keys: Secure | None = None
        self._in_step = True

    def play(self) -> None:
        while self._at < len(self._steps):
            step = self._steps[self._at]
            self._now = max(self._now, step.t)
            try:
                self._play(step)
            except _Broken:
                self._closed = True

    def _play(self, step: Step) -> None:
        match step:
            case Feed():
                self._ask(step)
            case Expect():
                if step.message.event:
                    self._event(step)
                else:
                    self._leave_out()
            case Reopen():
                self._at += 1
                self._open()
            case Closed():
                self._at += 1
                self._engine.receive_eof(self._now)
                self._pump()
            case Hangup():
                self._at = len(self._steps)
            case Secure():
                # A session that is none of ours (a transient one): nothing of it concerns a regular controller.
                self._at += 1
                self._closed = True
            case _:
                self._at += 1

    # What is asked.

    def _ask(self, step: Feed) -> None:
        if not step.requests:
            self._at += 1
            if step.forged:
                self._leave_out()
            return
        request = step.requests[-1]
        self._cause = request
        if self._closed:
            self._at += 1
        elif self._keys is None and request.path == "/pair-setup":
            self._setup(request)
        elif self._keys is None and request.path == "/pair-verify":
            self._verify(request)
        else:
            self._use()

    def _use(self) -> None:
        regular = command_for(self._requests_from(self._at), self._engine) if self._wants_session() else None
        if regular is None:
            self._leave_out_request()
            return
        if regular.pid is not None:
            self._draws.fixed["timed-write.pid"] = regular.pid
        try:
            number = self._engine.submit(regular.command, self._now)
        except LocalProtocolError:
            self._leave_out_request()
            return
        self._pump()
        answer: Message | None = None
        for _ in range(regular.requests):
            answer = self._exchange()
            if answer is None or number in self._replies:
                break
        self._finish(number, regular.command, answer)

    def _wants_session(self) -> bool:
        return self._keys is not None or self._engine.state.value == "plain"

    def _requests_from(self, at: int) -> list[Message]:
        return [request for step in self._steps[at:] if isinstance(step, Feed) for request in step.requests]

    def _exchange(self) -> Message | None:
        """Compare what the engine asked with what was asked, and give it the recorded answer."""
        asked = self._outbox.popleft() if self._outbox else None
        recorded = self._next_request()
        self._cause = recorded
        found = "nothing was asked" if asked is None else _request_difference(recorded, asked) if recorded else None
        if found is not None:
            self._differ(f"another request: {found}", recorded, asked)
            raise _Broken
        return self._answer()

    def _next_request(self) -> Message | None:
        """Go behind the next request of the recording."""
        while self._at < len(self._steps):
            step = self._steps[self._at]
            if isinstance(step, Feed):
                self._at += 1
                if step.requests:
                    return step.requests[-1]
            elif isinstance(step, Expect) and step.message.event:
                self._event(step)
            else:
                return None
        return None

    def _answer(self) -> Message | None:
        """Hand over what came up to the answer, the answer included; None if the connection ended instead."""
        while self._at < len(self._steps):
            step = self._steps[self._at]
            if isinstance(step, Expect):
                if step.message.event:
                    self._event(step)
                    continue
                self._at += 1
                self._deliver(step)
                return step.message
            if isinstance(step, Feed) and not step.requests:
                self._at += 1
                continue
            if isinstance(step, Closed):
                self._at += 1
                self._engine.receive_eof(self._now)
                self._pump()
            return None
        return None

    def _event(self, step: Expect) -> None:
        self._at += 1
        if self._closed or self._keys is None:
            return
        self._deliver(step)
        wanted = [(identifier_of(entry), entry.get("value")) for entry in values_of(step.message)]
        got: list[tuple[CharacteristicId, Value]] = []
        while self._changes and len(got) < len(wanted):
            change = self._changes.popleft()
            got.append((change.id, change.value))
        left = dict(got)
        for id, value in wanted:
            if id is None or (id not in left and value is not None) or not same_value(value, _json(left.get(id))):
                self._differ(f"the event was read as {got!r}", step.message, None)
                return
        self._player.alike()

    # What is left out.

    def _leave_out_request(self) -> None:
        self._player.skip()
        self._at += 1
        while self._at < len(self._steps):
            step = self._steps[self._at]
            if isinstance(step, Expect) and not step.message.event:
                self._leave_out()
                return
            if isinstance(step, Expect):
                self._event(step)
            elif isinstance(step, Feed) and not step.requests:
                self._at += 1
            else:
                return

    def _leave_out(self) -> None:
        """An answer that our engine did not ask for."""
        step = self._steps[self._at] if self._at < len(self._steps) else None
        if not isinstance(step, Expect) or step.message.event:
            return
        self._at += 1
        if self._keys is not None and self._in_step and self._recorded is not None and self._sealer is not None:
            self._in_step = False

    # Bytes.

    def _deliver(self, step: Expect) -> None:
        data = step.raw
        if self._keys is not None and self._sealer is not None:
            if self._in_step:
                self._sealer.count(data)
            else:
                data = self._sealer.seal(step.message.data)
        for piece in self._player.cut(data):
            self._engine.receive_data(piece, self._now)
            self._pump()

    def _pump(self) -> None:
        while (output := self._engine.poll()) is not None:
            match output:
                case SendBytes(_, data):
                    self._player.sent(data)
                    self._outbox += self._sent.feed(self._own.open(data) if self._own is not None else data)
                case CloseConnection():
                    self._closed = True
                case Done(command) | Failed(command):
                    self._replies[command] = output
                case CharacteristicChanged():
                    self._changes.append(output)
                case EventUnreadable(error):
                    self._differ(f"an event was not understood: {error}", None, None)
                case _:
                    pass

    # What came of it.

    def _finish(self, number: CommandId, command: Command[Any], answer: Message | None) -> Done | None:
        """Judge the reply to a command that was answered so."""
        reply = self._replies.pop(number, None)
        if reply is None:
            if answer is not None:
                self._differ("the command is not done", answer, None)
                raise _Broken
            return None
        if isinstance(reply, Failed):
            if answer is not None and not _refusal(answer, reply.error):
                self._differ(f"not accepted: {reply.error!r}", answer, None)
            else:
                self._player.alike()
            return None
        found = None if answer is None else _result_difference(command, reply.result, answer)
        if found is not None:
            self._differ(found, answer, None)
        else:
            self._player.alike()
        return reply

    def _differ(self, reason: str, expected: Message | None, got: Message | None) -> None:
        self._player.differ(
            Difference(
                recording=self._player.script.name,
                scene=self._scene.name,
                track=self._track.name,
                step=max(self._at - 1, 0),
                t=self._now,
                reason=reason,
                expected=show(expected, self._opener),
                got=show(got, self._opener),
                cause=show(self._cause, self._opener) if self._cause is not None else "",
            )
        )

    # Handshakes.

    def _fresh(self) -> None:
        """A handshake that was broken off leaves an engine that waits for an answer: take a new one."""
        if self._engine.state.value not in ("plain", "setup code wanted") or self._closed:
            self._open()
        self._outbox.clear()

    def _setup(self, request: Message) -> None:
        items = dict(request.items)
        method = items.get(Item.METHOD, b"")
        regular = set(items) == {Item.METHOD, Item.STATE} and items[Item.STATE] == b"\1" and method in (b"\0", b"\1")
        if not regular or len(items) != len(request.items):
            self._leave_out_request()
            return
        run = self._run_after(self._at)
        if run is not None and run.a is not None:
            self._draws.fixed["pair-setup.srp-a"] = run.a.to_bytes(32, "big")
            padding = self._player.padding or self._habit(run)
            if padding is not Padding.STRIPPED:
                self._setup_with(padding, run, Method(method[0]))
                return
        self._fresh()
        identity = self._identity(run)
        number = self._engine.submit(StartPairSetup(Method(method[0]), None, identity), self._now)
        self._pump()
        first = self._at
        answer = self._exchange()
        # B with a leading zero is not taken at once: the recorded accessory always draws the same.
        while self._outbox and number not in self._replies and answer is not None:
            self._at = first
            answer = self._exchange()
        if self._finish(number, StartPairSetup(), answer) is None or run is None or run.code is None:
            return
        code = SetupCode(run.code, allow_trivial=True)
        number = self._engine.submit(FinishPairSetup(code), self._now)
        self._pump()
        self._prove(number, run)

    def _prove(self, number: CommandId, run: SetupRun) -> None:
        """M3 to M6. A proof that the recorded client spoilt, or made with other habits, is not compared."""
        recorded = self._next_request()
        asked = self._outbox.popleft() if self._outbox else None
        answer = self._answer()
        accepted = answer is not None and answer.state == 4 and not _error(answer)
        self._cause = recorded
        found = _request_difference(recorded, asked) if recorded is not None and asked is not None else "no M3"
        if found is not None and accepted:
            self._differ(f"another proof: {found}", recorded, asked)
            raise _Broken
        if answer is None or not accepted:
            self._finish(number, FinishPairSetup(SetupCode("031-45-154")), answer)
            return
        upcoming = self._requests_from(self._at)[:1]
        asked = self._outbox.popleft() if self._outbox else None
        if not upcoming or upcoming[0].state != 5:
            if asked is None:
                self._finish(number, FinishPairSetup(SetupCode("031-45-154")), answer)
            else:
                self._player.alike()
            self._open()
            return
        recorded = self._next_request()
        answer = self._answer()
        self._cause = recorded
        accepted = answer is not None and answer.state == 6 and not _error(answer)
        found = _request_difference(recorded, asked, self._opener) if recorded is not None and asked is not None else "no M5"
        if found is not None and accepted:
            self._differ(f"another M5: {found}", recorded, asked)
        done = self._finish(number, FinishPairSetup(SetupCode("031-45-154")), answer)
        if done is not None and isinstance(done.result, Pairing):
            accessory = self._player.script.accessory
            if done.result.accessory_id != accessory.device_id or done.result.accessory_ltpk != accessory.ltpk:
                self._differ("the pairing is with another accessory", answer, None)

    def _habit(self, run: SetupRun) -> Padding:
        """How the recorded controller treats leading zeros: whichever way gives its proof, else our own."""
        proof = next((dict(one.items).get(Item.PROOF) for one in self._requests_from(self._at + 1)), None)
        if run.a is None or run.b_public is None or run.code is None or run.salt is None:
            return Padding.STRIPPED
        for padding in (Padding.STRIPPED, Padding.PADDED):
            made = SrpController(
                run.salt, run.b_public.to_bytes(384, "big"), run.code, run.a.to_bytes(32, "big"), padding
            )
            if made.proof == proof:
                return padding
        return Padding.STRIPPED

    def _setup_with(self, padding: Padding, run: SetupRun, method: Method) -> None:
        """Another habit than our engine's: the handshake is played to the procedure itself, which can have it."""
        machine = PairSetupController(self._draws, method=method, identity=self._identity(run), padding=padding)
        try:
            self._talk(machine.m1())
            first = self._answer()
            while first is not None and not machine.receive_m2(first.body):
                machine.m1()
            for make in (lambda _: machine.m3(run.code or ""), machine.m5):
                asked = make(first.body if first is not None else b"")
                if not self._requests_from(self._at) or first is None:
                    return
                self._talk(asked)
                first = self._answer()
            if first is not None:
                pairing = machine.finish(first.body)
                if pairing.accessory_ltpk != self._player.script.accessory.ltpk:
                    self._differ("the pairing is with another accessory", first, None)
        except HapError as error:
            if first is not None and not _refusal(first, error):
                self._differ(f"not accepted: {error!r}", first, None)

    def _talk(self, body: bytes) -> None:
        """Compare the body of a handshake message of ours with the recorded one."""
        recorded = self._next_request()
        if recorded is None:
            return
        self._cause = recorded
        found = tlv_difference(recorded.items, tlv8.decode(body), self._opener)
        if found is None:
            self._player.alike()
        else:
            self._differ(f"another message: {found}", recorded, None)

    def _run_after(self, at: int) -> SetupRun | None:
        """The pair-setup whose M3 comes next, found by its public key."""
        for request in self._requests_from(at + 1):
            if request.path != "/pair-setup" or request.state != 3:
                return None
            public = dict(request.items).get(Item.PUBLIC_KEY, b"")
            number = int.from_bytes(public, "big")
            return next((run for run in self._track.setups if run.a_public == number and run.a is not None), None)
        return None

    def _identity(self, run: SetupRun | None) -> ControllerIdentity | None:
        controllers = self._player.script.controllers
        wanted = run.controller if run is not None else ""
        found = next((one for one in controllers if one.identifier == wanted), controllers[0] if controllers else None)
        return ControllerIdentity(found.identifier, found.ltsk) if found is not None else None

    def _verify(self, request: Message) -> None:
        items = dict(request.items)
        public = items.get(Item.PUBLIC_KEY)
        run = next(
            (
                run
                for run in self._track.verifies
                if run.controller_secret is not None and x25519_public(run.controller_secret.reveal()) == public
            ),
            None,
        )
        script = self._player.script
        controller = next((one for one in script.controllers if run is not None and one.identifier == run.controller), None)
        regular = set(items) == {Item.PUBLIC_KEY, Item.STATE} and items[Item.STATE] == b"\1"
        if run is None or run.controller_secret is None or controller is None or not regular or script.accessory.ltpk is None:
            self._leave_out_request()
            return
        self._draws.fixed["pair-verify.x25519"] = run.controller_secret.reveal()
        self._fresh()
        if self._engine.state.value != "plain":
            self._open()
        pairing = Pairing(script.accessory.device_id, script.accessory.ltpk, controller.identifier, controller.ltsk)
        number = self._engine.submit(VerifyPairing(pairing), self._now)
        self._pump()
        answer = self._exchange()
        if number in self._replies or answer is None:
            self._finish(number, VerifyPairing(pairing), answer)
            return
        upcoming = self._requests_from(self._at)[:1]
        if not upcoming or upcoming[0].path != "/pair-verify" or upcoming[0].state != 3:
            self._player.alike()
            self._open()
            return
        recorded = self._next_request()
        asked = self._outbox.popleft() if self._outbox else None
        answer = self._answer()
        self._cause = recorded
        found = _request_difference(recorded, asked, self._opener) if recorded is not None and asked is not None else "no M3"
        if found is not None and answer is not None and answer.state == 4 and not _error(answer):
            self._differ(f"another M3: {found}", recorded, asked)
            raise _Broken
        if self._finish(number, VerifyPairing(pairing), answer) is not None:
            self._secured()

    def _secured(self) -> None:
        step = self._steps[self._at] if self._at < len(self._steps) else None
        if not isinstance(step, Secure):
            raise _Broken
        self._at += 1
        self._keys = step
        self._own, self._sealer = Frames(step.c2a), Frames(step.a2c)
        self._recorded = Frames(step.a2c)


def _error(message: Message) -> bool:
    return any(kind == Item.ERROR for kind, _ in message.items)


def _refusal(answer: Message, error: HapError) -> bool:
    """Whether the answer is one that a command has to fail with."""
    refused = answer.status not in (200, 204, 207) or _error(answer)
    return refused and isinstance(error, Refused)


def _request_difference(expected: Message, got: Message, opener: Opener | None = None) -> str | None:
    if expected.method != got.method or expected.path != got.path:
        return f"{got.method} {got.path} instead of {expected.method} {expected.path}"
    if set((expected.query or "").split("&")) != set((got.query or "").split("&")):
        ids = [_ids(each.query or "") for each in (expected, got)]
        if ids[0] != ids[1]:
            return f"query {got.query} instead of {expected.query}"
    if expected.is_pairing:
        return tlv_difference(expected.items, got.items, opener)
    if expected.body in (b"", b"{}") and got.body in (b"", b"{}"):
        return None
    return json_difference(_parsed(expected), _parsed(got))


def _ids(query: str) -> tuple[set[str], set[str]]:
    ids: set[str] = set()
    rest: set[str] = set()
    for part in query.split("&"):
        if part.startswith("id="):
            ids |= set(part[3:].split(","))
        else:
            rest.add(part)
    return ids, rest


def _parsed(message: Message) -> JsonValue:
    return read_tolerant(message.body)


def _result_difference(command: Command[Any], result: object, answer: Message) -> str | None:
    """Whether the result says what the answer says."""
    if answer.status not in (200, 204, 207):
        return "a refusal was taken for success"
    if isinstance(command, ListPairings):
        wanted = sum(1 for kind, _ in answer.items if kind == Item.IDENTIFIER)
        got = len(result) if isinstance(result, tuple) else -1
        return None if got == wanted else f"{got} pairings instead of {wanted}"
    if isinstance(command, GetAccessories):
        return _database_difference(result, answer)
    if isinstance(command, Read | Write):
        return _entries_difference(result, answer)
    return None


def _entries_difference(result: object, answer: Message) -> str | None:
    if not isinstance(result, Mapping):
        return "no results"
    for entry in values_of(answer):
        id = identifier_of(entry)
        got = result.get(id)
        if not isinstance(got, ReadResult | WriteResult):
            return f"no result for {id}"
        if int(got.status) != entry.get("status", 0):
            return f"{id}: status {int(got.status)} instead of {entry.get('status', 0)}"
        if "value" in entry and not same_value(entry["value"], _json(got.value)) and not _same_bytes(entry["value"], got.value):
            return f"{id}: value {got.value!r} instead of {entry['value']!r}"
    return None


def _database_difference(result: object, answer: Message) -> str | None:
    if not isinstance(result, tuple):
        return "no accessories"
    found = {
        CharacteristicId(accessory.aid, one.iid): one.value
        for accessory in result
        for service in accessory.services
        for one in service.characteristics
    }
    entries = values_of(answer)
    if len(entries) != len(found):
        return f"{len(found)} characteristics instead of {len(entries)}"
    for entry in entries:
        id = identifier_of(entry)
        if id is None or id not in found:
            return f"no characteristic {id}"
        if entry.get("value") is not None and not same_value(entry["value"], _json(found[id])):
            if not _same_bytes(entry["value"], found[id]):
                return f"{id}: value {found[id]!r} instead of {entry['value']!r}"
    return None


def _same_bytes(expected: JsonValue, got: Value) -> bool:
    """An empty base64 text may stand for no value at all."""
    return expected == "" and got in (b"", None)


def _json(value: Value) -> JsonValue:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
