"""`hap serve house.toml`: commands and requests behind characteristics, what reaches them, how they fail and end."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from click.testing import CliRunner
from tests.cli.program import failure, hap, lines, served
from tests.docs.pages import ROOT

from hap_trio.cli import group
from hap_trio.cli.house.command import run
from hap_trio.cli.house.handlers import Question, connect, keep_asking
from hap_trio.cli.house.trouble import LARGEST_ANSWER, Trouble
from hapcore.engine import ConnectionId
from hapcore.house import House, read
from hapcore.ids import Caller, HapStatus, Transport
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError

CALLER = Caller(b"3B1E7C4A", admin=True, transport=Transport.IP, connection=ConnectionId(1))
#: Writes down what it was given.
SPY = """
import json, os, sys
told = {name: value for name, value in os.environ.items() if name.startswith("HAP_")}
json.dump([sys.argv[2:], told, sys.stdin.buffer.read().decode()], open(sys.argv[1], "w"))
"""


class Kit:
    """A house with its handlers, and what they complained of."""

    def __init__(self, text: str) -> None:
        self.house: House = read(tomllib.loads(text), "house.toml")
        self.complaints: list[str] = []
        self.questions: list[Question] = connect(self.house, self.complaints.append)

    def one(self, name: str) -> AnyCharacteristic:
        return next(
            getattr(service, name)
            for accessory in self.house.accessories
            for service in accessory.services
            if hasattr(service, name)
        )

    async def write(self, name: str, value: object) -> int:
        """The status that a controller would get."""
        setter = self.one(name).setter_fn
        assert setter is not None
        try:
            await setter(value, CALLER)  # type: ignore[misc]
        except HapStatusError as error:
            return int(error.status)
        return 0

    async def ask(self, name: str) -> object:
        getter = self.one(name).getter_fn
        assert getter is not None
        return await getter(CALLER)  # type: ignore[misc]


def tv(rest: str) -> Kit:
    return Kit(f'[accessories.tv]\nservice = "television"\n{rest}')


def spying(folder: Path, *more: str) -> str:
    """A command that writes down what it gets."""
    return json.dumps([sys.executable, "-c", SPY, str(folder / "spied"), *more])


def spied(folder: Path) -> list[Any]:
    found: list[Any] = json.loads((folder / "spied").read_text())
    return found


# --- commands: what reaches them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "; rm -rf .",
        "$(touch owned)",
        "`touch owned`",
        "a\nb; touch owned\n",
        "' \" \\ | & > owned",
        "",
        "näh \U0001f4a1",
    ],
)
async def test_a_nasty_text_is_an_argument_like_another(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    kit = tv(f"write.configured_name = {{run = {spying(tmp_path, '{value}', 'end')}, timeout = 8}}")
    assert await kit.write("configured_name", value) == 0
    assert spied(tmp_path) == [
        [value, "end"],
        {
            "HAP_VALUE": value,
            "HAP_ACCESSORY": "tv",
            "HAP_SERVICE": "",
            "HAP_CHARACTERISTIC": "configured_name",
            "HAP_CONTROLLER": "3B1E7C4A",
        },
        value + "\n",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["spied"]
    assert not kit.complaints


async def test_a_shell_reads_the_variable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kit = tv("""write.configured_name.run = ["sh", "-c", 'printf %s "$HAP_VALUE" > said']""")
    assert await kit.write("configured_name", '$(touch owned)"; touch owned; "') == 0
    assert (tmp_path / "said").read_text() == '$(touch owned)"; touch owned; "'
    assert [one.name for one in tmp_path.iterdir()] == ["said"]


async def test_a_text_that_would_be_an_option_is_refused(tmp_path):
    kit = tv(f"write.configured_name.run = {spying(tmp_path, '{value}')}")
    assert await kit.write("configured_name", "--help") == HapStatus.UNABLE_TO_COMMUNICATE
    assert not list(tmp_path.iterdir())
    assert kit.complaints == [
        "tv.configured_name: '--help' would be an option; put '--' before '{value}', or read $HAP_VALUE"
    ]


async def test_a_very_long_value_is_on_the_standard_input(tmp_path):
    kit = Kit(
        f"[accessories.l]\nservice='lightbulb'\nwrite.characteristic_value_transition_control.run = {spying(tmp_path)}"
    )
    assert await kit.write("characteristic_value_transition_control", bytes(1_500_000)) == 0
    arguments, told, given = spied(tmp_path)
    assert (arguments, "HAP_VALUE" in told, given) == ([], False, "A" * 2_000_000 + "\n")


async def test_who_does_not_read_it_need_not(tmp_path):
    kit = Kit("[accessories.l]\nservice='lightbulb'\nwrite.characteristic_value_transition_control.run = ['true']")
    assert await kit.write("characteristic_value_transition_control", bytes(1_500_000)) == 0


async def test_values_of_several_kinds(tmp_path):
    kit = Kit(
        "[accessories.l]\nservice='lightbulb'\n"
        + "".join(f"write.{one}.run = {spying(tmp_path, '{value}')}\n" for one in ("on", "brightness", "hue"))
    )
    for name, value, text in (("on", True, "true"), ("brightness", 40, "40"), ("hue", 21.5, "21.5")):
        assert await kit.write(name, value) == 0
        assert spied(tmp_path)[0] == [text]


# --- commands: how they end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["false"], "l.on: false ended with exit code 1"),
        (["sh", "-c", "exit 7"], "l.on: sh ended with exit code 7"),
        (["sh", "-c", "kill -9 $$"], "l.on: sh was ended by signal 9"),
        (["./no-such-thing"], "l.on: cannot run './no-such-thing': No such file or directory"),
        (["/"], "l.on: cannot run '/': Permission denied"),
    ],
)
async def test_a_command_that_fails(command, complaint):
    kit = Kit(f"[accessories.l]\nservice='lightbulb'\nwrite.on.run = {json.dumps(command)}")
    assert await kit.write("on", True) == HapStatus.UNABLE_TO_COMMUNICATE
    assert kit.complaints == [complaint]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600 & wait",
        "trap '' TERM; sleep 600 & wait; sleep 600",
        "(trap '' TERM; sleep 600; sleep 600) & sleep 600",
    ],
)
async def test_a_command_that_hangs_is_ended_with_all_it_has_started(tmp_path, script):
    held = tmp_path / "held"
    os.mkfifo(held)
    # The pipe has an end only when nobody holds it any more.
    kit = Kit(
        "[accessories.l]\nservice='lightbulb'\n[accessories.l.write.on]\ntimeout = 0.5\n"
        f"run = {json.dumps(['sh', '-c', f'exec 3> {held}; {script}'])}"
    )
    ended = trio.Event()

    async def watch() -> None:
        assert await trio.to_thread.run_sync(held.read_bytes, abandon_on_cancel=True) == b""
        ended.set()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            assert await kit.write("on", True) == HapStatus.TIMED_OUT
            await ended.wait()
    assert kit.complaints == ["l.on: not done within 0.5 seconds"]


async def test_an_accessory_is_told_one_thing_after_the_other(tmp_path):
    log = tmp_path / "log"
    script = f'echo begin >> {log}; sleep 0.1; echo "$HAP_VALUE" >> {log}'
    kit = Kit(f"[accessories.l]\nservice='lightbulb'\nwrite.brightness.run = {json.dumps(['sh', '-c', script])}")
    async with trio.open_nursery() as nursery:
        for value in (1, 2, 3):
            nursery.start_soon(kit.write, "brightness", value)
            await trio.testing.wait_all_tasks_blocked()
    assert log.read_text().split() == ["begin", "1", "begin", "2", "begin", "3"]


async def test_what_it_prints_is_limited():
    script = f"print('x' * {LARGEST_ANSWER + 1}, flush=True); import time; time.sleep(600)"
    with trio.fail_after(20), pytest.raises(Trouble, match="printed more than"):
        await run([sys.executable, "-c", script], {}, answers=True)


async def test_the_current_state_follows(tmp_path):
    kit = Kit("[accessories.d]\nservice='lock'\nvalues={lock_current_state=1}\nwrite.lock_target_state.run = ['true']")
    assert await kit.write("lock_target_state", kit.one("lock_target_state").coerce(0)) == 0
    assert kit.one("lock_current_state").value == 0
    kit = Kit("[accessories.d]\nservice='lock'\nvalues={lock_current_state=1}\nwrite.lock_target_state.run = ['false']")
    assert await kit.write("lock_target_state", kit.one("lock_target_state").coerce(0)) != 0
    assert kit.one("lock_current_state").value == 1


def test_without_a_command_it_follows_as_well():
    kit = Kit("[accessories.t]\nservice='thermostat'")
    setter = kit.one("target_heating_cooling_state").setter_fn
    assert setter is not None
    for told, now in ((1, 1), (2, 2), (3, 2), (0, 0)):  # 3 is "auto": no state to be in
        setter(kit.one("target_heating_cooling_state").coerce(told), CALLER)
        assert kit.one("current_heating_cooling_state").value == now


# --- asking -----------------------------------------------------------------------------------------------------------


async def test_a_value_is_asked_for_and_kept_for_a_while(tmp_path):
    (tmp_path / "t").write_text("21.5\n")
    script = f"echo >> {tmp_path}/asked; cat {tmp_path}/t"
    kit = Kit(
        "[accessories.s]\nservice='temperature sensor'\n"
        f"poll.current_temperature = {{run = {json.dumps(['sh', '-c', script])}, max_age = 3600}}"
    )
    values: list[object] = []

    async def ask() -> None:
        values.append(await kit.ask("current_temperature"))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    (tmp_path / "t").write_text("30")
    await ask()
    assert values == [21.5] * 6
    assert (tmp_path / "asked").read_text() == "\n"
    kit.questions[0].forget()
    await ask()
    assert values[-1] == 30


@pytest.mark.parametrize(
    ("command", "status", "complaint"),
    [
        (["false"], -70402, "s.current_temperature: false ended with exit code 1"),
        (["echo", "warm"], -70402, "s.current_temperature: 'warm' is no number"),
        (["echo", "999"], -70402, "s.current_temperature: 999.0 is not within"),
        (["sleep", "600"], -70408, "s.current_temperature: not done within 0.2 seconds"),
    ],
)
async def test_nobody_knows(command, status, complaint):
    kit = Kit(
        "[accessories.s]\nservice='temperature sensor'\n[accessories.s.poll.current_temperature]\n"
        f"run = {json.dumps(command)}\ntimeout = {0.2 if status == -70408 else 8}"
    )
    with pytest.raises(HapStatusError) as caught:
        await kit.ask("current_temperature")
    assert caught.value.status == status
    assert len(kit.complaints) == 1
    assert kit.complaints[0].startswith(complaint)


async def test_those_who_wait_share_a_failure():
    kit = Kit(
        "[accessories.s]\nservice='temperature sensor'\n"
        "poll.current_temperature = {run = ['sh', '-c', 'sleep 0.2; exit 1']}"
    )

    async def ask() -> None:
        with pytest.raises(HapStatusError):
            await kit.ask("current_temperature")

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert len(kit.complaints) == 1
    await ask()
    assert len(kit.complaints) == 2


async def test_a_write_makes_the_next_read_ask(tmp_path):
    kit = Kit(
        "[accessories.l]\nservice='lightbulb'\n"
        f"write.brightness.run = ['sh', '-c', 'cat > {tmp_path}/b']\n"
        f"poll.brightness = {{run = ['cat', '{tmp_path}/b'], max_age = 3600}}"
    )
    for value in (10, 20):
        assert await kit.write("brightness", value) == 0
        assert await kit.ask("brightness") == value


async def test_what_is_asked_for_by_itself(tmp_path):
    (tmp_path / "t").write_text("21.5")
    kit = Kit(
        "[accessories.s]\nservice='temperature sensor'\n"
        f"poll.current_temperature = {{run = ['cat', '{tmp_path}/t'], every = 60}}"
    )
    changed = trio.Event()

    def tell(one: AnyCharacteristic, value: object) -> None:
        one.store(value)
        changed.set()

    kit.one("current_temperature").bind(tell)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_asking, kit.questions)
            await changed.wait()
            nursery.cancel_scope.cancel()
    assert kit.one("current_temperature").value == 21.5


# --- requests ---------------------------------------------------------------------------------------------------------


class Device(ThreadingHTTPServer):
    """A device with a web server: answers with what the path says, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: list[tuple[str, str, str | None, bytes]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    server: Device

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.command, self.path, self.headers.get("X-Key"), body))
        what = self.path.split("/")[1].partition("?")[0]
        if what == "hang":
            self.server.over.wait(30)
        elif what == "garbage":
            self.wfile.write(b"\0\1\2 what?\r\n\r\n")
        else:
            status = int(what) if what.isdigit() else 200
            text = b'{"rooms": [{"celsius": 21.5}]}' if what == "json" else b"x" * 2_000_000 if what == "huge" else b""
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{self.server.url}/200/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - so they are called

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Device]:
    with Device() as device:
        thread = threading.Thread(target=device.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield device
        finally:
            device.over.set()
            device.shutdown()
            thread.join()


@pytest.fixture
def device() -> Iterator[Device]:
    with serving() as found:
        yield found


@pytest.mark.parametrize("value", ["a&b=1#c", "; rm -rf /", "x\r\nX-Key: 1", 'n"äh'])
async def test_a_text_in_a_request(device, value):
    kit = tv(
        "[accessories.tv.write.configured_name]\n"
        f"url = '{device.url}/200?name={{value}}'\nmethod = 'put'\nheaders = {{X-Key = 'secret'}}\n"
        "json = {name = '{value}', always = [1, true]}"
    )
    assert await kit.write("configured_name", value) == 0
    ((method, path, key, body),) = device.got
    assert (method, key, json.loads(body)) == ("PUT", "secret", {"name": value, "always": [1, True]})
    assert path.startswith("/200?name=")
    assert path.isprintable()
    assert not {"&", "#", " ", ";"} & set(path)


async def test_requests_as_they_are_by_default(device):
    kit = Kit(
        f"[accessories.l]\nservice='lightbulb'\nwrite.on.url = '{device.url}/200'\n"
        f"write.brightness = {{url = '{device.url}/200/{{value}}', method = 'GET'}}"
    )
    assert await kit.write("on", True) == 0
    assert await kit.write("brightness", 40) == 0
    assert device.got == [("POST", "/200", None, b'{"value": true}'), ("GET", "/200/40", None, b"")]


@pytest.mark.parametrize(
    ("path", "status", "complaint"),
    [
        ("204", 0, None),
        ("404", -70402, "l.on: the server answered with status 404"),
        ("500", -70402, "l.on: the server answered with status 500"),
        ("302", -70402, "l.on: the server answered with status 302"),
        ("huge", -70402, f"l.on: the answer is longer than {LARGEST_ANSWER} bytes"),
        ("garbage", -70402, "l.on: no answer: "),
        ("hang", -70408, "l.on: not done within 0.3 seconds"),
    ],
)
async def test_what_a_server_can_do(device, path, status, complaint):
    kit = Kit(
        f"[accessories.l]\nservice='lightbulb'\n[accessories.l.write.on]\nurl = '{device.url}/{path}'\n"
        f"timeout = {0.3 if path == 'hang' else 8}"
    )
    assert await kit.write("on", True) == status
    assert len(device.got) == 1
    assert len(kit.complaints) == (complaint is not None)
    assert complaint is None or kit.complaints[0].startswith(complaint)


async def test_nobody_is_there():
    with serving() as gone:
        url = gone.url
    kit = Kit(f"[accessories.l]\nservice='lightbulb'\nwrite.on.url = '{url}'")
    assert await kit.write("on", True) == HapStatus.UNABLE_TO_COMMUNICATE
    assert kit.complaints == ["l.on: no answer: Connection refused"]


async def test_a_value_out_of_json(device):
    kit = Kit(
        "[accessories.s]\nservice='temperature sensor'\n"
        f"poll.current_temperature = {{url = '{device.url}/json', field = 'rooms.0.celsius'}}"
    )
    assert await kit.ask("current_temperature") == 21.5
    assert device.got == [("GET", "/json", None, b"")]


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_example_is_served(tmp_path):
    file = tmp_path / "house.toml"
    shutil.copy(ROOT / "examples" / "house.toml", file)
    (tmp_path / "desk-lamp.on").write_text("false")
    (tmp_path / "bell.presses").touch()
    with serving() as device:
        file.write_text(file.read_text().replace("http://192.0.2.20/state", f"{device.url}/json"))
        with served(file, cwd=tmp_path) as (program, listening):
            where = f"{listening['host']}:{listening['port']}"
            me = ("-a", "house", "-f", tmp_path / "p.json", "--address", where)
            assert hap("pair", *me, "-p", listening["setup_code"]).returncode == 0
            accessories = lines(hap("accessories", *me, "--json"))
            assert len(accessories) == 6
            ids = {
                (number, s["name"], c["name"]): f"{one['aid']}.{c['iid']}"
                for number, one in enumerate(accessories)
                for s in one["services"]
                for c in s["characteristics"]
            }
            on, brightness = ids[1, "Lightbulb", "On"], ids[1, "Lightbulb", "Brightness"]
            assert hap("put", *me, "-c", on, "true", "-c", brightness, "70").returncode == 0
            assert (tmp_path / "desk-lamp.on").read_text() == "true\n"
            assert (tmp_path / "desk-lamp.brightness").read_text() == "70\n"
            (tmp_path / "desk-lamp.on").write_text("off")
            program.until("write")
            got = hap("get", *me, "-c", ids[2, "Thermostat", "Current Temperature"])
            assert got.stdout.endswith("= 21.5\n")
            locked = ids[3, "Lock Mechanism", "Lock Target State"]
            assert hap("put", *me, "-c", locked, "0").returncode == 0
            assert hap("get", *me, "-c", ids[3, "Lock Mechanism", "Lock Current State"]).stdout.endswith("= 0\n")
            assert program.stop()[0] == 0
    assert (tmp_path / "house.state.json").exists()
    # It is the same house the next time, with things moved, renamed and added.
    text = file.read_text().replace('name = "Desk lamp"', 'name = "Renamed"')
    file.write_text(
        text.replace("[accessories.desk-lamp]", "[accessories.new]\nservice = 'fan'\n[accessories.desk-lamp]", 1)
    )
    with served(file, cwd=tmp_path) as (_, again):
        assert again["device_id"] == listening["device_id"]
        assert again["paired"]
        me = (*me[:-1], f"{again['host']}:{again['port']}")
        assert hap("get", *me, "-c", brightness).stdout == f"{brightness} = 40\n"


def test_a_command_that_fails_is_told_in_a_line(tmp_path):
    (tmp_path / "h.toml").write_text("[accessories.l]\nservice='lightbulb'\nwrite.on.run = ['false']")
    with served(tmp_path / "h.toml") as (program, listening):
        where = f"{listening['host']}:{listening['port']}"
        me = ("-a", "house", "-f", tmp_path / "p.json", "--address", where)
        assert hap("pair", *me, "-p", listening["setup_code"]).returncode == 0
        (lamp,) = lines(hap("accessories", *me, "--json"))
        on = next(c["iid"] for s in lamp["services"] for c in s["characteristics"] if c["name"] == "On")
        assert "-70402" in failure(hap("put", *me, "-c", f"1.{on}", "true"))
        program.process.terminate()
        _, err = program.process.communicate(timeout=30)
        assert err == "hap: l.on: false ended with exit code 1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = ", "it is no TOML: Invalid value (at end of document)"),
        (b"\xff", "it is no TOML: "),
        (b"a = 1\na = 2", "it is no TOML: Cannot overwrite a value (at "),
        (b"a = " + b"[" * 100_000, "it is no TOML: "),
        (b"nmae = 'x'", "unknown key 'nmae'; did you mean 'name'?"),
        (b"# " + b"x" * 4_000_001, "it is larger than 4000000 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    file = tmp_path / "house.toml"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(group.hap, ["serve", str(file), "--no-mdns"])
    assert result.exit_code == 1
    err = result.stderr
    assert err.startswith(f"hap: {file}: {message}")
    assert err.count("\n") == 1
