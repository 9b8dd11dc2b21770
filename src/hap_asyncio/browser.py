"""Hearing what is announced: the finding half of `hap_asyncio.mdns`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self, TypeAlias

from zeroconf import Error, RecordUpdate, RecordUpdateListener, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo

from hapcore.discovery import SERVICE_TYPE, DiscoveredAccessory, Gone, parse_txt

from .tasks import settle

__all__ = ["Browser", "Browsing", "News", "cancel"]

#: What a browser tells: an accessory found, or changed, or gone.
News: TypeAlias = DiscoveredAccessory | Gone

#: Accessories remembered by one browser. A house has a few dozen; a hostile neighbour can announce any number.
_MAX_FOUND = 1000
#: How long to ask for the missing records of a service that was heard of, in milliseconds.
_RESOLVE_TIME = 3000


class Browser(RecordUpdateListener):
    """Keeps a listener informed; from `Mdns.listen()`.

    zeroconf's own browser tells what comes, moves and goes. TXT records are heard beside it: it does not report one
    that is in its cache already, as after pairing and unpairing within a second.
    """

    def __init__(
        self, zeroconf: Zeroconf, listener: Callable[[News], object], closed: Callable[[Browser], object]
    ) -> None:
        self._zeroconf = zeroconf
        self._listener = listener
        self._closed = closed
        self._found: dict[str, DiscoveredAccessory] = {}
        self._texts: dict[str, bytes] = {}
        self._changed: set[str] = set()
        self._resolving: dict[str, asyncio.Task[None]] = {}
        zeroconf.async_add_listener(self, None)
        self._browser = AsyncServiceBrowser(zeroconf, SERVICE_TYPE, handlers=[self._heard])

    async def close(self) -> None:
        """Stop listening. Closing twice is harmless."""
        if self._browser.done:
            return
        self._zeroconf.async_remove_listener(self)
        await self._browser.async_cancel()
        await cancel(*self._resolving.values())
        self._closed(self)

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:  # noqa: ARG002
        """zeroconf's call for the records of one packet."""
        for update in records:
            text: bytes | None = getattr(update.new, "text", None)
            name = update.new.name
            if text is not None and name in self._found and not update.new.is_expired(now):
                self._texts[name] = text
                self._changed.add(name)

    def async_update_records_complete(self) -> None:
        """zeroconf's call after the last record of a packet."""
        while self._changed:
            self._look(self._changed.pop())

    def _heard(self, name: str, state_change: ServiceStateChange, **_: object) -> None:
        if state_change is ServiceStateChange.Removed:
            self._lost(name)
        elif name in self._found or len(self._found) + len(self._resolving) < _MAX_FOUND:
            self._look(name)

    def _look(self, name: str) -> None:
        try:
            info = AsyncServiceInfo(SERVICE_TYPE, name)
        except Error:
            return  # a name that no DNS message can hold
        if info.load_from_cache(self._zeroconf):
            self._resolved(name, info)
        elif name not in self._resolving:
            task = asyncio.get_running_loop().create_task(self._resolve(name, info))
            self._resolving[name] = task
            task.add_done_callback(lambda _: self._resolving.pop(name, None))

    async def _resolve(self, name: str, info: AsyncServiceInfo) -> None:
        if await info.async_request(self._zeroconf, _RESOLVE_TIME):
            self._resolved(name, info)

    def _resolved(self, name: str, info: AsyncServiceInfo) -> None:
        heard = self._texts.get(name)
        txt = info if heard is None else AsyncServiceInfo(SERVICE_TYPE, name, properties=heard)
        label = name[: -len(SERVICE_TYPE) - 1]
        accessory = parse_txt(label, txt.properties, info.parsed_scoped_addresses(), info.port)
        before = self._found.get(name)
        if accessory is None or accessory == before:
            return
        self._found[name] = accessory
        if before is not None and before.device_id != accessory.device_id:
            self._report_gone(before)  # reset to factory settings: another accessory under the old name
        self._listener(accessory)

    def _lost(self, name: str) -> None:
        task = self._resolving.get(name)
        if task is not None:
            task.cancel()
        self._texts.pop(name, None)
        accessory = self._found.pop(name, None)
        if accessory is not None:
            self._report_gone(accessory)

    def _report_gone(self, accessory: DiscoveredAccessory) -> None:
        if all(other.device_id != accessory.device_id for other in self._found.values()):  # else only renamed
            self._listener(Gone(accessory.name, accessory.device_id))


class Browsing(AsyncIterator[News]):
    """News of accessories, the latest about each: found, changed or gone. From `Mdns.browse()`, for one reader.

    Starts with the first step or with `async with`; ends with the block, with `aclose()`, or with the `Mdns` it is of.
    """

    def __init__(
        self, listen: Callable[[Callable[[News], object]], Browser], ended: Callable[[Browsing], object]
    ) -> None:
        self._listen = listen
        self._ended = ended
        self._browser: Browser | None = None
        self._closed = False
        # One entry an accessory, so a slow reader costs no more memory than the accessories there are.
        self._news: dict[str, News] = {}
        self._awake = asyncio.Event()

    async def aclose(self) -> None:
        """Stop browsing. Closing twice is harmless."""
        self._closed = True
        self._ended(self)
        self._awake.set()
        browser, self._browser = self._browser, None
        if browser is not None:
            await settle(browser.close())

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __anext__(self) -> News:
        """The next news."""
        self._start()
        while not self._news:
            if self._closed:
                raise StopAsyncIteration
            self._awake.clear()
            await self._awake.wait()
        return self._news.pop(next(iter(self._news)))

    def _start(self) -> None:
        if self._browser is None and not self._closed:
            self._browser = self._listen(self._hear)

    def _hear(self, news: News) -> None:
        self._news[news.device_id] = news
        self._awake.set()


async def cancel(*futures: asyncio.Future[None]) -> None:
    """Cancel and wait until they are over, whatever came of them."""
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
