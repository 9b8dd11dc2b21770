"""`hap state`, `hap reset` and `hap import-state`."""

from __future__ import annotations

import json
import os
import re
import stat
from types import SimpleNamespace
from typing import cast

import pytest
from tests.cli.program import failure, hap, lines, served
from tests.core.test_migration_states import FILE, HOMEKIT, KEY, NODE, PHONE, PYTHON, SEED

from hap_trio import AccessoryServer
from hap_trio.cli.telling import introduce, sentence


@pytest.mark.parametrize(("tree", "name"), [(PYTHON, "accessory.state"), (NODE, FILE), (HOMEKIT, "config.json")])
def test_state_moves_in(tmp_path, tree, name):
    old, new = tmp_path / name, tmp_path / "state.json"
    old.write_text(json.dumps(tree))
    (told,) = lines(hap("import-state", old, "--state", new, "--json"))
    assert (told["event"], told["pairings"]) == ("imported", 2)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    (shown,) = lines(hap("state", "show", "--state", new, "--json"))
    assert (shown["device_id"], shown["setup_code"]) == (told["device_id"], None)
    assert {"identifier": PHONE, "admin": True} in shown["pairings"]
    text = hap("state", "show", "--state", new)
    assert PHONE in text.stdout
    assert SEED.hex() not in text.stdout
    assert KEY not in text.stdout
    assert "there already" in failure(hap("import-state", old, "--state", new))


def test_reset(tmp_path):
    old, new = tmp_path / FILE, tmp_path / "state.json"
    old.write_text(json.dumps(NODE))
    lines(hap("import-state", old, "--state", new, "--json"))
    assert hap("reset", "--state", new, stdin="n\n").returncode == 1
    assert json.loads(new.read_text())["entries"]["identity"]
    lines(hap("reset", "--state", new, "--pairings", "-y", "--json"))
    (shown,) = lines(hap("state", "show", "--state", new, "--json"))
    assert (shown["device_id"], shown["setup_code"], shown["pairings"]) == ("11:22:33:44:55:66", "031-45-154", [])
    lines(hap("reset", "--state", new, "-y", "--json"))
    assert set(json.loads(new.read_text())["entries"]) == {"setup"}
    (shown,) = lines(hap("state", "show", "--state", new, "--json"))
    assert (shown["device_id"], shown["setup_code"]) == (None, "031-45-154")  # there is none before it is served
    lines(hap("reset", "--state", new, "--everything", "-y", "--json"))
    assert json.loads(new.read_text())["entries"] == {}
    (shown,) = lines(hap("state", "show", "--state", new, "--json"))
    assert (shown["device_id"], shown["setup_code"], shown["setup_id"]) == (None, None, None)
    assert hap("state", "show", "--state", new).stdout.count("drawn when it is served") == 3
    assert "exclude" in failure(hap("reset", "--state", new, "--everything", "--pairings"), 2)


def test_refusals(tmp_path):
    missing, broken = tmp_path / "none.json", tmp_path / "broken.json"
    broken.write_text("{")
    for command in (("state", "show"), ("reset", "-y")):
        assert "no such file" in failure(hap(*command, "--state", missing))
        assert "damaged" in failure(hap(*command, "--state", broken))
    assert broken.read_text() == "{"
    assert "no JSON text" in failure(hap("import-state", broken, "--state", missing))


def test_a_running_accessory_is_not_reset(tmp_path):
    file = tmp_path / "state.json"
    with served("lightbulb", "--state", file) as (_, __):
        assert "in use" in failure(hap("reset", "--state", file, "-y"))
        (shown,) = lines(hap("state", "show", "--state", file, "--json"))
        assert shown["pairings"] == []


def test_neither_umask_nor_output_lets_secrets_out(tmp_path):
    """The file is its owner's only; of what is in it, no key, salt or verifier is ever printed."""
    old, file = tmp_path / FILE, tmp_path / "state.json"
    old.write_text(json.dumps(NODE))
    before = os.umask(0)
    try:
        printed = [hap("import-state", old, "--state", file), hap("state", "show", "--state", file)]
        with served("lightbulb", "--state", file):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            printed.append(hap("state", "show", "--state", file, "--json"))
        long = [value for value in texts(json.loads(file.read_text())) if re.fullmatch("[0-9a-f]{32,}", value)]
        assert len(long) >= 4
        printed += [hap("reset", "--state", file, "-y"), hap("state", "show", "--state", file)]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "state.json.lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)
    shown = "".join(one.stdout + one.stderr for one in printed).casefold()
    identifiers = {one.hex() for one in (PHONE.encode(),)}
    assert not [value for value in long if value not in identifiers and value in shown]


def texts(tree):
    """All texts in a JSON value."""
    if isinstance(tree, str):
        return [tree]
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return [text for one in inside for text in texts(one)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"format": "hapcore-state", "version": 7, "entries": {}}', "version 7"),
        (
            '{"format": "hapcore-state", "version": 1, "entries": {"identity": {"text": "x"}}}',
            "'identity' cannot be read",
        ),
        ('{"format": "hapcore-state", "version": 1, "entr', "damaged or cut short"),
        ("", "empty"),
        ('{"format": "hapcore-pairings", "version": 1, "pairings": {}}', "not a hapcore-state file"),
    ],
    ids=["newer", "damaged", "cut", "empty", "other"],
)
def test_what_cannot_be_read_is_said_and_left_alone(tmp_path, content, said):
    """Never a silent reset: nothing is served from it, and nothing in it changes."""
    file = tmp_path / "state.json"
    file.write_text(content)
    told = failure(hap("serve", "lightbulb", "--no-mdns", "--address", "127.0.0.1", "--state", file))
    assert said in told
    assert str(file) in told or "identity" in said
    if said == "version 7":  # only who knows what it means may throw it away
        assert said in failure(hap("reset", "-y", "--state", file))
    assert file.read_text() == content


@pytest.mark.parametrize("name", ["evil\x1b]0;title\x07", "two\nlines", "\u202egnp.exe", "[red]markup[/]"])
def test_a_controller_chooses_its_name_but_not_what_a_terminal_does(tmp_path, name):
    """Whoever is paired, or may pair others, gives any 36 bytes for an identifier."""
    tree = json.loads(json.dumps(HOMEKIT).replace(PHONE, json.dumps(name)[1:-1]))
    old, new = tmp_path / "config.json", tmp_path / "state.json"
    old.write_text(json.dumps(tree))
    lines(hap("import-state", old, "--state", new, "--json"))
    (shown,) = lines(hap("state", "show", "--state", new, "--json"))
    assert name in [one["identifier"] for one in shown["pairings"]]
    text = hap("state", "show", "--state", new).stdout
    assert name.isprintable() == (name in text)
    assert all(line.isprintable() for line in text.splitlines())
    said = sentence({"event": "paired", "controller": name, "admin": True})
    assert said.isprintable()
    assert sentence({"event": "write", "aid": 1, "iid": 2, "value": True, "controller": name}).isprintable()
    assert sentence({"event": "connect", "controller": name}).isprintable()


def test_a_name_is_no_markup(capsys):
    server = SimpleNamespace(host="127.0.0.1", port=1, device_id="11:22:33:44:55:66", paired=True)
    introduce(cast("AccessoryServer", server), "[/bold] x [/y]", as_json=False)
    assert "[/bold] x [/y] is served" in capsys.readouterr().out
