"""`hap top`: what it knows, and what its screen shows and does when keys are pressed."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys

import pytest
from tests.cli.program import ENVIRONMENT, LIMIT, failure, hap, lines, served

from hap_trio.cli.top.board import Board, Presence
from hapcore.ids import CharacteristicId
from hapcore.model.remote import read_accessories

pytest.importorskip("textual")

from hap_trio.cli.top.screen import Top

ON, BRIGHTNESS, WARMTH, MODE = (CharacteristicId(1, iid) for iid in (9, 10, 21, 31))


def _one(iid, kind, form, value, perms=("pr", "ev"), **more):
    return {"iid": iid, "type": kind, "format": form, "perms": list(perms), "value": value, **more}


DATABASE = {
    "accessories": [
        {
            "aid": 1,
            "services": [
                {"iid": 1, "type": "3E", "characteristics": [_one(2, "23", "string", "La\x1bmp", ["pr"])]},
                {
                    "iid": 8,
                    "type": "43",
                    "characteristics": [
                        _one(9, "25", "bool", 0, ["pr", "pw", "ev"]),
                        _one(10, "8", "int", 40, ["pr", "pw", "ev"], unit="percentage", minValue=0, maxValue=100),
                    ],
                },
                {"iid": 20, "type": "8A", "characteristics": [_one(21, "11", "float", 21.5, unit="celsius")]},
                {
                    "iid": 30,
                    "type": "4A",
                    "characteristics": [_one(31, "33", "uint8", 1, ["pr", "pw"], **{"valid-values": [0, 1, 3]})],
                },
                {"iid": 40, "type": "A2", "hidden": True, "characteristics": [_one(41, "37", "string", "1.1", ["pr"])]},
            ],
        }
    ]
}


@pytest.fixture
def board():
    found = Board(("lamp", "kitchen"))
    lamp, kitchen = found.lane("lamp"), found.lane("kitchen")
    lamp.describe(read_accessories(DATABASE))
    lamp.presence = Presence.HERE
    kitchen.presence, kitchen.reason = Presence.AWAY, "was not found"
    return found


def test_what_is_shown_of_an_accessory(board):
    rows = board.lane("lamp").rows
    assert list(rows) == [ON, BRIGHTNESS, WARMTH, MODE]  # nothing of the information, nothing that is hidden
    assert [row.text for row in rows.values()] == ["off", "40 %", "21.5 °C", "heat"]
    assert [row.handle.writable for row in rows.values()] == [True, True, False, True]
    assert rows[ON].service == "Lightbulb"


def test_behind_a_bridge_the_name_goes_before_the_service(board):
    second = {**DATABASE["accessories"][0], "aid": 2}
    board.lane("lamp").describe(read_accessories({"accessories": [*DATABASE["accessories"], second]}))
    assert board.lane("lamp").rows[CharacteristicId(2, 9)].service == "La\\x1bmp: Lightbulb"


def test_events_are_counted_over_a_minute(board):
    lamp = board.lane("lamp")
    for second in range(100):
        lamp.change(ON, bool(second % 2), float(second))
    assert lamp.events(99.0) == 60
    assert lamp.events(130.0) == 29
    assert lamp.events(1000.0) == 0
    assert lamp.rows[ON].value is True


def test_the_median_of_the_last_questions_is_shown(board):
    lamp = board.lane("lamp")
    assert lamp.round_trip is None
    for seconds in [5.0] + [0.002] * 8 + [0.003] * 7:
        lamp.took(seconds)
    assert lamp.round_trip == 0.002


def test_what_is_known_outlives_a_new_database(board):
    lamp = board.lane("lamp")
    lamp.change(ON, True, 7.0)
    silent = read_accessories(DATABASE)
    lamp.describe(silent)
    assert (lamp.rows[ON].value, lamp.rows[ON].changed) == (False, 7.0)


@pytest.mark.parametrize(
    ("number", "up", "value"),
    [(ON, True, True), (ON, False, False), (BRIGHTNESS, True, 45), (BRIGHTNESS, False, 35), (MODE, True, 3)],
)
def test_a_step_stays_within_the_limits(board, number, up, value):
    row = board.lane("lamp").rows[number]
    assert row.stepped(up) == value
    row.value = {ON: value, BRIGHTNESS: 98 if up else 2, MODE: 3}[number]
    assert row.stepped(up) == {ON: value, BRIGHTNESS: 100 if up else 0, MODE: 3}[number]


class _Hands:
    """What the screen wants done, and a clock that stands."""

    def __init__(self, board):
        self.board, self.written, self.said, self.now = board, [], None, 100.0

    def absorb(self):
        said, self.said = self.said, None
        return said

    def write(self, alias, number, value):
        self.written.append((alias, number, value))
        self.board.lane(alias).change(number, value, self.now)

    def draw(self, columns, *keys):
        """Press keys; returns the lines of the screen."""

        async def draw():
            app = Top(self.board, self.absorb, self.write, lambda: self.now)
            async with app.run_test(size=(columns, 24)) as pilot:
                for key in keys:
                    await pilot.press(key)
                    app.beat()
                    await pilot.pause()
                strips = app.screen._compositor.render_strips()
                return ["".join(piece.text for piece in strip) for strip in strips]

        return asyncio.run(draw())

    def play(self, *keys):
        """Press keys; returns the texts of both tables and of the last line."""

        async def play():
            app = Top(self.board, self.absorb, self.write, lambda: self.now)
            async with app.run_test(size=(120, 30)) as pilot:
                for key in keys:
                    await pilot.press(key)
                    app.beat()
                    await pilot.pause()
                tables = [app.query_one(name) for name in ("#lanes", "#rows")]
                texts = [[[str(cell) for cell in table.get_row(key)] for key in table.rows] for table in tables]
                return *texts, str(app.query_one("#said").render())

        return asyncio.run(play())


@pytest.fixture
def hands(board):
    return _Hands(board)


def test_both_sides(hands):
    lanes, rows, said = hands.play("down")
    assert lanes == [["●", "kitchen", "0", "", "was not found"], ["●", "lamp", "0", "", ""]]
    assert rows[1] == ["40 %", "Brightness", "Lightbulb", "1.10"]
    assert len(rows) == 4
    assert said == ""


def test_an_accessory_that_is_away_shows_nothing_of_the_other(hands):
    _, rows, _ = hands.play("down", "up")
    assert rows == []


def test_colours_follow_what_they_stand_for(hands):
    """The dot of an accessory, and a value that has just changed."""

    async def play():
        app = Top(hands.board, hands.absorb, hands.write, lambda: hands.now)
        async with app.run_test() as pilot:
            await pilot.press("down")
            lanes, rows, seen = app.query_one("#lanes"), app.query_one("#rows"), []

            def look():
                app.beat()
                seen.append((lanes.get_cell("lamp", "0").style, rows.get_cell("1.9", "0").style))

            look()
            hands.board.lane("lamp").presence = Presence.AWAY
            hands.board.lane("lamp").change(ON, False, hands.now)
            look()
            hands.now += 10
            look()
            return seen

    assert asyncio.run(play()) == [("green", ""), ("red", "bold reverse"), ("red", "")]


def test_values_are_in_sight_on_eighty_columns(hands):
    """Whatever else does not fit."""
    seen = hands.draw(80, "down")
    for value in ("off", "40 %", "21.5 °C", "heat"):
        assert any(value in line for line in seen), seen


def test_arrows_switch_and_set(hands):
    lanes, rows, _ = hands.play("down", "enter", "right", "down", "right", "right", "left")
    assert hands.written == [("lamp", ON, True), *(("lamp", BRIGHTNESS, value) for value in (45, 50, 45))]
    assert [row[0] for row in rows] == ["on", "45 %", "21.5 °C", "heat"]
    assert lanes[1][2] == "4"


def test_a_value_is_typed(hands):
    hands.play("down", "enter", "down", "enter", "7", "7", "enter")
    assert hands.written == [("lamp", BRIGHTNESS, 77)]


def test_a_wrong_value_is_told_and_goes_nowhere(hands):
    _, _, said = hands.play("down", "enter", "enter", "x", "enter")
    assert "x" in said
    assert hands.written == []


def test_typing_can_be_left(hands):
    _, _, said = hands.play("down", "enter", "enter", "1", "escape")
    assert (hands.written, said) == ([], "")


def test_what_cannot_be_set(hands):
    _, _, said = hands.play("down", "enter", "down", "down", "right")
    assert said == "Current Temperature can only be looked at"
    assert hands.written == []


def test_what_the_watcher_says_is_shown(hands):
    hands.said = "lamp: the accessory is busy"
    _, _, said = hands.play()
    assert said == "lamp: the accessory is busy"


def test_without_any_accessory_there_is_an_empty_screen():
    assert _Hands(Board(())).play("down", "enter", "right") == ([], [], "")


@pytest.fixture
def lamp(tmp_path):
    """A served lamp that is paired; its program and the file of the pairings."""
    file = tmp_path / "pairings.json"
    with served("lightbulb", "--seed", "7", "--state", tmp_path / "lamp.json") as (program, line):
        where = f"127.0.0.1:{line['port']}"
        lines(hap("pair", "--address", where, "-p", line["setup_code"], "-a", "lamp", "-f", file, "--json"))
        yield program, file


def test_once_for_people_and_for_machines(lamp):
    _, file = lamp
    (told,) = lines(hap("top", "--json", "-f", file, "--interface", "127.0.0.1"))
    assert (told["alias"], told["state"], told["reason"]) == ("lamp", "here", None)
    assert {"aid", "iid", "service", "name", "value", "text"} == set(told["values"][0])
    text = hap("top", "-f", file, "--interface", "127.0.0.1")  # no terminal: once
    assert (text.returncode, text.stderr) == (0, "")
    assert "Lightbulb, On" in text.stdout


def test_once_with_one_that_is_away(lamp):
    program, file = lamp
    program.stop()
    result = hap("top", "--once", "--json", "-f", file, "--interface", "127.0.0.1", "--seconds", "30")
    (told,) = lines(result, 1)
    assert (told["state"], bool(told["reason"]), told["values"]) == ("away", True, [])


def test_nothing_is_paired(tmp_path):
    assert "nothing is paired yet" in failure(hap("top", "-f", tmp_path / "none.json"))


def test_on_a_terminal(lamp):
    """Switched with an arrow, as a person does it; and the terminal is given back."""
    program, file = lamp
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "hap_trio.cli", "top", "-f", str(file), "--interface", "127.0.0.1"]
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "LINES": "30"}
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment) as process:
        os.close(other)
        screen = _Screen(terminal)
        screen.until(b"Brightness")
        os.write(terminal, b"\r")
        screen.until(b"off, less")  # over to the lamp
        os.write(terminal, b"\x1b[C")
        assert program.until("write")["value"] is True
        os.write(terminal, b"q")
        screen.rest()
        assert process.wait(LIMIT) == 0
    assert b"Traceback" not in screen.seen
    assert b"\x1b[?1049l" in screen.seen  # back from the other screen
    os.close(terminal)


class _Screen:
    """What a program draws, as bytes."""

    def __init__(self, terminal):
        self._terminal, self.seen = terminal, b""

    def until(self, text):
        """Read until it was drawn."""
        while text not in self.seen:
            data = self._more()
            assert data, self.seen
            self.seen += data

    def rest(self):
        """Read to the end."""
        while data := self._more():
            self.seen += data

    def _more(self):
        assert select.select([self._terminal], [], [], LIMIT)[0], self.seen
        try:
            return os.read(self._terminal, 65536)
        except OSError:  # how a terminal says that nobody is at the other end
            return b""
