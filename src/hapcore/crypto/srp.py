"""SRP-6a as HAP uses it (HAP 3): the 3072-bit group, SHA-512, user name "Pair-Setup", the setup code as password.

Every implementation agrees on these formulas until A, B, S or K begins with a zero byte; then some hash the number
without it and some with it (HAP 3.3). The controller here draws its key again until nothing begins with a zero; the
accessory recognises a proof made either way, because each of them proves the setup code equally well.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache, cached_property
from importlib import import_module

from attrs import field, frozen

from hapcore.crypto.secret import Secret

__all__ = [
    "G",
    "GROUP",
    "Group",
    "N",
    "PROOF_SIZE",
    "PUBLIC_SIZE",
    "Padding",
    "SrpAccessory",
    "SrpController",
    "SrpProof",
    "SrpVerifier",
    "legal_public",
    "make_verifier",
    "powmod",
]

#: RFC 5054 appendix A, 3072-bit group.
N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
G = 5
PUBLIC_SIZE = 384
PROOF_SIZE = 64

_USERNAME = b"Pair-Setup"


def _pow(base: int, exponent: int, modulus: int) -> int:
    return pow(base, exponent, modulus)


def _choose_powmod() -> Callable[[int, int, int], int]:
    try:
        powmod_sec: Callable[[int, int, int], int] = import_module("gmpy2").powmod_sec
    except (ImportError, AttributeError):
        return _pow

    def constant_time(base: int, exponent: int, modulus: int) -> int:
        # powmod_sec wants a positive exponent and an odd modulus; the second always holds here.
        return int(powmod_sec(base, exponent, modulus)) if exponent else 1 % modulus

    return constant_time


#: Chosen when it is needed: gmpy2 takes longer to load than all the rest of the cryptography.
_fastest = cache(_choose_powmod)


def powmod(base: int, exponent: int, modulus: int) -> int:
    """base ** exponent % modulus for an odd modulus; constant-time, and about five times faster, with gmpy2."""
    return _fastest()(base, exponent, modulus)


@frozen(slots=False)
class Group:
    """A safe-prime group with its hash: what SRP-6a needs beside names and keys (RFC 5054)."""

    modulus: int
    generator: int
    digest: str

    @cached_property
    def width(self) -> int:
        """Bytes of a padded number."""
        return (self.modulus.bit_length() + 7) // 8

    @cached_property
    def multiplier(self) -> int:
        """k = H(N | PAD(g))."""
        return int.from_bytes(self.hash(self.pad(self.modulus), self.pad(self.generator)), "big")

    def hash(self, *parts: bytes) -> bytes:
        """The digest of the concatenation."""
        return hashlib.new(self.digest, b"".join(parts)).digest()

    def pad(self, number: int) -> bytes:
        """The number in full width, big-endian."""
        return number.to_bytes(self.width, "big")

    def private_key(self, salt: bytes, username: bytes, password: bytes) -> int:
        """x = H(s | H(I | ":" | P))."""
        return int.from_bytes(self.hash(salt, self.hash(username, b":", password)), "big")

    def power(self, exponent: int) -> int:
        """g to the exponent."""
        return powmod(self.generator, exponent, self.modulus)

    def accessory_public(self, verifier: int, b: int) -> int:
        """B = kv + g^b."""
        return (self.multiplier * verifier + self.power(b)) % self.modulus

    def accessory_secret(self, public_a: int, verifier: int, u: int, b: int) -> int:
        """S = (A v^u)^b."""
        return powmod(public_a * powmod(verifier, u, self.modulus) % self.modulus, b, self.modulus)

    def controller_secret(self, public_b: int, x: int, u: int, a: int) -> int:
        """S = (B - k g^x)^(a + ux)."""
        return powmod((public_b - self.multiplier * self.power(x)) % self.modulus, a + u * x, self.modulus)


GROUP = Group(N, G, "sha512")

_GROUP_HASH = bytes(x ^ y for x, y in zip(GROUP.hash(GROUP.pad(N)), GROUP.hash(bytes((G,))), strict=True))


def _strip(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


class Padding(Enum):
    """How a controller hashes A and S into proof and key when they begin with a zero byte (HAP 3.3)."""

    #: As Apple's accessories expect it: without leading zeros.
    STRIPPED = "stripped"
    #: In full width.
    PADDED = "padded"


@frozen
class SrpVerifier:
    """What an accessory keeps instead of the setup code: the salt (16 bytes) and the verifier (384 bytes)."""

    salt: bytes
    verifier: Secret = field(repr=False)


def make_verifier(code: str, salt: bytes, *, username: bytes = _USERNAME) -> SrpVerifier:
    """Salt and verifier of a setup code in its dashed form, "031-45-154". One 512-bit power: make it once, keep it."""
    x = GROUP.private_key(salt, username, code.encode())
    return SrpVerifier(salt, Secret(GROUP.pad(GROUP.power(x))))


def legal_public(public: bytes) -> bool:
    """Whether a received A or B is no multiple of N; with one, the secret would not depend on the code (HAP 3.2)."""
    return bool(_number(public) % N)


@frozen
class SrpProof:
    """A controller has proved the setup code: the session key K in the form it uses, and the answer M2 (64 bytes)."""

    session_key: Secret
    proof: bytes


class SrpAccessory:
    """The accessory's half of one exchange. `b` is 32 fresh random bytes, big-endian."""

    __slots__ = ("_b", "_identity", "_public", "_salt", "_verifier", "public")

    def __init__(self, verifier: SrpVerifier, b: bytes, *, username: bytes = _USERNAME) -> None:
        self._salt = verifier.salt
        self._verifier = _number(verifier.verifier.reveal())
        self._b = _number(b)
        self._identity = GROUP.hash(username)
        self._public = GROUP.accessory_public(self._verifier, self._b)
        #: B in full width, 384 bytes.
        self.public = GROUP.pad(self._public)

    @property
    def awkward(self) -> bool:
        """Whether B begins with a zero byte, which some controllers hash in another way."""
        return not self.public[0]

    def check(self, public_a: bytes, proof: bytes) -> SrpProof | None:
        """Check M1. `public_a` is A as received, at most 384 bytes; `proof` at most 64, a shorter one lost its zeros.

        None: A is a multiple of N, or the proof is wrong in every form (HAP 3.2, 3.3).
        """
        number_a = _number(public_a)
        if not number_a % N:
            return None
        full_proof = proof.rjust(PROOF_SIZE, b"\0")
        matched: tuple[bytes, bytes] | None = None
        # No early way out once the secret is known: the comparisons of one scrambler all take place.
        for hashed_a, hashed_b in self._scrambled(number_a):
            u = _number(GROUP.hash(hashed_a, hashed_b))
            secret = GROUP.accessory_secret(number_a, self._verifier, u, self._b)
            for session_key, expected in self._proofs(number_a, public_a, secret):
                if hmac.compare_digest(expected, full_proof) and matched is None:
                    matched = session_key, hashed_a
            if matched is not None:
                session_key, hashed_a = matched
                return SrpProof(Secret(session_key), GROUP.hash(hashed_a, proof, session_key))
        return None

    def _scrambled(self, number_a: int) -> Iterator[tuple[bytes, bytes]]:
        """The ways A and B are hashed into u, Apple's first; only one unless A or B begins with a zero."""
        padded, stripped = GROUP.pad(number_a), _strip(number_a)
        yield padded, self.public
        if self.awkward:
            yield padded, _strip(self._public)
        if stripped != padded or self.awkward:
            yield stripped, _strip(self._public)

    def _proofs(self, number_a: int, public_a: bytes, secret: int) -> Iterator[tuple[bytes, bytes]]:
        """Session key and M1 in every form that occurs, Apple's first."""
        for hashed_secret in dict.fromkeys((_strip(secret), GROUP.pad(secret))):
            full_key = GROUP.hash(hashed_secret)
            for session_key in dict.fromkeys((full_key, full_key.lstrip(b"\0"))):
                for hashed_a in dict.fromkeys((_strip(number_a), public_a, GROUP.pad(number_a))):
                    for hashed_b in dict.fromkeys((_strip(self._public), self.public)):
                        yield (
                            session_key,
                            GROUP.hash(_GROUP_HASH, self._identity, self._salt, hashed_a, hashed_b, session_key),
                        )


