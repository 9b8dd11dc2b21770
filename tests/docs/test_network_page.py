"""The programs of docs/network.md serve a lamp, on loopback, and what the page says of the settings is so."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio
from tests.docs.pages import ROOT, blocks

from hapcore.accessory.config import Config
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.accessory import KeepAlive, WhenFull
from hapcore.ip.accessory.room import UNPROVEN_SECONDS
from hapcore.ip.claims import DEFENCE_SECONDS

PAGE = ROOT / "docs" / "network.md"
LIMIT = 20


def _program(name: str) -> Callable[..., Any]:
    """The function of that name from the page."""
    (block,) = [block for block in blocks(PAGE, "python") if f"def {name}(" in block.text]
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)  # noqa: S102 - it is ours
    found: Callable[..., Any] = names[name]
    return found


async def _answers(host: str, port: int) -> bool:
    async with await trio.open_tcp_stream(host, port) as stream:
        await stream.send_all(b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n")
        return (await stream.receive_some(100)).startswith(b"HTTP/1.1 470")


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _until_it_answers(serve: Callable[[], Any], port: int) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                while True:
                    try:
                        assert await _answers("127.0.0.1", port)
                        break
                    except OSError:
                        await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_the_machines_are_served() -> None:
    port = _free_port()
    serve = _program("serve_machines")
    _until_it_answers(lambda: serve(Lightbulb(on=False), address="127.0.0.1", port=port, mdns=False), port)


def test_at_home_it_is_served_on_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port of the page may be in use here."""
    import hap_trio

    port, serve, served = _free_port(), _program("serve_at_home"), hap_trio.serve
    monkeypatch.setattr(hap_trio, "serve", lambda *what, **given: served(*what, **{**given, "port": port}))
    where = "lo" if sys.platform == "linux" else "127.0.0.1"
    _until_it_answers(lambda: serve(Lightbulb(on=False), where=where), port)


def test_a_signal_ends_it_in_good_order(capsys: pytest.CaptureFixture[str]) -> None:
    serve = _program("serve_until_told")

    async def main() -> None:
        async def tell() -> None:
            while "serving" not in capsys.readouterr().out:
                await trio.lowlevel.checkpoint()
            os.kill(os.getpid(), signal.SIGTERM)

        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell)
                await serve(Lightbulb(on=False), address="127.0.0.1", mdns=False)

    trio.run(main)


def test_the_numbers_are_those_of_the_code() -> None:
    text, config = PAGE.read_text(encoding="utf-8"), Config(name="Lamp")
    assert f"`max_connections={config.max_connections}`" in text
    assert f"`idle_seconds={config.idle_seconds:g}`" in text
    assert f'`when_full="{config.when_full}"`' in text
    assert f'`"{WhenFull.WAIT}"`' in text
    assert f"yield after {UNPROVEN_SECONDS:g} s" in text
    assert f"within {DEFENCE_SECONDS:g} s keeps" in text
    default = KeepAlive()
    assert f"KeepAlive(idle={default.idle}, interval={default.interval}, count={default.count})" in text
