"""`hap state`, `hap reset` and `hap import-state`."""

from __future__ import annotations

import json
import stat

import pytest
from tests.cli.program import failure, hap, lines, served
from tests.core.test_migration_states import FILE, HOMEKIT, KEY, NODE, PHONE, PYTHON, SEED


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
    lines(hap("reset", "--state", new, "--everything", "-y", "--json"))
    assert json.loads(new.read_text())["entries"] == {}
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
