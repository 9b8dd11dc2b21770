"""The controller's side: find accessories, pair them, remember them."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from hap_sync.store import FileStore, MemoryStore
from hapcore.discovery import DiscoveredAccessory, device_key
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, LocalProtocolError, PeerError, TimedOut
from hapcore.home.book import Book
from hapcore.home.target import Address, Target, Where, split_address
from hapcore.ip.controller import Identify
from hapcore.model.remote import AccessoryDescription
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS, PairedAccessory

from .client import Client
from .entropy import system_entropy
from .pairing import StartedPairing
from .pump import Store
from .session import Session
from .stream import dial
from .tasks import Uncancelled, settle

if TYPE_CHECKING:  # costs the import of zeroconf: only who opens mDNS pays
    from .mdns import Browsing, Mdns

__all__ = ["Controller", "Discovery", "StartedPairing", "open_controller"]

#: Seconds to look for a paired accessory that is not where it was.
LOOK_UP_LIMIT = 5.0


class Discovery(AsyncIterator[DiscoveredAccessory]):
    """Accessories on the network as they are found or change, until the time is over. From `Controller.discover()`."""

    def __init__(self, open_mdns: Callable[[], Awaitable[Mdns]], deadline: float | None) -> None:
        self._open_mdns = open_mdns
        self._deadline = deadline
        self._browsing: Browsing | None = None

    async def __anext__(self) -> DiscoveredAccessory:
        limit = asyncio.timeout_at(self._deadline)
        try:
            async with limit:
                if self._browsing is None:
                    self._browsing = (await self._open_mdns()).browse()
                async for news in self._browsing:
                    if isinstance(news, DiscoveredAccessory):
                        return news
        except TimeoutError:
            if not limit.expired():
                raise
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop looking. What is left open ends with the controller."""
        if self._browsing is not None:
            await self._browsing.aclose()


