"""mDNS by zeroconf: announce accessories, find accessories (HAP 11). asyncio by nature, so written once, here.

`hap_trio.mdns` has the same calls and runs this over its bridge. What is announced and what is made of an announcement
stands in `hapcore.discovery`; here it is only carried.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import zeroconf
from attrs import define
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from hapcore.discovery import SERVICE_TYPE, ServiceRecord, device_key
from hapcore.errors import HapError, LocalProtocolError
from hapcore.ip.claims import DEFENCE_SECONDS, Claim, Decision
from hapcore.ip.interfaces import Interface, announced, check, choose, reachable, senders

from .browser import Browser, Browsing, News, Watch, cancel, present, try_address
from .tasks import Tasks, settle

__all__ = ["Browser", "Browsing", "Mdns", "News", "open_mdns"]

#: Names tried before giving up; a network with that many of one name has somebody who takes them on purpose.
_MAX_NAMES = 100
#: Seconds that others may believe the TXT record (RFC 6762 10).
_TTL = 4500

#: Seconds after which a move is announced once more: an address heard within the last second is not replaced by another
#: (RFC 6762 10.2).
_AGAIN = 1.2

_log = logging.getLogger("hap_asyncio")


@define(eq=False)
class _Announcement:
    claim: Claim
    port: int
    #: As the caller wants them: of all chosen interfaces (none), of those named, or themselves.
    addresses: tuple[str, ...]
    info: AsyncServiceInfo
    repeats: asyncio.Future[None]
    changes: int = 0


def _make_info(claim: Claim, port: int, addresses: Sequence[str], changes: int = 0) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"{claim.name}.{SERVICE_TYPE}",
        port=port,
        properties=claim.record.txt(),
        server=claim.host,
        parsed_addresses=[address.partition("%")[0] for address in addresses],  # a scope means nothing to others
        # Receivers drop a packet that equals one of the last second: paired, unpaired and paired again would be lost.
        other_ttl=_TTL - changes % 60,
    )


class _Rivals(zeroconf.RecordUpdateListener):
    """Tells of every service that a host has now, by its name and host: zeroconf minds a taken name only at first."""

    def __init__(self, heard: Callable[[str, str], object]) -> None:
        self._heard = heard

    def async_update_records(self, zc: object, now: float, records: list[zeroconf.RecordUpdate]) -> None:  # noqa: ARG002
        """zeroconf's call for the records of one packet."""
        for update in records:
            server: str | None = getattr(update.new, "server", None)
            if server is not None and not update.new.is_expired(now):
                self._heard(update.new.name, server)


