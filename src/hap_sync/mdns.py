"""Finding and announcing accessories: the calls of `hap_asyncio.mdns`, which runs in one thread of its own.

Its import costs that of asyncio and zeroconf, so it happens when mDNS is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from hapcore.discovery import DiscoveredAccessory, Gone, ServiceRecord
from hapcore.errors import LocalProtocolError

from .feed import Feed
from .loop import Loop, thread_loop

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from hap_asyncio.mdns import Browser
    from hap_asyncio.mdns import Mdns as AsyncioMdns

__all__ = ["Browsing", "Mdns", "open_mdns"]

P = ParamSpec("P")
T = TypeVar("T")


class _Thread:
    """An asyncio loop in a thread of its own."""

    def __init__(self, loop: Loop) -> None:
        import asyncio
        import threading
        from concurrent.futures import Future

        self._asyncio = asyncio
        self._loop = loop
        self.closed = False
        opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        async def live() -> None:
            stop = asyncio.Event()
            opened.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

        def run() -> None:
            # Not asyncio.new_event_loop(): once trio-asyncio has been imported, that makes one of its own loops.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(live())

        self._thread = threading.Thread(target=run, name="hap mdns", daemon=True)
        self._thread.start()
        self._inner, self._stop = opened.result()

    def start(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it awaited there. Raises `LocalProtocolError` where the mDNS is closed."""
        if self.closed:
            raise LocalProtocolError("the mDNS is closed")
        return self._asyncio.run_coroutine_threadsafe(function(*args, **kwargs), self._inner)

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await it there, and serve everything of this thread meanwhile. Ctrl-C cancels it."""
        future = self.start(function, *args, **kwargs)
        future.add_done_callback(lambda _: self._loop.wake())
        try:
            self._loop.wait(future.done)
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def report(self, function: Callable[[], object]) -> None:
        """From there: have the thread that waits here call it."""
        with suppress(LocalProtocolError):
            self._loop.call_soon(function)

    def close(self) -> None:
        """End the thread."""
        self.closed = True
        self._inner.call_soon_threadsafe(self._stop.set)
        self._thread.join()


class Mdns:
    """Announces and finds accessories on some interfaces; from `open_mdns()`. For the thread that opened it."""

    def __init__(self, loop: Loop, thread: _Thread, inner: AsyncioMdns) -> None:
        self._loop = loop
        self._thread = thread
        self._inner = inner
        self._browsings: set[Browsing] = set()

    def advertise(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> str:
        """Announce an accessory, or at once what has changed about it, and return the instance name in use.

        `addresses` empty stands for those of the chosen interfaces. A name that the network has already becomes
        "Name (2)" and so on. Returns once the first announcement is out: after about 1.2 s of asking for the name the
        first time (see `open_mdns`), immediately afterwards. Calls are carried out in their order.
        """
        return self._thread.run(self._inner.advertise, record, port, addresses)

    def start_advertising(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> Future[str]:
        """`advertise()` without waiting; for servers."""
        return self._thread.start(self._inner.advertise, record, port, addresses)

    def update(self, record: ServiceRecord) -> str:
        """Announce a changed record of an accessory that is announced already; the port and addresses stay."""
        return self._thread.run(self._inner.update, record)

    def withdraw(self, device_id: str | None = None) -> None:
        """Say goodbye for one accessory, or for all; three times, so it takes 0.25 s. No error if not announced."""
        self._thread.run(self._inner.withdraw, device_id)

    def browse(self) -> Browsing:
        """Iterate over what is there and, without end, over what changes. `with` ends it in time."""
        return self.listen(None)

    def listen(self, heard: Callable[[DiscoveredAccessory | Gone], object] | None) -> Browsing:
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


class Browsing(Feed[DiscoveredAccessory | Gone]):
    """News of accessories, the latest about each: found, changed or gone. From `Mdns.browse()`, for one reader.

    Ends with its `with` block, with `close()`, or with the `Mdns` it is of.
    """

    def __init__(
        self,
        loop: Loop,
        thread: _Thread,
        inner: AsyncioMdns,
        ended: Callable[[Browsing], None],
        heard: Callable[[DiscoveredAccessory | Gone], object] | None,
    ) -> None:
        super().__init__(loop)
        self._heard = heard
        self._thread = thread
        self._ended = ended

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def open_mdns(interfaces: Sequence[str] | None = None, *, probe: bool = True) -> Generator[Mdns, None, None]:
    """mDNS on `interfaces`, given by their IP addresses (None: all with an IPv4 address), for the length of a block.

    With `probe` False names are announced without asking whether the network has them: for names that cannot clash,
    and where 1.2 s matter. Raises `LocalProtocolError` for what is no address, `OSError` for one that is not ours.
    Leaving the block says goodbye for what is still announced, which takes 0.25 s.
    """
    from hap_asyncio.mdns import Mdns as AsyncioMdns

    with thread_loop() as loop:
        thread = _Thread(loop)
        try:
            mdns = Mdns(loop, thread, thread.run(AsyncioMdns.open, interfaces, probe))
            try:
                yield mdns
            finally:
                mdns.close()
        finally:
            thread.close()
