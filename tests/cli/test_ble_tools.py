"""homekit_python's tools for Bluetooth LE, one after the other: those that have an option or an output of their own."""

from __future__ import annotations

import json
import re

import pytest
from tests.cli.here import CODE, done, refused
from tests.cli.radio import lit_air

FORMER = ("--format", "homekit_python")


@pytest.fixture(scope="module")
def air():
    with lit_air(CODE) as air:
        yield air


def test_a_whole_life(air, tmp_path):
    radio = ("--adapter", f"bumble:{air.hci}")
    file = ("-f", tmp_path / "p.json")
    found = done("discover", "--ble", "-u", "-t", "1.5", *radio, *FORMER)
    assert found.startswith("\nName: Lam")
    mac = re.search("^MAC: (.+)$", found, re.MULTILINE)[1]
    assert f"Device ID (id): {air.server.device_id}\n" in found
    assert found.endswith(
        "Compatible Version (cv): 2\nGlobal State Number (s#): 1\n"
        "Status Flags (sf): The accessory has not been paired with any controllers. (Flag: 1)\n"
        "Category Identifier (ci): Lightbulb (Id: 5)\n\n"
    )

    assert "show itself" in done("identify", "-m", mac, *radio)
    nobody = refused("identify", "-m", "00:00:00:00:00:01", "-t", "0.3", *radio)
    assert "nobody was heard at 00:00:00:00:00:01 within 0.3 s" in nobody

    qr = air.server.setup_uri
    assert done("pair", "--ble", "--qr", qr, "-a", "lamp", *file, *radio, *FORMER) == (
        'Pairing for "lamp" was established.\n'
    )
    again = refused("pair", "-m", mac, "-p", CODE, "-a", "again", *file, *radio)
    assert "paired already" in again
    assert "hap pairings prepare" in again
    known = ("-a", "lamp", *file, *radio)
    on = str(air.light.on.id)
    assert f"  {on}: () >on< [pr,pw,ev" in done("accessories", *known, *FORMER)
    assert json.loads(done("get", *known, "-c", on, *FORMER)) == {on: {"value": False}}
    assert done("put", *known, "-c", on, "yes", *FORMER) == ""
    assert done("watch", *known, "-c", on, "-s", "0.2", *FORMER) == ""
    assert "\tPermissions: 1 (admin)\n" in done("pairings", "list", *known, *FORMER)

    theirs = ("-f", tmp_path / "guest.json")
    waiting = json.loads(done("pairings", "prepare", "-a", "guest", *theirs, "--json"))
    guest = ("-a", "guest", *theirs, *radio)
    early = refused("pairings", "finish", "--ble", *guest, "-i", air.server.device_id, "-k", "11" * 32)
    assert "guest stays prepared" in early
    added = done("pairings", "add", *known, "-i", waiting["identifier"], "-k", waiting["public_key"], *FORMER)
    told = re.search(r"^    -c BLE -i (\S+) -m (\S+) -k ([0-9a-f]{64})$", added, re.MULTILINE)
    assert (told[1], told[2].lower()) == (air.server.device_id, mac)
    assert "Paired with" in done("pairings", "finish", "--ble", *guest, "-i", told[1], "-k", told[3])
    assert done("get", *guest, "-c", on) == f"{on} = true\n"
    assert "only an admin" in (said := refused("unpair", *guest))
    assert "hap unpair --force -a guest" in said
    assert done("pairings", "remove", *known, "-i", waiting["identifier"], *FORMER) == (
        'Pairing for "lamp" was removed.\n'
    )
    assert done("unpair", *known, *FORMER) == 'Pairing for "lamp" was removed.\n'
