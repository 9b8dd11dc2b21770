"""A `hapcore.proxy.Proxy` on trio: a client for the accessory, a server for its controllers, errands between them."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar, Unpack

import trio

from hap_trio.background import background
from hap_trio.client import Client
from hap_trio.server import AccessoryServer, Settings, open_server
from hapcore.proxy import FAILURES, Ask, Errand, Proxy, Tell

__all__ = ["open_proxy"]

R = TypeVar("R")
#: Seconds between two looks at an accessory that has no events, whose connection nobody would miss otherwise.
QUIET = 10.0


class _Middle:
    def __init__(self, proxy: Proxy, client: Client) -> None:
        self.server: AccessoryServer
        self._proxy = proxy
        self._client = client
        self._following = trio.CancelScope()
        proxy.connect(self.carry, lambda: self._following.cancel())

    async def carry(self, errand: Errand[R]) -> R:
        """Run an errand to its end."""
        try:
            step = next(errand)
            while True:
                result: object
                try:
                    match step:
                        case Ask(command):
                            result = await self._client.do(command)
                        case Tell(command):
                            result = await self.server.do(command)
                        case _:
                            result = await step
                except Exception as error:  # noqa: BLE001 - what it means is the errand's to say
                    step = errand.throw(error)
                else:
                    step = errand.send(result)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            errand.close()

    async def keep(self) -> None:
        """Stay connected to the accessory and pass on its events."""
        while True:
            try:
                await self.carry(self._proxy.arrive())
                await self._follow()
            except FAILURES as error:
                self._proxy.lose(error)
                await trio.sleep(self._proxy.pause)

    async def _follow(self) -> None:
        wanted = self._proxy.evented
        with trio.move_on_after(math.inf if wanted else QUIET) as self._following:
            if not wanted:
                await trio.sleep_forever()
            async with self._client.subscribe(wanted) as changes:
                async for change in changes:
                    news = [change]
                    try:
                        while changes.ready:
                            news.append(await anext(changes))
                    finally:
                        await self.carry(self._proxy.happen(news))

    async def hear(self) -> None:
        """Account for what the server reports."""
        async for event in self.server.events():
            await self.carry(self._proxy.hear(event))


@asynccontextmanager
async def open_proxy(
    proxy: Proxy, client: Client, **settings: Unpack[Settings]
) -> AsyncGenerator[AccessoryServer, None]:
    """Serve `proxy` for the length of a block; `client` is the accessory behind it. Raises like `open_server`."""
    middle = _Middle(proxy, client)
    async with open_server(proxy.database, **settings) as middle.server, background() as nursery:
        nursery.start_soon(middle.hear)
        nursery.start_soon(middle.keep)
        yield middle.server
