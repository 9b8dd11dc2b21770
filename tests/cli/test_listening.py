"""`hap serve house.toml`: commands that go on, and what becomes of the lines that they print."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from tests.docs.pages import ROOT

import hap_trio
from hap_trio.cli.house import listening, load
from hap_trio.cli.house.listening import keep_listening
from hap_trio.cli.house.trouble import LARGEST_ANSWER
from hapcore.catalogue.characteristics import PROGRAMMABLE_SWITCH_EVENT
from hapcore.house import read
from hapcore.model.characteristic import AnyCharacteristic

LIMIT = 30


class Heard:
    """A house with one characteristic that is listened to: what it was told, and what was complained of."""

    def __init__(self, command: list[str], rest: str = "", service: str = "temperature sensor") -> None:
        name = "programmable_switch_event" if service == "button" else "current_temperature"
        text = f'[accessories.s]\nservice = "{service}"\nlisten.{name} = {{run = {json.dumps(command)}{rest}}}'
        self.listens = read(tomllib.loads(text), "house.toml").listens
        self.values: list[object] = []
        self.complaints: list[str] = []
        self.listens[0].place.characteristic.bind(self.note)

    def note(self, one: AnyCharacteristic, value: object) -> None:
        one.store(value)
        self.values.append(value)

    async def until(self, done: Callable[[], bool]) -> None:
        """Listen until it is so."""
        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep_listening, self.listens, self.complaints.append)
                while not done():
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PAUSE", 0.01)
    monkeypatch.setattr(listening, "_LONGEST_PAUSE", 0.02)


async def test_each_line_is_a_value():
    heard = Heard(["sh", "-c", r"printf '21.5\n\n \n22\n22'; exec sleep 600 >&-"])
    await heard.until(lambda: len(heard.values) == 3)
    assert heard.values == [21.5, 22.0, 22.0]
    assert heard.complaints == []


async def test_lines_of_json():
    heard = Heard(["sh", "-c", """echo '{"a": [{"t": 5}]}'; exec sleep 600"""], ', field = "a.0.t"')
    await heard.until(lambda: bool(heard.values))
    assert heard.values == [5.0]


async def test_equal_presses_are_presses():
    heard = Heard(["sh", "-c", "echo single press; echo 0; echo Long_Press; exec sleep 600"], service="button")
    await heard.until(lambda: len(heard.values) == 3)
    assert heard.values == [0, 0, 2]


async def test_a_line_that_is_no_value_is_complained_of_and_that_is_all():
    heard = Heard(["sh", "-c", "echo warm; echo 999; echo 20; exec sleep 600"])
    await heard.until(lambda: bool(heard.values))
    assert heard.values == [20.0]
    assert heard.complaints[0] == "s.current_temperature: 'warm' is no number"
    assert heard.complaints[1].startswith("s.current_temperature: 999.0 is not within ")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["true"], "true ended with exit code 0"),
        (["sh", "-c", "exit 3"], "sh ended with exit code 3"),
        (["sh", "-c", "kill -9 $$"], "sh was ended by signal 9"),
        (["./no-such-thing"], "cannot run './no-such-thing': No such file or directory"),
        (
            ["sh", "-c", f"head -c {2 * LARGEST_ANSWER} /dev/zero; exec sleep 600"],
            f"it printed a line of more than {LARGEST_ANSWER} bytes",
        ),
    ],
)
async def test_what_ends_is_started_again(command, complaint):
    heard = Heard(command)
    await heard.until(lambda: len(heard.complaints) == 3)
    assert heard.complaints == [
        f"s.current_temperature: {complaint}; it is started again in {pause} s" for pause in ("0.01", "0.02", "0.02")
    ]


async def test_what_has_worked_is_started_again_soon(monkeypatch):
    monkeypatch.setattr(listening, "_WORKS", 0.0)
    heard = Heard(["true"])
    await heard.until(lambda: len(heard.complaints) == 3)
    assert all(one.endswith(" in 0.01 s") for one in heard.complaints)


async def test_nothing_of_it_is_left(tmp_path):
    held = tmp_path / "held"
    os.mkfifo(held)
    # The pipe has an end only when nobody holds it any more.
    heard = Heard(["sh", "-c", f"exec 3> {held}; echo 1; trap '' TERM; sleep 600 & sleep 600"])
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: trio.to_thread.run_sync(held.read_bytes, abandon_on_cancel=True))
            await heard.until(lambda: bool(heard.values))


async def test_the_bell_of_the_example_rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    presses = tmp_path / "bell.presses"
    presses.touch()
    (tmp_path / "desk-lamp.on").write_text("off")
    shutil.copy(ROOT / "examples" / "house.toml", tmp_path)
    built = load("house.toml")
    with trio.fail_after(LIMIT):
        async with (
            hap_trio.open_server(built.things, address="127.0.0.1", mdns=False) as server,
            hap_trio.open_controller(mdns=False) as home,
            trio.open_nursery() as nursery,
        ):
            client = await home.pair(f"127.0.0.1:{server.port}", server.setup_code, "house")
            services = [service for one in await client.accessories() for service in one.services]
            bell = next(found.id for one in services if (found := one.find(PROGRAMMABLE_SWITCH_EVENT.uuid)))
            async with client.subscribe([bell]) as changes:
                nursery.start_soon(built.live)
                scope = trio.CancelScope()

                async def press() -> None:
                    with scope:  # nobody says when `tail` has begun to look
                        while True:
                            with presses.open("a") as file:
                                file.write("double press\n")
                            await client.read([bell])

                nursery.start_soon(press)
                assert (await anext(changes)).value == 1
                scope.cancel()
            nursery.cancel_scope.cancel()
