"""A virtual air that processes share: each gets a Bluetooth controller of its own, behind TCP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TypeVar

from hap_asyncio.ble.bumble import BumbleServer
from hap_asyncio.ble.server import PeripheralServer, open_peripheral
from hap_asyncio.testing.radio import Air, open_air
from hapcore.catalogue.services import Lightbulb

T = TypeVar("T")
#: Nothing here takes long; what does is stuck.
LIMIT = 60.0


class LitAir:
    """An air with a lamp in it, in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, over: asyncio.Event, air: Air, hci: str) -> None:
        self.loop = loop
        self.over = over
        self.air = air
        #: How Bumble names a controller of this air.
        self.hci = hci
        self.light = Lightbulb("Lamp", on=False, brightness=40)
        self.light.brightness.disconnected_events = True
        self.radio: BumbleServer
        self.server: PeripheralServer

    def do(self, what: Callable[[], T]) -> T:
        """Have it done where the lamp is."""

        async def call() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(LIMIT)

    def part(self) -> None:
        """The lamp is out of range for so long that the link is lost."""

        async def hide() -> None:
            links = self.radio.links
            self.air.vanish(self.radio.device)
            while self.radio._link is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            self.air.come_back(self.radio.device)
            assert self.radio.links == links

        asyncio.run_coroutine_threadsafe(hide(), self.loop).result(LIMIT)


@contextmanager
def lit_air(code: str | None = None) -> Iterator[LitAir]:
    """An air with a lamp, if there is a setup code for one."""
    found: list[LitAir] = []
    ready = threading.Event()

    async def live() -> None:
        async with AsyncExitStack() as stack:
            air = await stack.enter_async_context(open_air())
            hci = f"tcp-client:127.0.0.1:{await air.lend()}"
            it = LitAir(asyncio.get_running_loop(), asyncio.Event(), air, hci)
            if code is not None:
                it.radio = await air.peripheral("Lamp")
                it.server = await stack.enter_async_context(open_peripheral(it.light, radio=it.radio, setup_code=code))
            found.append(it)
            ready.set()
            await it.over.wait()

    def run() -> None:
        # Not asyncio.run(): once trio-asyncio has been imported, that takes one of its own loops.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(live())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(LIMIT)
    try:
        yield found[0]
    finally:
        found[0].loop.call_soon_threadsafe(found[0].over.set)
        thread.join()


@contextmanager
def lent_air() -> Iterator[str]:
    """How Bumble names a controller of an empty air: for `--hci`, and after "bumble:" for `--adapter`."""
    with lit_air() as air:
        yield air.hci
