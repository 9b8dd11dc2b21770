"""The engine in loops that are not ours: each example as a program of its own, paired and used over loopback TCP."""

from __future__ import annotations

import ast
import io
import socket
import tokenize
from contextlib import suppress

import pytest
from tests.docs.programs import ROOT, line, running
from tests.examples.home import Home
from tests.examples.screen import needs, screen
from tests.examples.talk import say, talking

from hapcore.state import decode_state

EXAMPLES = ROOT / "examples"


def test_the_minimal_loop_serves_two_controllers_at_once(tmp_path):
    with running([str(EXAMPLES / "own_loop_minimal.py")], tmp_path) as lamp:
        home = Home.pair(*line(lamp).split())
        other = home.again()
        other.watch()
        home.switch(True)
        assert line(lamp) == "on"
        assert other.changed() is True
        other.close()
        home.switch(False)
        assert line(lamp) == "off"
        home.close()


def test_the_minimal_loop_is_about_25_lines():
    source = (EXAMPLES / "own_loop_minimal.py").read_text(encoding="utf-8")
    run = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    last = run.end_lineno or 0
    lines = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
    }
    body = [number for number in lines if run.body[1].lineno <= number <= last]
    assert len(body) <= 32, "about 25, and what the lamp prints"


@pytest.mark.parametrize(("library", "module"), [("tk", "tkinter"), ("qt", "PySide6")])
def test_a_window_and_a_phone_switch_the_same_lamp(library, module, tmp_path):
    needs(module)
    click = str(ROOT / "tests" / "examples" / f"click_{library}.py")
    with screen(library) as variables, talking([click, "lamp.json"], tmp_path, **variables) as lamp:
        home = Home.pair(*line(lamp).split())
        home.watch()
        home.switch(True)
        assert line(lamp) == "on"
        say(lamp, "click")
        assert home.changed() is False
        assert home.lit() is False
        home.close()
    assert "identity" in decode_state((tmp_path / "lamp.json").read_bytes())


@pytest.mark.parametrize(("library", "module"), [("tk", "tkinter"), ("qt", "PySide6")])
def test_a_window_stays_alive_with_strangers_and_many_connections(library, module, tmp_path):
    needs(module)
    click = str(ROOT / "tests" / "examples" / f"click_{library}.py")
    with screen(library) as variables, talking([click, "lamp.json"], tmp_path, **variables) as lamp:
        home = Home.pair(*line(lamp).split())
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", home.port)) as stranger:  # what is no HTTP ends that one only
                stranger.sendall(b"\0" * 100)
                while stranger.recv(4096):
                    pass
        others = [home.again() for _ in range(5)]
        for on in (True, False):
            home.switch(on)
            assert line(lamp) == ("on" if on else "off")
            assert {other.lit() for other in others} == {on}
        for one in (home, *others):
            one.close()


@pytest.mark.parametrize("library", ["twisted", "gevent"])
def test_a_lamp_in_the_loop_of_a_library(library, tmp_path):
    program = [str(EXAMPLES / f"in_{library}.py"), "lamp.json"]
    with running(program, tmp_path) as lamp:
        home = Home.pair(*line(lamp).split())
        other = home.again()
        other.watch()
        home.switch(True)
        assert line(lamp) == "on"
        assert other.changed() is True
        other.close()
        assert home.lit() is True
        with socket.socket() as stranger:  # what is no HTTP ends that connection only
            stranger.connect(("127.0.0.1", home.port))
            stranger.sendall(b"\0" * 100)
            while stranger.recv(4096):
                pass
        home.switch(False)
        assert line(lamp) == "off"
        home.close()
    with running(program, tmp_path) as lamp:
        port, _ = line(lamp).split()
        Home(int(port), home.pairing).close()


@pytest.mark.parametrize("library", ["twisted", "gevent"])
def test_who_takes_no_answers_holds_up_nobody(library, tmp_path):
    with running([str(EXAMPLES / f"in_{library}.py"), "lamp.json"], tmp_path) as lamp:
        home = Home.pair(*line(lamp).split())
        request = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n"
        asked = request * 1000
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(("127.0.0.1", home.port))
            lazy.setblocking(False)
            sent, told = 0, []
            for _ in range(60):  # a turn of its loop each
                with suppress(BlockingIOError):
                    while True:
                        sent += lazy.send(asked[sent % len(request) :])
                home.switch(True)
                told.append(sent)
            assert told[-1] == told[len(told) // 2], "it reads on and on"
        home.close()
