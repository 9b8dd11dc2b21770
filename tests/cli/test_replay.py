"""`hap replay`: every recording, in both roles; and what it says when something is not as recorded."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from tests.replay.differences import DIFFERENCES
from tests.replay.recordings import ALL, path, raw, script, to_accessory

from hap_trio.cli import group
from hapcore.replay.known import deliberate


def run(*arguments: object):
    return CliRunner().invoke(group.hap, ["replay", *map(str, arguments)])


@pytest.mark.parametrize("role", ["accessory", "controller"])
@pytest.mark.parametrize("name", ALL)
def test_alike(name, role):
    result = run("--as", role, path(name))
    assert result.exit_code == 0, result.output
    assert result.output.endswith("alike\n")


@pytest.mark.parametrize("name", sorted({row.recording for row in DIFFERENCES}))
def test_each_difference_has_its_rule(name):
    rows = [row for row in DIFFERENCES if row.recording == name]
    found = [deliberate(one) for one in to_accessory(script(name)).differences]
    assert [rule.name if rule else None for rule in found] == [row.rule for row in rows]


def test_a_difference_is_shown_decoded(tmp_path):
    recording = raw("ip-lightbulb")
    text = json.dumps(recording).replace('\\"iid\\":51,\\"value\\":0', '\\"iid\\":51,\\"value\\":1', 1)
    changed = json.loads(text)
    for case in changed["cases"]:
        for connection in case["connections"]:
            for record in connection["log"]:
                if record.get("dir") == "<" and '"value":1' in record.get("text", ""):
                    record.pop("raw", None)
    file = tmp_path / "changed.json"
    file.write_text(text.replace(recording["accessory"]["setup_code"], "031-45-155"))
    result = run("--as", "accessory", file)
    assert result.exit_code == 1
    assert "--- recorded" in result.output
    assert "--- ours" in result.output
    assert "--- after" in result.output
    lines = [json.loads(line) for line in run("--as", "accessory", "--json", file).output.splitlines()]
    assert lines[-1]["alike"] is False
    assert lines[0]["event"] == "difference"
    assert lines[0]["after"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format": "hap-capture/9"}', "[" * 100_000, "\x00"])
def test_what_is_no_recording(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_text(text)
    result = run("--as", "accessory", file)
    assert result.exit_code == 1
    assert result.stderr.startswith("hap: ")
    assert result.stderr.count("\n") == 1


def test_usage(tmp_path):
    assert run("--as", "accessory", tmp_path / "absent").exit_code == 2
    assert run(path("ip-lightbulb")).exit_code == 2
