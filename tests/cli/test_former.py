"""`--format homekit_python`: the texts of that tool, to the letter; and exit codes that mean something."""

from __future__ import annotations

import json
import re

import pytest
from attrs import evolve
from tests.cli.here import CODE, done, lamp, paired, run

from hap_trio.cli.former import names, shapes
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.crypto.secret import Secret
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.model.remote import read_accessories
from hapcore.pairing.records import ControllerIdentity, Pairing, PairingEntry
from hapcore.state import PairedAccessory, PreparedPairing

FORMER = ("--format", "homekit_python")
FOUND = DiscoveredAccessory(
    "Lamp", "11:22:33:44:55:66", ("192.0.2.7",), 5001, "L1", 5, 3, 1, FeatureFlags(0), StatusFlags(1), None, "1.1"
)
OTHER = "3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162"

BLOCK = """\
Name: Lamp._hap._tcp.local.
Url: http_impl://192.0.2.7:5001
Configuration number (c#): 3
Feature Flags (ff): No support for HAP Pairing (Flag: 0)
Device ID (id): 11:22:33:44:55:66
Model Name (md): L1
Protocol Version (pv): 1.1
State Number (s#): 1
Status Flags (sf): Accessory has not been paired with any controllers. (Flag: 1)
Category Identifier (ci): Lightbulb (Id: 5)
"""

HEARD = """\
Name: Lamp
MAC: ca:fe:00:11:22:33
Configuration number (cn): 3
Device ID (id): 11:22:33:44:55:66
Compatible Version (cv): 2
Global State Number (s#): 1
Status Flags (sf): The accessory has not been paired with any controllers. (Flag: 1)
Category Identifier (ci): Lightbulb (Id: 5)
"""

TREE = {
    "accessories": [
        {
            "aid": 1,
            "services": [
                {
                    "iid": 9,
                    "type": "43",
                    "characteristics": [
                        {
                            "iid": 10,
                            "type": "25",
                            "format": "bool",
                            "perms": ["pw", "pr", "ev"],
                            "value": False,
                            "description": "Switch it",
                        },
                        {"iid": 11, "type": "23", "format": "string", "perms": ["pr"], "value": "A\x1b\nB"},
                        {"iid": 12, "type": "8", "format": "int", "perms": ["pw"]},
                    ],
                },
                {"iid": 20, "type": "E863F007-079E-48FF-8F27-9C2605A29F52", "characteristics": []},
            ],
        }
    ]
}

COMPACT = """\
1.9: >lightbulb<
  1.10: (Switch it) >on< [pr,pw,ev]
    Value: False
  1.11: () >name< [pr]
    Value: A\\x1b\\nB
  1.12: () >brightness< [pw]
    Value: 
1.20: >Unknown Service: E863F007-079E-48FF-8F27-9C2605A29F52<"""  # noqa: W291 - a value that is not there


def test_discovered():
    assert shapes.discovered(FOUND) == BLOCK
    assert shapes.discovered(evolve(FOUND, transport=Transport.BLE, addresses=("CA:FE:00:11:22:33",))) == HEARD
    wild = evolve(FOUND, name="A\x1b[2J", addresses=(), status_flags=StatusFlags(6), feature_flags=FeatureFlags(3))
    text = shapes.discovered(wild)
    assert "Name: A\\x1b[2J._hap" in text
    assert (
        "(sf): Accessory has been paired. Accessory has not been configured to join a Wi-Fi network. "
        "A problem has been detected on the accessory. (Flag: 6)"
    ) in text
    assert (
        "(ff): Supports HAP Pairing with Apple authentication coprocessor and Software authentication (Flag: 3)" in text
    )
    heard = shapes.discovered(evolve(FOUND, transport=Transport.BLE, status_flags=StatusFlags(0)))
    assert "(sf): The accessory has been paired with a controllers. (Flag: 0)" in heard


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4, "Garage"),
        (6, "Door Lock"),
        (17, "IP Camera"),
        (18, "Video Door Bell"),
        (30, "Shower System"),
        (31, "TV"),
        (32, "Remote"),
        (33, "WiFi Router"),
        (15, "Programmable Switch"),
        (250, "Unknown"),
    ],
)
def test_categories(number, text):
    assert f"(ci): {text} (Id: {number})" in shapes.discovered(evolve(FOUND, category=number))


