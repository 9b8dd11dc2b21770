"""Finding and announcing accessories: the calls of `hap_asyncio.mdns`, which runs in one thread of its own.

Its import costs that of asyncio and zeroconf, so it happens when mDNS is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, TypeAlias

from hapcore.discovery import DiscoveredAccessory, Gone, ServiceRecord

from .bridge import Bridge
from .feed import Feed
from .loop import Loop, thread_loop

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hap_asyncio.mdns import Browser
    from hap_asyncio.mdns import Mdns as AsyncioMdns

__all__ = ["Browsing", "Heard", "Mdns", "open_mdns"]

#: Told what was seen.
Heard: TypeAlias = Callable[[DiscoveredAccessory | Gone], object]


class Mdns:
    """Announces and finds accessories on some interfaces; from `open_mdns()`. For the thread that opened it."""

    def __init__(self, loop: Loop, thread: Bridge, inner: AsyncioMdns) -> None:
        self._loop, self._thread, self._inner = loop, thread, inner
        self._browsings: set[Browsing] = set()

    def advertise(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> str:
        """Announce an accessory, or at once what has changed about it, and return the instance name in use.

        `addresses` are IP addresses, or names of interfaces for whatever addresses these have; empty stands for those
        of the chosen interfaces. The announcement follows when they change. A name that the network has already becomes
        "Name (2)" and so on. Returns once the first announcement is out: after about 1.2 s of asking for the name the
        first time (see `open_mdns`), immediately afterwards. Calls are carried out in their order.
        """
        return self._thread.run(self._inner.advertise, record, port, addresses)

    def announce(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> Future[None]:
        """`advertise()` for servers, without waiting: what goes wrong is logged."""
        return self._thread.start(self._inner.announce, record, port, addresses)

    def update(self, record: ServiceRecord) -> str:
        """Announce a changed record of an accessory that is announced already; the port and addresses stay."""
        return self._thread.run(self._inner.update, record)

    def withdraw(self, device_id: str | None = None) -> None:
        """Say goodbye for one accessory, or for all; three times, so it takes 0.25 s. No error if not announced."""
        self._thread.run(self._inner.withdraw, device_id)

    def browse(self) -> Browsing:
        """Iterate over what is there and, without end, over what changes. `with` ends it in time."""
        return self.listen(None)

    def listen(self, heard: Heard | None) -> Browsing:
        """As `browse()`, but `heard` is called with what is found, by whichever call waits."""
        browsing = Browsing(self._loop, self._thread, self._inner, self._browsings.discard, heard)
        self._browsings.add(browsing)
        return browsing

    def close(self) -> None:
        """End all browsing and say goodbye; `open_mdns()` does it."""
        with self._loop.shielded():
            for browsing in list(self._browsings):
                browsing.close()
            self._thread.run(self._inner.aclose)


class Browsing(Feed[DiscoveredAccessory | Gone], AbstractContextManager["Browsing"]):
    """News of accessories, the latest about each: found, changed or gone. From `Mdns.browse()`, for one reader.

    Ends with its `with` block, with `close()`, or with the `Mdns` it is of.
    """

    def __init__(
        self, loop: Loop, thread: Bridge, inner: AsyncioMdns, ended: Callable[[Browsing], None], heard: Heard | None
    ) -> None:
        super().__init__(loop)
        self._thread, self._ended, self._heard = thread, ended, heard

        async def browse() -> Browser:
            return inner.listen(lambda news: thread.report(lambda: self.put(news)))

        self._browser = thread.run(browse)

    def put(self, item: DiscoveredAccessory | Gone) -> None:
        """One entry an accessory, so that a slow reader loses none of them."""
        if self._heard is not None:
            self._heard(item)
            return
        for stale in [one for one in self._items if one.device_id == item.device_id]:
            self._items.remove(stale)
        super().put(item)

    def close(self, error: Exception | None = None) -> None:
        """Stop browsing. Closing twice is harmless."""
        super().close(error)
        self._ended(self)
        if not self._thread.closed:
            with self._loop.shielded():  # over within one turn of the other loop
                self._thread.run(self._browser.close)

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_mdns(interfaces: Sequence[str] | None = None, *, probe: bool = True) -> Generator[Mdns, None, None]:
    """mDNS on `interfaces`, given by names or IP addresses (None: all), for the length of a block.

    It follows what becomes of them: a new address, a pulled cable, an interface that comes or goes. On Linux at once,
    elsewhere within 5 s. IPv4 and IPv6 alike.

    With `probe` False names are announced without asking whether the network has them: for names that cannot clash,
    and where 1.2 s matter. Raises `LocalProtocolError` for what is no address, `OSError` for one that is not ours.
    Leaving the block says goodbye for what is still announced, which takes 0.25 s.
    """
    from hap_asyncio.mdns import Mdns as AsyncioMdns

    with thread_loop() as loop, ExitStack() as stack:
        thread = stack.enter_context(closing(Bridge(loop, "mDNS")))
        yield stack.enter_context(closing(Mdns(loop, thread, thread.run(AsyncioMdns.open, interfaces, probe))))
