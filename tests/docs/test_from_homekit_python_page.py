"""docs/from-homekit-python.md: every row is run, against a lamp that is really there."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.cli.here import CODE, done, lamp, run
from tests.cli.program import Running
from tests.cli.radio import lit_air
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "from-homekit-python.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `python3 -m homekit\.(\w+)([^`]*)` \| `hap ([^`]+)` \|$", re.MULTILINE)
OVER_IP, _, OVER_BLE = TEXT.partition("## Over Bluetooth LE")

#: The modules of homekit_python that are tools.
TOOLS = {
    "add_additional_pairing",
    "debug_proxy",
    "discover",
    "discover_ble",
    "finish_add_remote_pairing",
    "get_accessories",
    "get_characteristic",
    "get_events",
    "identify",
    "init_controller_storage",
    "list_pairings",
    "pair",
    "pair_ble",
    "prepare_add_remote_pairing",
    "put_characteristic",
    "remove_pairing",
}
#: Tool -> what it must have printed, in the old words.
PRINTED = {
    "discover": r"(?s).*Name: Desk lamp[^\n]*\._hap\._tcp\.local\.\nUrl: http_impl://127\.0\.0\.1:\d+\n"
    r"Configuration number \(c#\): 1\n.*",
    "discover_ble": r"(?s)\nName: .*\nMAC: .*\nGlobal State Number \(s#\): 1\n.*",
    "pair": r'Pairing for "lamp" was established\.\n',
    "pair_ble": r'Pairing for "lamp" was established\.\n',
    "list_pairings": r"Pairing Id: \S+\n\tPublic Key: 0x[0-9a-f]{64}\n\tPermissions: 1 \(admin\)\n",
    "get_accessories": r"(?s)1\.1: >accessory-information<\n  1\.2: .*|\[\n    \{\n        \"aid\": 1,\n.*",
    "get_characteristic": r"(?s)\{\n    \"1\.\d+\": \{\n        \"value\": .*\n\}\n",
    "put_characteristic": "",
    "get_events": r"event for 1\.\d+: (True|False)\n",
    "prepare_add_remote_pairing": r"Please add this to homekit\.add_additional_pairing:\n    -i (\S+) "
    r"-k ([0-9a-f]{64})\n",
    "add_additional_pairing": r"Please add this to homekit\.finish_add_remote_pairing:\n    -c (?:IP -i (\S+)|"
    r"BLE -i \S+ -m \S+) -k ([0-9a-f]{64})\n",
    "finish_add_remote_pairing": "",
    "remove_pairing": r'Pairing for "lamp" was removed\.\n',
    "identify": "It should show itself now.\n",
    "init_controller_storage": r".*pairings\.json is ready\.\n",
}


def rows(text: str) -> list[tuple[str, str, str]]:
    found = ROW.findall(text)
    assert len(found) == len(re.findall("^\\| `", text, re.MULTILINE)), "a row that is no row"
    return found


def test_every_tool_is_there():
    assert {tool for tool, _, _ in rows(TEXT)} == TOOLS


@pytest.mark.parametrize(("tool", "old", "new"), rows(TEXT), ids=lambda each: each[:40])
def test_options_stay(tool, old, new):
    """What an old command says stands in the new one, unless its meaning is in another word."""
    words, others = shlex.split(old), shlex.split(new)
    renamed = {"-c": {"debug_proxy": "-f", "finish_add_remote_pairing": None}, "-s": {"debug_proxy": "--state"}}
    renamed |= {"-C": {"debug_proxy": "--filter"}, "-p": {"add_additional_pairing": None}}
    renamed |= {"-a": {"debug_proxy": None}, "-m": {"finish_add_remote_pairing": None}}
    for word in words:
        if word.startswith("-"):
            expected = renamed.get(word, {}).get(tool, word)
            assert expected is None or expected in others, word
        elif word not in ("IP", "BLE", "User", "Admin", "CA:FE:00:11:22:33"):
            assert word in others


class Walk:
    """Runs the rows one after the other; what the page calls by made-up names is put in its place."""

    def __init__(self, folder, device_id: str, on: str, level: str, code: str, more: tuple[str, ...]) -> None:
        self.names = {"12:34:56:78:9A:BC": device_id, "1.9": on, "1.10": level, "031-45-154": code}
        self.names |= {name: f"{folder}/{name}" for name in ("pairings.json", "guest.json", "proxy.json")}
        self.names |= {"@level.txt": f"@{folder}/level.txt", "dimmer.py": f"{folder}/dimmer.py"}
        self.more = more
        (folder / "level.txt").write_text("30\n")
        (folder / "dimmer.py").write_text("def to_accessory(aid, iid, value, caller):\n    return value\n")

    def words(self, new: str) -> list[str]:
        words = [self.names.get(one, one) for one in shlex.split(new)]
        return [*words, *(self.more if words[0] in ("discover", "identify", "pair") or words[1] == "finish" else ())]

    def run(self, tool: str, new: str) -> None:
        result = run(*self.words(new))
        assert (result.exit_code, result.stderr) == (0, ""), (tool, result.output)
        found = re.fullmatch(PRINTED[tool], result.stdout)
        assert found, (tool, result.stdout)
        if tool == "prepare_add_remote_pairing":
            self.names |= {"GUEST": found[1], "GUESTKEY": found[2]}
        elif tool == "add_additional_pairing":
            self.names["LAMPKEY"] = found[2]
        elif tool == "discover_ble":
            self.names["CA:FE:00:11:22:33"] = re.search("^MAC: (.*)$", result.stdout, re.MULTILINE)[1]


@contextmanager
def restless(switch: Callable[[bool], object]) -> Iterator[None]:
    """Somebody plays with the switch, so that there are events whenever the command is ready for them."""
    over = threading.Event()

    def play() -> None:
        on = False
        while not over.wait(0.1):
            on = not on
            switch(on)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_over_ip(tmp_path):
    with lamp(mdns=True) as one:
        light = one.light
        walk = Walk(
            tmp_path, one.device_id, str(light.on.id), str(light.brightness.id), CODE, ("--interface", "127.0.0.1")
        )
        done("identify", "-d", one.device_id, "-t", "30", *walk.more)  # it takes a moment to be announced
        for tool, _, new in rows(OVER_IP):
            if tool == "debug_proxy":
                proxy = Running(*walk.words(new), "--listen", "127.0.0.1", "--no-mdns", "--json")
                assert proxy.until("listening")["setup_code"]
                assert proxy.stop()[0] == 0
            elif tool == "get_events":
                with restless(one.switch):
                    walk.run(tool, new)
            else:
                walk.run(tool, new)
        assert (light.brightness.value, one.server.paired) == (30, False)
    assert json.loads((tmp_path / "pairings.json").read_text())["pairings"] == {}


def test_over_ble(tmp_path, monkeypatch):
    with lit_air(CODE) as air:
        monkeypatch.setenv("HAP_BLE_ADAPTER", f"bumble:{air.hci}")
        light = air.light
        walk = Walk(tmp_path, air.server.device_id, str(light.on.id), str(light.brightness.id), CODE, ())
        for tool, _, new in rows(OVER_BLE):
            if tool == "get_events":
                with restless(lambda on: air.do(lambda: setattr(light.on, "value", on))):
                    walk.run(tool, new)
            else:
                walk.run(tool, new)
        assert not air.server.paired


def test_pairings_come_along(tmp_path):
    old, new = tmp_path / "pairings-of-homekit-python.json", tmp_path / "new.json"
    with lamp() as one:
        done("pair", *one.where, "-p", CODE, "-a", "lamp", "-f", tmp_path / "p.json")
        assert run("export", "--to", "homekit_python", "-f", tmp_path / "p.json", "-o", old).exit_code == 0
        assert json.loads(old.read_text())["lamp"]["Connection"] == "IP"
        said = "Imported lamp (12:34:56:78:9A:BC).\n"
        assert said in TEXT
        assert done("import", old, "-f", new) == said.replace("12:34:56:78:9A:BC", one.device_id)
        assert done("get", "-a", "lamp", "-f", new, "-c", str(one.light.on.id)).endswith("= false\n")
