"""docs/embedding.md as its reader has it: the programs are taken from the page, and nothing else is there."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, blocks
from tests.docs.programs import finish, line, running
from tests.examples.home import Home
from tools import generate_docs

PAGE = ROOT / "docs" / "embedding.md"
PROGRAMS = ROOT / "docs" / "programs.md"


def shown(page: Path) -> dict[str, str]:
    """The whole programs of a page, by the names that it gives them."""
    return {
        Path(found["name"]).name: found[0].split("```python\n")[1].split("\n```")[0] + "\n"
        for found in generate_docs.MARKED.finditer(page.read_text(encoding="utf-8"))
        if found["kind"] == "file"
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All that the page says to save."""
    for name, text in {**shown(PAGE), **shown(PROGRAMS)}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_what_is_shown_in_part_is_shown_in_full_too():
    whole = {**shown(PAGE), **shown(PROGRAMS)}
    parts = re.findall(r"<!-- part: examples/(\S+)", PAGE.read_text(encoding="utf-8"))
    assert {*parts} == {"in_tk.py", "in_qt.py", "in_twisted.py", "in_gevent.py"}
    assert {*parts} == {*shown(PROGRAMS)}
    ours = {path.stem for path in (ROOT / "examples").glob("*.py")}
    for text in whole.values():
        imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        assert {f"{name}.py" for name in imported & ours} <= {*whole}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("over_unix.py", ["lamp.sock"]),
        ("over_tls.py", []),
        ("over_tls_asyncio.py", []),
        ("over_tls_sync.py", []),
        ("over_serial.py", []),
    ],
)
def test_a_transport(name, arguments, folder):
    assert finish([name, *arguments], folder) == "on: True\n"


@pytest.mark.parametrize(("name", "passed"), [("test_in_memory.py", 3), ("test_transport.py", 1)])
def test_a_test(name, passed, folder):
    said = finish(["-m", "pytest", "-q", "-p", "no:cacheprovider", name], folder)
    assert re.search(rf"^{passed} passed", said, re.MULTILINE), said


@pytest.mark.parametrize("name", ["over_ssh.py", "over_ssh_asyncio.py", "over_ssh_sync.py"])
def test_a_tunnel_to_the_loop_at_the_top(name, folder):
    forward = str(ROOT / "tests" / "examples" / "forward.py")  # what nc would do
    with running(["own_loop_minimal.py"], folder) as lamp:
        port, code = line(lamp).split()
        assert finish([name, code, sys.executable, forward, port], folder) == "on: True\n"
        assert line(lamp) == "on"


def test_the_three_commands(folder, monkeypatch):
    (commands,) = blocks(PAGE, "text")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    with running(["own_loop_minimal.py"], folder) as lamp:
        port, code = line(lamp).split()
        said = []
        for command in commands.text.replace("PORT", port).replace("CODE", code).splitlines():
            program, *arguments = command.split()
            assert program == "hap"
            said.append(finish(["-m", "hap_trio.cli", *arguments], folder))
        assert line(lamp) == "on"
    assert "1.9 On" in said[1]


@pytest.mark.parametrize("library", ["twisted", "gevent"])
def test_a_lamp_in_the_loop_of_a_library(library, folder):
    with running([f"in_{library}.py", "lamp.json"], folder) as lamp:
        home = Home.pair(*line(lamp).split())
        home.switch(True)
        assert line(lamp) == "on"
        home.close()