class Controller(Book):
    """A home: the accessories we are paired with, and those we could be. From `open_controller()`."""

    def __init__(
        self,
        store: Store,
        table: Mapping[str, bytes],
        mdns: bool | Mdns,
        interfaces: Sequence[str] | None,
        entropy: Entropy,
    ) -> None:
        super().__init__(table)
        self._store = store
        self._mdns = mdns
        self._interfaces = interfaces
        self._entropy = entropy
        self._opening = asyncio.Lock()
        self._opened = AsyncExitStack()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._clients: dict[str, Client] = {}
        self._closed = False

    def discover(self, timeout: float | None = None) -> Discovery:
        """Iterate over the accessories on the network for `timeout` seconds (None: without end)."""
        return Discovery(self._open_mdns, None if timeout is None else asyncio.get_running_loop().time() + timeout)

    async def find(self, device_id: str, timeout: float = 10.0) -> DiscoveredAccessory:  # noqa: ASYNC109 - as above
        """Look for one accessory by its device id. Raises `TimedOut` when it is not seen within `timeout` seconds."""
        async with aclosing(self.discover(timeout)) as discovery:
            async for found in discovery:
                if device_key(found.device_id) == device_key(device_id) and found.addresses:
                    return found
        raise TimedOut(f"{device_id} was not seen on the network within {timeout:g} s")

    def connect(self, alias: str, address: str | None = None) -> Client:
        """The paired accessory called `alias`. It connects when it is used, and again after a connection was lost.

        `address` "HOST:PORT" says where it is, for a network without mDNS. Raises `LocalProtocolError`.
        """
        record = self.record(alias)
        if address is not None:
            target = split_address(address)

            async def given() -> Iterable[Address]:
                return [target]

            return Client(alias, record.pairing, self._dial, [given])
        if alias not in self._clients:

            async def stored() -> Iterable[Address]:
                return self._addresses(alias)

            async def announced() -> Iterable[Address]:
                return await self._look_up(alias) if self._mdns else ()

            self._clients[alias] = Client(alias, record.pairing, self._dial, [stored, announced])
        return self._clients[alias]

    async def pair(self, where: Where, setup_code: str, alias: str) -> Client:
        """Pair an accessory with the code "XXX-XX-XXX" and call it `alias` from then on.

        Raises `PairingRefused` (wrong code, paired with somebody else, busy, too many attempts), `Disconnected`,
        `LocalProtocolError` (not a code, alias in use), `StateError` or `OSError` when it cannot be stored.
        """
        SetupCode(setup_code, allow_trivial=True)  # a typing mistake costs none of the accessory's 100 attempts
        async with self.start_pairing(where, alias) as started:
            return await started.finish(setup_code)

    @asynccontextmanager
    async def start_pairing(self, where: Where, alias: str) -> AsyncGenerator[StartedPairing, None]:
        """The first half of pairing, for accessories that show their code only then; `finish()` is the second."""
        self._check_free(alias)
        target = Target.of(where)
        async with self._visit(target) as session:
            await session.do(target.start)
            yield StartedPairing(session, target, alias, self.save, self.connect)

    async def identify(self, where: Where) -> None:
        """Have an accessory that nobody has paired make itself noticed. Raises `Refused` when it is paired."""
        async with self._visit(Target.of(where)) as session:
            await session.do(Identify())

    async def remove(self, alias: str, *, address: str | None = None, force: bool = False) -> None:
        """Unpair: remove our pairing from the accessory (at `address`, if given), then the record.

        `force` drops the record also where the accessory cannot be reached, or does not know us any more.
        """
        client = self.connect(alias, address)
        try:
            await client.remove_pairing(client.pairing.controller_id.encode())
        except PeerError:
            if not force:
                raise
        await client.aclose()
        with Uncancelled() as patient:
            await patient.wait(asyncio.get_running_loop().run_in_executor(None, self._store.forget, alias))
            self._records.pop(alias, None)
            self._clients.pop(alias, None)

    async def save(self, record: PairedAccessory) -> None:
        """Store a pairing, made here or elsewhere. Raises `StateError` or `OSError`."""
        loop = asyncio.get_running_loop()
        with Uncancelled() as patient:
            await patient.wait(loop.run_in_executor(None, self._store.persist, record.alias, record.encode()))
            self._records[record.alias] = record

    async def aclose(self) -> None:
        """Close all connections; `open_controller()` does it."""
        self._closed = True
        for session in list(self._sessions):
            await session.aclose()
        await settle(self._opened.aclose())

    def _check_open(self) -> None:
        if self._closed:
            raise LocalProtocolError("this controller is closed")

    async def _open_mdns(self) -> Mdns:
        """mDNS, opened when it is first needed."""
        self._check_open()
        if not self._mdns:
            raise LocalProtocolError("this controller was opened without mDNS", argument="mdns")
        async with self._opening:
            if self._mdns is True:
                from .mdns import open_mdns

                self._mdns = await self._opened.enter_async_context(open_mdns(self._interfaces))
        return self._mdns

    async def _look_up(self, alias: str) -> Iterable[Address]:
        """Where a paired accessory says that it is now."""
        try:
            found = await self.find(self.record(alias).pairing.accessory_id, LOOK_UP_LIMIT)
        except TimedOut:
            return ()
        if (moved := self._moved(alias, found)) is not None:
            await self.save(moved)
        return Target.of(found).addresses

    async def _dial(self, address: Address, database: Iterable[AccessoryDescription] = ()) -> Session:
        """A connection that the controller closes at its end."""
        self._check_open()
        session = Session(address[0], self._entropy, database)
        self._sessions.add(session)
        await dial(session.carry, *address)
        return session

    @asynccontextmanager
    async def _visit(self, target: Target) -> AsyncGenerator[Session, None]:
        """A connection without a session, to the first address that answers."""
        failures: list[Disconnected] = []
        for address in target.addresses:
            try:
                session = await self._dial(address)
            except Disconnected as error:
                failures.append(error)
                continue
            try:
                yield session
            finally:
                await session.aclose()
            return
        raise Disconnected("; ".join(map(str, failures)) or "the accessory announces no address")


@asynccontextmanager
async def open_controller(
    path: str | os.PathLike[str] | None = None,
    *,
    mdns: bool | Mdns = True,
    interfaces: Sequence[str] | None = None,
    entropy: Entropy = system_entropy,
) -> AsyncGenerator[Controller, None]:
    """A controller for the length of a block; all its connections are closed at the end.

    `path` is the file that keeps the pairings (None: in memory only). `mdns` False never looks for anything on the
    network, an open `Mdns` is shared; `interfaces` are the addresses of ours to look on (None: all).

    Raises `StateError` for a file that cannot be read (it is left alone).
    """
    store: Store = MemoryStore() if path is None else FileStore(path, PAIRINGS)
    home = Controller(store, await asyncio.to_thread(store.load), mdns, interfaces, entropy)
    try:
        yield home
    finally:
        await home.aclose()
