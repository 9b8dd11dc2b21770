"""Where an accessory takes salt and verifier from."""

from __future__ import annotations

from typing import Protocol

from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import SrpVerifier, make_verifier
from hapcore.entropy import Entropy, draw

__all__ = ["SALT_SIZE", "CodeVerifier", "VerifierSource"]

SALT_SIZE = 16
#: One controller library loses a leading zero of the salt. Eight draws in a row with one are no accident.
_DRAWS = 8


class VerifierSource(Protocol):
    """Gives the verifier of the setup code that is valid now."""

    @property
    def fixed(self) -> bool:
        """Whether the code stays the same for life; False for one that is shown on a display and changes."""
        ...

    def current(self) -> SrpVerifier:
        """Called once for each accepted M1, which then keeps what it got until it ends."""
        ...


class CodeVerifier:
    """The verifier of one setup code ("031-45-154"), made when first needed and kept: it costs a 512-bit power."""

    def __init__(self, code: str, entropy: Entropy) -> None:
        self._code = Secret(code.encode())
        self._entropy = entropy
        self._verifier: SrpVerifier | None = None

    @property
    def fixed(self) -> bool:
        """Always: the code is given once."""
        return True

    def current(self) -> SrpVerifier:
        """The kept verifier; the first call draws its salt (label "pair-setup.salt", 16 bytes)."""
        if self._verifier is None:
            self._verifier = make_verifier(self._code.reveal().decode(), self._draw_salt())
        return self._verifier

    def renew(self) -> SrpVerifier:
        """A verifier with a fresh salt, kept from now on; a run that is under way keeps the old one."""
        self._verifier = None
        return self.current()

    def _draw_salt(self) -> bytes:
        salt = draw(self._entropy, "pair-setup.salt", SALT_SIZE)
        for _ in range(_DRAWS - 1):
            if salt[0]:
                break
            previous, salt = salt, draw(self._entropy, "pair-setup.salt", SALT_SIZE)
            if salt == previous:
                break
        return salt
