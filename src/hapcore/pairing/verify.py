"""Pair-verify, both sides (HAP 5): two long-term keys meet and leave a secret that only this session knows."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import Items, TlvError
from hapcore.crypto.frames import SessionKeys, session_keys
from hapcore.crypto.keys import (
    KEY_SIZE,
    SIGNATURE_SIZE,
    TAG_SIZE,
    Exchange,
    hkdf,
    open_sealed,
    seal,
    verify,
)
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy, draw
from hapcore.errors import AccessoryChanged, LocalProtocolError, RemoteProtocolError
from hapcore.pairing.items import (
    Item,
    State,
    TlvErrorCode,
    exact,
    pick,
    read_answer,
    read_byte,
    read_identifier,
    refusal,
    require,
)
from hapcore.pairing.records import HalfPairing, Identity, PairedController, Pairing

__all__ = ["PairVerifyController", "VerifiedKeys", "VerifiedSession", "VerifyDesk", "VerifyStep"]

_LABEL = "pair-verify.x25519"
_NAME = "pair-verify"


def _message_key(shared: bytes) -> bytes:
    return hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")


@frozen
class VerifiedKeys:
    """What pair-verify leaves on the controller's side. `shared_secret` (32 bytes) is where a later resume starts.

    `public` is the X25519 key (32 bytes) that the controller sent in M1: in the open, and never the same again.
    """

    shared_secret: Secret
    keys: SessionKeys
    public: bytes = b""


@frozen
class VerifiedSession:
    """What pair-verify leaves on the accessory's side. `shared_secret` (32 bytes) is where a later resume starts.

    `public` is the X25519 key (32 bytes) that the controller sent in M1: in the open, and never the same again.
    """

    controller: PairedController
    shared_secret: Secret
    keys: SessionKeys
    public: bytes = b""


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class VerifyStep:
    """What comes of one message: the answer's body (None: malformed, HTTP 400) and, after a good M3, the session.

    The answer itself is still plain; everything after it, both ways, is framed with the session's keys (HAP 5.2).
    """

    reply: bytes | None = field(repr=_size)
    session: VerifiedSession | None = None


_MALFORMED = VerifyStep(None)


@frozen
class _Run:
    """Between M2 and M3."""

    shared: Secret
    own_public: bytes
    peer_public: bytes


class VerifyDesk:
    """The accessory's side for one connection (HAP 5.3). Draws "pair-verify.x25519" (32 bytes) for each M1."""

    __slots__ = ("_entropy", "_identity", "_run")

    def __init__(self, identity: Identity, entropy: Entropy) -> None:
        self._identity = identity
        self._entropy = entropy
        self._run: _Run | None = None

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep:
        """Take one message; `pairings` by identifier. Never raises for what the body holds.

        An M1 begins anew, anything but the M3 that is due ends the run.
        """
        run, self._run = self._run, None
        try:
            items = tlv8.decode(body)
            state = read_byte(pick(items, Item.STATE), Item.STATE)
            if state == State.M1:
                return self._m1(items)
            if state == State.M3 and run is not None:
                return self._m3(run, items, pairings)
        except TlvError:
            pass
        return _MALFORMED

    def _m1(self, items: Items) -> VerifyStep:
        found = pick(items, Item.METHOD, Item.PUBLIC_KEY)
        if Item.METHOD in found:
            # Resume is the only method there is, and only on Bluetooth LE.
            raise TlvError("a method in pair-verify M1")
        peer = exact(found, Item.PUBLIC_KEY, KEY_SIZE)
        private = draw(self._entropy, _LABEL, KEY_SIZE)
        exchange = Exchange(private)
        shared = exchange.shared(peer)
        if shared is None:
            return VerifyStep(refusal(State.M2, TlvErrorCode.AUTHENTICATION))
        public = exchange.public
        own = self._identity
        signature = own.signer.sign(public + own.identifier + peer)
        inner = tlv8.encode([(Item.IDENTIFIER, own.identifier), (Item.SIGNATURE, signature)])
        sealed = seal(_message_key(shared), b"PV-Msg02", inner)
        self._run = _Run(Secret(shared), public, peer)
        return VerifyStep(
            tlv8.encode(
                [(Item.STATE, bytes((State.M2,))), (Item.PUBLIC_KEY, public), (Item.ENCRYPTED_DATA, sealed)],
            )
        )

    def _m3(self, run: _Run, items: Items, pairings: Mapping[bytes, PairedController]) -> VerifyStep:
        sealed = require(pick(items, Item.ENCRYPTED_DATA), Item.ENCRYPTED_DATA)
        if len(sealed) < TAG_SIZE:
            raise TlvError("encrypted data shorter than its tag")
        shared = run.shared.reveal()
        refused = VerifyStep(refusal(State.M4, TlvErrorCode.AUTHENTICATION))
        opened = open_sealed(_message_key(shared), b"PV-Msg03", sealed)
        if opened is None:
            return refused
        found = pick(tlv8.decode(opened), Item.IDENTIFIER, Item.SIGNATURE)
        identifier = read_identifier(found)
        signature = exact(found, Item.SIGNATURE, SIGNATURE_SIZE)
        controller = pairings.get(identifier)
        if controller is None:
            return refused
        if not verify(controller.ltpk, run.peer_public + identifier + run.own_public, signature):
            return refused
        reply = tlv8.encode([(Item.STATE, bytes((State.M4,)))])
        return VerifyStep(reply, VerifiedSession(controller, run.shared, session_keys(shared), run.peer_public))


