"""Pair-setup, the controller: what it refuses, what it forgives, and when it starts again (HAP 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pairing_kit import ACCESSORY, CODE, PAIRING, value_of
from tests.core.setup_rig import (
    COSTLY,
    M1,
    Accessory,
    controller,
)

from hapcore.codec import tlv8
from hapcore.crypto.keys import hkdf, seal, sign, verify
from hapcore.crypto.srp import GROUP, N
from hapcore.errors import AccessoryChanged, HapError, LocalProtocolError, PairingRefused, RemoteProtocolError
from hapcore.pairing.items import Item, Method
from hapcore.pairing.records import Identity
from hapcore.pairing.setup import PairSetupController


def refused(state: int, error: int, *more: tuple[int, bytes]) -> bytes:
    return tlv8.encode([(Item.STATE, bytes((state,))), (Item.ERROR, bytes((error,))), *more])


@pytest.mark.parametrize("error", range(1, 9))
def test_controller_reports_refusals(error: int) -> None:
    client = controller()
    client.m1()
    with pytest.raises(PairingRefused) as caught:
        client.receive_m2(refused(2, error, (Item.RETRY_DELAY, b"\x2c\x01")))
    assert (caught.value.error, caught.value.step, caught.value.retry_delay) == (error, 2, 300)
    # It can start again at once.
    accessory = Accessory()
    assert client.receive_m2(accessory.answer(client.m1()))
    accessory.desk.release("one")
    client.m3(CODE)
    with pytest.raises(PairingRefused) as caught:
        # One accessory writes the wrong state beside its error: the error is what counts.
        client.m5(refused(6, error))
    assert (caught.value.error, caught.value.step, caught.value.retry_delay) == (error, 4, None)


def test_wrong_code_then_the_right_one() -> None:
    accessory, client = Accessory(), controller()
    assert client.receive_m2(accessory.answer(client.m1()))
    with pytest.raises(PairingRefused) as caught:
        client.m5(accessory.answer(client.m3("000-00-001")))
    assert (caught.value.error, caught.value.step) == (2, 4)
    assert client.receive_m2(accessory.answer(client.m1()))
    assert client.finish(accessory.answer(client.m5(accessory.answer(client.m3(CODE))))) == PAIRING


def m2_items() -> dict[int, bytes]:
    return dict(tlv8.decode(Accessory().answer(M1)))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({Item.STATE: b"\x04"}, id="state 4"),
        pytest.param({Item.PUBLIC_KEY: b""}, id="B empty"),
        pytest.param({Item.PUBLIC_KEY: bytes(384)}, id="B = 0"),
        pytest.param({Item.PUBLIC_KEY: GROUP.pad(N)}, id="B = N"),
        pytest.param({Item.PUBLIC_KEY: b"\x01" * 385}, id="B too long"),
        pytest.param({Item.PUBLIC_KEY: None}, id="no B"),
        pytest.param({Item.SALT: b""}, id="empty salt"),
        pytest.param({Item.SALT: bytes(17)}, id="long salt"),
        pytest.param({Item.SALT: None}, id="no salt"),
    ],
)
def test_controller_refuses_m2(changes: dict[int, bytes | None]) -> None:
    client = controller()
    client.m1()
    items = {**m2_items(), **changes}
    with pytest.raises(RemoteProtocolError):
        client.receive_m2(tlv8.encode((kind, value) for kind, value in items.items() if value is not None))
    with pytest.raises(LocalProtocolError):
        client.m3(CODE)
    client.m1()


def test_controller_forgives_a_missing_state() -> None:
    accessory, client = Accessory(), controller()

    def stateless(body: bytes) -> bytes:
        return tlv8.encode(item for item in tlv8.decode(body) if item[0] != Item.STATE)

    assert client.receive_m2(stateless(accessory.answer(client.m1())))
    m4 = stateless(accessory.answer(client.m3(CODE)))
    assert client.finish(stateless(accessory.answer(client.m5(m4)))) == PAIRING


def test_controller_starts_again_for_a_short_b_but_not_for_ever() -> None:
    client = controller()
    m2 = tlv8.encode({**m2_items(), Item.PUBLIC_KEY: b"\x01" * 383}.items())
    padded = tlv8.encode({**m2_items(), Item.PUBLIC_KEY: b"\x00" + b"\x01" * 383}.items())
    for body in (m2, padded):
        client.m1()
        assert not client.receive_m2(body)
        with pytest.raises(LocalProtocolError):
            client.m3(CODE)
    client.m1()
    assert client.receive_m2(m2)
    assert len(value_of(client.m3(CODE), Item.PUBLIC_KEY)) == 384
    # The next try begins with the same patience.
    for body in (m2, padded):
        client.m1()
        assert not client.receive_m2(body)


def test_controller_wants_a_proof() -> None:
    for change in (lambda proof: bytes(64), lambda proof: proof[:-1], lambda proof: b"", lambda _proof: None):
        accessory, client = Accessory(), controller()
        assert client.receive_m2(accessory.answer(client.m1()))
        m4 = accessory.answer(client.m3(CODE))
        proof = change(value_of(m4, Item.PROOF))
        items = [(Item.STATE, b"\x04")] + ([] if proof is None else [(Item.PROOF, proof)])
        with pytest.raises(RemoteProtocolError):
            client.m5(tlv8.encode(items))


def last_step(client: PairSetupController) -> tuple[bytes, bytes]:
    """Up to M6; gives M6 and the key it is sealed with."""
    accessory = Accessory()
    assert client.receive_m2(accessory.answer(client.m1()))
    m5 = client.m5(accessory.answer(client.m3(CODE)))
    assert client._srp is not None
    return accessory.answer(m5), client._srp.session_key.reveal()


def m6_of(key: bytes, changes: dict[Item, bytes], *, who: Identity = ACCESSORY) -> bytes:
    prefix = hkdf(key, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
    inner: dict[Item, bytes] = {Item.IDENTIFIER: who.identifier, Item.PUBLIC_KEY: who.ltpk} | changes
    if Item.SIGNATURE not in inner:
        signed = prefix + inner[Item.IDENTIFIER] + inner[Item.PUBLIC_KEY]
        inner[Item.SIGNATURE] = sign(who.ltsk.reveal(), signed)
    message_key = hkdf(key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    sealed = seal(message_key, b"PS-Msg06", tlv8.encode(i for i in inner.items() if i[1] != b"leave out"))
    return tlv8.encode([(Item.STATE, b"\x06"), (Item.ENCRYPTED_DATA, sealed)])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({Item.PUBLIC_KEY: bytes(32)}, RemoteProtocolError, id="key of zeros"),
        pytest.param({Item.PUBLIC_KEY: bytes(31)}, RemoteProtocolError, id="short key"),
        pytest.param({Item.SIGNATURE: bytes(64)}, RemoteProtocolError, id="wrong signature"),
        pytest.param({Item.SIGNATURE: b"leave out"}, RemoteProtocolError, id="no signature"),
        pytest.param({Item.IDENTIFIER: b"\xff\xfe"}, RemoteProtocolError, id="identifier that is no text"),
        pytest.param({Item.IDENTIFIER: b""}, RemoteProtocolError, id="empty identifier"),
        pytest.param({Item.IDENTIFIER: b"x" * 37}, RemoteProtocolError, id="long identifier"),
        pytest.param({Item.IDENTIFIER: b"AA:AA:AA:AA:AA:AA"}, AccessoryChanged, id="another accessory"),
    ],
)
def test_controller_refuses_m6(changes: dict[Item, bytes], error: type[HapError]) -> None:
    client = controller(expected_id=ACCESSORY.device_id)
    _, key = last_step(client)
    with pytest.raises(error):
        client.finish(m6_of(key, changes))


def test_controller_refuses_a_key_of_zeros_whose_signature_is_good() -> None:
    """Zeros are a point of small order: a quarter of all messages is signed by S = 0 and a fitting R."""
    client = controller()
    _, key = last_step(client)
    prefix = hkdf(key, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
    zeros = bytes(32)
    forged = next(
        (ACCESSORY.identifier + suffix, signature)
        for suffix in (bytes((letter,)) for letter in range(65, 90))
        for signature in (point + zeros for point in (zeros, b"\x01" + bytes(31), bytes(31) + b"\x80"))
        if verify(zeros, prefix + ACCESSORY.identifier + suffix + zeros, signature)
    )
    with pytest.raises(RemoteProtocolError, match="unusable"):
        client.finish(m6_of(key, {Item.IDENTIFIER: forged[0], Item.PUBLIC_KEY: zeros, Item.SIGNATURE: forged[1]}))


def test_controller_keeps_the_id_as_received() -> None:
    client = controller(expected_id=ACCESSORY.device_id)
    _, key = last_step(client)
    pairing = client.finish(m6_of(key, {Item.IDENTIFIER: ACCESSORY.identifier.lower()}))
    assert pairing.accessory_id == ACCESSORY.device_id.lower()


def test_controller_refuses_m6_that_does_not_open() -> None:
    client = controller()
    m6, _ = last_step(client)
    with pytest.raises(RemoteProtocolError):
        client.finish(m6[:-1] + bytes((m6[-1] ^ 1,)))


@pytest.mark.parametrize("step", ["receive_m2", "m5", "finish"])
@COSTLY
@given(body=st.binary(max_size=300))
def test_controller_takes_any_bytes(step: str, body: bytes) -> None:
    client, accessory = controller(), Accessory()
    m1 = client.m1()
    if step != "receive_m2":
        assert client.receive_m2(accessory.answer(m1))
        m3 = client.m3(CODE)
        if step == "finish":
            client.m5(accessory.answer(m3))
    with pytest.raises((PairingRefused, RemoteProtocolError)):
        getattr(client, step)(body)


def test_out_of_turn() -> None:
    client = controller()
    for call in (
        lambda: client.receive_m2(b""),
        lambda: client.m3(CODE),
        lambda: client.m5(b""),
        lambda: client.finish(b""),
    ):
        with pytest.raises(LocalProtocolError, match="out of turn"):
            call()


@pytest.mark.parametrize("code", ["", "03145154", "031-45-15", "031-45-1544", "031-45-15a", "٠٣١-٤٥-١٥٤"])
def test_code_must_have_its_form(code: str) -> None:
    accessory, client = Accessory(), controller()
    assert client.receive_m2(accessory.answer(client.m1()))
    with pytest.raises(LocalProtocolError) as caught:
        client.m3(code)
    assert not code or code not in str(caught.value)
    assert client.m3(CODE)


def test_method_must_be_one_of_pair_setup() -> None:
    with pytest.raises(LocalProtocolError):
        controller(method=Method.PAIR_VERIFY)
