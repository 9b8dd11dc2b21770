"""The `hap` command's manners: help, wrong usage, its version."""

from __future__ import annotations

import io
import re

import pytest
from attrs import evolve
from click.testing import CliRunner
from rich.console import Console
from tests.cli.test_former import FOUND

from hap_trio.cli import discover, group
from hapcore.home.target import split_address


@pytest.mark.parametrize(
    "arguments",
    [
        ["pair", "-a", "x"],
        ["pair", "-a", "x", "-d", "AA:BB:CC:DD:EE:FF", "--address", "h:1"],
        ["pair", "-a", "x", "--address", "127.0.0.1:1", "-p", "12"],
        ["get", "-a", "x", "-c", "nonsense"],
        ["get", "-c", "1.1"],
        ["put", "-a", "x", "-c", "1.1"],
        ["identify"],
        ["pairings", "add", "-a", "x", "-i", "y", "-k", "12"],
        ["serve", "--port", "99999"],
        ["serve", "--address", "nonsense"],
        ["serve", "--setup-code", "abc"],
        ["serve", "--setup-code", "123-45-678"],
        ["nonsense"],
    ],
)
def test_wrong_usage(arguments):
    result = CliRunner().invoke(group.hap, arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")


COMMANDS = [
    [],
    *(
        [name]
        for name in (
            "demo",
            "serve",
            "init",
            "discover",
            "pair",
            "unpair",
            "identify",
            "accessories",
            "get",
            "put",
            "watch",
            "replay",
            "decode",
        )
    ),
    ["pairings"],
    ["pairings", "list"],
    ["pairings", "add"],
    ["pairings", "remove"],
    ["pairings", "prepare"],
    ["pairings", "finish"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command):
    result = CliRunner().invoke(group.hap, [*command, "--help"])
    assert result.exit_code == 0
    assert ("Example: hap " if command else "hap demo") in result.output
    if command and command != ["pairings"]:
        assert "--json" in result.output


@pytest.mark.parametrize("command", [[], ["pairings"], ["state"]], ids=" ".join)
def test_a_list_of_commands_cuts_no_sentence(command):
    result = CliRunner().invoke(group.hap, [*command, "--help"], terminal_width=80)
    listed = result.output.partition("Commands:\n")[2].splitlines()
    assert listed
    assert all(line.endswith(".") and not line.endswith("...") for line in listed), result.output


@pytest.mark.parametrize(
    ("address", "place"), [("192.168.178.203", "192.168.178.203:51826"), ("fd00:db8::a:7", "[fd00:db8::a:7]:51826")]
)
def test_what_is_to_be_copied_is_never_cut(address, place):
    name = "A lamp with a name that is rather long, in the hall"
    lamp = evolve(FOUND, name=name, addresses=(address,), port=51826, model="Model of a maker")
    console = Console(width=80, file=io.StringIO())
    console.print(discover.table([lamp], ble=False))
    text = console.file.getvalue()
    assert "11:22:33:44:55:66" in text
    assert place in text
    assert "…" not in text
    assert split_address(place) == (address, 51826)
    console.print(discover.table([evolve(lamp, addresses=("CA:FE:00:11:22:33",), rssi=-50)], ble=True))
    assert re.search(r"^11:22:33:44:55:66 .+ Lightbulb -50 dBm no +CA:FE:00:11:22:33 *$", console.file.getvalue(), re.M)


def test_version():
    assert re.fullmatch(r"hap, version \d+\.\d+.*\n", CliRunner().invoke(group.hap, ["--version"]).output)
