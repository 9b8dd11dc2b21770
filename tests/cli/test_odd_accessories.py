"""Accessories that answer with something else than was asked for: the command says so, in one line."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.cli.here import LIMIT, done, refused, run
from tests.core.controller_peer import DATABASE, PAIRING, Accessory, answer

from hapcore.state import PairedAccessory, encode_pairings

HTML = answer(200, b"<html><script>alert(1)</script></html>", "text/html")


@contextmanager
def odd(folder, *answers: bytes | None) -> Iterator[tuple[object, ...]]:
    """A paired accessory that says these things in turn; the options that reach it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def live() -> None:
            link, _ = server.accept()
            accessory = Accessory(answers)
            with link:
                while data := link.recv(65536):
                    out = accessory.receive(data)
                    if out:
                        link.sendall(out)

        thread = threading.Thread(target=live)
        thread.start()
        file = folder / "p.json"
        file.write_bytes(encode_pairings({"odd": PairedAccessory("odd", PAIRING, "", ("127.0.0.1",), port)}))
        yield ("-a", "odd", "-f", file, "--address", f"127.0.0.1:{port}")
        thread.join(LIMIT)


def values(*entries: dict) -> bytes:
    return answer(207, json.dumps({"characteristics": list(entries)}).encode())


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (HTML, "expected JSON in the answer to GET /accessories"),
        (answer(200, b'{"accessories": [{"aid"'), "expected JSON in the answer to GET /accessories"),
        (answer(500), "HTTP status 500"),
        (answer(470), "not authorised"),
        (answer(200, b"\xff\xfe\xfd"), "expected JSON"),
    ],
)
def test_the_database(what, words, tmp_path):
    for form in ((), ("-o", "compact"), ("--json",), ("--format", "homekit_python")):
        with odd(tmp_path, what) as known:
            assert words in refused("accessories", *known, *form)


def test_a_database_of_nothing(tmp_path):
    for body in (b"{}", b"[]", b'{"accessories": 5}', b'{"accessories": [5, {"aid": "x"}, {}]}'):
        with odd(tmp_path, answer(200, body)) as known:
            assert "expected accessories in the answer to GET /accessories, got none" in refused("accessories", *known)


def test_types_nobody_knows(tmp_path):
    tree = {"iid": 3, "type": "E863F10D-079E-48FF-8F27-9C2605A29F52", "format": "\x1b[2J", "perms": ["\x1b", "pr"]}
    service = {"iid": 2, "type": "11111111-2222-3333-4444-555555555555", "characteristics": [tree]}
    body = json.dumps({"accessories": [{"aid": 1, "services": [service]}]}).encode()
    for form in ((), ("-o", "compact"), ("--format", "homekit_python"), ("-o", "json"), ("--json",)):
        with odd(tmp_path, answer(200, body)) as known:
            text = done("accessories", *known, *form)
            assert "".join(text.split("\n")).isprintable()
            assert "11111111-2222-3333-4444-555555555555" in text


DATABASE_FIRST = answer(200, DATABASE)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (HTML, "expected JSON in the answer to GET /characteristics"),
        (answer(200, b"5"), "expected a JSON object"),
        (answer(400), "HTTP status 400"),
        (values({"aid": 7, "iid": 7, "value": 1}), "1.9: the accessory could not do it"),
        (values({"aid": "1", "iid": None, "value": 1}, 5), "1.9: the accessory could not do it"),  # type: ignore[arg-type]
        (values({"aid": 1, "iid": 9, "status": -6}), "1.9: status -6"),
        (values({"aid": 1, "iid": 9, "status": 70409}), "1.9: there is no such characteristic"),
        (answer(207, b'{"status": -70407}'), "1.9: the accessory has no room"),
    ],
)
def test_values(what, words, tmp_path):
    with odd(tmp_path, DATABASE_FIRST, what) as known:
        assert words in refused("get", *known, "-c", "1.9")


def test_more_than_was_asked(tmp_path):
    """What was not asked for is not shown."""
    entries = [{"aid": 9, "iid": 9, "value": "intruder"}, {"aid": 1, "iid": 9, "value": 1, "\x1b[2J": "\x1b[2J"}]
    with odd(tmp_path, DATABASE_FIRST, values(*entries)) as known:
        assert done("get", *known, "-c", "1.9") == "1.9 = true\n"
    with odd(tmp_path, DATABASE_FIRST, values(*entries)) as known:
        text = done("get", *known, "-c", "1.9", "--meta")
        assert text == "1.9 = true  \\x1b[2J=\\x1b[2J\n"
    with odd(tmp_path, DATABASE_FIRST, values(*entries)) as known:
        assert "".join(done("get", *known, "-c", "1.9", "-m", "--format", "homekit_python").split("\n")).isprintable()


def test_writes(tmp_path):
    with odd(tmp_path, DATABASE_FIRST, HTML) as known:
        assert "expected JSON in the answer to PUT" in refused("put", *known, "-c", "1.9", "on")
    with odd(tmp_path, DATABASE_FIRST, values({"aid": 1, "iid": 9, "status": -70411})) as known:
        assert "1.9: additional authorization is missing" in refused("put", *known, "-c", "1.9", "on")
    with odd(tmp_path, DATABASE_FIRST, values({"aid": 1, "iid": 9, "status": -6})) as known:
        old = run("put", *known, "-c", "1.9", "on", "--format", "homekit_python")
        assert (old.exit_code, old.stderr) == (1, "")
        assert old.stdout == "put_characteristics failed on 1.9 because: Unknown status. (-6)\n"


def test_pairings(tmp_path):
    with odd(tmp_path, HTML) as known:
        assert "a web page" in refused("pairings", "list", *known)
