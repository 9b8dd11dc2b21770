"""`hap replay` with recordings over Bluetooth LE."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from tests.replay.recordings import BLE, path, raw

from hap_trio.cli import group


def run(*arguments: object):
    return CliRunner().invoke(group.hap, ["replay", *map(str, arguments)])


@pytest.mark.parametrize("name", BLE)
def test_alike(name):
    result = run("--as", "accessory", path(name))
    assert result.exit_code == 0, result.output
    assert result.output.endswith("alike\n")


@pytest.fixture
def changed(tmp_path):
    recording = raw("ble-lightbulb")
    for case in recording["cases"]:
        for record in case["log"]:
            if record.get("raw") == "0214000300010100":
                record["raw"] = "0214000300010101"
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(recording))
    return file


def test_a_difference_is_shown_decoded(changed):
    result = run("--as", "accessory", changed)
    assert result.exit_code == 1
    assert "'session', connection link" in result.output
    assert "--- after\nPairingFeatures: characteristic read, iid 24" in result.output
    assert "--- recorded\ntransaction 20, status 00 (success), 3 bytes\n  value: 01" in result.output
    assert "--- ours\ntransaction 20, status 00 (success), 3 bytes\n  value: 00" in result.output


def test_a_difference_as_json(changed):
    lines = [json.loads(line) for line in run("--as", "accessory", "--json", changed).output.splitlines()]
    assert [line["event"] for line in lines] == ["difference", "replayed"]
    assert lines[0]["reason"] == "another body"
    assert lines[-1]["alike"] is False
