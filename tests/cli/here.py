"""Running the `hap` command within this process, against a lamp in a thread: as real as processes, and much faster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result

import hap_sync
from hap_trio.cli.group import hap
from hapcore.catalogue.services import Lightbulb

CODE = "031-45-154"
#: Nothing here takes long; what does is stuck.
LIMIT = 60.0


def run(*arguments: object, stdin: str | None = None) -> Result:
    """A command, to its end. Whatever becomes of it, no traceback is shown."""
    result = CliRunner().invoke(hap, [str(one) for one in arguments], input=stdin, prog_name="hap")
    assert "Traceback" not in result.output
    assert "internal error" not in result.output, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def done(*arguments: object, stdin: str | None = None) -> str:
    """What a command printed that must have gone well."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def told(*arguments: object) -> list[dict]:
    """Its JSON lines."""
    return [json.loads(line) for line in done(*arguments, "--json").splitlines()]


def refused(*arguments: object, code: int = 1, stdin: str | None = None) -> str:
    """The one line on stderr of a command that must have failed."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output
    if code == 1:
        assert result.stderr.startswith("hap: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stderr[:-1].isprintable(), result.stderr
    return result.stderr


class Lamp:
    """A lamp that is served, unpaired."""

    def __init__(self, server: hap_sync.AccessoryServer, light: Lightbulb) -> None:
        self.server = server
        self.light = light
        self.device_id = server.device_id
        #: The options that lead there.
        self.where = ("--address", f"{server.host}:{server.port}")

    def switch(self, on: bool) -> None:
        """Change it by hand."""
        self.server.call_soon(lambda: self.light.on.set(on))


@contextmanager
def lamp(light: Lightbulb | None = None, **settings: object) -> Iterator[Lamp]:
    """A lamp on loopback, in a thread of its own."""
    found: list[Lamp] = []
    ready = threading.Event()
    light = light or Lightbulb("Desk lamp", on=False, brightness=40)
    more = {"setup_code": CODE, "mdns": False, **settings}

    def live() -> None:
        with hap_sync.open_server(light, address="127.0.0.1", **more) as server:
            found.append(Lamp(server, light))
            ready.set()
            server.run()

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(LIMIT)
    try:
        yield found[0]
    finally:
        found[0].server.call_soon(found[0].server.stop)
        thread.join(LIMIT)


@contextmanager
def paired(folder: object, **settings: object) -> Iterator[tuple[Lamp, tuple[object, ...]]]:
    """A lamp that is ours, and the options that reach it."""
    with lamp(**settings) as one:
        known = ("-a", "lamp", "-f", f"{folder}/p.json", *one.where)
        done("pair", *known, "-p", CODE)
        yield one, known
