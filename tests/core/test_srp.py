"""SRP beyond the vectors: what is refused, and that both ways to compute a power agree (HAP 3)."""

from __future__ import annotations

import importlib
import sys

import pytest

from hapcore.crypto import srp
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import (
    GROUP,
    PROOF_SIZE,
    PUBLIC_SIZE,
    G,
    N,
    SrpAccessory,
    SrpController,
    legal_public,
    make_verifier,
)

CODE = "031-45-154"
SALT = bytes(range(1, 17))
VERIFIER = make_verifier(CODE, SALT)
A = b"\x5a" * 32
B = b"\xa5" * 32


def zero_padded(number: int) -> bytes:
    return number.to_bytes(PUBLIC_SIZE, "big")


def test_agreement() -> None:
    accessory = SrpAccessory(VERIFIER, B)
    controller = SrpController(SALT, accessory.public, CODE, A)
    result = accessory.check(controller.public, controller.proof)
    assert result is not None
    assert result.session_key == controller.session_key
    assert controller.check_m2(result.proof)


def test_wrong_code() -> None:
    accessory = SrpAccessory(VERIFIER, B)
    controller = SrpController(SALT, accessory.public, "031-45-155", A)
    assert accessory.check(controller.public, controller.proof) is None


@pytest.mark.parametrize("bit", [0, 255, 511])
def test_every_bit_of_the_proofs_counts(bit: int) -> None:
    accessory = SrpAccessory(VERIFIER, B)
    controller = SrpController(SALT, accessory.public, CODE, A)
    flip = (1 << bit).to_bytes(PROOF_SIZE, "big")
    result = accessory.check(controller.public, controller.proof)
    assert result is not None
    wrong_m1 = bytes(x ^ y for x, y in zip(controller.proof, flip, strict=True))
    wrong_m2 = bytes(x ^ y for x, y in zip(result.proof, flip, strict=True))
    assert accessory.check(controller.public, wrong_m1) is None
    assert not controller.check_m2(wrong_m2)


@pytest.mark.parametrize("cut", [1, 2, 32, 64])
def test_a_cut_proof_is_no_proof(cut: int) -> None:
    """A shorter proof stands for one with zeros in front, never for a part of the right one."""
    accessory = SrpAccessory(VERIFIER, B)
    controller = SrpController(SALT, accessory.public, CODE, A)
    result = accessory.check(controller.public, controller.proof)
    assert result is not None
    assert accessory.check(controller.public, controller.proof[cut:]) is None
    assert accessory.check(controller.public, controller.proof[:-cut]) is None
    assert not controller.check_m2(result.proof[cut:])
    assert not controller.check_m2(result.proof + b"\0" * cut)


@pytest.mark.parametrize("public", [b"", b"\0", zero_padded(0), zero_padded(N)], ids=["empty", "0", "0 padded", "N"])
def test_multiples_of_n(public: bytes) -> None:
    """With such an A the secret is zero, whatever the code: its proof must not be taken."""
    assert not legal_public(public)
    accessory = SrpAccessory(VERIFIER, B)
    for secret in (b"", bytes(PUBLIC_SIZE)):
        key = GROUP.hash(secret)
        for shown in (public, zero_padded(int.from_bytes(public, "big"))):
            proof = GROUP.hash(srp._GROUP_HASH, GROUP.hash(b"Pair-Setup"), SALT, shown, accessory.public, key)
            assert accessory.check(public, proof) is None
    with pytest.raises(ValueError, match="group"):
        SrpController(SALT, public, CODE, A)


def test_a_public_key_above_n_is_taken_modulo_n() -> None:
    assert legal_public(zero_padded(N + 1))
    assert not legal_public((2 * N).to_bytes(PUBLIC_SIZE + 1, "big"))
    with pytest.raises(ValueError, match="group"):
        SrpController(SALT, b"\1" + zero_padded(1), CODE, A)


def test_group() -> None:
    assert N.bit_length() == 3072
    assert N.to_bytes(PUBLIC_SIZE, "big")[:8] == N.to_bytes(PUBLIC_SIZE, "big")[-8:] == b"\xff" * 8
    assert pow(2, N - 1, N) == 1
    assert GROUP.width == PUBLIC_SIZE


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, (1 << 256) - 1, 0x1234 << 240])
@pytest.mark.parametrize("base", [1, G, N - 1, 1 << 3071])
def test_powers(base: int, exponent: int) -> None:
    assert srp.powmod(base, exponent, N) == pow(base, exponent, N)


def test_without_gmpy2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra makes it faster, not different."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gmpy2", None)
        with pytest.raises(ImportError):
            importlib.import_module("gmpy2")
        plain = srp._choose_powmod()
        assert plain is srp._pow
        patch.setattr(srp, "powmod", plain)
        verifier = make_verifier(CODE, SALT)
        accessory = SrpAccessory(verifier, B)
        controller = SrpController(SALT, accessory.public, CODE, A)
    assert verifier == VERIFIER
    assert accessory.public == SrpAccessory(VERIFIER, B).public
    assert controller.session_key == SrpController(SALT, accessory.public, CODE, A).session_key


def test_powers_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Powers are what pairing costs: one for B, two to check; three for the controller; none for a wrong form."""
    exponents: list[int] = []

    def counting(base: int, exponent: int, modulus: int) -> int:
        exponents.append(exponent.bit_length())
        return pow(base, exponent, modulus)

    monkeypatch.setattr(srp, "powmod", counting)
    accessory = SrpAccessory(VERIFIER, B)
    assert len(exponents) == 1
    controller = SrpController(SALT, accessory.public, CODE, A)
    assert len(exponents) == 4
    assert not controller.awkward
    accessory.check(controller.public, bytes(PROOF_SIZE))
    assert len(exponents) == 6
    assert max(exponents) <= 1025
    assert exponents[0] <= 256


def test_nothing_secret_is_shown() -> None:
    accessory = SrpAccessory(VERIFIER, B)
    controller = SrpController(SALT, accessory.public, CODE, A)
    result = accessory.check(controller.public, controller.proof)
    shown = repr((VERIFIER, accessory, controller, result))
    for secret in (VERIFIER.verifier, controller.session_key, Secret(A), Secret(B)):
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal())[2:-1] not in shown
        assert str(int.from_bytes(secret.reveal(), "big")) not in shown
