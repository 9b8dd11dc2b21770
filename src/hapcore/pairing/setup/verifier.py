"""Where an accessory takes salt and verifier from."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import SrpVerifier, make_verifier
from hapcore.entropy import Entropy, draw
from hapcore.setup_code import SetupCode, new_setup_code

__all__ = ["SALT_SIZE", "CodeVerifier", "FreshCodes", "ShownVerifier", "VerifierSource"]

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
        """Called for each attempt, which keeps what it got until it ends. What is no `ShownVerifier` is not shown."""
        ...


@frozen
class ShownVerifier(SrpVerifier):
    """The verifier of a code that a person reads from a display."""

    code: SetupCode


class FreshCodes:
    """A new setup code for every attempt, for accessories with a display (HAP 2.1)."""

    fixed = False

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def current(self) -> ShownVerifier:
        """Draws code and salt (labels "setup-code" and "pair-setup.salt", 16 bytes each); costs a 512-bit power."""
        code = new_setup_code(self._entropy)
        made = make_verifier(code.text, draw_salt(self._entropy))
        return ShownVerifier(made.salt, made.verifier, code)


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
            self._verifier = make_verifier(self._code.reveal().decode(), draw_salt(self._entropy))
        return self._verifier

    def renew(self) -> SrpVerifier:
        """A verifier with a fresh salt, kept from now on; a run that is under way keeps the old one."""
        self._verifier = None
        return self.current()


def draw_salt(entropy: Entropy) -> bytes:
    """A salt that does not begin with a zero, see `_DRAWS`."""
    salt = draw(entropy, "pair-setup.salt", SALT_SIZE)
    for _ in range(_DRAWS - 1):
        if salt[0]:
            break
        previous, salt = salt, draw(entropy, "pair-setup.salt", SALT_SIZE)
        if salt == previous:
            break
    return salt