class PairVerifyController:
    """The controller's side: m1, m3, finish. Draws "pair-verify.x25519" (32 bytes); m1 may be called again any time."""

    __slots__ = ("_entropy", "_exchange", "_pairing", "_public", "_shared")

    def __init__(self, pairing: Pairing, entropy: Entropy) -> None:
        self._pairing = pairing
        self._entropy = entropy
        self._exchange: Exchange | None = None
        self._public = b""
        self._shared: Secret | None = None

    def m1(self) -> bytes:
        """Start: our ephemeral key. Never with a method, which Apple's accessories refuse (HAP 5.1)."""
        self._exchange = Exchange(draw(self._entropy, _LABEL, KEY_SIZE))
        self._shared = None
        return tlv8.encode([(Item.STATE, bytes((State.M1,))), (Item.PUBLIC_KEY, self._exchange.public)])

    @property
    def public(self) -> bytes:
        """The ephemeral public key of the M1 under way, 32 bytes; raises `LocalProtocolError` when there is none."""
        if self._exchange is None:
            raise LocalProtocolError("no key yet, m1() comes before it")
        return self._exchange.public

    def m3(self, m2: bytes) -> bytes:
        """Check that this is the paired accessory and prove who we are.

        Raises `AccessoryChanged` when tag, signature or identifier are another's (HAP 5.4), `PairingRefused`,
        `RemoteProtocolError`.
        """
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            raise LocalProtocolError("m3() out of turn, m1() comes before it")
        items = read_answer(m2, State.M2, _NAME)
        peer = _need(items, Item.PUBLIC_KEY)
        sealed = _need(items, Item.ENCRYPTED_DATA)
        shared = exchange.shared(peer)
        if shared is None:
            raise RemoteProtocolError("a public key in pair-verify M2", "an unusable one")
        key = _message_key(shared)
        self._check_accessory(open_sealed(key, b"PV-Msg02", sealed), peer, exchange.public)
        own = self._pairing
        identifier = own.controller_id.encode()
        signature = own.signer.sign(exchange.public + identifier + peer)
        inner = tlv8.encode([(Item.IDENTIFIER, identifier), (Item.SIGNATURE, signature)])
        self._shared, self._public = Secret(shared), exchange.public
        return tlv8.encode(
            [(Item.STATE, bytes((State.M3,))), (Item.ENCRYPTED_DATA, seal(key, b"PV-Msg03", inner))],
        )

    def finish(self, m4: bytes) -> VerifiedKeys:
        """Read the accessory's yes. `PairingRefused` with error 2: it does not know us any more."""
        shared, self._shared = self._shared, None
        if shared is None:
            raise LocalProtocolError("finish() out of turn, m3() comes before it")
        read_answer(m4, State.M4, _NAME)
        return VerifiedKeys(shared, session_keys(shared.reveal()), self._public)

    def _check_accessory(self, opened: bytes | None, peer: bytes, own: bytes) -> None:
        wanted = f"accessory {self._pairing.accessory_id}"
        if opened is None:
            raise AccessoryChanged(wanted, "a message that does not decrypt")
        try:
            inner = tlv8.decode_tolerant(opened)
        except TlvError as problem:
            raise RemoteProtocolError("TLV items inside pair-verify M2", str(problem)) from None
        identifier = _need(inner, Item.IDENTIFIER)
        signature = _need(inner, Item.SIGNATURE)
        if isinstance(self._pairing, HalfPairing):
            return
        if identifier.decode("utf-8", "replace").casefold() != self._pairing.accessory_id.casefold():
            raise AccessoryChanged(wanted, f"accessory {identifier.decode('utf-8', 'replace')}")
        if not verify(self._pairing.accessory_ltpk, peer + identifier + own, signature):
            raise AccessoryChanged(wanted, "one with its id and another key")


def _need(items: Items, item: Item) -> bytes:
    value = tlv8.first(items, item)
    if value is None:
        raise RemoteProtocolError(f"{item.name} in pair-verify M2", "none")
    return value
