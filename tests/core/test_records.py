"""Long-term identities and pairings: how they are drawn, stored and shown (HAP 2.2)."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pairing_kit import ACCESSORY, CONTROLLER, PAIRED, PAIRING, Draws

from hapcore.crypto.keys import ed25519_public
from hapcore.errors import StateError
from hapcore.pairing.records import Identity, PairedController, new_controller_identity, new_identity


def test_new_identity() -> None:
    draws = Draws("new", device_id=[bytes.fromhex("0a1b2c3d4e5f")])
    identity = new_identity(draws)
    assert draws.labels == ["identity.device-id", "identity.ltsk"]
    assert re.fullmatch("([0-9A-F]{2}:){5}[0-9A-F]{2}", identity.device_id)
    assert identity.identifier == identity.device_id.encode()
    assert identity.ltpk == ed25519_public(identity.ltsk.reveal())


@given(st.binary(min_size=16, max_size=16))
def test_new_controller_identity_is_a_random_uuid(raw: bytes) -> None:
    identity = new_controller_identity(lambda _label, size: raw if size == 16 else bytes(size))
    assert uuid.UUID(identity.identifier) == uuid.UUID(bytes=raw, version=4)
    assert identity.identifier == identity.identifier.upper()


def test_labels_of_a_controller_identity() -> None:
    draws = Draws()
    assert new_controller_identity(draws).ltpk
    assert draws.labels == ["controller.pairing-id", "controller.ltsk"]


def test_identity_survives() -> None:
    assert Identity.from_json(ACCESSORY.to_json()) == ACCESSORY


@given(st.binary(max_size=40), st.binary(min_size=32, max_size=32), st.booleans())
def test_pairings_survive_with_every_byte(identifier: bytes, ltpk: bytes, admin: bool) -> None:
    paired = PairedController(identifier, ltpk, admin)
    data = paired.encode()
    assert data.isascii()
    assert PairedController.decode(data) == paired


def test_stored_form_is_readable() -> None:
    assert PAIRED.encode().startswith(b'{"identifier":"3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162","ltpk":"d04a')
    assert ACCESSORY.to_json() == b'{"device_id":"E1:91:1A:70:85:AA","ltsk":"' + b"22" * 32 + b'"}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b"[" * 100_000,
        b'{"identifier":1,"ltpk":"' + b"22" * 32 + b'","admin":true,"device_id":1,"ltsk":"' + b"22" * 32 + b'"}',
        b'{"identifier":"a","ltpk":"22","admin":true,"device_id":"a","ltsk":"22"}',
        b'{"identifier":"a","ltpk":"zz","admin":true,"device_id":"a","ltsk":"zz"}',
        b'{"identifier":"a","ltpk":null,"admin":true,"device_id":"a","ltsk":null}',
    ],
)
def test_damaged(data: bytes) -> None:
    for read in (PairedController.decode, Identity.from_json):
        with pytest.raises(StateError) as caught:
            read(data)
        assert "22" * 8 not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"identifier":"a","ltpk":"' + b"22" * 32 + b'"}',
        b'{"identifier":"a","ltpk":"' + b"22" * 32 + b'","admin":1}',
        b'{"identifier":"\\ud800","ltpk":"' + b"22" * 32 + b'","admin":true}',
    ],
)
def test_damaged_pairing(data: bytes) -> None:
    with pytest.raises(StateError):
        PairedController.decode(data)


def test_nothing_secret_is_shown() -> None:
    shown = repr((ACCESSORY, CONTROLLER, PAIRING))
    assert shown.count("Secret(<32 bytes>)") == 3
    for secret in (ACCESSORY.ltsk, CONTROLLER.ltsk):
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal())[2:-1] not in shown
    assert PAIRING.controller_ltpk == CONTROLLER.ltpk