class Mdns:
    """Announces and finds accessories on some interfaces. Open one with `open_mdns()`."""

    def __init__(
        self, responder: AsyncZeroconf, wanted: Sequence[str] | None, chosen: Sequence[Interface], probe: bool
    ) -> None:
        self._responder: Any = responder  # its annotations leave the type of what it awaits open
        self._wanted = wanted
        self._chosen = tuple(chosen)
        self._probe = probe
        self._tasks = Tasks()
        self._announced: dict[str, _Announcement] = {}
        self._browsers: set[Browser] = set()
        self._browsings: set[Browsing] = set()
        self._order = asyncio.Lock()

    @classmethod
    async def open(cls, interfaces: Sequence[str] | None = None, probe: bool = True) -> Mdns:
        """See `open_mdns`; has to be closed with `aclose()`."""
        there = present()
        if interfaces is not None:
            check(interfaces, there)
            for one in interfaces:
                # zeroconf goes on without an interface that is not there; its user would wait for ever
                if not choose(there, [one]) and (error := try_address(one)) is not None:
                    raise OSError(error.errno, f"{one} is no interface of this machine: {error.strerror}")
        chosen = choose(there, interfaces)
        responder = AsyncZeroconf(interfaces=senders(chosen))
        try:
            await responder.zeroconf.async_wait_for_start()
        except BaseException:
            await responder.async_close()
            raise
        mdns = cls(responder, interfaces, chosen, probe)
        mdns._tasks.start(mdns._follow())
        responder.zeroconf.async_add_listener(_Rivals(mdns._hear), None)
        return mdns

    async def aclose(self) -> None:
        """Stop browsing, say goodbye for what is announced, close the sockets; `open_mdns()` does it."""
        await self._tasks.aclose()
        for browsing in list(self._browsings):
            await browsing.aclose()
        for browser in list(self._browsers):
            await browser.close()
        await cancel(*(announcement.repeats for announcement in self._announced.values()))
        self._announced.clear()
        await self._responder.async_close()

    async def advertise(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> str:
        """Announce an accessory, or at once what has changed about it, and return the instance name in use.

        `addresses` are IP addresses, or names of interfaces for whatever addresses these have; empty stands for those
        of the chosen interfaces. The announcement follows when they change. A name that the network has already becomes
        "Name (2)" and so on. Returns once the first announcement is out: after about 1.2 s of asking for the name the
        first time (see `open_mdns`), immediately afterwards. Calls are carried out in their order.
        """
        async with self._order:
            wanted = tuple(addresses)
            known = self._announced.get(device_key(record.device_id))
            if known is not None:
                if (known.claim.record.name, known.port, known.addresses) == (record.name, port, wanted):
                    await self._announce_change(known, record)
                    return known.claim.name
                await self._withdraw(known)
            return await self._register(record, port, wanted)

    async def update(self, record: ServiceRecord) -> str:
        """Announce a changed record of an accessory that is announced already; the port and addresses stay."""
        known = self._announced.get(device_key(record.device_id))
        if known is None:
            raise LocalProtocolError(f"{record.device_id} is not announced", argument="record")
        return await self.advertise(record, known.port, known.addresses)

    async def announce(self, record: ServiceRecord, port: int, addresses: Sequence[str] = ()) -> None:
        """`advertise()` for servers: what goes wrong is logged. Who knows the address can do without."""
        try:
            await self.advertise(record, port, addresses)
        except (OSError, HapError) as error:
            _log.error("could not announce %s: %s", record.name, error)

    async def withdraw(self, device_id: str | None = None) -> None:
        """Say goodbye for one accessory, or for all; three times, so it takes 0.25 s. No error if not announced."""
        async with self._order:
            for key in list(self._announced) if device_id is None else [device_key(device_id)]:
                if (known := self._announced.get(key)) is not None:
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

    async def _register(self, record: ServiceRecord, port: int, addresses: tuple[str, ...], first: int = 1) -> str:
        for attempt in range(first, _MAX_NAMES + 1):
            claim = Claim(record, attempt)
            info = _make_info(claim, port, self._addresses(addresses))
            register = self._responder.async_register_service
            try:
                repeats = await register(info, strict=False, cooperating_responders=not self._probe)
            except (zeroconf.NonUniqueNameException, zeroconf.ServiceNameAlreadyRegistered):
                continue
            self._announced[device_key(record.device_id)] = _Announcement(claim, port, addresses, info, repeats)
            await asyncio.sleep(0)  # lets the first announcement out
            return claim.name
        raise LocalProtocolError(f"{_MAX_NAMES} names like {record.name!r} are taken on this network", argument="name")

    async def _announce_change(self, known: _Announcement, record: ServiceRecord) -> None:
        await cancel(known.repeats)  # repeats of the old record would undo the new one
        known.claim.record = record
        known.changes += 1
        known.info = _make_info(known.claim, known.port, self._addresses(known.addresses), known.changes)
        known.repeats = await self._responder.async_update_service(known.info)
        await asyncio.sleep(0)

    async def _withdraw(self, known: _Announcement) -> None:
        await cancel(known.repeats)
        del self._announced[device_key(known.claim.record.device_id)]
        await (await self._responder.async_unregister_service(known.info))

    def _addresses(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What to announce now."""
        return reachable(present(), wanted) if wanted else announced(self._chosen)

    async def _follow(self) -> None:
        """Go along with the interfaces of this machine: listen where they are, announce where we are."""
        watch, moved = Watch(), False
        try:
            while True:
                await watch.wait(_AGAIN if moved else None)
                chosen = choose(present(), self._wanted)
                again, moved = moved, chosen != self._chosen
                if again or moved:
                    async with self._order:
                        await self._move(chosen)
        finally:
            watch.close()

    async def _move(self, chosen: tuple[Interface, ...]) -> None:
        try:
            # Not its method of the same name: that one would announce by itself, for seconds, what is out of date soon.
            await self._responder.zeroconf.engine.async_update_interfaces(
                senders(chosen), zeroconf.IPVersion.All, False
            )
        except OSError as error:
            _log.warning("could not follow a change of network interfaces: %s", error)
        self._chosen = chosen
        for known in self._announced.values():
            await self._announce_change(known, known.claim.record)
        for browser in tuple(self._browsers):
            await browser.ask()

    def _hear(self, name: str, host: str) -> None:
        """Some host says that a service of this name is its own."""
        for known in self._announced.values():
            decision = known.claim.heard(name.removesuffix(f".{SERVICE_TYPE}"), host, time.monotonic())
            if decision is not Decision.IGNORE:
                self._tasks.start(self._settle_claim(known, decision))

    async def _settle_claim(self, known: _Announcement, decision: Decision) -> None:
        async with self._order:
            record = known.claim.record
            if self._announced.get(key := device_key(record.device_id)) is not known:
                return
            if decision is Decision.DEFEND:
                await self._announce_change(known, record)
            else:
                await cancel(known.repeats)
                del self._announced[key]
                self._responder.zeroconf.registry.async_remove(known.info)  # no goodbye: it would be for the other's
                await self._register(record, known.port, known.addresses, known.claim.attempt + 1)
        if decision is Decision.DEFEND:
            await asyncio.sleep(DEFENCE_SECONDS)  # and then see whether the other has yielded
            query = zeroconf.DNSOutgoing(0)  # type: ignore[attr-defined]  # public, but not declared so
            query.add_question(zeroconf.DNSQuestion(known.info.name, 33, 1))  # type: ignore[attr-defined]  # SRV: whose
            self._responder.zeroconf.async_send(query)


@asynccontextmanager
async def open_mdns(interfaces: Sequence[str] | None = None, *, probe: bool = True) -> AsyncGenerator[Mdns, None]:
    """mDNS on `interfaces`, given by names or IP addresses (None: all), for the length of a block.

    It follows what becomes of them: a new address, a pulled cable, an interface that comes or goes. On Linux at once,
    elsewhere within 5 s. IPv4 and IPv6 alike.

    With `probe` False names are announced without asking whether the network has them: for names that cannot clash,
    and where 1.2 s matter. Raises `LocalProtocolError` for what is no address, `OSError` for one that is not ours.
    Leaving the block says goodbye for what is still announced, which takes 0.25 s, also when cancelled.
    """
    mdns = await Mdns.open(interfaces, probe)
    try:
        yield mdns
    finally:
        await settle(mdns.aclose())
