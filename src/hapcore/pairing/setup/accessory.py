"""The accessory's side of pair-setup (HAP 4.3): one procedure at a time for the whole accessory."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

from attrs import define, field, frozen

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import Items, TlvError
from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.keys import KEY_SIZE, SIGNATURE_SIZE, TAG_SIZE, hkdf, open_sealed, seal, verify
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import PROOF_SIZE, PUBLIC_SIZE, SrpAccessory, SrpVerifier, legal_public
from hapcore.entropy import Entropy, draw
from hapcore.pairing.items import (
    Flags,
    Item,
    Method,
    State,
    TlvErrorCode,
    exact,
    pick,
    read_byte,
    read_identifier,
    refusal,
    require,
)
from hapcore.pairing.records import Identity, PairedController
from hapcore.pairing.setup.verifier import ShownVerifier, VerifierSource
from hapcore.setup_code import SetupCode

__all__ = ["BUSY_SECONDS", "MAX_TRIES", "SetupDesk", "SetupState", "Step"]

#: For this long one procedure keeps others away; then the next one takes its place (HAP 4.3).
BUSY_SECONDS = 30.0
#: Failed proofs after which pairing is refused until a factory reset (HAP 4.3).
MAX_TRIES = 100

#: Draws of b until B has no leading zero, see HAP 3.3. More would only mean that the source repeats itself.
_DRAWS = 8
#: One controller library sends its proof as a number: one leading zero in 256, two in 65536, more is no accident.
_SHORTEST_PROOF = PROOF_SIZE - 2
_METHODS = (Method.PAIR_SETUP, Method.PAIR_SETUP_WITH_AUTH)


class SetupState(Enum):
    """What the desk waits for. M1 is welcome in every state."""

    M1 = "M1"
    M3 = "M3"
    M5 = "M5"


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class Step:
    """What comes of one message.

    `reply` is the body of the answer, None for a malformed message (HTTP 400 without a body). `failed_attempt` and
    `proved` tell to raise or clear the stored counter, `pairing` to store it, each before the reply leaves. `transient`
    are the keys that protect the connection from the next byte on (HAP 4.6).
    """

    reply: bytes | None = field(repr=_size)
    failed_attempt: bool = False
    proved: bool = False
    pairing: PairedController | None = None
    transient: SessionKeys | None = None


_MALFORMED = Step(None)


@define
class _Run:
    """One procedure under way."""

    owner: Hashable
    started: float
    srp: SrpAccessory
    flags: Flags
    verifier: SrpVerifier
    state: SetupState = SetupState.M3
    session_key: Secret = field(factory=lambda: Secret(b""))


class SetupDesk:
    """Answers M1, M3 and M5 of every connection; `owner` tells them apart (any hashable value).

    Draws "pair-setup.srp-b" (32 bytes) for each M1, up to eight times until B has no leading zero.
    """

    def __init__(self, identity: Identity, verifier_source: VerifierSource, entropy: Entropy) -> None:
        self._identity = identity
        self._source = verifier_source
        self._entropy = entropy
        self._run: _Run | None = None
        #: The code of a display, of the attempt that runs or of the transient one before it.
        self._held: SrpVerifier | None = None

    @property
    def state(self) -> SetupState:
        """What the running procedure waits for; M1 when there is none."""
        return SetupState.M1 if self._run is None else self._run.state

    @property
    def owner(self) -> Hashable:
        """Whose procedure runs, None when there is none."""
        return None if self._run is None else self._run.owner

    @property
    def shown(self) -> SetupCode | None:
        """The code that a display has to show now; None when there is no attempt, or the code stands on a label."""
        verifier = None if self._run is None else self._run.verifier
        return verifier.code if isinstance(verifier, ShownVerifier) else None

    def release(self, owner: Hashable) -> None:
        """The connection is gone: end its procedure, if it is the one that runs."""
        if self._run is not None and self._run.owner == owner:
            self._end()

    def _end(self, *, keep: bool = False) -> None:
        """The attempt is over, and with it the life of its code, unless a split setup is to follow."""
        self._run = None
        if not keep:
            self._held = None

    def receive(self, owner: Hashable, body: bytes, *, paired: bool, failed_attempts: int, now: float) -> Step:
        """Take one message from `owner` at `now` (seconds). Never raises for what the body holds (HAP 4.3, 4.5).

        `paired`: there is at least one pairing. `failed_attempts`: the stored counter of wrong proofs.
        """
        try:
            items = tlv8.decode(body)
            state = read_byte(pick(items, Item.STATE), Item.STATE)
            if state == State.M1:
                return self._m1(owner, items, paired=paired, failed_attempts=failed_attempts, now=now)
            run = self._run
            if run is None or run.owner != owner:
                return _MALFORMED
            if state == State.M3 and run.state is SetupState.M3:
                return self._m3(run, items)
            if state == State.M5 and run.state is SetupState.M5:
                return self._m5(run, items, paired=paired)
        except TlvError:
            pass
        self.release(owner)
        return _MALFORMED

    def _m1(self, owner: Hashable, items: Items, *, paired: bool, failed_attempts: int, now: float) -> Step:
        found = pick(items, Item.METHOD, Item.FLAGS)
        method = read_byte(found, Item.METHOD)
        flags = Flags(tlv8.read_uint(found.get(Item.FLAGS, b""), 4) & (Flags.TRANSIENT | Flags.SPLIT))
        if method not in _METHODS:
            raise TlvError(f"method {method} in pair-setup M1")
        if method == Method.PAIR_SETUP_WITH_AUTH:
            # There is no coprocessor here; such a request is served like an ordinary one (HAP 4.7).
            flags = Flags(0)
        # A new M1 ends the owner's old run, whatever becomes of this one.
        refused = self._refuse(owner, paired, failed_attempts, now)
        if refused is not None:
            self.release(owner)
            return Step(refusal(State.M2, refused))
        verifier = self._choose_verifier(flags)
        if verifier is None:
            self._end()
            return Step(refusal(State.M2, TlvErrorCode.AUTHENTICATION))
        srp = self._draw_exchange(verifier)
        self._run = _Run(owner, now, srp, flags, verifier)
        # Apple's accessories send B as a number: without leading zeros, should eight draws all have given one.
        answer = [(Item.STATE, bytes((State.M2,))), (Item.PUBLIC_KEY, srp.public.lstrip(b"\0"))]
        answer.append((Item.SALT, verifier.salt))
        if Flags.SPLIT in flags:
            answer.append((Item.FLAGS, tlv8.write_uint(flags)))
        return Step(tlv8.encode(answer))

    def _refuse(self, owner: Hashable, paired: bool, failed_attempts: int, now: float) -> TlvErrorCode | None:
        if paired:
            return TlvErrorCode.UNAVAILABLE
        if failed_attempts >= MAX_TRIES:
            return TlvErrorCode.MAX_TRIES
        run = self._run
        if run is not None and run.owner != owner and now - run.started < BUSY_SECONDS:
            return TlvErrorCode.BUSY
        return None

    def _choose_verifier(self, flags: Flags) -> SrpVerifier | None:
        """A split setup uses the code of the transient one before it; a fixed code always is that one (HAP 4.6).

        Who begins again, or takes over, before the code was tried finds the same code: a person may be typing it.
        """
        if self._source.fixed:
            return self._source.current()
        if flags != Flags.SPLIT and self._run is None:
            self._held = None
        if flags != Flags.SPLIT and self._held is None:
            self._held = self._source.current()
        return self._held

    def _draw_exchange(self, verifier: SrpVerifier) -> SrpAccessory:
        b = draw(self._entropy, "pair-setup.srp-b", KEY_SIZE)
        srp = SrpAccessory(verifier, b)
        for _ in range(_DRAWS - 1):
            if not srp.awkward:
                break
            previous, b = b, draw(self._entropy, "pair-setup.srp-b", KEY_SIZE)
            if b == previous:
                break
            srp = SrpAccessory(verifier, b)
        return srp

    def _m3(self, run: _Run, items: Items) -> Step:
        found = pick(items, Item.PUBLIC_KEY, Item.PROOF)
        public = require(found, Item.PUBLIC_KEY)
        proof = require(found, Item.PROOF)
        if len(public) > PUBLIC_SIZE or not _SHORTEST_PROOF <= len(proof) <= PROOF_SIZE:
            raise TlvError("public key or proof of a wrong length")
        if not legal_public(public):
            self._end()
            return Step(refusal(State.M4, TlvErrorCode.AUTHENTICATION))
        checked = run.srp.check(public, proof)
        if checked is None:
            self._end()
            # A short proof is malformed, as it is for Apple; but it was a try at the code, so it counts.
            wrong = refusal(State.M4, TlvErrorCode.AUTHENTICATION) if len(proof) == PROOF_SIZE else None
            return Step(wrong, failed_attempt=True)
        reply = tlv8.encode([(Item.STATE, bytes((State.M4,))), (Item.PROOF, checked.proof)])
        run.session_key = checked.session_key
        if Flags.TRANSIENT not in run.flags:
            run.state = SetupState.M5
            return Step(reply, proved=True)
        self._end(keep=Flags.SPLIT in run.flags)
        return Step(reply, proved=True, transient=_transient_keys(checked.session_key.reveal()))

    def _m5(self, run: _Run, items: Items, *, paired: bool) -> Step:
        if paired:
            # Another transport of the same accessory was faster: there is one controller that sets up.
            self._end()
            return Step(refusal(State.M6, TlvErrorCode.UNAVAILABLE))
        sealed = require(pick(items, Item.ENCRYPTED_DATA), Item.ENCRYPTED_DATA)
        if len(sealed) < TAG_SIZE:
            raise TlvError("encrypted data shorter than its tag")
        session_key = run.session_key.reveal()
        key = hkdf(session_key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
        opened = open_sealed(key, b"PS-Msg05", sealed)
        if opened is None:
            self._end()
            return Step(refusal(State.M6, TlvErrorCode.AUTHENTICATION))
        found = pick(tlv8.decode(opened), Item.IDENTIFIER, Item.PUBLIC_KEY, Item.SIGNATURE)
        identifier = read_identifier(found)
        ltpk = exact(found, Item.PUBLIC_KEY, KEY_SIZE)
        signature = exact(found, Item.SIGNATURE, SIGNATURE_SIZE)
        if not any(ltpk):
            raise TlvError("the controller's public key is all zeros")
        self._end()
        proven = hkdf(session_key, b"Pair-Setup-Controller-Sign-Salt", b"Pair-Setup-Controller-Sign-Info")
        if not verify(ltpk, proven + identifier + ltpk, signature):
            return Step(refusal(State.M6, TlvErrorCode.AUTHENTICATION))
        reply = self._m6(session_key, key)
        return Step(reply, pairing=PairedController(identifier, ltpk, admin=True))

    def _m6(self, session_key: bytes, key: bytes) -> bytes:
        own = self._identity
        proven = hkdf(session_key, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
        signature = own.signer.sign(proven + own.identifier + own.ltpk)
        inner = tlv8.encode(
            [(Item.IDENTIFIER, own.identifier), (Item.PUBLIC_KEY, own.ltpk), (Item.SIGNATURE, signature)]
        )
        return tlv8.encode([(Item.STATE, bytes((State.M6,))), (Item.ENCRYPTED_DATA, seal(key, b"PS-Msg06", inner))])


def _transient_keys(session_key: bytes) -> SessionKeys:
    return SessionKeys(
        read=Secret(hkdf(session_key, b"SplitSetupSalt", b"AccessoryEncrypt-Control")),
        write=Secret(hkdf(session_key, b"SplitSetupSalt", b"ControllerEncrypt-Control")),
    )
