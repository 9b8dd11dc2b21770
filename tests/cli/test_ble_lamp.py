"""A lamp that changes by itself, watched over Bluetooth LE; and what goes wrong, said in one line and soon."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest
from click.testing import CliRunner
from tests.cli.program import Running, failure, hap, lines
from tests.cli.radio import lit_air

from hap_trio.cli import radio
from hap_trio.cli.group import hap as commands

CODE = "031-45-154"
NOBODY = "12:34:56:78:9A:BC"
#: Seconds for a command that fails: the start of a process, and the few it listens for.
SOON = 30.0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A lamp in the air, paired, and the options that reach it."""
    file = tmp_path_factory.mktemp("home") / "p.json"
    with lit_air(CODE) as air:
        air.options = ("--adapter", f"bumble:{air.hci}", "-f", file)
        lines(hap("pair", "--ble", "-d", air.server.device_id, "-p", CODE, "-a", "lamp", *air.options, "--json"))
        yield air


def run(*arguments: object) -> tuple[int, str]:
    """A command within this process: its exit code and what it says when it fails."""
    result = CliRunner().invoke(commands, [str(one) for one in arguments], prog_name="hap")
    assert "Traceback" not in result.output
    assert "internal error" not in result.output
    return result.exit_code, result.stderr


def test_who_else_advertises_is_passed_over(home):
    """Another product of Apple's, another manufacturer's, and one whose accessory data are cut short."""

    async def advertise(data: bytes) -> None:
        radio = await home.air.peripheral("Stranger")
        await radio.publish([], None)
        await radio.advertise(b"\x02\x01\x06" + bytes((len(data) + 1, 0xFF)) + data, b"\x09\x09Stranger", 0.02)

    for data in (b"\x4c\x00\x10\x05\x01\x18\x12\x34\x56", b"\xe0\x00\x01", b"\x4c\x00\x06\x31\x00\x01"):
        asyncio.run_coroutine_threadsafe(advertise(data), home.loop).result(SOON)
    result = CliRunner().invoke(commands, ["discover", "--ble", "-t", "2", "--json", *home.options[:2]])
    assert (result.exit_code, result.stderr) == (0, "")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {one["device_id"] for one in found} == {home.server.device_id}
    assert found[-1]["paired"] is True


def test_sessions_are_resumed_by_the_next_command(home):
    """What resumes them stands in the pairings file."""
    known = json.loads(home.options[3].read_text())["knowledge"]
    assert "resume" in known[f"ble/{home.server.device_id}"]["json"]


def test_it_is_not_heard(home):
    began = time.monotonic()
    code, said = run("pair", "--ble", "-d", NOBODY, "-p", CODE, "-a", "x", "-t", "0.5", *home.options)
    assert code == 1
    assert said.startswith(f"hap: {NOBODY} was not heard within 0.5 s (is it switched on and near")
    assert said.count("\n") == 1
    assert time.monotonic() - began < SOON


def test_a_paired_one_is_out_of_range(home):
    home.do(lambda: home.air.vanish(home.radio.device))
    try:
        began = time.monotonic()
        code, said = run("get", "-a", "lamp", "-c", "1.9", *home.options)
        assert code == 1
        assert "was not heard" in said or "does not advertise" in said, said
        assert time.monotonic() - began < SOON
    finally:
        home.do(lambda: home.air.come_back(home.radio.device))


