"""The `hap` command when others fail: modules of users, closed pipes, terminals that know few letters, taken ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from tests.cli.program import ENVIRONMENT, LIMIT, Running, failure, hap, lines, served


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no such bus')", "cannot import 'own': RuntimeError: no such bus"),
        ("import nothing_of_that_name", "cannot import 'own': ModuleNotFoundError"),
        ("this is no Python", "cannot import 'own': SyntaxError"),
        ("raise SystemExit(3)", "cannot import 'own': SystemExit: 3"),
        ("lamp = 1 .nothing", "cannot import 'own': AttributeError"),
        ("def lamp():\n    raise ValueError('first\\nsecond')", "own:lamp failed: ValueError: first second"),
        ("other = 1", "'own' has no 'lamp'"),
        ("lamp = 3", "own:lamp is no accessory"),
        ("lamp = []", "own:lamp is no accessory"),
    ],
)
def test_a_module_of_the_user_that_fails(tmp_path, source, said):
    (tmp_path / "own.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", "serve", "own:lamp", "--no-mdns", "--address", "127.0.0.1"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert said in failure(done)
    assert "report it" not in done.stderr


def test_whoever_reads_the_output_may_stop(tmp_path):
    with served("lightbulb") as (accessory, line):
        where = f"{line['host']}:{line['port']}"
        access = ["-a", "lamp", "-f", tmp_path / "p.json", "--address", where]
        lines(hap("pair", "-p", line["setup_code"], *access, "--json"))
        watch = Running("watch", "-c", "1.9", "--json", *access)
        assert watch.next()["event"] == "watching"
        watch.process.stdout.close()
        assert lines(hap("put", "-c", "1.9", "true", "--json", *access))
        assert watch.process.wait(LIMIT) == 1
        assert watch.process.stderr.read() == ""
        watch.process.stderr.close()
        accessory.until("write")


def test_letters_the_terminal_does_not_know():
    done = subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", "get", "-a", "лампа", "-c", "1.9", "-f", os.devnull],
        env={**ENVIRONMENT, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        timeout=LIMIT,
        check=False,
    )
    assert "internal error" not in failure(done)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = failure(hap("serve", "--no-mdns", "--address", "127.0.0.1", "--port", port))
    assert said.startswith("hap: Address already in use")
    assert port in said


def test_an_alias_is_checked_before_anything_is_paired(tmp_path):
    with served("lightbulb") as (accessory, line):
        where = f"{line['host']}:{line['port']}"
        said = failure(hap("pair", "--address", where, "-p", line["setup_code"], "-a", "", "-f", tmp_path / "p.json"))
        assert "1 to 100 printable characters" in said
        lines(hap("pair", "--address", where, "-p", line["setup_code"], "-a", "a", "-f", tmp_path / "p.json", "--json"))
        accessory.until("paired")
        assert [one["event"] for one in accessory.seen] == ["listening", "paired"]


def test_a_long_wrong_value_is_quoted_in_part(tmp_path):
    with served("lightbulb") as (_, line):
        access = ["-a", "lamp", "-f", tmp_path / "p.json", "--address", f"{line['host']}:{line['port']}"]
        lines(hap("pair", "-p", line["setup_code"], *access, "--json"))
        assert len(failure(hap("put", "-c", "1.10", "9" * 5000, *access))) < 120
