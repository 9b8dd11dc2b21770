"""The random draws of a recorded accessory over Bluetooth LE, found by what they led to."""

from __future__ import annotations

import hashlib

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.crypto.keys import KEY_SIZE, x25519_public
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import SrpAccessory, SrpVerifier
from hapcore.errors import HapError
from hapcore.pairing.items import Item
from hapcore.pairing.resume import SESSION_ID_SIZE
from hapcore.replay.ble.script import Answer, Script

__all__ = ["Draws"]

_VALUE = 1


class Draws:
    """An entropy source. `prepare` is told the answer that comes next; then the draws that led to it are given.

    Draws nobody recorded come from a hash of the label and a counter: the same in every replay.
    """

    def __init__(self, script: Script, verifier: SrpVerifier | None) -> None:
        self._verifier = verifier
        self._fixed: dict[str, bytes] = {}
        self._count: dict[str, int] = {}
        self._untried = [draw for draw in script.draws if len(draw) == KEY_SIZE]
        self._agreements = {x25519_public(draw.reveal()): draw.reveal() for draw in self._untried}
        self._exchanges: dict[int, bytes] = {}
        if script.accessory.salt is not None:
            self._fixed["pair-setup.salt"] = script.accessory.salt

    def __call__(self, label: str, length: int) -> bytes:
        fixed = self._fixed.get(label)
        if fixed is not None and len(fixed) == length:
            return fixed
        count = self._count[label] = self._count.get(label, -1) + 1
        return hashlib.shake_256(f"{label} {count}".encode()).digest(length)

    @property
    def prepared(self) -> bool:
        """Whether the answer that comes next begins a pair-setup."""
        return "pair-setup.srp-b" in self._fixed

    def prepare(self, answer: Answer | None) -> None:
        """The accessory is about to give this answer."""
        for label in ("pair-verify.x25519", "pair-setup.srp-b", "pair-resume.session-id"):
            self._fixed.pop(label, None)
        if answer is None or answer.status:
            return
        try:
            message = tlv8.first(tlv8.decode_tolerant(answer.body), _VALUE) or b""
            items = tlv8.decode_tolerant(message)
        except TlvError:
            return
        number = tlv8.first(items, Item.SESSION_ID)
        if number is not None and len(number) == SESSION_ID_SIZE:
            self._fixed["pair-resume.session-id"] = number
        key = tlv8.first(items, Item.PUBLIC_KEY)
        if key is None:
            return
        if len(key) == KEY_SIZE:
            secret = self._agreements.get(key)
            if secret is not None:
                self._fixed["pair-verify.x25519"] = secret
        else:
            b = self._exchange(int.from_bytes(key, "big"))
            if b is not None:
                self._fixed["pair-setup.srp-b"] = b

    def _exchange(self, public: int) -> bytes | None:
        found = self._exchanges.get(public)
        while found is None and self._untried and self._verifier is not None:
            candidate: Secret = self._untried.pop(0)
            try:
                made = int.from_bytes(SrpAccessory(self._verifier, candidate.reveal()).public, "big")
            except (HapError, ValueError):
                continue
            self._exchanges[made] = candidate.reveal()
            found = candidate.reveal() if made == public else None
        return found
