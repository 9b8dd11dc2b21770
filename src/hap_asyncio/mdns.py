"""mDNS by zeroconf: announce accessories, find accessories (HAP 11). asyncio by nature, so written once, here.

`hap_trio.mdns` has the same calls and runs this over its bridge. What is announced and what is made of an announcement
stands in `hapcore.discovery`; here it is only carried.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import zeroconf
from attrs import define
from zeroconf import (
    InterfaceChoice,
    IPVersion,
    NonUniqueNameException,
    ServiceNameAlreadyRegistered,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from hapcore.discovery import SERVICE_TYPE, ServiceRecord, device_key, host_label, instance_name
from hapcore.errors import LocalProtocolError

from .browser import Browser, Browsing, News, cancel
from .tasks import settle

__all__ = ["Browser", "Browsing", "Mdns", "News", "open_mdns"]

#: Names tried before giving up; a network with that many of one name has somebody who takes them on purpose.
_MAX_NAMES = 100
#: Seconds that others may believe the TXT record (RFC 6762 10).
_TTL = 4500


@define(eq=False)
class _Announcement:
    record: ServiceRecord
    port: int
    addresses: tuple[str, ...]
    name: str
    info: AsyncServiceInfo
    repeats: asyncio.Future[None]
    changes: int = 0


def _make_info(
    record: ServiceRecord, name: str, port: int, addresses: Sequence[str], changes: int = 0
) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"{name}.{SERVICE_TYPE}",
        port=port,
        properties=record.txt(),
        server=f"{host_label(record.device_id)}.local.",
        parsed_addresses=[address.partition("%")[0] for address in addresses],  # a scope means nothing to others
        # Receivers drop a packet that equals one of the last second: paired, unpaired and paired again would be lost.
        other_ttl=_TTL - changes % 60,
    )


class Mdns:
    """Announces and finds accessories on some interfaces. Open one with `open_mdns()`."""

    def __init__(self, responder: AsyncZeroconf, own_addresses: Sequence[str], probe: bool) -> None:
        self._responder: Any = responder  # its annotations leave the type of what it awaits open
        self._own_addresses = tuple(own_addresses)
        self._probe = probe
        self._announced: dict[str, _Announcement] = {}
        self._browsers: set[Browser] = set()
        self._browsings: set[Browsing] = set()
        self._order = asyncio.Lock()

    @classmethod
    async def open(cls, interfaces: Sequence[str] | None = None, probe: bool = True) -> Mdns:
        """See `open_mdns`; has to be closed with `aclose()`."""
        chosen = None if interfaces is None else _check_interfaces(interfaces)
        if chosen is None:
            responder = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
            addresses = _own_addresses()
        else:
            responder = AsyncZeroconf(interfaces=chosen)
            addresses = chosen
        try:
            await responder.zeroconf.async_wait_for_start()
        except BaseException:
            await responder.async_close()
            raise
        return cls(responder, addresses, probe)

    async def aclose(self) -> None:
        """Stop browsing, say goodbye for what is announced, close the sockets; `open_mdns()` does it."""
        for browsing in list(self._browsings):
            await browsing.aclose()
        for browser in list(self._browsers):
            await browser.close()
        await cancel(*(announcement.repeats for announcement in self._announced.values()))
        self._announced.clear()
        await self._responder.async_close()

    async def advertise(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> str:
        """Announce an accessory, or at once what has changed about it, and return the instance name in use.

        `addresses` empty stands for those of the chosen interfaces. A name that the network has already becomes
        "Name (2)" and so on. Returns once the first announcement is out: after about 1.2 s of asking for the name the
        first time (see `open_mdns`), immediately afterwards. Calls are carried out in their order.
        """
        async with self._order:
            wanted = tuple(addresses) or self._own_addresses
            known = self._announced.get(device_key(record.device_id))
            if known is not None:
                if (known.record.name, known.port, known.addresses) == (record.name, port, wanted):
                    await self._announce_change(known, record)
                    return known.name
                await self._withdraw(known)
            return await self._register(record, port, wanted)

    async def update(self, record: ServiceRecord) -> str:
        """Announce a changed record of an accessory that is announced already; the port and addresses stay."""
        known = self._announced.get(device_key(record.device_id))
        if known is None:
            raise LocalProtocolError(f"{record.device_id} is not announced", argument="record")
        return await self.advertise(record, known.port, known.addresses)

    async def withdraw(self, device_id: str | None = None) -> None:
        """Say goodbye for one accessory, or for all; three times, so it takes 0.25 s. No error if not announced."""
        async with self._order:
            for key in list(self._announced) if device_id is None else [device_key(device_id)]:
                known = self._announced.get(key)
                if known is not None:
                    await self._withdraw(known)

    def browse(self) -> Browsing:
        """Iterate over what is there and, without end, over what changes. `async with` ends it in time."""
        browsing = Browsing(self.listen, self._browsings.discard)
        self._browsings.add(browsing)
        return browsing

    def listen(self, listener: Callable[[News], object]) -> Browser:
        """Tell `listener` of every accessory there is and, until the browser is closed, of every change."""
        browser = Browser(self._responder.zeroconf, listener, self._browsers.discard)
        self._browsers.add(browser)
        return browser

    async def _register(self, record: ServiceRecord, port: int, addresses: tuple[str, ...]) -> str:
        for attempt in range(1, _MAX_NAMES + 1):
            name = instance_name(record.name, attempt)
            info = _make_info(record, name, port, addresses)
            try:
                repeats = await self._responder.async_register_service(
                    info, strict=False, cooperating_responders=not self._probe
                )
            except (NonUniqueNameException, ServiceNameAlreadyRegistered):
                continue
            self._announced[device_key(record.device_id)] = _Announcement(record, port, addresses, name, info, repeats)
            await asyncio.sleep(0)  # lets the first announcement out
            return name
        raise LocalProtocolError(f"{_MAX_NAMES} names like {record.name!r} are taken on this network", argument="name")

    async def _announce_change(self, known: _Announcement, record: ServiceRecord) -> None:
        await cancel(known.repeats)  # repeats of the old record would undo the new one
        known.record = record
        known.changes += 1
        known.info = _make_info(record, known.name, known.port, known.addresses, known.changes)
        known.repeats = await self._responder.async_update_service(known.info)
        await asyncio.sleep(0)

    async def _withdraw(self, known: _Announcement) -> None:
        await cancel(known.repeats)
        del self._announced[device_key(known.record.device_id)]
        await (await self._responder.async_unregister_service(known.info))


@asynccontextmanager
async def open_mdns(interfaces: Sequence[str] | None = None, *, probe: bool = True) -> AsyncGenerator[Mdns, None]:
    """mDNS on `interfaces`, given by their IP addresses (None: all with an IPv4 address), for the length of a block.

    With `probe` False names are announced without asking whether the network has them: for names that cannot clash,
    and where 1.2 s matter. Raises `LocalProtocolError` for what is no address, `OSError` for one that is not ours.
    Leaving the block says goodbye for what is still announced, which takes 0.25 s, also when cancelled.
    """
    mdns = await Mdns.open(interfaces, probe)
    try:
        yield mdns
    finally:
        await settle(mdns.aclose())


def _check_interfaces(interfaces: Sequence[str]) -> list[str]:
    chosen = list(dict.fromkeys(interfaces))
    if not chosen:
        raise LocalProtocolError("name at least one interface, or None for all", argument="interfaces")
    for address in chosen:
        try:
            version = ipaddress.ip_address(address).version
        except ValueError:
            raise LocalProtocolError(f"{address!r} is no IP address", argument="interfaces") from None
        # zeroconf goes on without an interface that is not there; its user would wait for answers that never come
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0][4])
            except OSError as error:
                raise OSError(error.errno, f"{address} is no interface of this machine: {error.strerror}") from None
    return chosen


def _own_addresses() -> list[str]:
    """Where this machine can be reached by IPv4; itself only if there is nobody else."""
    addresses: list[str] = zeroconf.get_all_addresses()  # type: ignore[attr-defined]  # public, but not declared so
    return [address for address in addresses if not address.startswith("127.")] or addresses
