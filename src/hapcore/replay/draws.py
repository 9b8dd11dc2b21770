"""The random draws of a recorded accessory, found by what they led to.

A recording tells what was drawn, but not for what, and our engine may draw in another order, or once more because a
value begins with a zero byte. So each draw is looked up by the public key that the recorded answer carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hapcore.crypto.keys import x25519_public
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import SrpAccessory, SrpVerifier
from hapcore.errors import HapError
from hapcore.replay.messages import Message
from hapcore.replay.script import Script, Track

__all__ = ["Draws"]

_X25519_KEY = 32
_SRP_SECRET = 32


class Draws:
    """An entropy source. `prepare` is told the answer that comes next; then the draws that led to it are given.

    Draws nobody recorded (a pid, a session id) come from a hash of the label and a counter: the same in every replay.
    """

    def __init__(self, script: Script, verifier: SrpVerifier | None) -> None:
        self._verifier = verifier
        self._fixed: dict[str, bytes] = {}
        self._count: dict[str, int] = {}
        self._agreements: dict[bytes, bytes] = {}
        self._exchanges: dict[int, bytes] = {}
        self._untried: list[Secret] = []
        for scene in script.scenes:
            for track in scene.tracks:
                self._collect(track)
        if script.accessory.salt is not None:
            self._fixed["pair-setup.salt"] = script.accessory.salt

    def _collect(self, track: Track) -> None:
        for setup in track.setups:
            if setup.b is not None and setup.b_public is not None and setup.b.bit_length() <= 8 * _SRP_SECRET:
                self._exchanges[setup.b_public] = setup.b.to_bytes(_SRP_SECRET, "big")
        secrets = [run.accessory_secret for run in track.verifies if run.accessory_secret is not None]
        for secret in (*secrets, *track.draws):
            self._agreements[x25519_public(secret.reveal())] = secret.reveal()
        self._untried += track.draws

    def __call__(self, label: str, length: int) -> bytes:
        fixed = self._fixed.get(label)
        if fixed is not None and len(fixed) == length:
            return fixed
        count = self._count[label] = self._count.get(label, -1) + 1
        return hashlib.shake_256(f"{label} {count}".encode()).digest(length)

    def fix(self, values: Mapping[str, bytes]) -> None:
        """Give these values for these labels from now on."""
        self._fixed.update(values)

    def prepare(self, answer: Message | None) -> None:
        """The accessory is about to give this answer: have the draws ready that its public key was made of."""
        self._fixed.pop("pair-verify.x25519", None)
        self._fixed.pop("pair-setup.srp-b", None)
        if answer is None or answer.state != 2:
            return
        key = next((value for kind, value in answer.items if kind == 3), None)
        if key is None:
            return
        if len(key) == _X25519_KEY:
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
            candidate = self._untried.pop(0).reveal()
            try:
                made = int.from_bytes(SrpAccessory(self._verifier, candidate).public, "big")
            except (HapError, ValueError):
                continue
            self._exchanges[made] = candidate
            found = candidate if made == public else None
        return found
