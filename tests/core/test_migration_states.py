"""State files of other accessories (hapcore.migration.states)."""

from __future__ import annotations

import json

import pytest

from hapcore.catalogue.services import Lightbulb
from hapcore.crypto.keys import ed25519_public
from hapcore.errors import StateError
from hapcore.ip.accessory import Config, Server
from hapcore.migration.states import Origin, read_state
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database

SEED = bytes(range(32))
PUBLIC = ed25519_public(SEED)
PHONE, GUEST = "1F17AB3C-0000-4000-8000-00000000000A", "1f17ab3c-0000-4000-8000-00000000000b"
KEY = bytes(range(64, 96)).hex()
OTHER = bytes(range(96, 128)).hex()

PYTHON = {
    "mac": "AA:BB:CC:00:11:22",
    "config_version": 5,
    "paired_clients": {PHONE.lower(): KEY, GUEST: OTHER},
    "client_properties": {PHONE.lower(): {"permissions": 1}, GUEST: {"permissions": 0}},
    "accessories_hash": None,
    "client_uuid_to_bytes": {PHONE.lower(): PHONE.encode().hex(), GUEST: GUEST.encode().hex()},
    "private_key": SEED.hex(),
    "public_key": PUBLIC.hex(),
}
NODE = {
    "displayName": "Light",
    "category": 5,
    "pincode": "031-45-154",
    "signSk": (SEED + PUBLIC).hex(),
    "signPk": PUBLIC.hex(),
    "pairedClients": {PHONE: KEY, GUEST: OTHER},
    "pairedClientsPermission": {GUEST: 0},
    "configVersion": 65535,
    "setupID": "AB12",
}
FILE = "AccessoryInfo.112233445566.json"
HOMEKIT = {
    "name": "Light",
    "accessory_pairing_id": "12:00:00:00:00:05",
    "accessory_pin": "031-45-154",
    "c#": 3,
    "accessory_ltpk": PUBLIC.hex(),
    "accessory_ltsk": SEED.hex(),
    "peers": {PHONE: {"key": KEY, "admin": True}, GUEST: {"key": OTHER, "admin": False}},
    "unsuccessful_tries": 7,
}


def entropy(label, size):
    return label.encode().ljust(size, b".")[:size]


def read(tree, **more):
    return read_state(json.dumps(tree).encode(), entropy, **more)


@pytest.mark.parametrize(
    ("tree", "more", "origin", "device_id", "config_number"),
    [
        (PYTHON, {}, Origin.HAP_PYTHON, "AA:BB:CC:00:11:22", 5),
        (NODE, {"file_name": FILE}, Origin.HAP_NODEJS, "11:22:33:44:55:66", 65535),
        (HOMEKIT, {}, Origin.HOMEKIT_PYTHON, "12:00:00:00:00:05", 3),
    ],
    ids=["HAP-python", "HAP-NodeJS", "homekit_python"],
)
def test_our_server_goes_on(tree, more, origin, device_id, config_number):
    moved = read(tree, **more)
    assert (moved.origin, moved.device_id, moved.pairings) == (origin, device_id, 2)
    server = Server(Database.of(Lightbulb(on=False)), config=Config(name="x"), state=moved.table, entropy=entropy)
    assert server.device_id == device_id
    assert server.paired
    stored = {one.identifier.decode(): (one.ltpk.hex(), one.admin) for one in server._stored.pairings.values()}
    assert stored == {PHONE: (KEY, True), GUEST: (OTHER, False)}
    assert server._stored.identity.ltpk == PUBLIC
    # Another database than the other library's: phones must read it again.
    assert server._stored.config_number == config_number % 65535 + 1
    if moved.setup_code is not None:
        assert server.setup_code.text == moved.setup_code == "031-45-154"
    assert server._stored.attempts == (7 if tree is HOMEKIT else 0)


def test_old_files_of_hap_python():
    old = {key: value for key, value in PYTHON.items() if not key.startswith("client_")}
    table = read(old).table
    # All were admins then, and phones spell their ids in capitals.
    pairings = [json.loads(value) for key, value in table.items() if key.startswith("pairing/")]
    assert [(one["identifier"], one["admin"]) for one in pairings] == [(PHONE, True), (GUEST.upper(), True)]


def test_setup_id_and_numbers_of_hap_nodejs():
    bulb, lamp = "00000043-0000-1000-8000-0026BB765291", "9f4b1a3c-1111-4222-8333-444455556666"
    on, brightness = (f"000000{one}-0000-1000-8000-0026BB765291" for one in ("25", "08"))
    head = "0a4b1a3c-1111-4222-8333-444455556666"
    cache = {
        "|nextAID": 3,
        lamp: 2,
        f"{lamp}|nextIID": 20,
        f"{lamp}|{bulb}": 9,
        f"{lamp}|{bulb}|{on}": 11,
        f"{lamp}|{bulb}|{brightness}": 10,
        f"{lamp}|{bulb}|second": 12,
        f"{lamp}|{bulb}|second|{on}": 13,
        f"{head}|{bulb}": 2000000008,
    }
    moved = read(NODE, file_name=FILE, identifiers=json.dumps({"cache": cache}).encode())
    assert json.loads(moved.table["setup"])["setup_id"] == "AB12"
    ids = json.loads(moved.table["ids"])
    assert ids["main/43"] == 2000000008
    two = [Lightbulb(on=False, brightness=1), Lightbulb(on=False, key="43:second")]
    lights = Accessory("Lamp", services=two, key=lamp)
    database = Database.of([Accessory.bridge("Bridge"), lights], ids=ids)
    first, second = (one for one in lights.services if isinstance(one, Lightbulb))
    assert (lights.aid, first.iid, first.on.iid, first.brightness.iid) == (2, 9, 11, 10)
    assert (second.iid, second.on.iid) == (12, 13)
    assert database.accessories[0].aid == 1


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "no JSON object"),
        ({}, "no state of HAP-python"),
        ({**PYTHON, "mac": "here"}, "mac is no device id"),
        ({**PYTHON, "private_key": "00"}, "private_key holds what is no key"),
        ({**PYTHON, "paired_clients": {PHONE: 1}}, "paired_clients holds what is no key"),
        ({**PYTHON, "paired_clients": []}, "paired_clients is missing"),
        ({**PYTHON, "client_properties": {PHONE.lower(): {"permissions": 0}, GUEST: {"permissions": 0}}}, "an admin"),
        (NODE, "in the file's name"),
        ({**HOMEKIT, "accessory_pin": "12-3"}, "setup code in the file"),
    ],
)
def test_damaged_files(tree, said):
    with pytest.raises(StateError, match=said):
        read(tree)


def test_other_damages():
    for data in (b"", b"{", b"\xff\xff"):
        with pytest.raises(StateError, match="no JSON text"):
            read_state(data, entropy)
    with pytest.raises(StateError, match="signPk does not belong"):
        read({**NODE, "signPk": KEY}, file_name=FILE)
    with pytest.raises(StateError, match="cache is missing"):
        read(NODE, file_name=FILE, identifiers=b"{}")
    assert SEED.hex()[:16] not in repr(read(PYTHON))
