"""The recorded pair-setups and pair-verifies, played to our controller."""

from __future__ import annotations

from hapcore.codec import tlv8
from hapcore.crypto.keys import x25519_public
from hapcore.crypto.srp import PUBLIC_SIZE, Padding, SrpController
from hapcore.engine import CommandId
from hapcore.errors import HapError
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, State, VerifyPairing
from hapcore.pairing.items import Item, Method
from hapcore.pairing.records import ControllerIdentity, Pairing
from hapcore.pairing.setup import PairSetupController
from hapcore.replay.conversation import Broken, Conversation
from hapcore.replay.meaning import tlv_difference
from hapcore.replay.messages import Message
from hapcore.replay.results import has_error, is_refusal, request_difference
from hapcore.replay.script import SetupRun, VerifyRun
from hapcore.setup_code import SetupCode

__all__ = ["play_setup", "play_verify"]

_SRP_SECRET = 32


def play_setup(talk: Conversation, request: Message, habit: Padding | None) -> None:
    """From an M1 on as far as the recording goes. `habit` is the recorded controller's, if it is known."""
    items = dict(request.items)
    method = items.get(Item.METHOD, b"")
    regular = set(items) == {Item.METHOD, Item.STATE} and items[Item.STATE] == b"\1" and method in (b"\0", b"\1")
    if not regular or len(items) != len(request.items):
        talk.leave_out()
        return
    run = _run_after(talk)
    if run is not None and run.a is not None:
        talk.draws.fixed["pair-setup.srp-a"] = run.a.to_bytes(_SRP_SECRET, "big")
        habit = habit or _habit(talk, run)
        if habit is not Padding.STRIPPED:
            _play_procedure(talk, habit, run, Method(method[0]))
            return
    _fresh(talk, State.PLAIN, State.CODE_WANTED)
    start = StartPairSetup(Method(method[0]), None, _identity(talk, run))
    number = talk.submit(start)
    place = talk.place
    answer = talk.exchange()
    # B with a leading zero is not taken at once: the recorded accessory always draws the same.
    while talk.asking and number not in talk.replies and answer is not None:
        talk.go_back(place)
        answer = talk.exchange()
    if talk.finish(number, start, answer) is None or run is None or run.code is None:
        return
    command = FinishPairSetup(SetupCode(run.code, allow_trivial=True))
    _prove(talk, talk.submit(command), command)


def _prove(talk: Conversation, number: CommandId, command: FinishPairSetup) -> None:
    """M3 to M6. A proof that the recorded client spoilt is not compared: it was refused."""
    answer = _compared(talk, 4)
    if answer is None or talk.asking is False:
        talk.finish(number, command, answer)
        return
    coming = talk.coming()
    if not coming or coming[0].state != 5:
        # The recorded controller stopped here, ours is content with the answer and would go on.
        talk.tally.compared += 1
        talk.open()
        return
    answer = _compared(talk, 6)
    done = talk.finish(number, command, answer)
    if done is not None and isinstance(done.result, Pairing):
        _check_accessory(talk, done.result, answer)


def _compared(talk: Conversation, state: int) -> Message | None:
    """The answer to a handshake message. Only of one that was accepted the message must be the recorded one."""
    recorded, asked = talk.next_request(), talk.asked()
    answer = talk.answer()
    accepted = answer is not None and answer.state == state and not has_error(answer)
    if accepted:
        found = "nothing was asked"
        if recorded is not None and asked is not None:
            found = request_difference(recorded, asked, talk.opener) or ""
        if found:
            talk.differ(f"another message before state {state}: {found}", recorded, asked)
            raise Broken
    return answer


def _check_accessory(talk: Conversation, pairing: Pairing, answer: Message | None) -> None:
    accessory = talk.tally.script.accessory
    if pairing.accessory_id != accessory.device_id or pairing.accessory_ltpk != accessory.ltpk:
        talk.differ("the pairing is with another accessory", answer, None)


def _habit(talk: Conversation, run: SetupRun) -> Padding:
    """How the recorded controller treats leading zeros: whichever way gives its proof, else our own."""
    proof = next((dict(one.items).get(Item.PROOF) for one in talk.coming(after=1)), None)
    if run.a is None or run.b_public is None or run.code is None or run.salt is None:
        return Padding.STRIPPED
    b_public, a = run.b_public.to_bytes(PUBLIC_SIZE, "big"), run.a.to_bytes(_SRP_SECRET, "big")
    for padding in (Padding.STRIPPED, Padding.PADDED):
        if SrpController(run.salt, b_public, run.code, a, padding).proof == proof:
            return padding
    return Padding.STRIPPED


