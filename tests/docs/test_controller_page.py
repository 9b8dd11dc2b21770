"""The examples of docs/controller.md, run one after the other against a lamp on the loopback interface."""

from __future__ import annotations

import ast

import pytest
from examples.own_controller import Blocking
from tests.docs.pages import README, ROOT, blocks, listings
from tests.docs.programs import launch, line

from hapcore.catalogue.characteristics import ON
from hapcore.ip.controller import CharacteristicWrite, Close, GetAccessories, VerifyPairing, Write
from hapcore.state import decode_pairings

BLOCKS = [one for one in blocks(ROOT / "docs" / "controller.md", "python") if one.text not in listings()]
LAMP = str(ROOT / "examples" / "trio_lamp.py")

#: Gives each function of the page what its parameters ask for, in the order of the page.
DRIVER = '''
import itertools
import os

import trio

import hap_trio

codes = iter(["111-22-334", "031-45-154"])


async def ask(question):
    return next(codes)


async def switch_for_ever(alias, home):
    """Somebody else at the switch: another connection of the same controller."""
    client = home.connect(alias, "192.0.2.7:51826")
    on = (await client.device()).lightbulb.on
    for state in itertools.cycle([False, True]):
        await client.write({on: state})


async def main():
    async with hap_trio.open_controller("pairings.json") as home:
        async for found in home.discover():  # its name takes a second to be announced
            if found.port == int(os.environ["LAMP_PORT"]):
                break
        print(">>> show_all")
        await show_all(home)
        print(">>> pair_in_two_steps")
        await pair_in_two_steps(home, ask)
        await home.remove("desk lamp")
        print(">>> pair")
        await pair(home)
        lamp = home.connect("desk lamp")
        for function in (show, dim, consumption, dim_at_once, switch_now_or_never):
            print(">>>", function.__name__)
            await function(lamp)
        for function in (write_with_more, picture, list_pairings):
            print(">>>", function.__name__)
            await function(lamp)
        print(">>> watch")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch_for_ever, "desk lamp", home)
            await watch(lamp)
            nursery.cancel_scope.cancel()
        print(">>> keep_watch")
        await keep_watch(home)
        print(">>> end")


trio.run(main)
'''


def _functions() -> list[str]:
    return [node.name for one in BLOCKS for node in ast.parse(one.text).body if isinstance(node, ast.AsyncFunctionDef)]


def test_the_driver_calls_every_example():
    for name in _functions():
        assert f"await {name}(" in DRIVER or f" {name}," in DRIVER or f"({name}," in DRIVER or f" {name})" in DRIVER, (
            name
        )


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> dict[str, str]:
    """Name of the function -> what it printed; "port" -> where the lamp was."""
    folder = tmp_path_factory.mktemp("controller")
    (folder / "block.py").write_text("\n".join(one.text for one in BLOCKS) + DRIVER, encoding="utf-8")
    with launch([LAMP], folder, mdns=True) as lamp:
        _, port, _ = line(lamp).split()
        with launch(["block.py"], folder, LAMP_PORT=port) as program:
            output = program.stdout.read()
    parts = [part.partition("\n") for part in output.split(">>> ")[1:]]
    assert parts[-1][0] == "end", output
    return {name: text for name, _, text in parts} | {"port": port}


def test_discovery_shows_the_lamp(printed):
    assert f"('127.0.0.1',) {printed['port']} can be paired\n" in printed["show_all"]


def test_a_wrong_code_is_asked_for_again(printed):
    assert printed["pair_in_two_steps"] == "That was the wrong code.\n"


def test_pairing_tells_the_device_id(printed):
    assert printed["pair"].count(":") == 5


def test_the_database_is_shown(printed):
    assert printed["show"].startswith("Desk lamp\n   Accessory Information\n")
    assert "\n   Desk lamp\n" in printed["show"]
    assert "Brightness 40 %\n" in printed["show"]
    assert "Desk lamp unknown\n" in printed["consumption"]


def test_reading_and_writing(printed):
    assert printed["dim"] == "Desk lamp True\n"
    assert printed["dim_at_once"] == "True 30\n"
    assert printed["picture"].startswith("accessory 1 has no camera that takes pictures: ")
    assert not printed["switch_now_or_never"]
    assert printed["write_with_more"] == "0\n"


def test_pairings_and_changes(printed):
    assert printed["list_pairings"].endswith(" admin\n")
    assert " is " in printed["watch"]


def test_keeping_watch(printed):
    *values, last = printed["keep_watch"].splitlines()
    assert last == "desk lamp is there"
    assert [value.partition(" is ")[0] for value in values] == ["desk lamp On", "desk lamp Brightness"]


def test_the_two_programs_of_the_readme_meet(tmp_path):
    with launch([LAMP], tmp_path) as lamp:
        _, port, code = line(lamp).split()
        address = f"127.0.0.1:{port}"
        with launch([str(ROOT / "examples" / "trio_controller.py"), address], tmp_path) as controller:
            assert line(lamp).startswith("on ")
            (record,) = decode_pairings((tmp_path / "pairings.json").read_bytes()).values()
            other = Blocking("127.0.0.1", int(port))
            other.do(VerifyPairing(record.pairing))
            services = other.do(GetAccessories())[0].services
            on = next(one for service in services for one in service.characteristics if one.type == ON.uuid)
            other.do(Write([CharacteristicWrite(on.id, False)]))
            assert line(lamp).startswith("off ")
            assert line(controller) == f"{on.id} is False"
            other.do(Close())
    assert code == "031-45-154"


@pytest.mark.parametrize(
    ("heading", "name"),
    [("## An accessory in ten lines", "trio_lamp.py"), ("## A controller in ten lines", "trio_controller.py")],
)
def test_the_readme_shows_the_examples(heading, name):
    text = README.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    listing = next(one for one in blocks(README, "python") if one.text in text)
    assert listing.text == (ROOT / "examples" / name).read_text(encoding="utf-8")
