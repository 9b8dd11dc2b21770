"""Runs an example of an accessory as it stands, on the loopback interface: `python loopback.py SCRIPT`.

It says "serving PORT" once it listens. Nothing is announced.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import hap_asyncio.server
import hap_sync.server
import hap_trio.server

HERE = {"address": "127.0.0.1", "mdns": False}


@asynccontextmanager
async def opened(really: Any, what: Any, **settings: Any) -> AsyncGenerator[Any, None]:
    """In place of `open_server` of trio and asyncio."""
    async with really(what, **{**settings, **HERE}) as server:
        print("serving", server.port, flush=True)
        yield server


@contextmanager
def opened_sync(really: Any, what: Any, **settings: Any) -> Generator[Any, None, None]:
    """In place of that without an event loop."""
    with really(what, **{**settings, **HERE}) as server:
        print("serving", server.port, flush=True)
        yield server


def main() -> None:
    for module, wrapper in ((hap_trio.server, opened), (hap_asyncio.server, opened), (hap_sync.server, opened_sync)):
        module.open_server = partial(wrapper, module.open_server)  # type: ignore[attr-defined]
    runpy.run_path(sys.argv[1], run_name="__main__")


if __name__ == "__main__":
    main()
