"""An accessory, a proxy in front of it, and a controller that knows the proxy only; all over loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

import hap_trio
from hap_trio.cli.forwarding import open_proxy
from hapcore.decode.model import Entry, Kind
from hapcore.proxy import Filters, Proxy

CODE = "031-45-154"
OTHER_CODE = "031-45-155"
LOCAL: Any = {"address": "127.0.0.1", "mdns": False}
#: Seconds after which something hangs.
LIMIT = 30.0


@define
class House:
    """What a test talks to. `client` is the controller behind the proxy."""

    home: hap_trio.Controller
    behind: hap_trio.Client
    proxy: Proxy
    server: hap_trio.AccessoryServer
    client: hap_trio.Client
    entries: list[Entry]
    news: trio.Event = field(factory=trio.Event)

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait until something is so; looked at whenever the proxy has something to say."""
        with trio.fail_after(LIMIT):
            while not happened():
                await self.news.wait()

    def told(self, text: str) -> list[Entry]:
        """What the proxy said with these words in its title."""
        return [one for one in self.entries if text in one.title]

    def last(self, kind: Kind) -> Entry:
        return next(one for one in reversed(self.entries) if one.kind is kind)


@asynccontextmanager
async def open_house(where: str, filters: Filters | None = None, **settings: Any) -> AsyncGenerator[House, None]:
    """Pair the accessory that listens at `where`, put a proxy before it, pair that."""
    entries: list[Entry] = []
    house: House | None = None

    def tell(entry: Entry) -> None:
        entries.append(entry)
        if house is not None:
            house.news.set()
            house.news = trio.Event()

    async with hap_trio.open_controller(mdns=False) as home:
        behind = await home.pair(where, CODE, "behind")
        described = await behind.accessories()
        proxy = Proxy(described, accessory_id="11:22:33:44:55:66", clock=trio.current_time, tell=tell, filters=filters)
        async with open_proxy(proxy, behind, setup_code=OTHER_CODE, **LOCAL, **settings) as server:
            client = await home.pair(f"127.0.0.1:{server.port}", OTHER_CODE, "proxy")
            house = House(home, behind, proxy, server, client, entries)
            yield house


@asynccontextmanager
async def proxied(what: Any, filters: Filters | None = None, **settings: Any) -> AsyncGenerator[House, None]:
    """The same for an accessory that is served for the length of the block."""
    async with (
        hap_trio.open_server(what, setup_code=CODE, **LOCAL) as served,
        open_house(f"127.0.0.1:{served.port}", filters, **settings) as house,
    ):
        yield house


class Plug:
    """An accessory that can be pulled out and put in again: the same state at the same port."""

    def __init__(self, nursery: trio.Nursery, state: Path) -> None:
        self.port = 0
        self._nursery = nursery
        self._state = state
        self._pulled = trio.Event()
        self._gone = trio.Event()

    async def put_in(self, what: Any) -> str:
        """Serve it from now on; where it is."""
        self._pulled, self._gone = trio.Event(), trio.Event()
        self.port = await self._nursery.start(self._serve, what)
        return f"127.0.0.1:{self.port}"

    async def pull(self) -> None:
        """Serve it no more."""
        self._pulled.set()
        await self._gone.wait()

    async def _serve(self, what: Any, *, task_status: trio.TaskStatus[int]) -> None:
        async with hap_trio.open_server(what, setup_code=CODE, state=self._state, port=self.port, **LOCAL) as served:
            task_status.started(served.port)
            await self._pulled.wait()
        self._gone.set()
