"""`hap top` when things go wrong at once, come in while others are asked, or are hundreds."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from threading import Thread
from time import monotonic

import pytest
import trio
import trio.testing
from rich.text import Text
from tests.cli.test_top import BRIGHTNESS, DATABASE, ON

from hap_trio.cli.top.board import Board, Presence
from hap_trio.cli.top.watcher import PROBE, RoundTrip, Watcher
from hapcore.discovery import Transport
from hapcore.errors import StateError
from hapcore.home.supervision import DatabaseChanged
from hapcore.model.remote import read_accessories

pytest.importorskip("textual")

import trio.lowlevel

from hap_trio.cli.top import command, screen


class _Home:
    """Accessories that answer; while they do, another one appears."""

    def __init__(self, watcher, transports):
        self.watcher, self.transports, self.read_of = watcher, transports, []

    def connect(self, alias):
        return _Client(self, alias)

    def record(self, alias):
        return type("Record", (), {"transport": self.transports[alias]})


class _Client:
    connected = True

    def __init__(self, home, alias):
        self.home, self.alias = home, alias

    async def read(self, ids):
        self.home.read_of.append(self.alias)
        name = f"new {len(self.home.read_of)}"
        self.home.transports[name] = Transport.IP
        self.home.watcher._choose(DatabaseChanged(name, read_accessories(DATABASE), frozenset(), frozenset()))
        await trio.lowlevel.checkpoint()


def _measured(transports, seconds):
    async def main():
        watcher = Watcher(None, trio.current_time)
        home = _Home(watcher, dict(transports))
        for alias in transports:
            watcher._choose(DatabaseChanged(alias, read_accessories(DATABASE), frozenset(), frozenset()))
        with trio.move_on_after(seconds):
            await watcher._measure(home)
        while not watcher._news.empty():
            assert isinstance(watcher._news.get()[1], RoundTrip)
        return home.read_of

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_accessories_that_appear_while_others_are_asked():
    assert _measured({"one": Transport.IP, "two": Transport.IP}, 1.5 * PROBE) == ["one", "two"]
    assert len(_measured({"one": Transport.IP}, 2.5 * PROBE)) == 3


def test_batteries_are_not_asked_how_quick_they_are():
    assert _measured({"sensor": Transport.BLE}, 3.5 * PROBE) == []


def _never():
    raise AssertionError("nobody opens what was stopped before")


def test_it_ends_though_it_was_left_before_it_began():
    watcher = Watcher(_never, monotonic)
    watcher.stop()
    trio.run(watcher.run)


def test_a_failure_at_once_ends_the_screen(monkeypatch):
    """The file cannot be read any more: that is known long before the screen is there."""

    @asynccontextmanager
    async def failing():
        raise StateError("the file is damaged")
        yield

    run = screen.Top.run
    threads = []
    monkeypatch.setattr(command, "Thread", lambda **how: threads.append(Thread(**how)) or threads[-1])

    def late(app):
        threads[0].join()
        run(app, headless=True)

    monkeypatch.setattr(screen.Top, "run", late)
    with pytest.raises(StateError, match="damaged"):
        command._live(Watcher(failing, monotonic), Board(("lamp",)))


class _Stage:
    """The screen over a board, with nobody behind it."""

    def __init__(self, board):
        self.board, self.now, self.written = board, 100.0, []

    def play(self, play):
        async def main():
            app = screen.Top(self.board, lambda: None, lambda *what: self.written.append(what), lambda: self.now)
            async with app.run_test(size=(120, 30)) as pilot:
                return await play(app, pilot)

        return asyncio.run(main())


def _board(*aliases, database=DATABASE):
    board = Board(aliases)
    for lane in board.lanes.values():
        lane.describe(read_accessories(database))
        lane.presence = Presence.HERE
    return board


def test_the_cursor_stays_with_its_accessory():
    """Another one comes in above it: the next key must not switch that one."""
    board = _board("kitchen", "lamp")

    async def play(app, pilot):
        await pilot.press("down", "enter")
        app.beat()
        assert app.chosen.alias == "lamp"
        board.lane("hall").describe(read_accessories(DATABASE))
        app.beat()
        await pilot.pause()
        assert app.chosen.alias == "lamp"
        await pilot.press("right")
        await pilot.pause()

    stage = _Stage(board)
    stage.play(play)
    assert [(alias, tuple(number), value) for alias, number, value in stage.written] == [("lamp", tuple(ON), True)]


def test_what_an_accessory_says_is_no_markup():
    text = {"iid": 50, "type": "E3", "format": "string", "perms": ["pr", "pw", "ev"], "value": "[/x] [@click=quit]"}
    accessory = DATABASE["accessories"][0]
    named = {**accessory, "services": [{"iid": 49, "type": "43", "characteristics": [text]}]}

    async def play(app, pilot):
        await pilot.press("enter", "enter")
        await pilot.pause()
        (label,) = [one for one in app.screen.query("Label") if "[/x]" in str(one.render())]
        return str(label.render())

    shown = _Stage(_board("lamp", database={"accessories": [named]})).play(play)
    assert "[/x] [@click=quit]" in shown


@pytest.mark.parametrize(("lanes", "accessories"), [(300, 1), (3, 700)])
def test_what_stays_as_it_is_costs_nothing(monkeypatch, lanes, accessories):
    behind = [{**DATABASE["accessories"][0], "aid": aid} for aid in range(1, accessories + 1)]
    board = _board(*(f"lamp {number:03}" for number in range(lanes)), database={"accessories": behind})
    stage = _Stage(board)
    drawn = []
    monkeypatch.setattr(screen, "Text", lambda *what, **how: drawn.append(what) or Text(*what, **how))

    async def play(app, pilot):
        app.beat()
        await pilot.pause()
        drawn.clear()
        app.beat()
        assert drawn == []
        first, *_, last = board.lanes.values()
        for lane in (first, last):
            lane.change(BRIGHTNESS, 55, stage.now)
        app.beat()
        assert len(drawn) == 5 * 2 + 4  # the lines of the two, and the one value that is shown
        stage.now += screen.FRESH
        app.beat()
        return len(drawn)

    assert stage.play(play) == 5 * 2 + 4 + 4
