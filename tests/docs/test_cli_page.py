"""docs/cli.md: every command is there with its real help, and the JSON lines are those that are really printed."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest
from click.testing import CliRunner
from tests.cli.program import Running, hap, lines
from tests.cli.radio import lent_air
from tests.cli.test_snapshot import CAMERA
from tests.core.test_migration_pairings import FIELDS
from tests.core.test_migration_states import PYTHON
from tests.docs.pages import ROOT, blocks
from tools.docpages.cli import WIDTH, commands

from hap_trio.cli import group

PAGE = ROOT / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = list(commands())
CODE = "031-45-154"
WRONG = "031-45-155"
OTHER = "3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_is_real(name):
    printed = CliRunner().invoke(group.hap, [*name.split()[1:], "--help"], prog_name="hap", terminal_width=WIDTH).output
    assert f"<!-- help: {name} -->\n\n```text\n{printed}```\n" in TEXT


def test_a_wide_terminal_shows_the_same():
    assert hap("serve", "--help").stdout in TEXT


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "hap"])
def test_every_command_has_an_example(name):
    help_text = commands()[name]
    examples = re.findall(rf"^ +(?:Example: |)({name}(?: .+)?)$", help_text, re.MULTILINE)
    assert examples, help_text


def _documented() -> dict[str, list[dict]]:
    """Command -> the JSON lines under its heading."""
    found: dict[str, list[dict]] = defaultdict(list)
    for block in blocks(PAGE, "json"):
        before = "\n".join(TEXT.splitlines()[: block.line])
        heading = re.findall(r"^#+ (hap .+)$", before, re.MULTILINE)[-1]
        found[heading] += [json.loads(line) for line in block.text.splitlines()]
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> dict[str, list[dict]]:
    """Command -> the JSON lines it printed in a whole life of an accessory."""
    folder = tmp_path_factory.mktemp("cli")
    loopback = ("--interface", "127.0.0.1")
    found: dict[str, list[dict]] = defaultdict(list)

    def run(name: str, *arguments: object, code: int = 0) -> list[dict]:
        result = lines(hap(*name.split()[1:], *map(str, arguments), "--json"), code)
        found[name] += result
        return result

    run("hap demo")
    run("hap demo", "--ble")
    run("hap replay", "--as", "accessory", ROOT / "tests/replay/data/adk/ip-read.json")
    captured = ROOT / "tests/decode/data"
    run("hap decode", captured / "foreign.pcapng", "--keylog", captured / "foreign.keys")
    server = Running("serve", "--address", "127.0.0.1", "--setup-code", CODE, "--state", folder / "s.json", "--json")
    listening = server.next()
    where = ("--address", f"{listening['host']}:{listening['port']}")
    file = ("-f", folder / "p.json")
    lamp = ("-a", "lamp", *file, *where)
    run("hap init", *file)
    run("hap discover", "-t", "2", *loopback)
    # Others may be testing on the same loopback interface.
    found["hap discover"] = [one for one in found["hap discover"] if one["device_id"] == listening["device_id"]]
    run("hap identify", *where)
    run("hap pair", *where, "-p", WRONG, "-a", "lamp", *file, code=1)
    run("hap pair", *where, "-p", CODE, "-a", "lamp", *file)
    (accessory,) = run("hap accessories", *lamp)
    on = next(f"1.{c['iid']}" for s in accessory["services"] for c in s["characteristics"] if c["name"] == "On")
    run("hap get", *lamp, "-c", on)
    run("hap get", *lamp, "-c", "1.999", code=1)
    watch = Running("watch", *map(str, lamp), "-c", on, "--count", "1", "--json")
    watch.next()
    run("hap put", *lamp, "-c", on, "true")
    watch.next()
    assert watch.process.wait(timeout=30) == 0
    watch.process.communicate()
    found["hap watch"] = watch.seen
    run("hap top", "--once", *file, *loopback)
    proxy = Running("proxy", "lamp", *file, *where, "--listen", "127.0.0.1", "--no-mdns", "--json")
    between = proxy.next()
    through = ("--address", f"127.0.0.1:{between['port']}", "-a", "proxy", *file)
    run("hap pair", *through, "-p", between["setup_code"])
    run("hap put", *through, "-c", on, "false")
    code, rest = proxy.stop()
    assert code == 0
    found["hap proxy"] = [*proxy.seen, *map(json.loads, rest.splitlines())]
    run("hap pairings add", *lamp, "-i", OTHER, "-k", "11" * 32)
    run("hap pairings list", *lamp)
    guest = ("-a", "guest", "-f", folder / "guest.json")
    (waiting,) = run("hap pairings prepare", *guest)
    (added,) = run("hap pairings add", *lamp, "-i", waiting["identifier"], "-k", waiting["public_key"])
    run("hap pairings finish", *guest, *where, "-i", added["accessory_id"], "-k", added["accessory_key"])
    run("hap pairings remove", *lamp, "-i", OTHER)
    run("hap state show", "--state", folder / "s.json")
    (folder / "door.py").write_text(CAMERA, encoding="utf-8")
    camera = Running("serve", "door:camera", "--address", "127.0.0.1", "--no-mdns", "--json", cwd=folder)
    seen = camera.next()
    door = ("-a", "door", *file, "--address", f"{seen['host']}:{seen['port']}")
    assert not hap("pair", *door, "-p", seen["setup_code"]).returncode
    run("hap snapshot", *door, "-o", folder / "door.jpg")
    camera.stop()
    run("hap unpair", *lamp)
    server.until("unpaired")
    code, rest = server.stop()
    assert code == 0
    found["hap serve"] = [*server.seen, *map(json.loads, rest.splitlines())]
    (folder / "pairing.json").write_text(json.dumps({"lamp": FIELDS, "shade": {**FIELDS, "Connection": "CoAP"}}))
    run("hap import", folder / "pairing.json", "-f", folder / "imported.json", code=1)
    (folder / "accessory.state").write_text(json.dumps(PYTHON))
    run("hap import-state", folder / "accessory.state", "--state", folder / "moved.json")
    run("hap reset", "--state", folder / "s.json", "-y")
    run("hap state show", "--state", folder / "s.json")
    showing = Running("serve", "--display", "--address", "127.0.0.1", "--no-mdns", "--json")
    begun = showing.next()
    place = ("--address", f"{begun['host']}:{begun['port']}", "-f", folder / "shown.json")
    run("hap pair", *place, "-p", WRONG, "-a", "shown", code=1)
    showing.until("hide-code")
    assert showing.stop()[0] == 0
    found["hap serve"] += showing.seen
    run("hap code", "--category", "lightbulb")
    with lent_air() as hci:
        server = Running("serve", "--ble", "--hci", hci, "--json")
        found["hap serve"].append(listening := server.next())
        run("hap discover", "--ble", "--adapter", f"bumble:{hci}", "-t", "2")
        assert server.stop()[0] == 0
    assert found["hap discover"][-1]["device_id"] == listening["device_id"]
    return found


def _shape(line: dict) -> tuple[object, ...]:
    """What two lines have in common that say the same of different things."""
    kinds = tuple(sorted((name, type(value).__name__) for name, value in line.items()))
    return line.get("event"), line.get("name") if "step" in line else None, kinds


@pytest.mark.parametrize("name", sorted(_documented()))
def test_the_lines_are_those_printed(name, printed):
    assert {_shape(line) for line in _documented()[name]} == {_shape(line) for line in printed[name]}


def test_no_command_is_silent_about_its_lines():
    without = {"hap", "hap pairings", "hap state", "hap export"}  # groups; and what it writes is the file itself
    assert set(_documented()) == set(COMMANDS) - without


def test_exit_codes(tmp_path):
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", TEXT, re.MULTILINE))
    assert told["0"] == "done"
    assert told["1"] == "refused or failed"
    assert hap("get", "-a", "nobody", "-c", "1.9", "-f", tmp_path / "p.json").returncode == 1
    assert told["2"] == "wrong usage"
    assert hap("get", "-c", "1.9").returncode == 2
    assert set(told) == {"0", "1", "2", "130"}
