"""Pair-verify, both machines (HAP 5)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.pairing_kit import ACCESSORY, CONTROLLER, PAIRED, PAIRING, STRANGER, Draws, outcome, value_of

from hapcore.codec import tlv8
from hapcore.crypto.frames import FrameOpener, FrameSealer
from hapcore.crypto.keys import hkdf, open_sealed, seal, sign, x25519, x25519_public
from hapcore.crypto.secret import Secret
from hapcore.errors import AccessoryChanged, LocalProtocolError, PairingRefused, RemoteProtocolError
from hapcore.pairing.items import Item
from hapcore.pairing.records import ControllerIdentity, Identity, PairedController, Pairing
from hapcore.pairing.verify import PairVerifyController, VerifyDesk, VerifyStep

TABLE = {PAIRED.identifier: PAIRED}
PRIVATE = b"\x33" * 32
PUBLIC = x25519_public(PRIVATE)
M1 = tlv8.encode([(Item.STATE, b"\x01"), (Item.PUBLIC_KEY, PUBLIC)])
#: A point of small order: whatever the private key, the shared secret is zero.
NULL = bytes(32)


def desk(draws: Draws | None = None) -> VerifyDesk:
    return VerifyDesk(ACCESSORY, draws or Draws("accessory"))


def reply_of(step: VerifyStep) -> bytes:
    assert step.reply is not None
    return step.reply


def message_key(m2: bytes) -> bytes:
    shared = x25519(PRIVATE, value_of(m2, Item.PUBLIC_KEY))
    assert shared is not None
    return hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")


def m3_of(
    m2: bytes,
    inner: dict[Item, bytes] | None = None,
    *,
    label: bytes = b"PV-Msg03",
    who: ControllerIdentity = CONTROLLER,
    claim: ControllerIdentity | None = None,
) -> bytes:
    identifier = (claim or who).identifier.encode()
    signature = sign(who.ltsk.reveal(), PUBLIC + identifier + value_of(m2, Item.PUBLIC_KEY))
    items = {Item.IDENTIFIER: identifier, Item.SIGNATURE: signature} | (inner or {})
    sealed = seal(message_key(m2), label, tlv8.encode(i for i in items.items() if i[1] != b"leave out"))
    return tlv8.encode([(Item.STATE, b"\x03"), (Item.ENCRYPTED_DATA, sealed)])


def test_whole_procedure() -> None:
    draws, own = Draws("accessory"), Draws("controller")
    accessory, client = desk(draws), PairVerifyController(PAIRING, own)
    m2 = reply_of(accessory.receive(client.m1(), TABLE))
    step = accessory.receive(client.m3(m2), TABLE)
    verified = client.finish(reply_of(step))
    assert step.session is not None
    assert step.session.controller is PAIRED
    assert step.session.shared_secret == verified.shared_secret
    assert step.session.keys == verified.keys
    assert draws.labels == own.labels == ["pair-verify.x25519"]
    assert FrameOpener(verified.keys.read).feed(FrameSealer(step.session.keys.read).seal(b"EVENT")) == b"EVENT"


def test_each_session_has_keys_of_its_own() -> None:
    accessory, client = desk(), PairVerifyController(PAIRING, Draws("controller"))
    secrets: list[bytes] = []
    for _ in range(2):
        m2 = reply_of(accessory.receive(client.m1(), TABLE))
        step = accessory.receive(client.m3(m2), TABLE)
        assert step.session is not None
        secrets.append(step.session.shared_secret.reveal())
    assert secrets[0] != secrets[1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(M1[:-12], id="cut"),
        pytest.param(M1[3:], id="no state"),
        pytest.param(M1[:3], id="no key"),
        pytest.param(b"\x06\x01\x02" + M1[3:], id="state 2"),
        pytest.param(b"\x06\x02\x01\x00" + M1[3:], id="state of two bytes"),
        pytest.param(b"\x06\x01\x01\x03\x1f" + PUBLIC[:31], id="short key"),
        pytest.param(b"\x06\x01\x01\x03\x21" + PUBLIC + b"x", id="long key"),
        pytest.param(M1 + b"\x00\x01\x00", id="method 0"),
        pytest.param(b"\x00\x01\x02" + M1, id="method 2"),
        pytest.param(M1 + b"\x00\x00", id="empty method"),
        pytest.param(M1 + b"\x00\x01\x06\x0e\x08" + bytes(8) + b"\x05\x10" + bytes(16), id="resume"),
        pytest.param(M1 + b"\x06\x01\x01", id="state twice"),
        pytest.param(b"\x06\x01\x03\x05\x78" + bytes(120), id="M3 first"),
    ],
)
def test_malformed_start(body: bytes) -> None:
    draws = Draws()
    accessory = desk(draws)
    assert accessory.receive(body, TABLE) == VerifyStep(None)
    assert draws.labels == []
    # In the middle of a run it ends the run.
    m2 = reply_of(accessory.receive(M1, TABLE))
    if not body.startswith(b"\x06\x01\x03"):
        assert accessory.receive(body, TABLE) == VerifyStep(None)
        assert accessory.receive(m3_of(m2), TABLE) == VerifyStep(None)
    # And the connection may try again.
    assert outcome(accessory.receive(m3_of(reply_of(accessory.receive(M1, TABLE))), TABLE).reply) == 4


def test_any_order_and_unknown_items() -> None:
    accessory = desk()
    items = [*reversed(tlv8.decode(M1)), (0x42, b"x")]
    m2 = reply_of(accessory.receive(tlv8.encode(items), TABLE))
    assert [kind for kind, _ in tlv8.decode(m2)] == [Item.STATE, Item.PUBLIC_KEY, Item.ENCRYPTED_DATA]
    m3 = tlv8.encode(reversed(tlv8.decode(m3_of(m2))))
    assert accessory.receive(m3, TABLE).session is not None


def test_m1_twice_the_second_counts() -> None:
    accessory = desk()
    old = reply_of(accessory.receive(M1, TABLE))
    new = reply_of(accessory.receive(M1, TABLE))
    assert value_of(old, Item.PUBLIC_KEY) != value_of(new, Item.PUBLIC_KEY)
    assert accessory.receive(m3_of(new), TABLE).session is not None
    reply_of(accessory.receive(M1, TABLE))
    assert outcome(accessory.receive(m3_of(old), TABLE).reply) == (4, 2)


def test_m3_counts_once() -> None:
    accessory = desk()
    m3 = m3_of(reply_of(accessory.receive(M1, TABLE)))
    assert accessory.receive(m3, TABLE).session is not None
    assert accessory.receive(m3, TABLE) == VerifyStep(None)


def test_accessory_refuses_a_null_secret() -> None:
    accessory = desk()
    step = accessory.receive(b"\x06\x01\x01\x03\x20" + NULL, TABLE)
    assert outcome(step.reply) == (2, 2)
    assert accessory.receive(b"\x06\x01\x03\x05\x78" + bytes(120), TABLE) == VerifyStep(None)


@pytest.mark.parametrize(
    ("options", "table", "expected"),
    [
        pytest.param({"who": STRANGER}, TABLE, (4, 2), id="unknown controller"),
        pytest.param({}, {}, (4, 2), id="nobody is paired"),
        pytest.param({"who": STRANGER, "claim": CONTROLLER}, TABLE, (4, 2), id="known id, other key"),
        pytest.param({"inner": {Item.SIGNATURE: bytes(64)}}, TABLE, (4, 2), id="wrong signature"),
        pytest.param({"label": b"PV-Msg02"}, TABLE, (4, 2), id="wrong nonce"),
        pytest.param({"inner": {Item.IDENTIFIER: b"leave out"}}, TABLE, 400, id="no identifier"),
        pytest.param({"inner": {Item.IDENTIFIER: b""}}, TABLE, 400, id="empty identifier"),
        pytest.param({"inner": {Item.IDENTIFIER: b"x" * 37}}, TABLE, 400, id="long identifier"),
        pytest.param({"inner": {Item.SIGNATURE: b"leave out"}}, TABLE, 400, id="no signature"),
        pytest.param({"inner": {Item.SIGNATURE: bytes(63)}}, TABLE, 400, id="short signature"),
    ],
)
def test_odd_m3(options: dict[str, object], table: dict[bytes, PairedController], expected: object) -> None:
    accessory = desk()
    m3 = m3_of(reply_of(accessory.receive(M1, table)), **options)  # type: ignore[arg-type]
    step = accessory.receive(m3, table)
    assert outcome(step.reply) == expected
    assert step.session is None
    again = m3_of(reply_of(accessory.receive(M1, TABLE)))
    assert accessory.receive(again, TABLE).session is not None


@pytest.mark.parametrize(
    ("sealed", "expected"), [(bytes(120), (4, 2)), (bytes(16), (4, 2)), (bytes(15), 400), (b"", 400), (None, 400)]
)
def test_m3_that_does_not_open(sealed: bytes | None, expected: object) -> None:
    accessory = desk()
    accessory.receive(M1, TABLE)
    m3 = b"\x06\x01\x03" if sealed is None else tlv8.encode([(Item.STATE, b"\x03"), (Item.ENCRYPTED_DATA, sealed)])
    assert outcome(accessory.receive(m3, TABLE).reply) == expected


def test_identifiers_are_compared_byte_for_byte() -> None:
    lower = ControllerIdentity(CONTROLLER.identifier.lower(), CONTROLLER.ltsk)
    accessory = desk()
    m3 = m3_of(reply_of(accessory.receive(M1, TABLE)), who=lower)
    assert outcome(accessory.receive(m3, TABLE).reply) == (4, 2)


@settings(deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_accessory_takes_any_bytes(body: bytes, started: bool) -> None:
    accessory = desk()
    if started:
        accessory.receive(M1, TABLE)
    step = accessory.receive(body, TABLE)
    assert isinstance(step, VerifyStep)
    assert step.session is None


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(Item)), st.binary(max_size=130)), st.sampled_from([1, 3]))
def test_accessory_takes_any_items(items: dict[Item, bytes], state: int) -> None:
    accessory = desk()
    accessory.receive(M1, TABLE)
    body = tlv8.encode({**items, Item.STATE: bytes((state,))}.items())
    assert accessory.receive(body, TABLE).session is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_accessory_takes_any_sealed_bytes(inner: bytes) -> None:
    accessory = desk()
    m2 = reply_of(accessory.receive(M1, TABLE))
    sealed = seal(message_key(m2), b"PV-Msg03", inner)
    m3 = tlv8.encode([(Item.STATE, b"\x03"), (Item.ENCRYPTED_DATA, sealed)])
    assert accessory.receive(m3, TABLE).session is None


def m2_of(
    m1: bytes,
    inner: dict[Item, bytes] | None = None,
    *,
    who: Identity = ACCESSORY,
    label: bytes = b"PV-Msg02",
) -> bytes:
    """M2 of an accessory that may lie; its ephemeral private key is PRIVATE."""
    peer = value_of(m1, Item.PUBLIC_KEY)
    shared = x25519(PRIVATE, peer)
    assert shared is not None
    identifier = (inner or {}).get(Item.IDENTIFIER, who.identifier)
    items = {Item.IDENTIFIER: identifier, Item.SIGNATURE: sign(who.ltsk.reveal(), PUBLIC + identifier + peer)}
    items |= inner or {}
    key = hkdf(shared, b"Pair-Verify-Encrypt-Salt", b"Pair-Verify-Encrypt-Info")
    sealed = seal(key, label, tlv8.encode(i for i in items.items() if i[1] != b"leave out"))
    # Two libraries put the encrypted data before the public key.
    return tlv8.encode([(Item.STATE, b"\x02"), (Item.ENCRYPTED_DATA, sealed), (Item.PUBLIC_KEY, PUBLIC)])


def client() -> PairVerifyController:
    return PairVerifyController(PAIRING, Draws("controller"))


def test_controller_accepts_its_accessory_in_any_case_of_letters() -> None:
    verifier = client()
    m3 = verifier.m3(m2_of(verifier.m1(), {Item.IDENTIFIER: ACCESSORY.identifier.lower()}))
    assert [kind for kind, _ in tlv8.decode(m3)] == [Item.STATE, Item.ENCRYPTED_DATA]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"who": Identity("AA:AA:AA:AA:AA:AA", ACCESSORY.ltsk)}, id="another id"),
        pytest.param({"who": Identity(ACCESSORY.device_id, Secret(b"\x77" * 32))}, id="another key"),
        pytest.param({"inner": {Item.SIGNATURE: bytes(64)}}, id="wrong signature"),
        pytest.param({"inner": {Item.IDENTIFIER: b"\xff\xff"}}, id="id that is no text"),
        pytest.param({"label": b"PV-Msg03"}, id="wrong nonce"),
    ],
)
def test_controller_meets_another_accessory(options: dict[str, object]) -> None:
    verifier = client()
    with pytest.raises(AccessoryChanged):
        verifier.m3(m2_of(verifier.m1(), **options))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        verifier.finish(b"\x06\x01\x04")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x06\x01\x02", id="nothing in it"),
        pytest.param(b"\x06\x01\x04", id="wrong state"),
        pytest.param(b"\x06\x01\x02\x03\x20" + NULL + b"\x05\x10" + bytes(16), id="null secret"),
        pytest.param(b"\x06\x01\x02\x03\x1f" + bytes(31) + b"\x05\x10" + bytes(16), id="short key"),
        pytest.param(b"<html>no HAP here</html>", id="no TLV"),
    ],
)
def test_controller_refuses_m2(body: bytes) -> None:
    verifier = client()
    verifier.m1()
    with pytest.raises(RemoteProtocolError):
        verifier.m3(body)


@pytest.mark.parametrize("missing", [Item.IDENTIFIER, Item.SIGNATURE])
def test_controller_misses_items_inside_m2(missing: Item) -> None:
    verifier = client()
    with pytest.raises(RemoteProtocolError):
        verifier.m3(m2_of(verifier.m1(), {missing: b"leave out"}))


def test_controller_is_not_known_any_more() -> None:
    accessory, verifier = desk(), client()
    m3 = verifier.m3(reply_of(accessory.receive(verifier.m1(), {})))
    with pytest.raises(PairingRefused) as caught:
        verifier.finish(reply_of(accessory.receive(m3, {})))
    assert (caught.value.error, caught.value.step) == (2, 4)


def test_controller_is_refused_at_once() -> None:
    verifier = client()
    verifier.m1()
    with pytest.raises(PairingRefused) as caught:
        verifier.m3(b"\x06\x01\x02\x07\x01\x02")
    assert (caught.value.error, caught.value.step) == (2, 2)


@pytest.mark.parametrize("m4", [b"", b"\x06\x01\x04", b"\x42\x00\x06\x01\x04"])
def test_controller_takes_an_m4_with_or_without_state(m4: bytes) -> None:
    verifier = client()
    verifier.m3(m2_of(verifier.m1()))
    assert verifier.finish(m4).keys.read != verifier


def test_controller_wants_the_state_that_is_due() -> None:
    verifier = client()
    verifier.m3(m2_of(verifier.m1()))
    with pytest.raises(RemoteProtocolError):
        verifier.finish(b"\x06\x01\x02")


def test_out_of_turn() -> None:
    verifier = client()
    for call in (lambda: verifier.m3(b""), lambda: verifier.finish(b"")):
        with pytest.raises(LocalProtocolError):
            call()
    m2 = m2_of(verifier.m1())
    assert verifier.m3(m2)
    with pytest.raises(LocalProtocolError):
        verifier.m3(m2)
    verifier.m1()
    with pytest.raises(AccessoryChanged):
        verifier.m3(m2)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_controller_takes_any_bytes(body: bytes) -> None:
    verifier = client()
    verifier.m1()
    with pytest.raises((PairingRefused, RemoteProtocolError)):
        verifier.m3(body)


def test_nothing_secret_is_shown() -> None:
    accessory, verifier = desk(), client()
    m1 = verifier.m1()
    m2 = reply_of(accessory.receive(m1, TABLE))
    shown = repr((accessory, verifier, accessory._run))
    step = accessory.receive(verifier.m3(m2), TABLE)
    verified = verifier.finish(reply_of(step))
    shown += repr((accessory, verifier, step, verified, PAIRING))
    for secret in (verified.shared_secret, verified.keys.read, verified.keys.write, PAIRING.controller_ltsk):
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal())[2:-1] not in shown
    assert open_sealed(bytes(32), b"PV-Msg02", value_of(m2, Item.ENCRYPTED_DATA)) is None


def test_pairing_with_an_id_of_its_own() -> None:
    """The accessory's id need not look like one, as long as it is the one that was paired."""
    odd = Identity("odd accessory", ACCESSORY.ltsk)
    pairing = Pairing("odd accessory", odd.ltpk, CONTROLLER.identifier, CONTROLLER.ltsk)
    accessory, verifier = VerifyDesk(odd, Draws()), PairVerifyController(pairing, Draws("controller"))
    step = accessory.receive(verifier.m3(reply_of(accessory.receive(verifier.m1(), TABLE))), TABLE)
    assert verifier.finish(reply_of(step))
