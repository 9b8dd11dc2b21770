"""Plays a recording to our controller: our engine asks what was asked, the recorded accessory answers, it must accept.

Every connection of the recording is played for itself. Requests that no regular controller sends are left out, with
their answers; from there on the answers are sealed anew, because the counters of the record layer have moved on.
"""

from __future__ import annotations

from hapcore.crypto.srp import Padding
from hapcore.errors import LocalProtocolError
from hapcore.ip.controller import State
from hapcore.replay.conversation import Broken, Conversation, Tally
from hapcore.replay.handshakes import play_setup, play_verify
from hapcore.replay.messages import Message
from hapcore.replay.regular import command_for
from hapcore.replay.report import Cut, Outcome, whole
from hapcore.replay.script import Closed, Expect, Feed, Hangup, Reopen, Script, Secure, Silence, Step

__all__ = ["play_controller"]


def play_controller(script: Script, *, cut: Cut = whole, padding: Padding | None = None) -> Outcome:
    """Play every connection to a fresh controller engine.

    `cut` says how the answers are handed over. `padding` is the recorded controller's habit with the leading zeros of
    SRP; without it the habit is found by trying.
    """
    tally = Tally(script, cut)
    for scene in script.scenes:
        for track in scene.tracks:
            talk = Conversation(tally, scene, track)
            while (step := talk.step) is not None:
                try:
                    _play(talk, step, padding)
                except Broken:
                    talk.closed = True
    return Outcome(tuple(tally.differences), tally.compared, tally.skipped, tuple(tally.sent))


def _play(talk: Conversation, step: Step, padding: Padding | None) -> None:
    match step:
        case Feed():
            _ask(talk, step, padding)
        case Expect() if step.message.event:
            talk.event(step)
        case Expect():
            talk.leave_out_answer()
        case Reopen():
            talk.skip_step()
            talk.open()
        case Closed() | Hangup():
            talk.skip_step()
            talk.receive_eof()
        case Secure():
            # A session that is none of ours (a transient one): nothing of it concerns a regular controller.
            talk.skip_step()
            talk.closed = True
        case Silence():
            talk.skip_step()
            talk.unanswered = 0


def _ask(talk: Conversation, step: Feed, padding: Padding | None) -> None:
    if not step.requests:
        # A forged frame, or a part of a request.
        talk.skip_step()
        return
    request = step.requests[-1]
    if talk.closed:
        talk.skip_step()
    elif talk.unanswered or talk.crowded or len(step.requests) > 1:
        # One request at a time: what is sent before the answer to another is not of our kind.
        talk.leave_out()
    elif not talk.secured and request.path == "/pair-setup":
        play_setup(talk, request, padding)
    elif not talk.secured and request.path == "/pair-verify":
        play_verify(talk, request)
    else:
        _use(talk, request)


def _use(talk: Conversation, request: Message) -> None:
    usable = talk.secured or (talk.engine.state is State.PLAIN and request.path == "/identify")
    regular = command_for(talk.coming(), talk.engine) if usable else None
    if regular is None:
        talk.leave_out()
        return
    if regular.pid is not None:
        talk.draws.fixed["timed-write.pid"] = regular.pid
    try:
        number = talk.submit(regular.command)
    except LocalProtocolError:
        talk.leave_out()
        return
    answer: Message | None = None
    for _ in range(regular.requests):
        answer = talk.exchange()
        if answer is None or number in talk.replies:
            break
    talk.finish(number, regular.command, answer)
