"""The `hap` command from outside: what it prints, what it returns, how it fails."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path

import pytest
from tests.cli.program import Running, failure, hap, lines, served

CODE = "031-45-154"


def test_demo_runs_by_itself():
    steps = [line["name"] for line in lines(hap("demo", "--json"))]
    assert steps == [
        "listening",
        "discovered",
        "paired",
        "listed",
        "subscribed",
        "accessory-written",
        "switched",
        "event",
        "unpaired",
        "done",
    ]
    shown = hap("demo")
    assert shown.returncode == 0
    assert "Done." in shown.stdout


def paired(program_line: dict, folder: Path, alias: str = "lamp") -> list[str | Path]:
    """Pair; the options that reach the accessory from then on."""
    where = f"{program_line['host']}:{program_line['port']}"
    code = program_line["setup_code"]
    assert lines(hap("pair", "--address", where, "-p", code, "-a", alias, "-f", folder / "p.json", "--json")) == [
        {"event": "paired", "alias": alias, "device_id": program_line["device_id"]}
    ]
    return ["-a", alias, "-f", folder / "p.json", "--address", where]


def test_a_whole_life(tmp_path):
    with served("lightbulb", "--name", "Desk lamp", "--setup-code", CODE, "--state", tmp_path / "lamp.json") as (
        program,
        listening,
    ):
        assert listening["setup_code"] == CODE
        assert listening["setup_uri"].startswith("X-HM://")
        assert re.fullmatch("([0-9A-F]{2}:){5}[0-9A-F]{2}", listening["device_id"])
        where = f"{listening['host']}:{listening['port']}"
        assert lines(hap("identify", "--address", where, "--json")) == [{"event": "identified"}]
        program.until("identify")

        lamp = paired(listening, tmp_path)
        assert program.until("paired")["admin"] is True
        assert stat.S_IMODE((tmp_path / "p.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "lamp.json").stat().st_mode) == 0o600

        (accessory,) = lines(hap("accessories", *lamp, "--json"))
        light = next(s for s in accessory["services"] if s["name"] == "Lightbulb")
        iids = {c["name"]: f"1.{c['iid']}" for c in light["characteristics"]}
        on, brightness = iids["On"], iids["Brightness"]
        assert json.loads(hap("accessories", *lamp, "-o", "json").stdout)[0] == accessory
        assert f"  {on} On = false [" in hap("accessories", *lamp, "-o", "compact").stdout
        assert "Brightness = 100" in hap("accessories", *lamp).stdout

        assert hap("get", *lamp, "-c", on, "-c", brightness).stdout == f"{on} = false\n{brightness} = 100\n"
        (answer,) = lines(hap("get", *lamp, "-c", brightness, "--meta", "--perms", "--type", "--ev", "--json"))
        assert answer["value"] == 100
        assert (answer["format"], answer["maxValue"], answer["type"], answer["ev"]) == ("int", 100, "8", False)

        assert (
            hap("put", *lamp, "-c", on, "true", "-c", brightness, "30").stdout == f"{on} <- true\n{brightness} <- 30\n"
        )
        written = [program.until("write") for _ in range(2)]
        assert [(w["aid"], f"{w['aid']}.{w['iid']}", w["value"]) for w in written] == [
            (1, on, True),
            (1, brightness, 30),
        ]

        watch = Running("watch", *lamp, "-c", on, "-c", brightness, "--count", "1", "--seconds", "50", "--json")
        assert watch.next()["event"] == "watching"
        assert hap("put", *lamp, "-c", on, "false").returncode == 0
        assert watch.next() == {"event": "change", "aid": 1, "iid": int(on[2:]), "value": False}
        assert watch.process.wait(timeout=30) == 0
        watch.process.communicate()
        failure(hap("watch", *lamp, "-c", "1.999", "--seconds", "1"))
        assert hap("watch", *lamp, "-c", on, "--seconds", "0.1", "--count", "1").returncode == 1

        (me,) = lines(hap("pairings", "list", *lamp, "--json"))
        assert me["admin"] is True
        other = "3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162"
        assert hap("pairings", "add", *lamp, "-i", other, "-k", "11" * 32).returncode == 0
        assert other in hap("pairings", "list", *lamp).stdout
        assert lines(hap("pairings", "remove", *lamp, "-i", other, "--json")) == [
            {"event": "removed", "identifier": other}
        ]
        assert "hap unpair" in failure(hap("pairings", "remove", *lamp, "-i", me["identifier"]))

        assert hap("identify", *lamp).returncode == 0
        assert lines(hap("unpair", *lamp, "--json")) == [{"event": "unpaired", "alias": "lamp"}]
        program.until("unpaired")
        assert "no pairing is called 'lamp'" in failure(hap("get", *lamp, "-c", on))
        code, rest = program.stop()
        assert code == 0
        assert json.loads(rest.splitlines()[-1]) == {"event": "stopped"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_restart_keeps_identity_code_and_pairing(tmp_path, how):
    with served("switch", "--state", tmp_path / "s.json") as (program, first):
        switch = paired(first, tmp_path)
        assert program.stop(how)[0] == 0
    with served("switch", "--state", tmp_path / "s.json") as (_, second):
        assert second["device_id"] == first["device_id"]
        # The code is the same, and nobody's business as long as it is of no use.
        assert (second["setup_code"], second["setup_uri"], second["paired"]) == (None, None, True)
        setup = json.loads((tmp_path / "s.json").read_text("utf-8"))["entries"]["setup"]
        assert first["setup_code"] in (setup if isinstance(setup, str) else json.dumps(setup))
        assert (first["paired"], second["paired"]) == (False, True)
        where = f"{second['host']}:{second['port']}"
        assert hap("get", *switch[:-1], where, "-c", "1.3").returncode == 0


@pytest.mark.parametrize("kind", ["outlet", "thermostat", "temperature-sensor", "lock", "fan", "bridge"])
def test_every_kind_can_be_used(tmp_path, kind):
    with served(kind, "--count", "4") as (_, listening):
        thing = paired(listening, tmp_path)
        accessories = lines(hap("accessories", *thing, "--json"))
        assert len(accessories) == (5 if kind == "bridge" else 1)


def test_a_lock_is_locked_by_a_write(tmp_path):
    with served("lock") as (_, listening):
        lock = paired(listening, tmp_path)
        (accessory,) = lines(hap("accessories", *lock, "--json"))
        iids = {c["name"]: f"1.{c['iid']}" for s in accessory["services"] for c in s["characteristics"]}
        assert hap("put", *lock, "-c", iids["Lock Target State"], "0", "--timed", "3000").returncode == 0
        assert hap("get", *lock, "-c", iids["Lock Current State"]).stdout.endswith("= 0\n")


def test_a_lock_with_a_pin(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hapcore.accessory import Characteristic, HapStatus, HapStatusError\n"
        "from hapcore.catalogue.characteristics import LOCK_TARGET_STATE\n"
        "from hapcore.catalogue.services import LockMechanism\n"
        "target = Characteristic(LOCK_TARGET_STATE, iid=9, timed=True, authorized=True)\n"
        "lock = LockMechanism('Door', lock_target_state=target)\n"
        "@target.setter\n"
        "def turn(value, caller):\n"
        "    if caller.auth_data != b'1234':\n"
        "        raise HapStatusError(HapStatus.INSUFFICIENT_AUTHORIZATION)\n"
    )
    (tmp_path / "pin").write_text("1234\n")
    with served("mine:lock", cwd=tmp_path) as (_, listening):
        door = paired(listening, tmp_path)
        assert "additional authorization is missing or wrong" in failure(hap("put", *door, "-c", "1.9", "secured"))
        assert hap("put", *door, "-c", "1.9", "secured", "--auth", "1234").stdout == "1.9 <- 1\n"
        assert "(-70411)" in failure(hap("put", *door, "-c", "1.9", "unsecured", "--auth", "4321"))
        assert "1.9 Lock Target State = 1 (secured) [aa," in hap("accessories", *door).stdout
        assert hap("put", *door, "-c", "1.9", "Unsecured", "--auth", f"@{tmp_path}/pin").stdout == "1.9 <- 0\n"
        assert "'ajar' is no whole number; it may be unsecured, secured" in failure(
            hap("put", *door, "-c", "1.9", "ajar")
        )


def test_an_accessory_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hapcore.catalogue.services import Switch\n"
        "def make():\n    return [Switch('One'), Switch('Two')]\n"
        "one = Switch('Alone')\nnothing = 5\n"
    )
    with served("mine:make", cwd=tmp_path) as (_, listening):
        thing = paired(listening, tmp_path)
        assert len(lines(hap("accessories", *thing, "--json"))) == 3
    with served("mine:one", cwd=tmp_path):
        pass
    for bad in ("mine:nothing", "mine:absent", "absent:x", "teapot"):
        program = Running("serve", bad, "--no-mdns", cwd=tmp_path)
        _, err = program.process.communicate(timeout=30)
        assert program.process.returncode in (1, 2)
        assert "Traceback" not in err


def test_wrong_code_and_paired_already(tmp_path):
    with served("switch", "--setup-code", CODE) as (program, listening):
        where = f"{listening['host']}:{listening['port']}"
        wrong = hap("pair", "--address", where, "-p", "111-22-333", "-a", "x", "-f", tmp_path / "p.json")
        assert "code" in failure(wrong)
        assert program.until("attempt-failed")["failures"] == 1
        paired(listening, tmp_path)
        again = hap("pair", "--address", where, "-p", CODE, "-a", "again", "-f", tmp_path / "p.json")
        assert "paired" in failure(again)
        taken = hap("pair", "--address", where, "-p", CODE, "-a", "lamp", "-f", tmp_path / "p.json")
        assert "lamp" in failure(taken)


def test_the_code_is_asked_for(tmp_path):
    with served("switch", "--setup-code", CODE) as (_, listening):
        where = f"{listening['host']}:{listening['port']}"
        result = hap("pair", "--address", where, "-a", "x", "-f", tmp_path / "p.json", stdin=f"031\n{CODE}\n")
        assert result.returncode == 0, result.stderr
        assert "eight digits" in result.stderr


def test_refused_characteristics_make_the_command_fail(tmp_path):
    with served("temperature-sensor") as (_, listening):
        thing = paired(listening, tmp_path)
        assert failure(hap("get", *thing, "-c", "1.999")) == "hap: 1.999: there is no such characteristic (-70409)\n"
        assert lines(hap("get", *thing, "-c", "1.3", "-c", "1.999", "--json"), code=1)[1]["status"] == -70409
        assert "there is no such characteristic" in hap("put", *thing, "-c", "1.999", "1").stderr
        failure(hap("put", *thing, "-c", "1.3", "x"))


def test_nobody_there(tmp_path):
    assert "connect" in failure(hap("identify", "--address", "127.0.0.1:1")).lower()
    assert "known" in failure(hap("get", "-a", "x", "-c", "1.1", "-f", tmp_path / "none.json"))


def test_a_damaged_pairings_file_is_left_alone(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('{"format": "hapcore-pairings", "version": 99, "pairings": {}}')
    assert "version" in failure(hap("get", "-a", "x", "-c", "1.1", "-f", file))
    file.write_text("{")
    assert "p.json" in failure(hap("pair", "--address", "127.0.0.1:1", "-p", CODE, "-a", "x", "-f", file))
    assert file.read_text() == "{"


def test_discover_on_loopback(tmp_path):
    program = Running("serve", "fan", "--name", "Attic fan", "--address", "127.0.0.1", "--json")
    try:
        listening = program.until("listening")
        discover = Running("discover", "-t", "50", "--interface", "127.0.0.1", "--unpaired", "--json")
        found = discover.next()
        while found["device_id"] != listening["device_id"]:
            found = discover.next()
        discover.process.kill()
        discover.process.communicate()
        assert found["name"] == "Attic fan"
        assert found["addresses"] == ["127.0.0.1"]
        assert (found["port"], found["category"], found["paired"]) == (listening["port"], 3, False)
        pairing = ["-d", listening["device_id"], "-p", listening["setup_code"], "-a", "fan", "-f", tmp_path / "p.json"]
        assert hap("pair", *pairing, "--interface", "127.0.0.1").returncode == 0
        assert (
            hap("get", "-a", "fan", "-c", "1.3", "-f", tmp_path / "p.json", "--interface", "127.0.0.1").returncode == 0
        )
    finally:
        program.process.kill()
        program.process.communicate()
