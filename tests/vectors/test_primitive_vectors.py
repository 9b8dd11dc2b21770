"""RFC 5869, 7748, 8032, 8439 and the vectors of HAP 13.10 and 13.11."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.keys import ed25519_public, hkdf, sign, verify, x25519, x25519_public

H = bytes.fromhex
SALT = bytes(range(13))
INFO = bytes(range(0xF0, 0xFA))


@pytest.mark.parametrize(
    ("ikm", "salt", "info", "length", "digest", "okm"),
    [
        (
            b"\x0b" * 22,
            SALT,
            INFO,
            42,
            "sha512",
            "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb",
        ),
        (b"\x0b" * 22, SALT, b"", 32, "sha512", "f81b87481a18b664936daeb222f58cba0ebc55f5c85996b9f1cb396c327b70bb"),
        (
            b"1" * 32,
            b"Pair-Verify-Encrypt-Salt",
            b"Pair-Verify-Encrypt-Info",
            32,
            "sha512",
            "8f433176e34e8ca29c94aa61cef5229424372f7871bf8c3b4de9e2a54ef9e508",
        ),
        (
            b"\x0b" * 22,
            SALT,
            INFO,
            42,
            "sha256",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
    ],
)
def test_hkdf(ikm: bytes, salt: bytes, info: bytes, length: int, digest: str, okm: str) -> None:
    assert hkdf(ikm, salt, info, length, digest) == H(okm)


def test_x25519_of_rfc_7748() -> None:
    scalar = H("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d")
    point = H("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")
    assert x25519(scalar, point) == H("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")
    alice = H("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = H("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    alice_public = H("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    bob_public = H("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = H("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert (x25519_public(alice), x25519_public(bob)) == (alice_public, bob_public)
    assert x25519(alice, bob_public) == x25519(bob, alice_public) == shared


@pytest.mark.parametrize(
    ("seed", "message", "public", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                "d25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                "387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
    ],
)
def test_ed25519_of_rfc_8032(seed: str, message: str, public: str, signature: str) -> None:
    assert ed25519_public(H(seed)) == H(public)
    assert sign(H(seed), H(message)) == H(signature)
    assert verify(H(public), H(message), H(signature))
    assert not verify(H(public), H(message) + b"x", H(signature))


def test_chacha20_poly1305_of_rfc_8439() -> None:
    """The cipher that seals frames and messages here is the one of the RFC."""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = ChaCha20Poly1305(bytes(range(0x80, 0xA0))).encrypt(
        H("070000004041424344454647"), text, H("50515253c0c1c2c3c4c5c6c7")
    )
    assert sealed == H(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29"
        "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b"
        "61161ae10b594f09e26a7e902ecbd0600691"
    )


def test_sha512() -> None:
    assert hashlib.sha512(b"abc").hexdigest() == (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
        "2a9ac94fa54ca49f"
    )
