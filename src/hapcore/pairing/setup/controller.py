"""The controller's side of pair-setup (HAP 4.2)."""

from __future__ import annotations

import re
from enum import Enum

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import Items, TlvError
from hapcore.crypto.keys import KEY_SIZE, SIGNATURE_SIZE, hkdf, open_sealed, seal, verify
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import PUBLIC_SIZE, Padding, SrpController, legal_public
from hapcore.entropy import Entropy, draw
from hapcore.errors import AccessoryChanged, LocalProtocolError, RemoteProtocolError
from hapcore.pairing.items import MAX_IDENTIFIER, Item, Method, State, read_answer
from hapcore.pairing.records import ControllerIdentity, Pairing, new_controller_identity
from hapcore.pairing.setup.verifier import SALT_SIZE

__all__ = ["MAX_STARTS", "PairSetupController"]

#: Times that M1 is sent to get a B without a leading zero; one in 16 million still has one then, and is taken as it is.
MAX_STARTS = 3
#: Draws of a until no number begins with a zero (HAP 3.3). More would only mean that the source repeats itself.
_DRAWS = 8
_CODE = re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{3}")
_NAME = "pair-setup"


class _Due(Enum):
    """Which message the controller has to make or to read next."""

    M1 = "m1"
    M2 = "receive_m2"
    M3 = "m3"
    M4 = "m5"
    M6 = "finish"