def _play_procedure(talk: Conversation, padding: Padding, run: SetupRun, method: Method) -> None:
    """Another habit than our engine's: played to the procedure itself, which can have it."""
    machine = PairSetupController(talk.draws, method=method, identity=_identity(talk, run), padding=padding)
    answer = _say(talk, machine.m1())
    try:
        while answer is not None and not machine.receive_m2(answer.body):
            machine.m1()
        if answer is not None and talk.coming():
            answer = _say(talk, machine.m3(run.code or ""))
        if answer is not None and answer.state == 4:
            m5 = machine.m5(answer.body)
            if talk.coming() and talk.coming()[0].state == 5:
                answer = _say(talk, m5)
        if answer is not None and answer.state == 6:
            _check_accessory(talk, machine.finish(answer.body), answer)
    except HapError as error:
        if answer is not None and not is_refusal(answer, error):
            talk.differ(f"not accepted: {error!r}", answer, None)


def _say(talk: Conversation, body: bytes) -> Message | None:
    """Compare a handshake message with the recorded one; the answer to that."""
    recorded = talk.next_request()
    if recorded is None:
        return None
    found = tlv_difference(recorded.items, tlv8.decode(body), talk.opener)
    if found is None:
        talk.tally.compared += 1
    else:
        talk.differ(f"another request: {found}", recorded, None)
    return talk.answer()


def _run_after(talk: Conversation) -> SetupRun | None:
    """The pair-setup whose M3 comes next, found by its public key."""
    for request in talk.coming(after=1):
        if request.path != "/pair-setup" or request.state != 3:
            return None
        public = int.from_bytes(dict(request.items).get(Item.PUBLIC_KEY, b""), "big")
        runs = (run for run in talk.track.setups if run.a_public == public and run.a is not None)
        # Our own private numbers have 32 bytes; a longer one cannot be played.
        return next((run for run in runs if (run.a or 0).bit_length() <= 8 * _SRP_SECRET), None)
    return None


def _identity(talk: Conversation, run: SetupRun | None) -> ControllerIdentity | None:
    """The recorded controller: the one the recording names, else the first."""
    controllers = talk.tally.script.controllers
    named = [one for one in controllers if run is not None and one.identifier == run.controller]
    found = next(iter((*named, *controllers)), None)
    return ControllerIdentity(found.identifier, found.ltsk) if found is not None else None


def _fresh(talk: Conversation, *usable: State) -> None:
    """A handshake that was broken off leaves an engine that waits for an answer: take a new one."""
    if talk.engine.state not in usable or talk.closed:
        talk.open()
    talk.forget_asked()


def play_verify(talk: Conversation, request: Message) -> None:
    """From an M1 on as far as the recording goes."""
    items = dict(request.items)
    run = _verify_run(talk, items.get(Item.PUBLIC_KEY, b""))
    pairing = _pairing(talk, run)
    regular = set(items) == {Item.PUBLIC_KEY, Item.STATE} and items[Item.STATE] == b"\1"
    if not regular or run is None or run.controller_secret is None or pairing is None:
        talk.leave_out()
        return
    talk.draws.fixed["pair-verify.x25519"] = run.controller_secret.reveal()
    _fresh(talk, State.PLAIN)
    command = VerifyPairing(pairing)
    number = talk.submit(command)
    answer = talk.exchange()
    if number in talk.replies or answer is None:
        talk.finish(number, command, answer)
        return
    coming = talk.coming()
    if not coming or coming[0].path != "/pair-verify" or coming[0].state != 3:
        talk.tally.compared += 1
        talk.open()
        return
    if talk.finish(number, command, _compared(talk, 4)) is not None:
        talk.secure()


def _verify_run(talk: Conversation, public: bytes) -> VerifyRun | None:
    for run in talk.track.verifies:
        if run.controller_secret is not None and x25519_public(run.controller_secret.reveal()) == public:
            return run
    return None


def _pairing(talk: Conversation, run: VerifyRun | None) -> Pairing | None:
    script = talk.tally.script
    known = [one for one in script.controllers if run is not None and one.identifier == run.controller]
    if not known or script.accessory.ltpk is None:
        return None
    return Pairing(script.accessory.device_id, script.accessory.ltpk, known[0].identifier, known[0].ltsk)
