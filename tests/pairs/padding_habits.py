"""Small models of other implementations' SRP: the same numbers, hashed with or without their leading zeros.

The habits are those of HAP 3.3 and of measurements against the libraries named here; all but the habits is shared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from hapcore.crypto.srp import G, N

try:
    from gmpy2 import powmod as _fast_power
except ImportError:
    _fast_power = None

FAST = _fast_power is not None

USERNAME = b"Pair-Setup"
#: The bytes to hash for a number whose bytes are given, in full width or as they were received.
Form: TypeAlias = Callable[[bytes], bytes]


def power(base: int, exponent: int) -> int:
    return int(_fast_power(base, exponent, N)) if _fast_power is not None else pow(base, exponent, N)


def digest(*parts: bytes) -> bytes:
    return hashlib.sha512(b"".join(parts)).digest()


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def full(value: bytes) -> bytes:
    return value.rjust(384, b"\0")


def stripped(value: bytes) -> bytes:
    return value.lstrip(b"\0")


def received(value: bytes) -> bytes:
    return value


MULTIPLIER = number(digest(full(N.to_bytes(384, "big")), full(bytes((G,)))))
GROUP_HASH = bytes(x ^ y for x, y in zip(digest(N.to_bytes(384, "big")), digest(bytes((G,))), strict=True))


@dataclass(frozen=True)
class Habits:
    """How one library treats each value. `wire` is its own public key; `key` holds for M1, M2 and every derived key."""

    wire: Form
    a_in_u: Form
    b_in_u: Form
    a_in_m1: Form
    b_in_m1: Form
    a_in_m2: Form
    secret: Form
    key: Form = received
    proof: Form = received
    salt: Form = received


STRIPS_ALL = Habits(
    wire=stripped,
    a_in_u=stripped,
    b_in_u=stripped,
    a_in_m1=stripped,
    b_in_m1=stripped,
    a_in_m2=stripped,
    secret=stripped,
    key=stripped,
    proof=stripped,
    salt=stripped,
)
APPLE = Habits(
    wire=stripped,
    a_in_u=full,
    b_in_u=full,
    a_in_m1=stripped,
    b_in_m1=stripped,
    a_in_m2=full,
    secret=stripped,
)
ACCESSORIES = {
    "Apple": APPLE,
    "HAP-python": Habits(
        wire=stripped,
        a_in_u=full,
        b_in_u=full,
        a_in_m1=received,
        b_in_m1=stripped,
        a_in_m2=received,
        secret=stripped,
        key=stripped,
    ),
    "HAP-NodeJS": Habits(
        wire=full, a_in_u=full, b_in_u=full, a_in_m1=received, b_in_m1=full, a_in_m2=received, secret=full
    ),
    "homekit_python": STRIPS_ALL,
}
CONTROLLERS = {
    "Apple": APPLE,
    "aiohomekit": Habits(
        wire=full, a_in_u=full, b_in_u=received, a_in_m1=full, b_in_m1=received, a_in_m2=full, secret=full
    ),
    "hap-controller": Habits(
        wire=full, a_in_u=full, b_in_u=full, a_in_m1=full, b_in_m1=received, a_in_m2=full, secret=full
    ),
    "homekit_python": STRIPS_ALL,
}


@dataclass
class Exchange:
    """One side's view of one exchange, once it knows both public keys."""

    secret: bytes
    key: bytes
    m1: bytes
    m2: bytes


@cache
def verifier(x: int) -> int:
    return power(G, x)


def private_key(habits: Habits, salt: bytes, code: str) -> int:
    return number(digest(habits.salt(salt), digest(USERNAME, b":", code.encode())))


def scramble(habits: Habits, public_a: bytes, public_b: bytes) -> int:
    return number(digest(habits.a_in_u(public_a), habits.b_in_u(public_b)))


def exchange(habits: Habits, salt: bytes, public_a: bytes, public_b: bytes, secret: int) -> Exchange:
    padded = secret.to_bytes(384, "big")
    key = habits.key(digest(habits.secret(padded)))
    m1 = digest(
        GROUP_HASH,
        digest(USERNAME),
        habits.salt(salt),
        habits.a_in_m1(public_a),
        habits.b_in_m1(public_b),
        key,
    )
    m2 = digest(habits.a_in_m2(public_a), habits.proof(m1), key)
    return Exchange(padded, key, habits.proof(m1), habits.proof(m2))


class ModelAccessory:
    """Salt, code and b are chosen from outside; `public` and `salt` are what goes on the wire."""

    def __init__(self, habits: Habits, salt: bytes, code: str, b: int) -> None:
        self._habits = habits
        self._b = b
        self._verifier = verifier(private_key(habits, salt, code))
        self._raw = ((MULTIPLIER * self._verifier + power(G, b)) % N).to_bytes(384, "big")
        self.public = habits.wire(self._raw)
        self.salt = habits.salt(salt)

    def answer(self, public_a: bytes) -> Exchange:
        u = scramble(self._habits, public_a, self._raw)
        secret = power(number(public_a) * power(self._verifier, u) % N, self._b)
        return exchange(self._habits, self.salt, public_a, self._raw, secret)


class ModelController:
    """`a` is chosen from outside; `public` is what goes on the wire."""

    def __init__(self, habits: Habits, a: int) -> None:
        self._habits = habits
        self._a = a
        self._raw = power(G, a).to_bytes(384, "big")
        self.public = habits.wire(self._raw)

    def answer(self, salt: bytes, public_b: bytes, code: str) -> Exchange:
        habits = self._habits
        x = private_key(habits, salt, code)
        u = scramble(habits, self._raw, public_b)
        secret = power((number(public_b) - MULTIPLIER * verifier(x)) % N, self._a + u * x)
        return exchange(habits, salt, self._raw, public_b, secret)
