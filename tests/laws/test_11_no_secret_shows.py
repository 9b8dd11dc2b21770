"""Law 11: no secret in a repr, an exception or what the engines report; secrets are compared in constant time."""

from __future__ import annotations

import ast

import pytest
from tests.core.accessory_rig import CODE, Rig
from tests.laws.source import CORE, files

from hapcore.ip import accessory
from hapcore.ip.controller import CharacteristicWrite, FinishPairSetup, VerifyPairing, Write
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory


def forms(secret: bytes) -> list[str]:
    """How bytes could show in a text."""
    return [secret.hex(), secret.hex().upper(), repr(secret)[2:-1], str(list(secret))[1:-1]]


def test_a_whole_session_shows_nothing() -> None:
    rig = Rig()
    line = rig.line()
    pairing = line.pair()
    line.verify(pairing)
    line.get("1.10")
    texts = [repr(one) for one in rig.outputs]
    texts += [repr(pairing), repr(rig.server.__dict__), repr(rig.server.config), repr(rig.server.setup_code)]
    texts += [repr(vars(rig.server.stored)), repr(rig.server.setup_desk.__dict__), repr(rig.server.stored.setup)]
    texts += [repr(FinishPairSetup(CODE)), repr(VerifyPairing(pairing)), repr(PairedAccessory("lamp", pairing))]
    texts.append(repr(Write([CharacteristicWrite((1, 1), True, auth_data=b"\xaa\xbb\xcc\xdd")])))
    texts.append(repr(accessory.CharacteristicWrite(rig.lamp.on.id, True, auth_data=b"\xaa\xbb\xcc\xdd")))
    everything = "\n".join(texts)
    secrets = [draw for draw in rig.entropy.secrets if len(draw) >= 16]
    secrets += [pairing.controller_ltsk.reveal(), rig.server.stored.identity.ltsk.reveal(), b"\xaa\xbb\xcc\xdd"]
    secrets.append(rig.server.stored.setup.verifier.verifier.reveal())
    salt = rig.server.stored.setup.verifier.salt
    assert len(secrets) >= 6
    for secret in secrets:
        if secret != salt:  # the salt is public
            assert not any(form in everything for form in forms(secret))
    assert CODE.text not in everything
    assert CODE.text.replace("-", "") not in everything


def test_errors_do_not_quote_what_was_typed() -> None:
    with pytest.raises(ValueError, match="eight digits") as caught:
        SetupCode("9876-54-32")
    assert "9876" not in str(caught.value)


def test_secret_material_is_not_compared_with_equals() -> None:
    """Proofs, tags and keys go through a comparison in constant time."""
    words = {"proof", "tag", "secret", "ltsk", "m1", "m2", "session_key", "verifier"}
    for path in files(CORE / "crypto") + files(CORE / "pairing"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                for side in (node.left, *node.comparators):
                    name = (
                        side.id if isinstance(side, ast.Name) else side.attr if isinstance(side, ast.Attribute) else ""
                    )
                    assert name not in words, f"{path}:{node.lineno} compares {name}"