def test_pairings():
    entries = (PairingEntry(OTHER.encode(), bytes(32), True), PairingEntry(b"\xff\x1b", bytes(32), False))
    zeros = "00" * 32
    assert shapes.pairings(entries) == (
        f"Pairing Id: {OTHER}\n\tPublic Key: 0x{zeros}\n\tPermissions: 1 (admin)\n"
        f"Pairing Id: \ufffd\\x1b\n\tPublic Key: 0x{zeros}\n\tPermissions: 0 (regular)"
    )
    assert shapes.pairing("lamp") == 'Pairing for "lamp" was established.'
    assert shapes.removed("lamp") == 'Pairing for "lamp" was removed.'


def test_remote_pairings():
    identity = ControllerIdentity(OTHER, Secret(bytes(32)))
    key = identity.ltpk.hex()
    assert shapes.prepared(PreparedPairing("lamp", identity)) == (
        f"Please add this to homekit.add_additional_pairing:\n    -i {OTHER} -k {key}"
    )
    record = PairedAccessory("lamp", Pairing("11:22:33:44:55:66", bytes(32), OTHER, Secret(bytes(32))))
    head = "Please add this to homekit.finish_add_remote_pairing:\n"
    assert shapes.added(record) == head + f"    -c IP -i 11:22:33:44:55:66 -k {'00' * 32}"
    heard = evolve(record, transport=Transport.BLE, addresses=("CA:FE:00:11:22:33",))
    assert shapes.added(heard) == head + f"    -c BLE -i 11:22:33:44:55:66 -m CA:FE:00:11:22:33 -k {'00' * 32}"


def test_accessories():
    found = read_accessories(TREE)
    assert shapes.accessories(found) == COMPACT
    text = shapes.tree(found)
    assert text.startswith(
        '[\n    {\n        "aid": 1,\n        "services": [\n            {\n                "iid": 9,\n'
    )
    first = json.loads(text)[0]["services"][0]
    assert first["type"] == "00000043-0000-1000-8000-0026BB765291"
    assert list(first["characteristics"][0]) == ["type", "iid", "perms", "format", "value", "description"]
    assert first["characteristics"][0]["perms"] == ["pr", "pw", "ev"]
    assert names.characteristic("E863F10D-079E-48FF-8F27-9C2605A29F52").startswith("Unknown Characteristic E863F10D")
    assert names.service("00000085-0000-1000-8000-0026BB765291") == "motion"


def test_values():
    one, none = CharacteristicId(1, 8), CharacteristicId(1, 99)
    results = {
        one: ReadResult("0.1", fields={"ev": False, "type": "52", "perms": ["pr"], "format": "string", "maxLen": 64}),
        none: ReadResult(None, HapStatus.DOES_NOT_EXIST),
    }
    wanted = {
        "1.8": {"value": "0.1", "ev": False, "type": "52", "perms": ["pr"], "format": "string", "maxLen": 64},
        "1.99": {"status": -70409, "description": "Resource does not exist."},
    }
    assert shapes.characteristics(results) == json.dumps(wanted, indent=4)
    assert shapes.characteristics({one: ReadResult(b"\1")}) == '{\n    "1.8": {\n        "value": "AQ=="\n    }\n}'
    failure = "put_characteristics failed on 1.99 because: Resource does not exist. (-70409)"
    assert shapes.put_failure(none, WriteResult(HapStatus.DOES_NOT_EXIST)) == failure
    assert shapes.put_failure(none, WriteResult(-6)).endswith("because: Unknown status. (-6)")
    assert shapes.change(one, True) == "event for 1.8: True"
    assert shapes.change(one, "a\nb") == "event for 1.8: a\\nb"


