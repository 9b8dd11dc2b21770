"""The controller's side: find accessories, pair them, remember them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar, cast

import trio

from hap_sync.store import Store, open_store
from hapcore.controller.methods import Awaiting
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Command
from hapcore.entropy import Entropy
from hapcore.home import Browse, CancelPairing, Close, Connect, Discover, FinishPairing, Home, StartPairing, Stop
from hapcore.home.engines import Connection, MakeEngine
from hapcore.home.keeping import Keeping, Wish
from hapcore.home.supervision import HAPPENINGS_LIMIT, Happening
from hapcore.home.target import Where
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS

from .background import background
from .ble.central import Ble, open_hands
from .client import Client, Following, following
from .entropy import system_entropy
from .feed import Feed
from .mdns import Mdns, open_mdns
from .pump import Pump
from .stream import dial

__all__ = ["Controller", "Discovery", "StartedPairing", "open_controller"]

R = TypeVar("R")


class StartedPairing:
    """The accessory has agreed to be paired and may show its setup code now. From `Controller.start_pairing()`."""

    def __init__(self, home: Controller, started: StartPairing) -> None:
        self._home = home
        self._started = started

    async def finish(self, setup_code: str) -> Client:
        """Pair with the code "XXX-XX-XXX"; the pairing is stored before this returns.

        Raises `LocalProtocolError` for what is no code and `PairingRefused` for a wrong one: call again with another.
        Cannot be cancelled half way, because once the accessory knows us we must remember it; it takes a second or so,
        and about a minute at worst. Where the pairing cannot be stored it is removed from the accessory again.
        """
        command = FinishPairing(self._started, SetupCode(setup_code, allow_trivial=True))
        await trio.lowlevel.checkpoint_if_cancelled()  # the last moment to turn back
        with self._home.uncancelled():
            alias = await self._home.do(command)
        return self._home.connect(alias)


class Discovery(Feed[DiscoveredAccessory]):
    """Accessories on the network as they are found or change, until the time is over. From `Controller.discover()`."""

    def __init__(self, pump: Pump) -> None:
        super().__init__()
        self._pump = pump

    async def aclose(self) -> None:
        """Stop looking. What is left open ends with the controller."""
        self._pump.post(Stop(self))
        await trio.lowlevel.checkpoint()


class Controller(Keeping[Client, Following[Happening]], Awaiting):
    """A home: the accessories we are paired with, and those we could be. From `open_controller()`."""

    def __init__(
        self, engine: Home, nursery: trio.Nursery, store: Store, mdns: bool | Mdns, interfaces: Sequence[str] | None
    ) -> None:
        super().__init__(engine)
        self._nursery = nursery
        self.pump = Pump(engine, nursery, self._report, store)
        self._mdns = mdns
        self._interfaces = interfaces
        self._opening = trio.Lock()
        self._looking = trio.CancelScope()
        self._shields = 0

    async def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.home`."""
        return await self.pump.do(command)

    def discover(self, timeout: float | None = None) -> Discovery:
        """Iterate over the accessories on the network for `timeout` seconds (None: without end)."""
        discovery = Discovery(self.pump)
        self.pump.post(Discover(discovery, timeout))
        return discovery

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
        start = StartPairing(where, alias)
        try:
            await self.do(start)
            yield StartedPairing(self, start)
        finally:
            self.pump.post(CancelPairing(start))

    @contextmanager
    def uncancelled(self) -> Generator[None, None, None]:
        """A block in which neither the caller nor the connections can be cancelled from outside."""
        self._shields += 1
        self._nursery.cancel_scope.shield = True
        try:
            with trio.CancelScope(shield=True):
                yield
        finally:
            self._shields -= 1
            self._nursery.cancel_scope.shield = self._shields > 0

    def close(self) -> None:
        """Close all connections; `open_controller()` does it."""
        self.pump.post(Close())

    def _following(self, wish: Wish) -> Following[Happening]:
        return following(self.pump, Feed(HAPPENINGS_LIMIT), wish)

    def _client(self, alias: str, address: str | None) -> Client:
        return Client(self._engine, self.pump, alias, address)

    def _connect(self, effect: Connect) -> None:
        self._nursery.start_soon(self._carry, effect)

    async def _carry(self, effect: Connect) -> None:
        """Be the task behind one connection."""
        engine, number = self._engine, effect.connection
        try:
            stream = await dial(*effect.address)
        except Exception as error:  # noqa: BLE001 - a host name may be wrong in many ways; who waits learns it
            self.pump.fail(effect, error, trio.current_time())
            return
        wire = self.pump.adopt(
            stream, number, partial(engine.receive_data, number), partial(engine.receive_eof, number)
        )
        engine.connected(number, trio.current_time())
        self.pump.drain()
        await self.pump.attend(wire)

    def _browse(self, effect: Browse) -> None:
        self._looking = trio.CancelScope()
        self._nursery.start_soon(self._look, effect, self._looking)

    def _stop_browsing(self) -> None:
        self._looking.cancel()

    async def _look(self, effect: Browse, looking: trio.CancelScope) -> None:
        with looking:
            try:
                async with (await self._open_mdns()).browse() as browsing:
                    async for news in browsing:
                        self._engine.receive_discovery(news, trio.current_time())
                        self.pump.drain()
            except Exception as error:  # noqa: BLE001 - as above
                self.pump.fail(effect, error, trio.current_time())

    async def _open_mdns(self) -> Mdns:
        """mDNS, opened when it is first needed."""
        async with self._opening:
            if self._mdns is True:
                self._mdns = await self._nursery.start(self._keep_mdns)
        return cast("Mdns", self._mdns)

    async def _keep_mdns(self, *, task_status: trio.TaskStatus[Mdns]) -> None:
        async with open_mdns(self._interfaces) as mdns:
            task_status.started(mdns)
            await trio.sleep_forever()


@asynccontextmanager
async def open_controller(
    path: str | os.PathLike[str] | None = None,
    *,
    mdns: bool | Mdns = True,
    interfaces: Sequence[str] | None = None,
    ble: Ble = None,
    entropy: Entropy = system_entropy,
    engine: MakeEngine = Connection,
) -> AsyncGenerator[Controller, None]:
    """A controller for the length of a block; all its connections are closed at the end.

    `path` is the file that keeps the pairings (None: in memory only). `mdns` False never looks for anything on the
    network, an open `Mdns` is shared; `interfaces` are the addresses of ours to look on (None: all).
    `ble` True finds and reaches accessories over the computer's Bluetooth LE too, an adapter's name ("hci1") over that
    one, a backend over a virtual air.
    `engine` makes the engine of each connection, called like `Connection`; one that is recorded, for example. With a
    `hap_sync.recording.Recording`, those over Bluetooth LE are recorded too.

    Raises `StateError` for a file that cannot be read (it is left alone).
    """
    store = open_store(path, PAIRINGS)
    table = await trio.to_thread.run_sync(store.load)
    home = Home(table, entropy=entropy, engine=engine, discovery=bool(mdns), radio=bool(ble))
    async with background() as nursery:
        controller = Controller(home, nursery, store, mdns, interfaces)
        async with open_hands(ble, controller.pump) as controller.radio:
            try:
                yield controller
            finally:
                controller.close()
