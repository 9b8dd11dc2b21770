"""Finding and announcing accessories on trio: the calls of `hap_asyncio.mdns`, over the bridge."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trio

from hapcore.discovery import DiscoveredAccessory, Gone, ServiceRecord

if TYPE_CHECKING:  # both cost the import of asyncio, the second that of zeroconf: only who opens mDNS pays
    from hap_asyncio.mdns import Browser
    from hap_asyncio.mdns import Mdns as AsyncioMdns

    from .bridge import Bridge

__all__ = ["Browsing", "Mdns", "open_mdns"]


class Mdns:
    """Announces and finds accessories on some interfaces; from `open_mdns()`. May be shared by any number of tasks."""

    def __init__(self, bridge: Bridge, inner: AsyncioMdns) -> None:
        self._bridge = bridge
        self._inner = inner
        self._browsings: set[Browsing] = set()

    async def advertise(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> str:
        """Announce an accessory, or at once what has changed about it, and return the instance name in use.

        `addresses` are IP addresses, or names of interfaces for whatever addresses these have; empty stands for those
        of the chosen interfaces. The announcement follows when they change. A name that the network has already becomes
        "Name (2)" and so on. Returns once the first announcement is out: after about 1.2 s of asking for the name the
        first time (see `open_mdns`), immediately afterwards. Calls are carried out in their order.
        """
        return await self._bridge.run(self._inner.advertise, record, port, addresses)

    async def update(self, record: ServiceRecord) -> str:
        """Announce a changed record of an accessory that is announced already; the port and addresses stay."""
        return await self._bridge.run(self._inner.update, record)

    async def announce(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> None:
        """`advertise()` for servers: what goes wrong is logged. Who knows the address can do without."""
        await self._bridge.run(self._inner.announce, record, port, addresses)

    async def withdraw(self, device_id: str | None = None) -> None:
        """Say goodbye for one accessory, or for all; three times, so it takes 0.25 s. No error if not announced."""
        await self._bridge.run(self._inner.withdraw, device_id)

    def browse(self) -> Browsing:
        """Iterate over what is there and, without end, over what changes. `async with` ends it in time."""
        browsing = Browsing(self._bridge, self._inner, self._browsings.discard)
        self._browsings.add(browsing)
        return browsing

    async def aclose(self) -> None:
        """End all browsing and say goodbye; `open_mdns()` does it."""
        with trio.CancelScope(shield=True):
            for browsing in list(self._browsings):
                await browsing.aclose()
            await self._bridge.run(self._inner.aclose)


class Browsing(AsyncIterator[DiscoveredAccessory | Gone]):
    """News of accessories, the latest about each: found, changed or gone. From `Mdns.browse()`, for one reader.

    Starts with the first step or with `async with`; ends with the block, with `aclose()`, or with the `Mdns` it is of.
    """

    def __init__(self, bridge: Bridge, inner: AsyncioMdns, ended: Callable[[Browsing], None]) -> None:
        self._bridge = bridge
        self._inner = inner
        self._ended = ended
        self._browser: Browser | None = None
        self._closed = False
        # One entry an accessory, so a slow reader costs no more memory than the accessories there are.
        self._news: dict[str, DiscoveredAccessory | Gone] = {}
        self._reader = trio.lowlevel.ParkingLot()

    async def aclose(self) -> None:
        """Stop browsing. Closing twice is harmless."""
        self._closed = True
        self._ended(self)
        self._reader.unpark_all()
        browser, self._browser = self._browser, None
        if browser is not None:
            with trio.CancelScope(shield=True):  # over within one turn of the other loop
                await self._bridge.run(browser.close)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __anext__(self) -> DiscoveredAccessory | Gone:
        """The next news."""
        await trio.lowlevel.checkpoint()
        if self._browser is None and not self._closed:
            await self._start()
        while not self._news:
            if self._closed:
                raise StopAsyncIteration
            await self._reader.park()
        return self._news.pop(next(iter(self._news)))

    async def _start(self) -> None:
        async def browse() -> Browser:
            return self._inner.listen(lambda news: self._bridge.report(self._hear, news))

        self._browser = await self._bridge.run(browse)

    def _hear(self, news: DiscoveredAccessory | Gone) -> None:
        self._news[news.device_id] = news
        self._reader.unpark()


@asynccontextmanager
async def open_mdns(interfaces: Sequence[str] | None = None, *, probe: bool = True) -> AsyncGenerator[Mdns, None]:
    """mDNS on `interfaces`, given by names or IP addresses (None: all), for the length of a block.

    It follows what becomes of them: a new address, a pulled cable, an interface that comes or goes. On Linux at once,
    elsewhere within 5 s. IPv4 and IPv6 alike.

    With `probe` False names are announced without asking whether the network has them: for names that cannot clash,
    and where 1.2 s matter. Raises `LocalProtocolError` for what is no address, `OSError` for one that is not ours.
    Leaving the block says goodbye for what is still announced, which takes 0.25 s, also when cancelled.
    """
    from hap_asyncio.mdns import Mdns as AsyncioMdns

    from .bridge import open_bridge

    async with open_bridge() as bridge:
        mdns = Mdns(bridge, await bridge.run(AsyncioMdns.open, interfaces, probe))
        try:
            yield mdns
        finally:
            await mdns.aclose()