def test_a_whole_life(tmp_path):
    """Every tool in its old form, against a lamp."""
    with lamp() as one:
        file = ("-f", tmp_path / "p.json")
        known = ("-a", "lamp", *file, *one.where, *FORMER)
        asked = run("pair", *known, stdin=f"12\n{CODE}\n")
        assert asked.exit_code == 0
        assert asked.stdout.count("Enter device pin (XXX-YY-ZZZ): ") == 2
        assert asked.stdout.endswith('Pairing for "lamp" was established.\n')
        listed = done("pairings", "list", *known)
        own = re.fullmatch(r"Pairing Id: (\S+)\n\tPublic Key: 0x[0-9a-f]{64}\n\tPermissions: 1 \(admin\)\n", listed)
        assert own
        compact = done("accessories", *known)
        assert re.search(r"^1\.\d+: >lightbulb<$", compact, re.M)
        on = re.search(r"^  (1\.\d+): \(.*\) >on< \[pr,pw,ev\]\n    Value: False$", compact, re.M)[1]
        assert json.loads(done("accessories", *known, "-o", "json"))[0]["aid"] == 1
        assert done("put", *known, "-c", on, "true") == ""
        for text, value in (("n", False), ("y", True), ("f", False), ("T", True)):
            assert done("put", *known, "-c", on, text) == ""
            assert one.light.on.value is value
        assert json.loads(done("get", *known, "-c", on)) == {on: {"value": True}}
        told = json.loads(done("get", *known, "-c", on, "-m", "-p", "-t", "-e"))[on]
        assert (told["format"], told["type"], told["ev"], sorted(told["perms"])) == (
            "bool",
            "25",
            False,
            ["ev", "pr", "pw"],
        )
        partly = run("get", *known, "-c", on, "-c", "1.999")
        assert (partly.exit_code, partly.stderr) == (1, "")
        assert json.loads(partly.stdout)["1.999"] == {"status": -70409, "description": "Resource does not exist."}
        failed = run("put", *known, "-c", on, "false", "-c", "1.999", "1")
        assert (failed.exit_code, failed.stderr) == (1, "")
        assert failed.stdout == "put_characteristics failed on 1.999 because: Resource does not exist. (-70409)\n"
        assert json.loads(done("get", *known, "-c", on)) == {on: {"value": False}}

        prepared = done("pairings", "prepare", "-a", "guest", *file, *FORMER)
        words = re.fullmatch(r"Please add this to homekit\.add_additional_pairing:\n    -i (\S+) -k (\S+)\n", prepared)
        assert done("pairings", "prepare", "-a", "guest", *file, *FORMER) == prepared
        added = done("pairings", "add", *known, "-i", words[1], "-k", words[2], "--admin")
        line = r"Please add this to homekit\.finish_add_remote_pairing:\n    -c IP -i (\S+) -k (\S+)\n"
        words = re.fullmatch(line, added)
        assert words[1] == one.device_id
        guest = ("-a", "guest", *file, *one.where, *FORMER)
        assert done("pairings", "finish", *guest, "-i", words[1], "-k", words[2]) == ""
        assert json.loads(done("get", *guest, "-c", on)) == {on: {"value": False}}
        assert done("pairings", "remove", *guest, "-i", own[1]) == 'Pairing for "guest" was removed.\n'
        assert done("unpair", *guest) == 'Pairing for "guest" was removed.\n'


def test_both_forms_at_once(tmp_path):
    result = run("pairings", "list", "-a", "x", "--json", *FORMER)
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_format_json_is_json(tmp_path):
    with paired(tmp_path) as (_, known):
        assert done("pairings", "list", *known, "--format", "json") == done("pairings", "list", *known, "--json")
        assert done("pairings", "list", *known, "--format", "text") == done("pairings", "list", *known)
