"""The primitives' edges, and the Secret that hides what they take."""

from __future__ import annotations

import copy
import pickle

import pytest

from hapcore.crypto import keys
from hapcore.crypto.secret import Secret

KEY = bytes(range(32))
#: Points of small order: every private key gives zero with them.
SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


@pytest.mark.parametrize("public", SMALL_ORDER, ids=lambda key: key.hex()[:8])
def test_x25519_refuses_points_of_small_order(public: bytes) -> None:
    assert keys.x25519(KEY, public) is None


@pytest.mark.parametrize("size", [0, 31, 33])
def test_x25519_refuses_other_lengths(size: int) -> None:
    assert keys.x25519(KEY, b"\x09" * size) is None


def test_signatures() -> None:
    public = keys.ed25519_public(KEY)
    signature = keys.sign(KEY, b"message")
    assert keys.verify(public, b"message", signature)
    assert not keys.verify(public, b"massage", signature)
    assert not keys.verify(public, b"message", signature[:-1])
    assert not keys.verify(public, b"message", b"")
    assert not keys.verify(public[:-1], b"message", signature)
    assert not keys.verify(b"\xff" * 32, b"message", signature)
    assert not keys.verify(keys.ed25519_public(bytes(32)), b"message", signature)


def test_sealing() -> None:
    sealed = keys.seal(KEY, b"PS-Msg05", b"text")
    assert len(sealed) == 4 + keys.TAG_SIZE
    assert keys.open_sealed(KEY, b"PS-Msg05", sealed) == b"text"
    assert keys.open_sealed(KEY, b"PS-Msg06", sealed) is None
    assert keys.open_sealed(bytes(32), b"PS-Msg05", sealed) is None
    for size in range(len(sealed)):
        assert keys.open_sealed(KEY, b"PS-Msg05", sealed[:size]) is None
    assert keys.open_sealed(KEY, b"PS-Msg05", keys.seal(KEY, b"PS-Msg05", b"")) == b""


@pytest.mark.parametrize("length", [1, 63, 64, 65, 128, 200])
def test_hkdf_grows_by_blocks(length: int) -> None:
    long = keys.hkdf(b"ikm", b"salt", b"info", 255)
    assert keys.hkdf(b"ikm", b"salt", b"info", length) == long[:length]


def test_secret() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert len(secret) == 32
    assert secret == Secret(KEY)
    assert secret != Secret(bytes(32))
    assert secret != Secret(KEY[:31])
    assert secret != KEY
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert "Secret(<32 bytes>)" in shown
        assert KEY.hex()[:8] not in shown


def test_a_secret_goes_nowhere() -> None:
    with pytest.raises(TypeError):
        hash(Secret(KEY))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(KEY))
