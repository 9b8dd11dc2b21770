"""SRP: RFC 5054 appendix B for the formulas, and HAP 13.3 to 13.6 for the group, the hashes and the leading zeros."""

from __future__ import annotations

from typing import Any

import pytest
from tests.vectors.known import HAP, Table

from hapcore.crypto.srp import (
    GROUP,
    Group,
    Padding,
    SrpAccessory,
    SrpController,
    legal_public,
    make_verifier,
)

SPECIFICATION = Table("srp_specification")
CODE = "518-08-582"
CODE_SALT = Table("setup_code_verifier")["s"]

#: RFC 5054 appendix A, 1024-bit group.
N_1024 = int(
    "EEAF0AB9ADB38DD69C33F80AFA8FC5E86072618775FF3C0B9EA2314C9C256576D674DF7496EA81D3383B4813D692C6E0E0D5D8E250B98BE4"
    "8E495C1D6089DAD15DC7D7B46154D6B6CE8EF4AD69B15D4982559B297BCF1885C529F566660E57EC68EDBC3C05726CC02FD4CBF4976EAA9A"
    "FD5138FE8376435B9FC61D2FC0EB06E3",
    16,
)


def test_rfc_5054_appendix_b() -> None:
    known = Table("rfc5054_1024_sha1")
    group = Group(N_1024, 2, "sha1")
    a, b = SPECIFICATION.number("a"), SPECIFICATION.number("b")
    assert group.multiplier == known.number("k")
    x = group.private_key(SPECIFICATION["s"], b"alice", b"password123")
    assert x == known.number("x")
    v = group.power(x)
    assert v == known.number("v")
    public_a, public_b = group.power(a), group.accessory_public(v, b)
    assert (public_a, public_b) == (known.number("A"), known.number("B"))
    u = int.from_bytes(group.hash(group.pad(public_a), group.pad(public_b)), "big")
    assert u == known.number("u")
    secret = known.number("S")
    assert group.accessory_secret(public_a, v, u, b) == group.controller_secret(public_b, x, u, a) == secret


def test_specification() -> None:
    known = SPECIFICATION
    assert GROUP.multiplier == known.number("k")
    assert GROUP.private_key(known["s"], b"alice", b"password123") == known.number("x")
    verifier = make_verifier("password123", known["s"], username=b"alice")
    assert verifier.verifier.reveal() == known["v"]
    accessory = SrpAccessory(verifier, known["b"], username=b"alice")
    assert accessory.public == known["B"]
    controller = SrpController(known["s"], known["B"], "password123", known["a"], username=b"alice")
    assert controller.public == known["A"]
    assert controller.session_key.reveal() == known["K"]
    assert controller.proof == known["M1"]
    result = accessory.check(known["A"], known["M1"])
    assert result is not None
    assert result.session_key.reveal() == known["K"]
    assert result.proof == known["M2"]
    assert controller.check_m2(known["M2"])
    u = int.from_bytes(GROUP.hash(known["A"], known["B"]), "big")
    assert u == known.number("u")
    assert GROUP.accessory_secret(known.number("A"), known.number("v"), u, known.number("b")) == known.number("S")


def test_verifier_of_a_setup_code() -> None:
    known = Table("setup_code_verifier")
    assert GROUP.private_key(known["s"], b"Pair-Setup", CODE.encode()) == known.number("x")
    assert make_verifier(CODE, known["s"]).verifier.reveal() == known["v"]


def begins(data: bytes, text: str) -> bool:
    return data.hex().startswith(text)


@pytest.mark.parametrize("case", HAP["leading_zeros"], ids=lambda case: case["name"])
def test_leading_zeros(case: dict[str, Any]) -> None:
    a = (SPECIFICATION.number("a") + case["a_plus"]).to_bytes(32, "big")
    b = (SPECIFICATION.number("b") + case["b_plus"]).to_bytes(32, "big")
    accessory = SrpAccessory(make_verifier(CODE, CODE_SALT), b)
    on_the_wire = accessory.public.lstrip(b"\0")
    controller = SrpController(CODE_SALT, on_the_wire, CODE, a)
    assert begins(controller.public, case.get("A begins", ""))
    assert begins(accessory.public, case.get("B begins", ""))
    assert accessory.awkward is (case["name"] == "B[0]=0")
    assert controller.awkward is (case["name"] in ("A[0]=0", "S[0]=0"))
    assert controller.session_key.reveal() == bytes.fromhex(case["K"])
    assert controller.proof == bytes.fromhex(case["M1"])
    result = accessory.check(controller.public, controller.proof)
    assert result is not None
    assert result.session_key.reveal() == bytes.fromhex(case["K"])
    assert result.proof == bytes.fromhex(case["M2"])
    assert controller.check_m2(result.proof)
    # The same A without its leading zero is answered alike.
    assert accessory.check(controller.public.lstrip(b"\0"), controller.proof) == result

    padded = SrpController(CODE_SALT, accessory.public, CODE, a, Padding.PADDED)
    assert padded.proof.hex() == case.get("padded M1", padded.proof.hex())
    assert padded.session_key.reveal().hex() == case.get("padded K", case["K"])
    answer = accessory.check(padded.public, padded.proof)
    assert answer is not None
    assert answer.session_key == padded.session_key
    assert padded.check_m2(answer.proof)


@pytest.mark.parametrize(
    "private",
    [70997313118674976963008287637113704817, 292137137271783308929690144371568755687],
    ids=["00fae5ab", "007348a5"],
)
def test_two_private_keys_that_give_a_short_public_key(private: int) -> None:
    public = GROUP.pad(GROUP.power(private))
    assert not public[0]
    assert legal_public(public)
