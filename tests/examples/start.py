"""Runs an example as its reader would, but for this machine alone: `python start.py EXAMPLE`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import hap_asyncio
import hap_sync
import hap_trio
from hap_trio import server

HERE: dict[str, Any] = {"address": "127.0.0.1", "mdns": False}


def tell(served: Any) -> None:
    """Where it is served."""
    print("serving", served.port, served.setup_code, flush=True)


def awaited(original: Callable[..., AbstractAsyncContextManager[Any]]) -> Callable[..., Any]:
    """`open_server` of an adapter that awaits."""

    @asynccontextmanager
    async def wrapped(what: Any, **settings: Any) -> AsyncGenerator[Any]:
        async with original(what, **settings | HERE) as served:
            tell(served)
            yield served

    return wrapped


def blocking(original: Callable[..., AbstractContextManager[Any]]) -> Callable[..., Any]:
    """That of the one that blocks."""

    @contextmanager
    def wrapped(what: Any, **settings: Any) -> Generator[Any]:
        with original(what, **settings | HERE) as served:
            tell(served)
            yield served

    return wrapped


hap_trio.open_server = server.open_server = awaited(hap_trio.open_server)  # type: ignore[assignment]
hap_asyncio.open_server = awaited(hap_asyncio.open_server)  # type: ignore[assignment]
hap_sync.open_server = blocking(hap_sync.open_server)  # type: ignore[assignment]
sys.argv[:1] = []
runpy.run_path(sys.argv[0], run_name="__main__")