class SrpController:
    """The controller's half of one exchange, complete on construction.

    `public_b` and `salt` are hashed as received, since that is how the accessory has them; `code` is the dashed setup
    code, `a` 32 fresh random bytes.
    Raises `ValueError` for a B that is a multiple of N or longer than 384 bytes (HAP 3.2).
    """

    __slots__ = ("_answers", "_numbers", "proof", "public", "session_key")

    def __init__(
        self,
        salt: bytes,
        public_b: bytes,
        code: str,
        a: bytes,
        padding: Padding = Padding.STRIPPED,
        *,
        username: bytes = _USERNAME,
    ) -> None:
        number_b = _number(public_b)
        if not number_b % N or number_b >> (8 * PUBLIC_SIZE):
            raise ValueError("B is no element of the group")
        exponent = _number(a)
        number_a = GROUP.power(exponent)
        padded_a = GROUP.pad(number_a)
        stripped_a = _strip(number_a)
        padded = padding is Padding.PADDED
        u = _number(GROUP.hash(padded_a, GROUP.pad(number_b)))
        x = GROUP.private_key(salt, username, code.encode())
        secret = GROUP.controller_secret(number_b, x, u, exponent)
        padded_secret = GROUP.pad(secret)
        key = GROUP.hash(padded_secret if padded else _strip(secret))
        hashed_a = padded_a if padded else stripped_a
        #: A in full width, 384 bytes.
        self.public = padded_a
        #: M1, 64 bytes.
        self.proof = GROUP.hash(_GROUP_HASH, GROUP.hash(username), salt, hashed_a, public_b, key)
        #: K, 64 bytes.
        self.session_key = Secret(key)
        # Where A begins with a zero, M2 may hash it either way; Apple's comes first.
        self._answers = [GROUP.hash(form, self.proof, key) for form in dict.fromkeys((padded_a, stripped_a))]
        self._numbers = (padded_a[0], padded_secret[0], key[0], self.proof[0], self._answers[0][0])

    @property
    def awkward(self) -> bool:
        """Whether A, S, K, M1 or M2 begins with a zero byte: another `a` avoids every difference (HAP 3.3)."""
        return 0 in self._numbers

    def check_m2(self, proof: bytes) -> bool:
        """Whether the accessory knows the verifier; leading zeros of its proof may have been lost on the way."""
        if len(proof) > PROOF_SIZE:
            return False
        full = proof.rjust(PROOF_SIZE, b"\0")
        return any(hmac.compare_digest(answer, full) for answer in self._answers)