def test_a_radio_that_is_not_there(home, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        hci = f"tcp-client:127.0.0.1:{nobody.getsockname()[1]}"
    advice = "is it plugged in, free of the system's Bluetooth, and may this user open it?"
    for command in (
        ("discover", "--ble", "--adapter", f"bumble:{hci}"),
        ("get", "-a", "lamp", "-c", "1.9", "-f", home.options[3], "--adapter", f"bumble:{hci}"),
        ("serve", "--ble", "--hci", hci),
    ):
        code, said = run(*command)
        assert code == 1, command
        assert f"cannot open the Bluetooth controller '{hci}'" in said
        assert advice in said
        assert said.count("\n") == 1


def test_as_a_process(tmp_path):
    assert "unknown transport scheme" in failure(hap("serve", "--ble", "--hci", "nonsense"))
    assert "a bridge cannot be served over Bluetooth LE" in failure(hap("serve", "bridge", "--ble", "--hci", "x"))


@pytest.mark.parametrize(("missing", "extra"), [("bleak", "ble"), ("bumble", "ble-accessory")])
def test_what_is_not_installed(missing, extra, monkeypatch, home):
    monkeypatch.setattr(radio, "find_spec", lambda name: None if name == missing else object())
    said = f"hap: Bluetooth LE needs {missing}, which is not installed: pip install 'hapcore[{extra}]'\n"
    assert run("demo", "--ble") == (1, said)
    assert run("discover", "--ble", "--adapter", "bumble:usb:0") == (1, said)
    if missing == "bumble":
        assert run("serve", "--ble") == (1, said)
    else:
        assert run("get", "-a", "lamp", "-c", "1.9", *home.options) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("discover", "--adapter", "hci1"), "--adapter goes with --ble"),
        (("pair", "--ble", "--address", "192.0.2.1:1", "-a", "x"), "found by its id"),
        (("identify", "--ble", "--address", "192.0.2.1:1"), "found by its id"),
        (("pair", "--ble", "-a", "x"), "Give one of"),
        (("pair", "--ble", "-m", "CA:FE:00:11:22:33", "-d", NOBODY, "-a", "x"), "Give one of"),
        (("serve", "--hci", "usb:1"), "--hci has no meaning without --ble"),
        (("serve", "--ble", "--port", "1"), "--port has no meaning with --ble"),
        (("serve", "--ble", "--no-mdns"), "--no-mdns has no meaning with --ble"),
        (("serve", "--ble", "--address", "127.0.0.1"), "--address has no meaning with --ble"),
    ],
)
def test_wrong_usage(arguments, said):
    code, error = run(*arguments)
    assert code == 2
    assert said in error


def test_an_address_is_no_help(home):
    code, said = run("get", "-a", "lamp", "-c", "1.9", "--address", "192.0.2.1:1", *home.options)
    assert code == 1
    assert "found by its advertisements, not at an address" in said


def test_a_controller_is_recorded(home, tmp_path):
    tape = tmp_path / "t.jsonl"
    for more in ((), ("--with-secrets",)):
        code, said = run("get", "-a", "lamp", "-c", "1.9", "--record", tape, *more, *home.options)
        assert code == 0, said
        header = json.loads(tape.read_text().splitlines()[0])
        assert (header["role"], header["transport"]) == ("controller", "ble")
        assert len(tape.read_text().splitlines()) > 10
        code, said = run("replay", tape)
        assert code == 0, said
        tape.unlink()


def test_accessories_on_the_network_need_no_radio(home, tmp_path, monkeypatch):
    """Nothing about Bluetooth is even asked for them."""
    records = json.loads(home.options[3].read_text())
    del records["pairings"]["lamp"]["transport"]
    records["knowledge"] = {}
    records["pairings"]["lamp"] |= {"addresses": ["127.0.0.1"], "port": 1}
    file = tmp_path / "p.json"
    file.write_text(json.dumps(records))
    monkeypatch.setattr(radio, "find_spec", lambda name: pytest.fail(f"{name} is asked for"))
    code, said = run("get", "-a", "lamp", "-c", "1.9", "-f", file, "--address", "127.0.0.1:1")
    assert code == 1
    assert "127.0.0.1" in said


def test_forgetting_needs_no_radio(home, tmp_path, monkeypatch):
    file = tmp_path / "p.json"
    file.write_text(home.options[3].read_text())
    monkeypatch.setattr(radio, "find_spec", lambda name: pytest.fail(f"{name} is asked for"))
    assert run("unpair", "-a", "lamp", "--force", "-f", file)[0] == 0
    left = json.loads(file.read_text())
    assert left["pairings"] == {}
    assert not left.get("knowledge"), "the key of its broadcasts was in there"


def test_changes_with_a_link_and_without(home):
    light = home.light
    on, brightness = (str(one.id) for one in (light.on, light.brightness))
    watch = Running("watch", "-a", "lamp", "-c", on, "-c", brightness, "--count", "3", *home.options, "--json")
    watch.until("watching")
    home.do(lambda: setattr(light.on, "value", True))
    assert watch.next() == {"event": "change", "aid": 1, "iid": light.on.iid, "value": True}
    home.part()
    before = home.radio.links
    home.do(lambda: setattr(light.brightness, "value", 77))
    assert watch.next()["value"] == 77
    assert home.radio.links == before + 1, "a new state was advertised, and looked at"
    home.part()
    home.do(lambda: setattr(light.on, "value", False))
    assert watch.next()["value"] is False
    # The last test here: for some seconds now the lamp says nothing but this.
    assert home.radio.links == before + 1, "it was broadcast"
    out, err = watch.process.communicate(timeout=SOON)
    assert (watch.process.returncode, out, err) == (0, "", "")
