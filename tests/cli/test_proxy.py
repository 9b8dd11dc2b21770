"""`hap proxy` as a person uses it: each program in a process of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.program import LIMIT, Running, failure, hap, lines, served

from hap_sync.recording import assert_replays

CODE = "031-45-154"
OTHER = "031-45-155"
FILTER = Path(__file__).parents[2] / "examples" / "proxy_filter.py"


@pytest.fixture(scope="module")
def lamp(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Where a lamp is, and a pairings file that knows it as "lamp"."""
    file = tmp_path_factory.mktemp("lamp") / "pairings.json"
    with served("--setup-code", CODE) as (_, listening):
        where = f"127.0.0.1:{listening['port']}"
        lines(hap("pair", "--address", where, "-p", CODE, "-a", "lamp", "-f", file, "--json"))
        yield where, file


@contextmanager
def proxied(lamp: tuple[str, Path], *more: str | Path, text: bool = False) -> Iterator[tuple[Running, dict]]:
    """`hap proxy lamp`, and its first line."""
    where, file = lamp
    program = Running("proxy", "lamp", "-f", file, *_away(where), "--setup-code", OTHER, *more, "--json")
    try:
        yield program, program.until("listening")
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate(timeout=LIMIT)


def _away(where: str) -> list[str]:
    return ["--address", where, "--listen", "127.0.0.1", "--no-mdns"]


def messages(program: Running, rest: str) -> list[dict]:
    return [one for one in [*program.seen, *map(json.loads, rest.splitlines())] if one["event"] == "message"]


def test_a_session_through_the_proxy(tmp_path, lamp):
    where, file = lamp
    tape, state = tmp_path / "tape.jsonl.gz", tmp_path / "proxy.json"
    with proxied(lamp, "--record", tape, "--state", state) as (program, listening):
        ours = tmp_path / "ours.json"
        through = ["-a", "px", "-f", ours]
        place = ["--address", f"127.0.0.1:{listening['port']}"]
        (paired,) = lines(hap("pair", *place, "-p", OTHER, *through, "--json"))
        assert paired["device_id"] == listening["device_id"]
        lines(hap("put", *through, "-c", "1.9", "true", "-c", "1.10", "33", "--json"))
        behind = lines(hap("get", "-a", "lamp", "-f", file, "--address", where, "-c", "1.9", "-c", "1.10", "--json"))
        assert [one["value"] for one in behind] == [True, 33]
        watch = Running("watch", *through, "-c", "1.10", "--count", "1", "--json")
        watch.until("watching")
        lines(hap("put", "-a", "lamp", "-f", file, "--address", where, "-c", "1.10", "44", "--json"))
        assert watch.until("change")["value"] == 44
        watch.process.communicate(timeout=LIMIT)
        code, rest = program.stop()
        assert code == 0
    told = messages(program, rest)
    assert [one["number"] for one in told] == list(range(len(told)))
    write = next(one for one in told if one["title"] == "PUT /characteristics")
    assert write["touched"] == [
        {"aid": 1, "iid": 9, "name": "Lightbulb.On", "value": "true"},
        {"aid": 1, "iid": 10, "name": "Lightbulb.Brightness", "value": "33"},
    ]
    answer = next(one for one in told if one.get("answers") == write["number"])
    assert (answer["title"], answer["took"] > 0) == ("204 No Content", True)
    events = [one["touched"] for one in told if one["kind"] == "event"]
    assert [{"aid": 1, "iid": 10, "name": "Lightbulb.Brightness", "value": "44"}] in events
    assert_replays(tape)
    roles = [one["role"] for one in lines(hap("replay", tape, "--json"))]
    assert sorted(set(roles)) == ["accessory", "controller"]
    # The same device at the next start.
    with proxied(lamp, "--state", state) as (program, again):
        assert (again["device_id"], again["paired"]) == (listening["device_id"], True)
        assert program.stop(signal.SIGINT)[0] == 0


def test_the_filter_of_the_docs(tmp_path, lamp):
    where, file = lamp
    with proxied(lamp, "--filter", FILTER) as (program, listening):
        through = ["-a", "px", "-f", tmp_path / "ours.json"]
        lines(hap("pair", "--address", f"127.0.0.1:{listening['port']}", "-p", OTHER, *through, "--json"))
        lines(hap("put", *through, "-c", "1.10", "50", "--json"))
        (behind,) = lines(hap("get", "-a", "lamp", "-f", file, "--address", where, "-c", "1.10", "--json"))
        assert behind["value"] == 30
        (seen,) = lines(hap("get", *through, "-c", "1.10", "--json"))
        assert seen["value"] == 50
        code, rest = program.stop()
        assert code == 0
    altered = [one["details"] for one in messages(program, rest) if one["details"]]
    assert [["Lightbulb.Brightness", "50 -> 30"]] in altered


def test_for_people(tmp_path, lamp):
    where, file = lamp
    program = Running("proxy", "lamp", "-f", file, *_away(where), "--setup-code", OTHER, "--name-suffix", " two", "-v")
    said = []
    while "Ctrl-C" not in (said or [""])[-1]:
        said.append(program.process.stdout.readline())
        assert said[-1], program.process.communicate(timeout=LIMIT)
    assert "Lightbulb two is served on 127.0.0.1 port" in said[0]
    port = said[0].partition(" port ")[2].partition(",")[0]
    through = ["-a", "px", "-f", tmp_path / "ours.json"]
    lines(hap("pair", "--address", f"127.0.0.1:{port}", "-p", OTHER, *through, "--json"))
    lines(hap("get", *through, "-c", "1.9", "--json"))
    code, rest = program.stop()
    assert code == 0
    assert "--> GET /characteristics?id=1.9  [controller 2 > proxy]\n      1.9 Lightbulb.On\n" in rest
    assert "      1.9 Lightbulb.On = " in rest
    assert "1.3 AccessoryInformation.Manufacturer = hapcore" in rest


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.py", None, "there is no such file"),
        ("no_such_module", None, "cannot import 'no_such_module': ModuleNotFoundError"),
        ("a.py", "x = 1", "has neither to_accessory nor to_controller"),
        ("a.py", "to_accessory = 1", "are functions"),
        ("a.py", "1 / 0", "cannot run"),
    ],
)
def test_filters_that_cannot_be_used(tmp_path, lamp, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    path = name if content is None else tmp_path / name
    assert said in failure(hap("proxy", "lamp", "-f", lamp[1], "--filter", path))


def test_what_cannot_be_proxied(lamp):
    _, file = lamp
    assert "nobody" in failure(hap("proxy", "nobody", "-f", file, "--no-mdns"))
    assert "IP address" in failure(hap("proxy", "lamp", "-f", file, "--listen", "lamp.local"), 2)
    assert "127.0.0.1" in failure(hap("proxy", "lamp", "-f", file, "--address", "127.0.0.1:1", "--no-mdns"))
