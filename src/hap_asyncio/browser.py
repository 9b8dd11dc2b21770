"""Hearing: what others announce, who takes a name of ours, and what becomes of this machine's own interfaces.

The listening half of `hap_asyncio.mdns`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import ifaddr
from attrs import evolve
from zeroconf import Error, RecordUpdate, RecordUpdateListener, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo

from hapcore.discovery import SERVICE_TYPE, DiscoveredAccessory, Gone, parse_txt
from hapcore.ip.interfaces import Interface

from .tasks import settle

__all__ = ["Browser", "Browsing", "News", "Watch", "cancel", "present", "try_address"]

#: What a browser tells: an accessory found, or changed, or gone.
News: TypeAlias = DiscoveredAccessory | Gone

#: Accessories remembered by one browser. A house has a few dozen; a hostile neighbour can announce any number.
_MAX_FOUND = 1000
#: How long to ask for the missing records of a service that was heard of, in milliseconds.
_RESOLVE_TIME = 3000
#: Seconds between two looks at the interfaces where the operating system does not tell of changes.
_LOOK_INTERVAL = 5.0
#: Seconds to wait for more: an address comes with routes, and others come with it.
_SETTLE_TIME = 0.1
#: Linux: the groups of routing netlink that tell of links and of addresses of both families.
_NETLINK_GROUPS = 0x1 | 0x10 | 0x100
#: Linux: where nothing is heard, whatever addresses there are.
_DOWN = {"down", "lowerlayerdown", "notpresent"}


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

    async def ask(self) -> None:
        """Ask anew who is there and where: the network is another, or was away. Who does not answer is not gone yet."""
        cache = self._zeroconf.cache
        for name in self._found:
            hosts = {getattr(record, "server", None) or name for record in cache.async_entries_with_name(name)}
            for about in (name, *hosts):  # one after the other: some hosts have the name of their service
                cache.async_remove_records(cache.async_entries_with_name(about))
        await self._browser.async_cancel()
        self._browser = AsyncServiceBrowser(self._zeroconf, SERVICE_TYPE, handlers=[self._heard])

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:  # noqa: ARG002
        """zeroconf's call for the records of one packet."""
        for update in records:
            text: bytes | None = getattr(update.new, "text", None)
            name = update.new.name
            if text is not None and name in self._found and not update.new.is_expired(now):
                self._texts[name] = text
                self._changed.add(name)
            elif hasattr(update.new, "address") and update.new.is_expired(now):
                self._changed.update(self._found)  # somebody has one address less, which zeroconf's browser keeps quiet

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
        elif (known := self._found.get(name)) is not None:  # when somebody answers for it again that is news
            self._found[name] = evolve(known, addresses=())

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


class Watch:
    """Wakes when the interfaces of this machine may have changed: told by Linux, from time to time elsewhere."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._kernel = _open_netlink()
        if self._kernel is not None:
            asyncio.get_running_loop().add_reader(self._kernel, self._told)

    async def wait(self, limit: float | None) -> None:
        """Until there may be something new to see, or for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_INTERVAL if limit is None and self._kernel is None else limit):
                await self._changed.wait()
        await asyncio.sleep(_SETTLE_TIME)
        self._changed.clear()

    def close(self) -> None:
        """Watch no more."""
        if self._kernel is not None:
            asyncio.get_running_loop().remove_reader(self._kernel)
            self._kernel.close()

    def _told(self) -> None:
        with suppress(OSError):  # so much at once that some was dropped: changed all the same
            while self._kernel is not None and self._kernel.recv(65536):
                self._changed.set()
        self._changed.set()


def _open_netlink() -> socket.socket | None:
    if not hasattr(socket, "AF_NETLINK"):
        return None
    with suppress(OSError):  # not in every sandbox
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        kernel.setblocking(False)
        kernel.bind((0, _NETLINK_GROUPS))
        return kernel
    return None


def present() -> list[Interface]:
    """The interfaces that run. An address that IPv6 still looks for duplicates of cannot be used yet, and is left out.

    A pulled cable takes the interface out of the list on Linux; elsewhere only the loss of its addresses does.
    """
    found: list[Interface] = []
    for adapter in ifaddr.get_adapters():
        index = adapter.index or 0
        texts = [one.ip if isinstance(one.ip, str) else one.ip[0].partition("%")[0] for one in adapter.ips]
        usable = tuple(text for text in texts if try_address(text, index) is None)
        if usable and _runs(adapter.nice_name):
            found.append(Interface(adapter.nice_name, index, usable))
    return found


def try_address(address: str, index: int = 0) -> OSError | None:
    """Why an address cannot be used on the interface with this number; None when it can."""
    try:
        *_, (family, *_, where) = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((*where[:3], where[3] or index) if len(where) == 4 else where)
    except OSError as error:
        return error
    return None


def _runs(name: str) -> bool:
    with suppress(OSError):  # not Linux, or an alias
        return Path("/sys/class/net", name, "operstate").read_text(encoding="ascii").strip() not in _DOWN
    return True


async def cancel(*futures: asyncio.Future[None]) -> None:
    """Cancel and wait until they are over, whatever came of them."""
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
