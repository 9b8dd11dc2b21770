"""Progress is shown on a terminal, on stderr, and nowhere else."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console
from tests.cli.here import CODE, done, lamp, refused, run

from hap_trio.cli import progress

LOOPBACK = ("--interface", "127.0.0.1")


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """A terminal for stderr, as wide as one needs."""
    drawn = io.StringIO()
    monkeypatch.setattr(
        progress, "_console", lambda: Console(file=drawn, force_terminal=True, width=120, legacy_windows=False)
    )
    return drawn


def seen(screen: io.StringIO) -> str:
    """What was drawn, without the codes of the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def test_pairing_and_reading(screen, tmp_path):
    with lamp() as one:
        known = ("-a", "lamp", "-f", tmp_path / "p.json", *one.where)
        assert done("pair", *known, "-p", CODE) == f"Paired with {one.device_id} as lamp.\n"
        drawn = seen(screen)
        assert f"Looking for 127.0.0.1:{one.server.port}" in drawn
        assert "Starting to pair" in drawn
        assert "Proving the code" in drawn
        assert "Reading what lamp has" not in drawn
        assert "Lightbulb" in done("accessories", *known)
        assert "Reading what lamp has" in seen(screen)
        assert "\x1b[2K" in screen.getvalue().rpartition("Reading what")[2], "it is wiped off again"


def test_it_stands_back_while_a_code_is_typed(screen, tmp_path, monkeypatch):
    with lamp() as one:
        before: list[int] = []

        def typed(*_, **__) -> str:
            before.append(len(screen.getvalue()))
            screen.write("|typing|")
            return CODE

        monkeypatch.setattr("hap_trio.cli.asking.click.prompt", typed)
        result = run("pair", "-a", "lamp", "-f", tmp_path / "p.json", *one.where)
        assert result.exit_code == 0, result.output
        until = screen.getvalue().partition("|typing|")[0]
        assert until.rfind("\x1b[?25h") > until.rfind("\x1b[?25l"), "the cursor is there for who types"


def test_discovery(screen):
    with lamp(mdns=True) as one:
        done("identify", "-d", one.device_id, "-t", "30", *LOOPBACK)  # it takes a moment to be announced
        assert one.device_id in done("discover", "-t", "1", *LOOPBACK, "--json")
    assert re.search(r"━ *[1-9]\d* found", seen(screen))


def test_hostile_names_are_shown_tidied(screen):
    with progress.steps("\x1b[31mred[/red]") as steps:
        steps.say("\u202e[bold]x")
    assert "\u202e" not in screen.getvalue()
    assert "\\u202e[bold]x" in seen(screen)


def test_nothing_in_pipes(tmp_path):
    with lamp() as one:
        known = ("-a", "lamp", "-f", tmp_path / "p.json", *one.where)
        assert run("pair", *known, "-p", CODE).stderr == ""
        assert run("accessories", *known).stderr == ""
    assert run("discover", "-t", "0.1", *LOOPBACK).stderr == ""
    with progress.looking(1.0) as search:
        search.show(1)


def test_an_error_is_one_line_all_the_same(screen, tmp_path):
    said = refused("pair", "--address", "127.0.0.1:1", "-p", CODE, "-a", "x", "-f", tmp_path / "p.json")
    assert "127.0.0.1" in said


def test_the_real_terminal(monkeypatch):
    """Standard error decides, whatever standard output is."""
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True, write=lambda _: None, flush=lambda: None))
    assert progress._console().is_terminal
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: False, write=lambda _: None, flush=lambda: None))
    assert not progress._console().is_terminal
