"""Files, ids and accessories as they should not be: one clear line, no traceback, exit code 1 or 2."""

from __future__ import annotations

import json
import os
import stat

import pytest
from tests.cli.here import CODE, done, lamp, paired, refused, run, told
from tests.core.test_migration_pairings import FIELDS, HEXED

from hap_sync.store import FileStore
from hap_trio.cli import terminal
from hapcore.catalogue.services import Lightbulb
from hapcore.state import PAIRINGS

WILD = "A\x1b]0;owned\x07\x9b2J\u202eB [/bold] [red]\\"
SHOWN = "A\\x1b]0;owned\\x07\\x9b2J\\u202eB [/bold] [red]\\"


def good(folder) -> dict:
    """The tree of a pairings file."""
    old = folder / "old.json"
    old.write_text(json.dumps({"lamp": FIELDS}))
    done("import", old, "-f", folder / "good.json")
    return json.loads((folder / "good.json").read_text())


def spoilt(tree: dict) -> dict[str, tuple[str, str]]:
    """What is wrong -> the content of the file, and what is said of it."""
    text = json.dumps(tree)

    def without(name: str) -> str:
        record = {key: value for key, value in tree["pairings"]["lamp"].items() if key != name}
        return json.dumps(tree | {"pairings": {"lamp": record}})

    def put(name: str, value: object) -> str:
        return json.dumps(tree | {"pairings": {"lamp": tree["pairings"]["lamp"] | {name: value}}})

    return {
        "empty": ("", "the file is empty"),
        "half written": (text[: len(text) // 2], "damaged or cut short"),
        "newer": (json.dumps(tree | {"version": 99}), "has version 99"),
        "no version": (json.dumps(tree | {"version": None}), "no version number"),
        "foreign": (json.dumps({"lamp": FIELDS}), "not a hapcore-pairings file"),
        "foreign too": (json.dumps(HEXED), "not a hapcore-pairings file"),
        "a list": ("[]", "not a hapcore-pairings file"),
        "no key": (without("controller_ltsk"), "controller_ltsk is missing"),
        "short key": (put("accessory_ltpk", "00"), "not 32 bytes in hexadecimal"),
        "no id": (put("accessory_id", ""), "accessory_id is missing"),
        "wrong port": (put("port", 99999), "port is not a number"),
        "transport": (put("transport", "smoke"), "transport is none that is known"),
        "wild alias": (json.dumps(tree | {"pairings": {"\x1b[2J": tree["pairings"]["lamp"]}}), "printable"),
        "no text": ("\ufffe\x00", "no JSON text"),
    }


NAMES = ["empty", "half written", "newer", "no version", "foreign", "foreign too", "a list", "no key", "short key"]
NAMES += ["no id", "wrong port", "transport", "wild alias", "no text"]


def test_all_of_them(tmp_path):
    assert list(spoilt(good(tmp_path))) == NAMES


@pytest.mark.parametrize("what", NAMES)
def test_a_spoilt_pairings_file(what, tmp_path):
    content, words = spoilt(good(tmp_path))[what]
    file = tmp_path / "p.json"
    file.write_text(content, encoding="utf-8", errors="surrogatepass")
    before = file.read_bytes()
    alias = ("-a", "lamp", "-f", file)
    for command in (
        ("get", *alias, "-c", "1.9"),
        ("pair", "--address", "127.0.0.1:1", "-p", CODE, *alias),
        ("pairings", "prepare", *alias),
        ("unpair", "--force", *alias),
        ("init", "-f", file),
    ):
        said = refused(*command)
        assert str(file) in said
        assert ("is there already" if command[0] == "init" else words) in said
    assert file.read_bytes() == before


def test_files_that_cannot_be(tmp_path):
    alias = ("-a", "lamp", "-c", "1.9")
    assert "directory" in refused("get", *alias, "-f", tmp_path, code=2).lower()
    beside = tmp_path / "file"
    beside.write_text("")
    said = refused("get", *alias, "-f", beside / "p.json")
    assert "File exists" in said or "Not a directory" in said
    assert "no pairing is called 'lamp' (known: there are none yet)" in refused(
        "get", *alias, "-f", tmp_path / "x.json"
    )


def test_init(tmp_path):
    file = tmp_path / "folder" / "p.json"
    assert told("init", "-f", file) == [{"event": "initialised", "file": str(file)}]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PAIRINGS.decode(file.read_bytes()) == {}
    before = file.read_bytes()
    assert "is there already: it is left as it is" in refused("init", "-f", file)
    assert file.read_bytes() == before
    assert "known: there are none yet" in refused("get", "-a", "x", "-c", "1.1", "-f", file)


def test_two_at_one_file(tmp_path):
    """Each change is made to what the file holds by then: nothing is lost, whoever comes second."""
    file = tmp_path / "p.json"
    first, second = FileStore(file, PAIRINGS), FileStore(file, PAIRINGS)
    first.load()
    second.load()
    done("pairings", "prepare", "-a", "one", "-f", file)
    done("pairings", "prepare", "-a", "two", "-f", file)
    table = first.load()
    first.persist("prepared/three", table["prepared/one"])
    second.forget("prepared/one")
    done("unpair", "-a", "two", "-f", file)
    assert list(FileStore(file, PAIRINGS).load()) == ["prepared/three"]


def test_a_state_file_in_use(tmp_path):
    with lamp(state=tmp_path / "s.json"):
        assert "is in use" in refused("reset", "--state", tmp_path / "s.json", "-y")
        assert "is in use" in refused("serve", "--state", tmp_path / "s.json", "--address", "127.0.0.1", "--no-mdns")


def test_what_is_not_there(tmp_path):
    with paired(tmp_path) as (one, known):
        file = known[:4]
        assert "no pairing is called 'other' (known: lamp)" in refused("get", "-a", "other", *known[2:], "-c", "1.9")
        assert "1.999: there is no such characteristic (-70409)" in refused("get", *known, "-c", "1.999")
        assert "1.999: there is no such characteristic; `hap acc" in refused("put", *known, "-c", "1.999", "1")
        for bad in ("1", "1.", "x.y", "0.1", "1.1.1", "-1.2", "1.99999999999999999999999"):
            assert "Invalid value for '-c'" in refused("get", *known, "-c", bad, code=2)
        nobody = refused("get", *file, "--address", "127.0.0.1:1", "-c", "1.9")
        assert "127.0.0.1" in nobody
        for bad in ("nonsense", "h:0", "h:99999", "a:b:c"):
            assert "is not of the form HOST:PORT" in refused("get", *file, "--address", bad, "-c", "1.9")
        on = str(one.light.on.id)
        assert "neither true nor false" in refused("put", *known, "-c", on, "perhaps")
        with lamp() as other:
            said = refused("get", *file, *other.where, "-c", on)
            assert f"expected accessory {one.device_id}" in said


def test_values_from_files(tmp_path):
    with paired(tmp_path) as (one, known):
        level = str(one.light.brightness.id)
        (tmp_path / "level").write_text("70\r\n")
        assert done("put", *known, "-c", level, f"@{tmp_path}/level") == f"{level} <- 70\n"
        missing = refused("put", *known, "-c", level, f"@{tmp_path}/nothing")
        assert missing == f"hap: {tmp_path}/nothing: No such file or directory\n"
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        assert "this is no text" in refused("put", *known, "-c", level, f"@{tmp_path}/bytes")
        assert "'@5' is no whole number" in refused("put", *known, "-c", level, "@@5")


def wild_lamp() -> Lightbulb:
    """A lamp whose name would move the cursor."""
    light = Lightbulb("Lamp", on=False, brightness=40)
    light.name.value = WILD
    return light


def test_names_full_of_control_characters(tmp_path):
    with paired(tmp_path, light=wild_lamp()) as (one, known):
        name = str(one.light.name.id)
        shown = (
            done("get", *known, "-c", name),
            done("get", *known, "-c", name, "--format", "text", "--meta"),
            done("accessories", *known),
            done("accessories", *known, "-o", "compact"),
            done("accessories", *known, "--format", "homekit_python"),
        )
        for text in shown:
            assert "".join(text.split("\n")).isprintable()
            assert SHOWN in text
        for text in (
            done("get", *known, "-c", name, "--json"),
            done("accessories", *known, "--json"),
            done("accessories", *known, "-o", "json"),
        ):
            assert "".join(text.split("\n")).isprintable()
            assert WILD in values(json.loads(text))


def values(tree: object) -> list[object]:
    """All that stands under "value" anywhere in a tree."""
    if isinstance(tree, list):
        return [one for each in tree for one in values(each)]
    if isinstance(tree, dict):
        return [tree.get("value"), *values(list(tree.values()))]
    return []


def test_names_that_look_like_markup(tmp_path):
    with lamp() as one:
        for alias in ("[/bold]", "[red]a", "a\\", "[link=file:///etc]x"):
            known = ("-a", alias, "-f", tmp_path / "p.json", *one.where)
            assert f" as {alias}.\n" in done("pair", *known, "-p", CODE)
            assert done("unpair", *known) == f"{alias} is not paired any more.\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Küche 灯", "Küche 灯"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J\x9b", "\\x1b[2J\\x9b"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_clean(text, shown):
    assert terminal.clean(text) == shown
    assert terminal.clean_json(json.dumps(text, ensure_ascii=False)).isprintable()
    assert json.loads(terminal.clean_json(json.dumps(text, ensure_ascii=False))) == text


def test_an_alias_is_no_terminal_code(tmp_path):
    said = refused("pair", "--address", "127.0.0.1:1", "-p", CODE, "-a", "\x1b[2J", "-f", tmp_path / "p.json")
    assert "1 to 100 printable characters" in said
    assert "\\x1b[2J" in refused("get", "-a", "\x1b[2J", "-c", "1.9", "-f", tmp_path / "p.json")
    assert os.listdir(tmp_path) == []
    assert run("get", "-a", "\x1b", "-c", "\x1b").exit_code == 2
