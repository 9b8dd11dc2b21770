"""The controller's side: find accessories, pair them, remember them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager

from hapcore.discovery import DiscoveredAccessory, device_key
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, HapError, LocalProtocolError, PeerError, TimedOut
from hapcore.home.book import Book
from hapcore.home.target import Address, Target, Where, split_address
from hapcore.ip.controller import Connection, FinishPairSetup, Identify, RemovePairing, VerifyPairing
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode
from hapcore.state import PAIRINGS, PairedAccessory

from .client import Client
from .entropy import system_entropy
from .loop import Loop, thread_loop
from .mdns import Browsing, Mdns, open_mdns
from .pump import Store
from .session import Session
from .store import FileStore, MemoryStore
from .stream import dial

__all__ = ["Controller", "Discovery", "StartedPairing", "open_controller"]

#: Seconds to look for a paired accessory that is not where it was.
LOOK_UP_LIMIT = 5.0


class StartedPairing:
    """The accessory has agreed to be paired and may show its setup code now. From `Controller.start_pairing()`."""

    def __init__(self, home: Controller, loop: Loop, session: Session, target: Target, alias: str) -> None:
        self._home = home
        self._loop = loop
        self._session = session
        self._target = target
        self._alias = alias
        self._started = True

    def finish(self, setup_code: str) -> Client:
        """Pair with the code "XXX-XX-XXX"; the pairing is stored before this returns.

        Raises `LocalProtocolError` for what is no code and `PairingRefused` for a wrong one: call again with another.
        Ctrl-C waits for its end, because once the accessory knows us we must remember it; it takes a second or so, and
        about a minute at worst. Where the pairing cannot be stored it is removed from the accessory again.
        """
        code = SetupCode(setup_code, allow_trivial=True)
        if not self._started:
            self._session.do(self._target.start)
        self._started = False
        with self._loop.shielded():
            pairing = self._session.do(FinishPairSetup(code))
            try:
                self._home.save(self._target.record(self._alias, pairing))
            except Exception as error:
                self._undo(pairing, error)
                raise
            finally:
                self._session.close()  # the client opens its own
        return self._home.connect(self._alias)

    def _undo(self, pairing: Pairing, error: Exception) -> None:
        try:
            self._session.do(VerifyPairing(pairing))
            self._session.do(RemovePairing(pairing.controller_id.encode()))
        except HapError:
            error.add_note("the accessory was paired with a key that is lost now: reset it before pairing it again")


class Discovery(Iterator[DiscoveredAccessory]):
    """Accessories on the network as they are found or change, until the time is over. From `Controller.discover()`."""

    def __init__(self, open_mdns: Callable[[], Mdns], deadline: float | None) -> None:
        self._open_mdns = open_mdns
        self._deadline = deadline
        self._browsing: Browsing | None = None

    def __next__(self) -> DiscoveredAccessory:
        if self._browsing is None:
            self._browsing = self._open_mdns().browse()
        while True:
            rest = None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)
            try:
                news = self._browsing.wait(rest)
            except (TimeoutError, EOFError):
                self.close()
                raise StopIteration from None
            if isinstance(news, DiscoveredAccessory):
                return news

    def close(self) -> None:
        """Stop looking. What is left open ends with the controller."""
        if self._browsing is not None:
            self._browsing.close()


class Controller(Book):
    """A home: the accessories we are paired with, and those we could be. From `open_controller()`."""

    def __init__(
        self,
        loop: Loop,
        stack: ExitStack,
        store: Store,
        table: Mapping[str, bytes],
        mdns: bool | Mdns,
        interfaces: Sequence[str] | None,
        entropy: Entropy,
    ) -> None:
        super().__init__(table)
        self._loop = loop
        self._stack = stack
        self._store = store
        self._mdns = mdns
        self._interfaces = interfaces
        self._entropy = entropy
        self._clients: dict[str, Client] = {}
        self._sessions: set[Session] = set()

    def discover(self, timeout: float | None = None) -> Discovery:
        """Iterate over the accessories on the network for `timeout` seconds (None: without end)."""
        return Discovery(self._open_mdns, None if timeout is None else time.monotonic() + timeout)

    def find(self, device_id: str, timeout: float = 10.0) -> DiscoveredAccessory:
        """Look for one accessory by its device id. Raises `TimedOut` when it is not seen within `timeout` seconds."""
        with closing(self.discover(timeout)) as discovery:
            for found in discovery:
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
            return self._client(record, lambda: [target])
        if alias not in self._clients:
            stored, announced = lambda: self._addresses(alias), lambda: self._look_up(alias)
            self._clients[alias] = self._client(record, stored, announced)
        return self._clients[alias]

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
        self._check_free(alias)
        target = Target.of(where)
        with closing(self._visit(target)) as session:
            session.do(target.start)
            yield StartedPairing(self, self._loop, session, target, alias)

    def identify(self, where: Where) -> None:
        """Have an accessory that nobody has paired make itself noticed. Raises `Refused` when it is paired."""
        with closing(self._visit(Target.of(where))) as session:
            session.do(Identify())

    def remove(self, alias: str, *, address: str | None = None, force: bool = False) -> None:
        """Unpair: remove our pairing from the accessory (at `address`, if given), then the record.

        `force` drops the record also where the accessory cannot be reached, or does not know us any more.
        """
        client = self.connect(alias, address)
        try:
            client.remove_pairing(client.pairing.controller_id.encode())
        except PeerError:
            if not force:
                raise
        client.close()
        self._store.forget(alias)
        self._records.pop(alias, None)
        self._clients.pop(alias, None)

    def save(self, record: PairedAccessory) -> None:
        """Store a pairing, made here or elsewhere. Raises `StateError` or `OSError`."""
        self._store.persist(record.alias, record.encode())
        self._records[record.alias] = record

    def close(self) -> None:
        """Close all connections; `open_controller()` does it at the end of its block."""
        for session in tuple(self._sessions):
            session.close()

    def _client(self, record: PairedAccessory, *finders: Callable[[], Iterable[Address]]) -> Client:
        return Client(record.alias, record.pairing, self._loop, finders, self._entropy, self._remember)

    def _remember(self, session: Session) -> None:
        self._sessions = {one for one in self._sessions if not one.closed} | {session}

    def _open_mdns(self) -> Mdns:
        """mDNS, opened when it is first needed."""
        if not self._mdns:
            raise LocalProtocolError("this controller was opened without mDNS", argument="mdns")
        if self._mdns is True:
            self._mdns = self._stack.enter_context(open_mdns(self._interfaces))
        return self._mdns

    def _look_up(self, alias: str) -> Iterable[Address]:
        """Where a paired accessory says that it is now."""
        if not self._mdns:
            return ()
        try:
            found = self.find(self.record(alias).pairing.accessory_id, LOOK_UP_LIMIT)
        except TimedOut:
            return ()
        if (moved := self._moved(alias, found)) is not None:
            self.save(moved)
        return Target.of(found).addresses

    def _visit(self, target: Target) -> Session:
        """A connection without a session, to the first address that answers."""
        failures: list[Disconnected] = []
        for host, port in target.addresses:
            try:
                sock = dial(self._loop, host, port)
            except Disconnected as error:
                failures.append(error)
            else:
                return Session(sock, Connection(host, entropy=self._entropy), self._loop)
        raise Disconnected("; ".join(map(str, failures)) or "the accessory announces no address")


@contextmanager
def open_controller(
    path: str | os.PathLike[str] | None = None,
    *,
    mdns: bool | Mdns = True,
    interfaces: Sequence[str] | None = None,
    entropy: Entropy = system_entropy,
) -> Generator[Controller, None, None]:
    """A controller for the length of a block; all its connections are closed at the end.

    `path` is the file that keeps the pairings (None: in memory only). `mdns` False never looks for anything on the
    network, an open `Mdns` is shared; `interfaces` are the addresses of ours to look on (None: all).

    Raises `StateError` for a file that cannot be read (it is left alone).
    """
    store: Store = MemoryStore() if path is None else FileStore(path, PAIRINGS)
    with ExitStack() as stack:
        loop = stack.enter_context(thread_loop())
        home = Controller(loop, stack, store, store.load(), mdns, interfaces, entropy)
        stack.callback(home.close)
        yield home
