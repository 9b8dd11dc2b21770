"""The primitives of HAP 0: HKDF-SHA-512, Ed25519, X25519 and ChaCha20-Poly1305, all from and to bytes.

Nothing here draws a random number; private keys come in as 32 bytes.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

__all__ = [
    "Exchange",
    "Signer",
    "KEY_SIZE",
    "SIGNATURE_SIZE",
    "TAG_SIZE",
    "ed25519_public",
    "hkdf",
    "open_sealed",
    "seal",
    "sign",
    "verify",
    "x25519",
    "x25519_public",
]

KEY_SIZE = 32
SIGNATURE_SIZE = 64
TAG_SIZE = 16

_ZEROS = b"\0\0\0\0"


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int = KEY_SIZE, digest: str = "sha512") -> bytes:
    """RFC 5869, extract and expand; `length` at most 255 digests. HAP uses SHA-512 throughout."""
    secret = hmac.digest(salt, ikm, digest)
    block = hmac.digest(secret, info + b"\x01", digest)
    output = block
    counter = 1
    while len(output) < length:
        counter += 1
        block = hmac.digest(secret, block + info + bytes((counter,)), digest)
        output += block
    return output[:length]


def ed25519_public(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte Ed25519 seed."""
    return Signer(seed).public


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte Ed25519 signature of `message`."""
    return Signer(seed).sign(message)


class Signer:
    """A long-term Ed25519 key, made ready once: deriving it from its seed takes longer than signing with it."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        #: 32 bytes.
        self.public = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return "Signer()"

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message`."""
        return self._key.sign(message)


class Exchange:
    """One X25519 private key of 32 bytes, for its public key and the secret it shares with one peer."""

    __slots__ = ("_key", "public")

    def __init__(self, private: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(private)
        #: 32 bytes.
        self.public = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return "Exchange()"

    def shared(self, public: bytes) -> bytes | None:
        """The 32-byte shared secret; None when the peer's key has a wrong length or yields all zeros (HAP 5.3)."""
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            return None


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is good; keys and signatures of a wrong length or shape are simply not good."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def x25519_public(private: bytes) -> bytes:
    """The 32-byte public key of a 32-byte X25519 private key."""
    return Exchange(private).public


def x25519(private: bytes, public: bytes) -> bytes | None:
    """The 32-byte shared secret; None when the peer's key has a wrong length or yields all zeros (HAP 5.3)."""
    return Exchange(private).shared(public)


def seal(key: bytes, label: bytes, plaintext: bytes) -> bytes:
    """ChaCha20-Poly1305 with the 8-byte message label in the nonce (HAP 3.4): ciphertext and 16-byte tag."""
    return ChaCha20Poly1305(key).encrypt(_ZEROS + label, plaintext, None)


def open_sealed(key: bytes, label: bytes, ciphertext: bytes) -> bytes | None:
    """The plaintext; None when the tag is wrong or there is not even room for one."""
    try:
        return ChaCha20Poly1305(key).decrypt(_ZEROS + label, ciphertext, None)
    except InvalidTag:
        return None
