"""The commands over Bluetooth LE, as processes that share a virtual air: a whole life of an accessory, step by step."""

from __future__ import annotations

import json
import re
import stat

import pytest
from tests.cli import program
from tests.cli.program import Running, failure, hap, lines
from tests.cli.radio import lent_air

from hapcore.setup_code import SetupPayload

CODE = "031-45-154"
WRONG = "111-22-334"
OTHER = "3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162"


@pytest.fixture(scope="module")
def hci():
    with lent_air() as name:
        yield name


@pytest.fixture(scope="module")
def lamp(hci, tmp_path_factory):
    """A lamp that is served."""
    state = tmp_path_factory.mktemp("lamp") / "lamp.json"
    program = Running(
        *("serve", "lightbulb", "--ble", "--hci", hci, "--name", "Desk lamp", "--setup-code", CODE),
        *("--state", state, "--record", state.with_name("lamp.jsonl"), "--json"),
    )
    program.state = state
    program.transcript = state.with_name("lamp.jsonl")
    yield program
    if program.process.poll() is None:
        assert program.stop()[0] == 0


def test_a_whole_life(hci, lamp, tmp_path, monkeypatch):
    listening = lamp.until("listening")
    assert (listening["transport"], listening["hci"], listening["paired"]) == ("ble", hci, False)
    assert listening["setup_code"] == CODE
    payload = SetupPayload.parse(listening["setup_uri"])
    assert (payload.ble, payload.ip, payload.category) == (True, False, 5)
    device = listening["device_id"]
    radio = ("--adapter", f"bumble:{hci}")

    found = lines(hap("discover", "--ble", *radio, "-t", "1.5", "--json"))[-1]
    assert (found["transport"], found["device_id"], found["name"]) == ("ble", device, "Desk lamp")
    assert (found["paired"], found["category"], found["config_number"]) == (False, 5, 1)
    assert (found["rssi"], found["state_number"]) == (-50, 1)

    assert lines(hap("identify", "--ble", "-d", device, *radio, "--json")) == [{"event": "identified"}]
    lamp.until("identify")

    pair = ("pair", "--ble", "-d", device, "-a", "lamp", "-f", tmp_path / "p.json", *radio)
    assert "the setup code is wrong" in failure(hap(*pair, "-p", WRONG))
    assert lamp.until("attempt-failed")["failures"] == 1
    assert lines(hap(*pair, "-p", CODE, "--json")) == [{"event": "paired", "alias": "lamp", "device_id": device}]
    assert lamp.until("paired")["admin"] is True
    assert stat.S_IMODE((tmp_path / "p.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(lamp.state.stat().st_mode) == 0o600
    assert json.loads((tmp_path / "p.json").read_text())["pairings"]["lamp"]["transport"] == "ble"

    known = ("-a", "lamp", "-f", tmp_path / "p.json", *radio)
    (accessory,) = lines(hap("accessories", *known, "--json"))
    light = next(one for one in accessory["services"] if one["name"] == "Lightbulb")
    iids = {one["name"]: f"1.{one['iid']}" for one in light["characteristics"]}
    on, brightness = iids["On"], iids["Brightness"]

    (answer,) = lines(hap("get", *known, "-c", brightness, "--meta", "--perms", "--type", "--ev", "--json"))
    assert (answer["value"], answer["format"], answer["maxValue"], answer["type"]) == (100, "int", 100, "8")
    assert hap("get", *known, "-c", on, "-c", "1.999").stdout == f"{on} = false\n"

    assert hap("put", *known, "-c", on, "true", "-c", brightness, "30").stdout == f"{on} <- true\n{brightness} <- 30\n"
    written = [lamp.until("write") for _ in range(2)]
    assert [(f"{one['aid']}.{one['iid']}", one["value"]) for one in written] == [(on, True), (brightness, 30)]

    # The adapter may also be named once and for all. Two controllers cannot be linked at a time: they take turns.
    monkeypatch.setattr("tests.cli.program.ENVIRONMENT", _environment(f"bumble:{hci}"))
    known = ("-a", "lamp", "-f", tmp_path / "p.json")
    assert hap("get", *known, "-c", on).stdout == f"{on} = true\n"

    added = hap("pairings", "add", *known, "-i", OTHER, "-k", "11" * 32, "--json")
    (told,) = lines(added)
    assert (told["event"], told["identifier"], told["admin"]) == ("added", OTHER, False)
    assert (told["accessory_id"], len(told["accessory_key"])) == (device, 64)
    assert lamp.until("paired")["controller"] == OTHER
    assert [one["admin"] for one in lines(hap("pairings", "list", *known, "--json"))] == [True, False]
    assert lines(hap("unpair", *known, "--json")) == [{"event": "unpaired", "alias": "lamp"}]
    lamp.until("unpaired")
    assert "no pairing is called 'lamp'" in failure(hap("get", *known, "-c", on))
    table = hap("discover", "--ble", "--unpaired", "-t", "1.5").stdout
    assert re.search(rf"{device} +Desk lamp +Lightbulb +-50 dBm +no ", table)

    code, out = lamp.stop()
    assert code == 0
    assert json.loads(out.splitlines()[-1]) == {"event": "stopped"}
    assert lines(hap("replay", lamp.transcript, "--json"))[-1]["alike"] is True


def _environment(adapter: str) -> dict[str, str]:
    return {**program.ENVIRONMENT, "HAP_BLE_ADAPTER": adapter}
