"""The controller's side: find accessories, pair them, remember them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from socket import socket
from typing import TypeVar, cast

from hapcore.controller.methods import Blocking
from hapcore.discovery import DiscoveredAccessory, Gone
from hapcore.engine import Command, ConnectionId, Effect
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected
from hapcore.home import Browse, CancelPairing, Close, Connect, Discover, FinishPairing, Home, StartPairing, Stop
from hapcore.home.engines import Connection, MakeEngine
from hapcore.home.keeping import Keeping, Wish
from hapcore.home.supervision import HAPPENINGS_LIMIT, Happening
from hapcore.home.target import Where
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS

from .ble.central import Ble, open_hands
from .client import Client, Following, following
from .entropy import system_entropy
from .feed import Feed
from .loop import Loop, thread_loop
from .mdns import Browsing, Mdns, open_mdns
from .pump import Pump
from .store import Store, open_store
from .stream import Dialling

__all__ = ["Controller", "Discovery", "StartedPairing", "open_controller"]

R = TypeVar("R")


class StartedPairing:
    """The accessory has agreed to be paired and may show its setup code now. From `Controller.start_pairing()`."""

    def __init__(self, home: Controller, loop: Loop, started: StartPairing) -> None:
        self._home, self._loop, self._started = home, loop, started

    def finish(self, setup_code: str) -> Client:
        """Pair with the code "XXX-XX-XXX"; the pairing is stored before this returns.

        Raises `LocalProtocolError` for what is no code and `PairingRefused` for a wrong one: call again with another.
        Ctrl-C waits for its end, because once the accessory knows us we must remember it; it takes a second or so, and
        about a minute at worst. Where the pairing cannot be stored it is removed from the accessory again.
        """
        command = FinishPairing(self._started, SetupCode(setup_code, allow_trivial=True))
        with self._loop.shielded():
            return self._home.connect(self._home.do(command))


class Discovery(Feed[DiscoveredAccessory]):
    """Accessories on the network as they are found or change, until the time is over. From `Controller.discover()`."""

    def __init__(self, loop: Loop, pump: Pump) -> None:
        super().__init__(loop)
        self._pump = pump

    def close(self, error: Exception | None = None) -> None:
        """Stop looking. What is left open ends with the controller."""
        super().close(error)
        self._pump.post(Stop(self))


class Controller(Keeping[Client, Following[Happening]], Blocking):
    """A home: the accessories we are paired with, and those we could be. From `open_controller()`."""

    def __init__(
        self, engine: Home, loop: Loop, stack: ExitStack, store: Store, mdns: bool | Mdns, among: Sequence[str] | None
    ) -> None:
        super().__init__(engine)
        self._loop = loop
        self._stack = stack
        self.pump = Pump(engine, loop, self._report, store)
        self._mdns = mdns
        self._interfaces = among
        #: What is being looked for, and who looks once somebody does.
        self._wanted: Browse | None = None
        self._browsing: Browsing | None = None
        self._dialling: dict[ConnectionId, Dialling] = {}

    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.home`."""
        return self.pump.do(command)

    def discover(self, timeout: float | None = None) -> Discovery:
        """Iterate over the accessories on the network for `timeout` seconds (None: without end)."""
        discovery = Discovery(self._loop, self.pump)
        self.pump.post(Discover(discovery, timeout))
        return discovery

    def pair(self, where: Where, setup_code: str, alias: str) -> Client:
        """Pair an accessory with the code "XXX-XX-XXX" and call it `alias` from then on.

        Raises `PairingRefused` (wrong code, paired with somebody else, busy, too many attempts), `Disconnected`,
        `LocalProtocolError` (not a code, alias in use), `StateError` or `OSError` when it cannot be stored.
        """
        SetupCode(setup_code, allow_trivial=True)  # a typing mistake costs none of the accessory's 100 attempts
        with self.start_pairing(where, alias) as started:
            return started.finish(setup_code)

    @contextmanager
    def start_pairing(self, where: Where, alias: str) -> Generator[StartedPairing, None, None]:
        """The first half of pairing, for accessories that show their code only then; `finish()` is the second."""
        start = StartPairing(where, alias)
        try:
            self.do(start)
            yield StartedPairing(self, self._loop, start)
        finally:
            self.pump.post(CancelPairing(start))

    def close(self) -> None:
        """Close all connections; `open_controller()` does it at the end of its block."""
        self.pump.post(Close())
        while self._dialling:
            self._dialling.popitem()[1].close()
        self.pump.close()

    def _following(self, wish: Wish) -> Following[Happening]:
        return following(self.pump, Feed(self._loop, HAPPENINGS_LIMIT), wish)

    def _client(self, alias: str, address: str | None) -> Client:
        return Client(self._engine, self.pump, alias, address)

    def _connect(self, effect: Connect) -> None:
        self._loop.later(partial(self._carry_out, effect, partial(self._dial, effect)))

    def _browse(self, effect: Browse) -> None:
        self._wanted = effect
        self._loop.later(partial(self._carry_out, effect, partial(self._look, effect)))

    def _carry_out(self, effect: Effect, task: Callable[[], object]) -> None:
        """What waits itself must not be done from within the pump."""
        try:
            task()
        except Exception as error:  # noqa: BLE001 - who waits for the effect learns it
            self.pump.fail(effect, error, time.monotonic())
        except BaseException:
            self.pump.fail(effect, Disconnected("interrupted"), time.monotonic())
            raise

    def _dial(self, effect: Connect) -> None:
        self._dialling[effect.connection] = Dialling(self._loop, partial(self._carry, effect), *effect.address)

    def _carry(self, effect: Connect, made: socket | Disconnected) -> None:
        engine, number = self._engine, effect.connection
        if self._dialling.pop(number, None) is None:
            return  # it was closed meanwhile
        if isinstance(made, Disconnected):
            self.pump.fail(effect, made, time.monotonic())
        else:
            self.pump.adopt(made, number, partial(engine.receive_data, number), partial(engine.receive_eof, number))
            self.pump.give(lambda home, now: home.connected(number, now), time.monotonic)

    def _look(self, effect: Browse) -> None:
        if self._mdns is True:
            self._mdns = self._stack.enter_context(open_mdns(self._interfaces))
        if self._wanted is effect:
            self._browsing = cast("Mdns", self._mdns).listen(self._heard)

    def _heard(self, news: DiscoveredAccessory | Gone) -> None:
        self.pump.give(lambda home, now: home.receive_discovery(news, now), time.monotonic)

    def _stop_browsing(self) -> None:
        self._wanted = None
        if self._browsing is not None:
            self._loop.later(self._browsing.close)
            self._browsing = None


@contextmanager
def open_controller(
    path: str | os.PathLike[str] | None = None,
    *,
    mdns: bool | Mdns = True,
    interfaces: Sequence[str] | None = None,
    ble: Ble = None,
    entropy: Entropy = system_entropy,
    engine: MakeEngine = Connection,
) -> Generator[Controller, None, None]:
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
    home = Home(store.load(), entropy=entropy, engine=engine, discovery=bool(mdns), radio=bool(ble))
    with ExitStack() as stack:
        loop = stack.enter_context(thread_loop())
        controller = Controller(home, loop, stack, store, mdns, interfaces)
        controller.radio = stack.enter_context(open_hands(ble, loop, controller.pump))
        stack.callback(controller.close)
        yield controller
