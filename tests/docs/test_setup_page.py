"""docs/setup.md: its programs are run, its commands too, and what it says of resets is what they do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.programs import environment, launch, line

import hap_sync
from hapcore.setup_code import SetupCode, SetupPayload

PAGE = ROOT / "docs" / "setup.md"
BLOCKS = blocks(PAGE, "python")


def _with(phrase: str) -> Block:
    (found,) = (one for one in BLOCKS if phrase in one.text)
    return found


def _save(block: Block, folder: Path) -> None:
    (folder / "block.py").write_text(block.text, encoding="utf-8")


def test_every_block_is_run():
    assert len(BLOCKS) == 3


def test_a_code_for_life(tmp_path):
    _save(_with("nfc_message"), tmp_path)
    told = []
    for _ in range(2):
        with launch(["block.py"], tmp_path) as process:
            _, _, code = line(process).split()
            lines = dict(line(process).split(" ", 1) for _ in range(3))
            assert process.wait(timeout=30) == 0
        assert lines["code"] == code
        payload = SetupPayload.parse(lines["payload"])
        assert (payload.code, payload.category) == (SetupCode(code), 5)
        assert bytes.fromhex(lines["tag"]) == payload.ndef()
        told.append(lines)
    assert told[0] == told[1]


def test_the_record():
    exec(_with("payload.ndef()").text, {})  # noqa: S102 - it is ours


def test_the_display(tmp_path):
    _save(_with("show_code"), tmp_path)
    with launch(["block.py"], tmp_path) as process:
        _, port, code = line(process).split()
        assert code == "-"
        with (
            hap_sync.open_controller(None, mdns=False) as home,
            home.start_pairing(f"127.0.0.1:{port}", "hall") as started,
        ):
            word, shown = line(process).split()
            assert word == "display:"
            started.finish(shown)
        assert line(process) == "display: 21.0 degrees"


def test_the_commands(tmp_path):
    (console,) = blocks(PAGE, "text")
    first, second = (one[2:].split() for one in console.text.splitlines())
    assert (first[:2], second[:2]) == (["hap", "code"], ["hap", "serve"])
    done = subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", *first[1:]],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "label.svg").read_text("utf-8").count("<text") == 2
    assert 'width="25mm"' in (tmp_path / "label.svg").read_text("utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "hap_trio.cli", *second[1:], "--address", "127.0.0.1", "--no-mdns"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "Ctrl-C" not in process.stdout.readline():
            pass
        process.terminate()
    assert (tmp_path / "label.png").read_bytes().startswith(b"\x89PNG")


#: What is there before a reset, by what the page calls it.
ENTRIES = {"identity", "setup", "ids", "database", "attempts", "pairing/41"}


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        ("hap reset --attempts --state lamp.json", {"attempts"}),
        ("hap reset --pairings --state lamp.json", {"attempts", "pairing/41"}),
        ("hap reset --state lamp.json", {"attempts", "pairing/41", "identity", "database"}),
        ("hap reset --everything --state lamp.json", ENTRIES),
    ],
)
def test_the_ways_out(tmp_path, row, gone):
    from hap_sync.store import FileStore
    from hapcore.state import STATE

    assert re.search(rf"^\| `{re.escape(row)}` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    store = FileStore(tmp_path / "lamp.json", STATE)
    store.replace(dict.fromkeys(ENTRIES, b"{}"))
    store.close()
    done = subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", *row.split()[1:], "-y"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    store = FileStore(tmp_path / "lamp.json", STATE)
    assert ENTRIES - set(store.load()) == gone
    store.close()