class PairSetupController:
    """One pair-setup: m1, receive_m2, m3, m5, finish. After a refusal it may start again with m1.

    `identity` is who we are; without one a new one is drawn (labels "controller.pairing-id", "controller.ltsk") as soon
    as the accessory has proved the code. `expected_id` is the device id that discovery saw. The setup code is needed
    for m3 only: the accessory waits for it.
    """

    def __init__(
        self,
        entropy: Entropy,
        *,
        method: Method = Method.PAIR_SETUP,
        identity: ControllerIdentity | None = None,
        expected_id: str | None = None,
        padding: Padding = Padding.STRIPPED,
    ) -> None:
        if method not in (Method.PAIR_SETUP, Method.PAIR_SETUP_WITH_AUTH):
            raise LocalProtocolError(f"{method!r} is no method of pair-setup", argument="method")
        self._entropy = entropy
        self._method = method
        self._identity = identity
        self._expected_id = expected_id
        self._padding = padding
        self._due = _Due.M1
        self._starts = 0
        self._salt = b""
        self._public = b""
        self._srp: SrpController | None = None
        self._session_key = Secret(b"")

    def m1(self) -> bytes:
        """Start, or start again: ends whatever was under way."""
        self._due = _Due.M2
        self._srp = None
        self._starts += 1
        return tlv8.encode([(Item.METHOD, bytes((self._method,))), (Item.STATE, bytes((State.M1,)))])

    def receive_m2(self, body: bytes) -> bool:
        """Read the accessory's salt and B. False: B begins with a zero byte, send `m1()` again (HAP 3.3).

        Raises `PairingRefused` and `RemoteProtocolError`.
        """
        items = self._read(body, _Due.M2, State.M2)
        public = _need(items, Item.PUBLIC_KEY, State.M2)
        salt = _need(items, Item.SALT, State.M2)
        # A salt may have lost its leading zeros, on the wire as in the accessory's own hash; it is used as it came.
        if not legal_public(public) or len(public) > PUBLIC_SIZE or not 1 <= len(salt) <= SALT_SIZE:
            raise RemoteProtocolError("a public key and a salt in pair-setup M2", "illegal ones")
        if (len(public) < PUBLIC_SIZE or not public[0]) and self._starts < MAX_STARTS:
            self._due = _Due.M1
            return False
        self._public, self._salt = public, salt
        self._starts = 0
        self._due = _Due.M3
        return True

    def m3(self, setup_code: str) -> bytes:
        """Prove the setup code, given as "031-45-154". Draws "pair-setup.srp-a" (32 bytes), up to eight times."""
        self._expect(_Due.M3)
        if not _CODE.fullmatch(setup_code):
            raise LocalProtocolError("is not of the form XXX-XX-XXX, eight digits", argument="setup_code")
        srp = self._srp = self._draw_exchange(setup_code)
        self._session_key = srp.session_key
        self._due = _Due.M4
        return tlv8.encode(
            [(Item.STATE, bytes((State.M3,))), (Item.PUBLIC_KEY, srp.public), (Item.PROOF, srp.proof)],
        )

    def m5(self, m4: bytes) -> bytes:
        """Check that the accessory knows the code too, and give it our identity."""
        items = self._read(m4, _Due.M4, State.M4)
        if self._srp is None or not self._srp.check_m2(_need(items, Item.PROOF, State.M4)):
            raise RemoteProtocolError(
                "proof of the setup code in pair-setup M4", "a wrong one", "do not trust this host"
            )
        own = self._own_identity()
        identifier = own.identifier.encode()
        proven = self._derive(b"Pair-Setup-Controller-Sign-Salt", b"Pair-Setup-Controller-Sign-Info")
        signature = own.signer.sign(proven + identifier + own.ltpk)
        inner = tlv8.encode([(Item.IDENTIFIER, identifier), (Item.PUBLIC_KEY, own.ltpk), (Item.SIGNATURE, signature)])
        self._due = _Due.M6
        return tlv8.encode(
            [(Item.STATE, bytes((State.M5,))), (Item.ENCRYPTED_DATA, seal(self._message_key(), b"PS-Msg05", inner))],
        )

    def finish(self, m6: bytes) -> Pairing:
        """Check the accessory's identity; the pairing stands on its side already.

        Raises `PairingRefused`, `RemoteProtocolError`, and `AccessoryChanged` when another id than the expected one
        answers.
        """
        items = self._read(m6, _Due.M6, State.M6)
        opened = open_sealed(self._message_key(), b"PS-Msg06", _need(items, Item.ENCRYPTED_DATA, State.M6))
        if opened is None:
            raise RemoteProtocolError("encrypted data in pair-setup M6", "data that do not decrypt")
        try:
            inner = tlv8.decode_tolerant(opened)
        except TlvError as problem:
            raise RemoteProtocolError("TLV items inside pair-setup M6", str(problem)) from None
        identifier = _need(inner, Item.IDENTIFIER, State.M6)
        ltpk = _need(inner, Item.PUBLIC_KEY, State.M6)
        signature = _need(inner, Item.SIGNATURE, State.M6)
        if len(ltpk) != KEY_SIZE or len(signature) != SIGNATURE_SIZE or not any(ltpk):
            raise RemoteProtocolError(
                "a long-term key in pair-setup M6", "an unusable one", "the accessory is defective"
            )
        proven = self._derive(b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
        if not verify(ltpk, proven + identifier + ltpk, signature):
            raise RemoteProtocolError("a good signature in pair-setup M6", "a wrong one")
        accessory_id = _read_id(identifier)
        if self._expected_id is not None and accessory_id.casefold() != self._expected_id.casefold():
            raise AccessoryChanged(f"accessory {self._expected_id}", f"accessory {accessory_id}")
        own = self._own_identity()
        return Pairing(accessory_id, ltpk, own.identifier, own.ltsk)

    def _draw_exchange(self, setup_code: str) -> SrpController:
        a = draw(self._entropy, "pair-setup.srp-a", KEY_SIZE)
        srp = SrpController(self._salt, self._public, setup_code, a, self._padding)
        for _ in range(_DRAWS - 1):
            if not srp.awkward:
                break
            previous, a = a, draw(self._entropy, "pair-setup.srp-a", KEY_SIZE)
            if a == previous:
                break
            srp = SrpController(self._salt, self._public, setup_code, a, self._padding)
        return srp

    def _own_identity(self) -> ControllerIdentity:
        if self._identity is None:
            self._identity = new_controller_identity(self._entropy)
        return self._identity

    def _derive(self, salt: bytes, info: bytes) -> bytes:
        return hkdf(self._session_key.reveal(), salt, info)

    def _message_key(self) -> bytes:
        return self._derive(b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")

    def _expect(self, due: _Due) -> None:
        if self._due is not due:
            raise LocalProtocolError(f"{due.value}() out of turn, {self._due.value}() is next")

    def _read(self, body: bytes, due: _Due, state: State) -> Items:
        """Whatever goes wrong from here on, the procedure is over and `m1()` is next."""
        self._expect(due)
        self._due = _Due.M1
        return read_answer(body, state, _NAME)


def _need(items: Items, item: Item, state: State) -> bytes:
    value = tlv8.first(items, item)
    if value is None:
        raise RemoteProtocolError(f"{item.name} in {_NAME} {state.name}", "none")
    return value


def _read_id(identifier: bytes) -> str:
    try:
        text = identifier.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(identifier) > MAX_IDENTIFIER:
        raise RemoteProtocolError("a device id in pair-setup M6", f"{len(identifier)} other bytes")
    return text
