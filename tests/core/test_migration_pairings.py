"""Pairing files of other controllers (hapcore.migration.pairings)."""

from __future__ import annotations

import json

import pytest

from hapcore.crypto.keys import ed25519_public
from hapcore.crypto.secret import Secret
from hapcore.discovery import Transport
from hapcore.errors import LocalProtocolError, StateError
from hapcore.migration.pairings import Kind, LeftOut, read_pairings, write_pairings
from hapcore.pairing.records import Pairing
from hapcore.state import PairedAccessory

SEED = bytes(range(32))
LTPK = bytes(range(32, 64))
PAIRING = Pairing("12:00:00:00:00:01", LTPK, "1f17ab3c-0000-4000-8000-000000000001", Secret(SEED))
LAMP = PairedAccessory("lamp", PAIRING, addresses=("192.0.2.2",), port=18080)

FIELDS = {
    "AccessoryPairingID": PAIRING.accessory_id,
    "AccessoryLTPK": LTPK.hex(),
    "iOSPairingId": PAIRING.controller_id,
    "iOSDeviceLTSK": SEED.hex(),
    "iOSDeviceLTPK": ed25519_public(SEED).hex(),
    "AccessoryIP": "192.0.2.2",
    "AccessoryPort": 18080,
    "Connection": "IP",
}
HEXED = {
    "AccessoryPairingID": PAIRING.accessory_id.encode().hex(),
    "AccessoryLTPK": LTPK.hex(),
    "iOSDevicePairingID": PAIRING.controller_id.encode().hex(),
    "iOSDeviceLTSK": (SEED + ed25519_public(SEED)).hex(),
    "iOSDeviceLTPK": ed25519_public(SEED).hex(),
}


def read(tree, alias=None):
    return read_pairings(json.dumps(tree).encode(), alias)


def test_homekit_python():
    found = read({"lamp": {**FIELDS, "accessories": []}})
    assert (found.kind, found.pairings, found.left_out) == (Kind.HOMEKIT_PYTHON, (LAMP,), ())
    without = {key: value for key, value in FIELDS.items() if key != "Connection"}
    assert read({"lamp": without}).pairings == (LAMP,)


def test_aiohomekit():
    several = {**FIELDS, "AccessoryIPs": ["192.0.2.2", "2001:db8::2"], "unknown": 1}
    found = read({"lamp": several})
    assert found.kind is Kind.AIOHOMEKIT
    assert found.pairings[0].addresses == ("192.0.2.2", "2001:db8::2")
    # One record alone, as its pairing objects hand it out.
    assert read(FIELDS, "lamp").pairings == (LAMP,)
    assert read(FIELDS).pairings[0].alias == PAIRING.accessory_id


def test_home_assistant():
    entries = [
        {"domain": "sun", "title": "Sun", "data": {}},
        {"domain": "homekit_controller", "title": "lamp", "data": FIELDS},
    ]
    found = read({"version": 1, "key": "core.config_entries", "data": {"entries": entries}})
    assert (found.kind, found.pairings) == (Kind.HOME_ASSISTANT, (LAMP,))


def test_hap_controller():
    found = read(HEXED, "lamp")
    assert found.kind is Kind.HAP_CONTROLLER
    assert found.pairings == (PairedAccessory("lamp", PAIRING),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Connection": "CoAP"}, "it is reached over CoAP, not over IP"),
        ({"Connection": "ADDITIONAL_PAIRING"}, "the pairing was never finished"),
        ({"AccessoryLTPK": "00"}, "AccessoryLTPK is not 32 bytes in hexadecimal"),
        ({"AccessoryLTPK": "zz" * 32}, "AccessoryLTPK is not 32 bytes in hexadecimal"),
        ({"AccessoryPairingID": None}, "AccessoryPairingID is missing"),
        ({"iOSDeviceLTPK": "00" * 32}, "iOSDeviceLTPK does not belong to iOSDeviceLTSK"),
        ({"AccessoryPort": 70000}, "port: 70000 is not a port"),
    ],
)
def test_what_cannot_be_used_is_left_out(change, reason):
    found = read({"lamp": FIELDS, "other": {**FIELDS, **change}})
    assert found.pairings == (LAMP,)
    assert found.left_out == (LeftOut("other", reason),)


@pytest.mark.parametrize(
    ("kind", "name"), [(Kind.AIOHOMEKIT, "AccessoryAddress"), (Kind.HOMEKIT_PYTHON, "AccessoryMAC")]
)
def test_over_bluetooth_there_and_back(kind, name):
    sensor = PairedAccessory("sensor", PAIRING, addresses=("C0:FF:EE:00:00:01",), transport=Transport.BLE)
    written = write_pairings([sensor], kind)
    fields = json.loads(written)["sensor"]
    assert (fields["Connection"], fields[name]) == ("BLE", "C0:FF:EE:00:00:01")
    assert not [one for one in fields if one.startswith("AccessoryIP")]
    found = read_pairings(written)
    assert (found.kind, found.pairings) == (kind, (sensor,))


@pytest.mark.parametrize(
    "data",
    [b"", b"no", b"[]", b"{}x", b'{"lamp": 1}', b'{"lamp": {}}', b'{"lamp": {"Name": "x"}}', b"\xff", b"[" * 9999],
)
def test_files_of_nobody(data):
    with pytest.raises(StateError, match="pairing files that are known"):
        read_pairings(data)


@pytest.mark.parametrize("kind", [Kind.HAPCORE, Kind.HOMEKIT_PYTHON, Kind.AIOHOMEKIT])
def test_there_and_back(kind):
    found = read_pairings(write_pairings([LAMP], kind))
    # Without what only one of them writes, the two that share a form cannot be told apart.
    assert found.kind is kind
    assert found.pairings == (LAMP,)


def test_hap_controller_there_and_back():
    assert json.loads(write_pairings([LAMP], Kind.HAP_CONTROLLER)) == HEXED
    for wrong in ([], [LAMP, LAMP]):
        with pytest.raises(LocalProtocolError, match="choose one"):
            write_pairings(wrong, Kind.HAP_CONTROLLER)
    with pytest.raises(LocalProtocolError, match="aiohomekit"):
        write_pairings([LAMP], Kind.HOME_ASSISTANT)


def test_no_secret_in_words():
    found = read({"lamp": FIELDS, "bad": {**FIELDS, "iOSDeviceLTSK": SEED.hex()[:-1]}})
    assert SEED.hex()[:16] not in repr(found)
    assert SEED.hex()[:16] not in found.left_out[0].reason


def test_an_accessory_may_be_called_as_the_head_of_our_own_file() -> None:
    found = read_pairings(json.dumps({"format": FIELDS, "version": FIELDS}).encode())
    assert found.kind is Kind.HOMEKIT_PYTHON
    assert [one.alias for one in found.pairings] == ["format", "version"]
