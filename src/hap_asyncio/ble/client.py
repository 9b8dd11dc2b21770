"""An accessory over Bluetooth LE as the application uses it: always there, connected when needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from hap_asyncio.entropy import system_entropy
from hap_asyncio.feed import Feed
from hap_asyncio.pump import Pump
from hap_sync.store import MemoryStore, Store
from hapcore.ble.controller.effects import Scan
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.ble.controller.peer import IDLE_TIMEOUT, Peer
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.methods import Awaiting, Requests
from hapcore.engine import Command, Event, Output
from hapcore.entropy import Entropy
from hapcore.ip.controller.speaking import Speaking
from hapcore.pairing.records import Pairing

from .central import Central
from .link import GattLink

if TYPE_CHECKING:
    from hapcore.ip.controller.connection import Connection

__all__ = ["PeerClient", "open_peer"]

R = TypeVar("R")


class PeerClient(Speaking[Feed[CharacteristicChanged]], Requests, Awaiting):
    """One accessory, from `open_peer()`. Every call connects, and resumes or verifies a session, where needed.

    All calls raise a `HapError`, as over the network. Several tasks may call at a time. A cancelled call only loses its
    result.
    """

    def __init__(self, peer: Peer, central: Central, store: Store) -> None:
        # What both kinds of engine have in common is all that is used of it there, and in the pump.
        common = cast("Connection", peer)
        super().__init__(common)
        self.peer = peer
        self._central = central
        self._feeds: set[Feed[Event]] = set()
        self._loop = asyncio.get_running_loop()
        self._gatt = GattLink(central, self)
        self._pump = Pump(common, self._carry_out, store)
        self._pump.drain()

    @property
    def pairing(self) -> Pairing | None:
        """Ours with the accessory; there is one after pair-setup."""
        return self.peer.pairing

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.controller.commands` and wait for its result."""
        self._check_open()
        return await self._pump.submit(command)

    @asynccontextmanager
    async def subscribe(self, ids: Iterable[tuple[int, int]]) -> AsyncGenerator[Feed[CharacteristicChanged], None]:
        """`async with lamp.subscribe(ids) as changes: async for change in changes: ...`.

        The subscription outlives links: what changes while there is none is heard of by advertisement. The iteration
        ends with the client. Raises `Refused` when the accessory refuses one of the ids.
        """
        feed = Feed[CharacteristicChanged]()
        try:
            self._subscriptions.check(await self.do(self._subscriptions.add(feed, ids)))
            yield feed
        finally:
            self._leave(feed)

    def events(self) -> Feed[Event]:
        """What happens from now on, the events of `hapcore.controller.events` and `hapcore.ble.controller.events`."""
        feed = Feed[Event]()
        self._feeds.add(feed)
        return feed

    async def aclose(self) -> None:
        """Drop the link and be done with the accessory; `open_peer()` does it at the end of its block."""
        self.close()
        await self._gatt.aclose()
        self._central.unlisten(self._hear)
        await self._pump.aclose()
        for feed in self._feeds:
            feed.close()

    # What the link tells.

    def result(self, result: GattResult) -> None:
        """See `Told`."""
        self.peer.receive_gatt(result, self._loop.time())
        self._pump.drain()

    def indicated(self, handle: int) -> None:
        """See `Told`."""
        self.peer.receive_indication(handle, self._loop.time())
        self._pump.drain()

    def lost(self) -> None:
        """See `Told`."""
        self.peer.link_lost(self._loop.time())
        self._pump.drain()

    def _hear(self, advertisement: Advertisement) -> None:
        self.peer.receive_advertisement(advertisement, self._loop.time())
        self._pump.drain()

    def _carry_out(self, output: Output) -> None:
        if isinstance(output, Scan):
            if output.on:
                self._central.listen(self._hear, lambda reason: self._deaf(output, reason))
            else:
                self._central.unlisten(self._hear)
        elif not self._gatt.carry_out(output):
            self._report(output)
            if isinstance(output, Event):
                for feed in self._feeds:
                    feed.put(output)

    def _deaf(self, effect: Scan, reason: str) -> None:
        self.peer.effect_failed(effect, reason, self._loop.time())
        self._pump.drain()

    def _post(self, command: Command[object]) -> None:
        self._pump.post(command)


@asynccontextmanager
async def open_peer(
    central: Central,
    pairing: Pairing | None = None,
    *,
    device_id: str = "",
    store: Store | None = None,
    entropy: Entropy = system_entropy,
    idle_timeout: float = IDLE_TIMEOUT,
    stay: bool = False,
) -> AsyncGenerator[PeerClient, None]:
    """One accessory for the length of a block: paired, or (`device_id`) to be paired.

    `store` keeps what was learnt of it, so that its database need not be read again. Further settings as those of
    `Peer`.
    """
    kept = MemoryStore() if store is None else store
    table = await asyncio.get_running_loop().run_in_executor(None, kept.load)
    identity = pairing.accessory_id if pairing is not None else device_id
    cache = table.get(f"ble/{identity.upper()}")
    peer = Peer(
        entropy=entropy, pairing=pairing, device_id=device_id, cache=cache, stay=stay, idle_timeout=idle_timeout
    )
    client = PeerClient(peer, central, kept)
    try:
        yield client
    finally:
        await client.aclose()
