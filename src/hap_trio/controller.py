"""The controller's side: find accessories, pair them, remember them."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import cast

import trio

from hap_sync.store import FileStore, MemoryStore
from hapcore.discovery import DiscoveredAccessory, device_key
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, HapError, LocalProtocolError, PeerError, TimedOut
from hapcore.home.book import Book
from hapcore.home.target import Address, Target, Where, split_address
from hapcore.ip.controller import Connection, FinishPairSetup, Identify, RemovePairing, VerifyPairing
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS, PairedAccessory

from .background import background
from .client import Client
from .entropy import system_entropy
from .mdns import Browsing, Mdns, open_mdns
from .pump import Store
from .session import Session, open_connection
from .stream import dial

__all__ = ["Controller", "Discovery", "StartedPairing", "open_controller"]

#: Seconds to look for a paired accessory that is not where it was.
LOOK_UP_LIMIT = 5.0
#: Seconds to undo a pairing that could not be stored.
UNDO_LIMIT = 10.0


class StartedPairing:
    """The accessory has agreed to be paired and may show its setup code now. From `Controller.start_pairing()`."""

    def __init__(self, home: Controller, session: Session, target: Target, alias: str) -> None:
        self._home = home
        self._session = session
        self._target = target
        self._alias = alias
        self._started = True

    async def finish(self, setup_code: str) -> Client:
        """Pair with the code "XXX-XX-XXX"; the pairing is stored before this returns.

        Raises `LocalProtocolError` for what is no code and `PairingRefused` for a wrong one: call again with another.
        Cannot be cancelled half way, because once the accessory knows us we must remember it; it takes a second or so,
        and about a minute at worst. Where the pairing cannot be stored it is removed from the accessory again.
        """
        code = SetupCode(setup_code, allow_trivial=True)
        if not self._started:
            await self._session.do(self._target.start)
        self._started = False
        await trio.lowlevel.checkpoint_if_cancelled()  # the last moment to turn back
        with self._session.uncancelled():
            pairing = await self._session.do(FinishPairSetup(code))
            try:
                await self._home.save(self._target.record(self._alias, pairing))
            except Exception as error:
                await self._undo(pairing, error)
                raise
            finally:
                self._session.close()  # the client opens its own
        return self._home.connect(self._alias)

    async def _undo(self, pairing: Pairing, error: Exception) -> None:
        with trio.move_on_after(UNDO_LIMIT):
            try:
                await self._session.do(VerifyPairing(pairing))
                await self._session.do(RemovePairing(pairing.controller_id.encode()))
                return
            except HapError:
                pass
        error.add_note("the accessory was paired with a key that is lost now: reset it before pairing it again")


class Discovery(AsyncIterator[DiscoveredAccessory]):
    """Accessories on the network as they are found or change, until the time is over. From `Controller.discover()`."""

    def __init__(self, open_mdns: Callable[[], Awaitable[Mdns]], deadline: float) -> None:
        self._open_mdns = open_mdns
        self._deadline = deadline
        self._browsing: Browsing | None = None

    async def __anext__(self) -> DiscoveredAccessory:
        with trio.CancelScope(deadline=self._deadline):
            if self._browsing is None:
                self._browsing = (await self._open_mdns()).browse()
            async for news in self._browsing:
                if isinstance(news, DiscoveredAccessory):
                    return news
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
        nursery: trio.Nursery,
        store: Store,
        table: Mapping[str, bytes],
        mdns: bool | Mdns,
        interfaces: Sequence[str] | None,
        entropy: Entropy,
        engine: Callable[..., Connection],
    ) -> None:
        super().__init__(table)
        self._nursery = nursery
        self._store = store
        self._mdns = mdns
        self._interfaces = interfaces
        self._entropy = entropy
        self._engine = engine
        self._opening = trio.Lock()
        self._clients: dict[str, Client] = {}

    def discover(self, timeout: float | None = None) -> Discovery:
        """Iterate over the accessories on the network for `timeout` seconds (None: without end)."""
        return Discovery(self._open_mdns, math.inf if timeout is None else trio.current_time() + timeout)

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

            return Client(alias, record.pairing, self._nursery, [given], self._entropy, self._engine)
        if alias not in self._clients:

            async def stored() -> Iterable[Address]:
                return self._addresses(alias)

            async def announced() -> Iterable[Address]:
                return await self._look_up(alias) if self._mdns else ()

            finders = [stored, announced]
            self._clients[alias] = Client(alias, record.pairing, self._nursery, finders, self._entropy, self._engine)
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
            yield StartedPairing(self, session, target, alias)

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
        await trio.to_thread.run_sync(self._store.forget, alias)
        self._records.pop(alias, None)
        self._clients.pop(alias, None)

    async def _open_mdns(self) -> Mdns:
        """mDNS, opened when it is first needed."""
        if not self._mdns:
            raise LocalProtocolError("this controller was opened without mDNS", argument="mdns")
        async with self._opening:
            if self._mdns is True:
                self._mdns = await self._nursery.start(self._keep_mdns)
        return cast("Mdns", self._mdns)

    async def _keep_mdns(self, *, task_status: trio.TaskStatus[Mdns]) -> None:
        async with open_mdns(self._interfaces) as mdns:
            task_status.started(mdns)
            await trio.sleep_forever()

    async def _look_up(self, alias: str) -> Iterable[Address]:
        """Where a paired accessory says that it is now."""
        try:
            found = await self.find(self.record(alias).pairing.accessory_id, LOOK_UP_LIMIT)
        except TimedOut:
            return ()
        if (moved := self._moved(alias, found)) is not None:
            await self.save(moved)
        return Target.of(found).addresses

    async def save(self, record: PairedAccessory) -> None:
        """Store a pairing, made here or elsewhere. Raises `StateError` or `OSError`."""
        await trio.to_thread.run_sync(self._store.persist, record.alias, record.encode())
        self._records[record.alias] = record

    @asynccontextmanager
    async def _visit(self, target: Target) -> AsyncGenerator[Session, None]:
        """A connection without a session, to the first address that answers."""
        failures: list[Disconnected] = []
        for host, port in target.addresses:
            try:
                stream = await dial(host, port)
            except Disconnected as error:
                failures.append(error)
                continue
            async with open_connection(stream, host, entropy=self._entropy, engine=self._engine) as session:
                yield session
            return
        raise Disconnected("; ".join(map(str, failures)) or "the accessory announces no address")


@asynccontextmanager
async def open_controller(
    path: str | os.PathLike[str] | None = None,
    *,
    mdns: bool | Mdns = True,
    interfaces: Sequence[str] | None = None,
    entropy: Entropy = system_entropy,
    engine: Callable[..., Connection] = Connection,
) -> AsyncGenerator[Controller, None]:
    """A controller for the length of a block; all its connections are closed at the end.

    `path` is the file that keeps the pairings (None: in memory only). `mdns` False never looks for anything on the
    network, an open `Mdns` is shared; `interfaces` are the addresses of ours to look on (None: all).
    `engine` makes the engine of each connection, called like `Connection`; one that is recorded, for example.

    Raises `StateError` for a file that cannot be read (it is left alone).
    """
    store: Store = MemoryStore() if path is None else FileStore(path, PAIRINGS)
    table = await trio.to_thread.run_sync(store.load)
    async with background() as nursery:
        yield Controller(nursery, store, table, mdns, interfaces, entropy, engine)
