"""docs/examples.md names every example, once, and what is named exists."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import README, ROOT

PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
LINKS = [link for cell, _ in ROWS for link in re.findall(r"\]\(\.\./examples/([^)]+)\)", cell)]
FILES = sorted(
    path.as_posix()
    for path in (one.relative_to(ROOT / "examples") for one in (ROOT / "examples").rglob("*.*") if one.is_file())
    if not any(part.startswith((".", "__pycache__")) for part in path.parts)
)
#: Those that are accessories, on an adapter.
ACCESSORIES = [
    "thermostat.py",
    "door_lock.py",
    "doorbell.py",
    "camera.py",
    "growing_bridge.py",
    "web_hook.py",
    "systemd/shutdown_switch.py",
]


def test_every_example_is_there_once():
    assert sorted(LINKS) == FILES


def test_each_has_a_line_that_tells_what_it_teaches():
    assert all(len(told) > 15 for cell, told in ROWS if "](" in cell)


def test_the_readme_leads_to_it():
    assert "(docs/examples.md)" in README.read_text(encoding="utf-8").partition("## Reading on")[2]


@pytest.mark.parametrize("name", ACCESSORIES)
def test_it_says_how_to_run_it_and_is_short(name):
    text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    command = re.search(r"`(?:\w+=\S+ )?python (\S+\.py)[ `]", text.split('"""')[1])
    assert command is not None
    assert name.endswith(command[1])
    assert len(text.splitlines()) <= 90
