"""Runs a script of the documentation on the loopback interface: `python launch.py [--mdns] SCRIPT [ARGUMENT...]`.

The script is run as it stands, but accessories listen on 127.0.0.1 only and say so with a line "serving PORT CODE",
with "-" for the code where a display shows it; mDNS stays on the loopback interface; who dials 192.0.2.7, an address
for documentation, gets the port $LAMP_PORT here; and everything that runs under trio is cancelled when the standard
input ends.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

import hap_trio
from hap_trio import client, controller, server
from hap_trio.stream import SocketStream, dial

LOOPBACK = "127.0.0.1"
_run, _open_server = trio.run, hap_trio.open_server


def run(function: Callable[..., Awaitable[object]], *args: object) -> None:
    """`trio.run` that ends when the standard input does."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at_end_of_input, nursery.cancel_scope)
            await function(*args)
            nursery.cancel_scope.cancel()

    _run(main)


async def _cancel_at_end_of_input(scope: trio.CancelScope) -> None:
    await trio.lowlevel.wait_readable(sys.stdin)
    scope.cancel()


@asynccontextmanager
async def open_server(what: Any, *, mdns: bool, **settings: Any) -> AsyncGenerator[hap_trio.AccessoryServer, None]:
    """An accessory for this machine alone."""
    async with _open_server(what, **{**settings, "address": LOOPBACK, "mdns": mdns}) as opened:
        print("serving", opened.port, "-" if opened.displays else opened.setup_code)
        yield opened


async def dial_lamp(host: str, port: int) -> SocketStream:
    """What the documentation calls 192.0.2.7."""
    return await (dial(LOOPBACK, int(os.environ["LAMP_PORT"])) if host == "192.0.2.7" else dial(host, port))


def main() -> None:
    """Put the replacements in place and run the script."""
    mdns = sys.argv[1] == "--mdns"
    script, *arguments = sys.argv[2:] if mdns else sys.argv[1:]
    trio.run = run  # type: ignore[assignment]
    hap_trio.open_server = server.open_server = partial(open_server, mdns=mdns)
    hap_trio.open_controller = partial(hap_trio.open_controller, interfaces=[LOOPBACK])
    client.dial = controller.dial = dial_lamp
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
