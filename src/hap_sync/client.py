"""A paired accessory as the application uses it: always there, connected when needed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

from hapcore.controller.methods import Blocking, Requests
from hapcore.engine import Command
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, PeerError, RemoteProtocolError
from hapcore.home.book import telling
from hapcore.home.target import Address
from hapcore.ip.controller import (
    CharacteristicChanged,
    Connection,
    GetAccessories,
    Read,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.pairing.records import Pairing

from .feed import Feed
from .loop import Loop
from .session import Session
from .stream import dial

__all__ = ["Client", "Finder"]

R = TypeVar("R")
#: Where an accessory may be, best first. Finders are asked in turn until one of their addresses will do.
Finder: TypeAlias = Callable[[], Iterable[Address]]


class Client(Requests, Blocking):
    """One paired accessory. Every call connects and verifies first where that is not done yet, or no longer true.

    All calls raise a `HapError`: `Disconnected` when the accessory cannot be reached, the connection ends or no answer
    comes in time; `PairingRefused` when it does not know us any more; `AccessoryChanged` when another device has its
    address; `Refused` when it says no; `LocalProtocolError` and `ValueRefused` for our own mistakes. Ctrl-C in a call
    only loses its result; whether the accessory carried it out is unknown then.
    """

    def __init__(
        self,
        alias: str,
        pairing: Pairing,
        loop: Loop,
        finders: Iterable[Finder],
        entropy: Entropy,
        opened: Callable[[Session], object],
    ) -> None:
        self.alias = alias
        self.pairing = pairing
        self._loop = loop
        self._finders = tuple(finders)
        self._entropy = entropy
        self._opened = opened
        self._session: Session | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a verified session at the moment."""
        return self._session is not None and not self._session.closed

    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return self._ready(command).do(command)

    @contextmanager
    def subscribe(self, ids: Iterable[tuple[int, int]]) -> Generator[Feed[CharacteristicChanged], None, None]:
        """`with lamp.subscribe(ids) as changes: for change in changes: ...`. Other calls may be made in the block.

        The iteration raises `Disconnected` when the connection ends; subscribe again to reconnect.
        """
        with self._ready(Subscribe(ids)).subscribe(ids) as changes:
            yield changes

    def close(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        if self._session is not None:
            self._session.close()

    def _ready(self, command: Command[R]) -> Session:
        session = self._session
        if session is None or session.closed:
            session = self._session = self._connect()
        if not session.engine.accessories and isinstance(command, Read | Write | Subscribe):
            session.do(GetAccessories())  # values are checked and converted by the database
        return session

    def _connect(self) -> Session:
        failures: list[PeerError] = []
        tried: set[Address] = set()
        for find in self._finders:
            for address in find():
                if address not in tried:
                    tried.add(address)
                    try:
                        return self._open(*address)
                    except (Disconnected, RemoteProtocolError) as error:
                        failures.append(error)
        raise telling(failures, f"{self.alias} ({self.pairing.accessory_id})")

    def _open(self, host: str, port: int) -> Session:
        known = self._session.engine.accessories if self._session else ()
        session = Session(
            dial(self._loop, host, port), Connection(host, entropy=self._entropy, database=known), self._loop
        )
        try:
            session.do(VerifyPairing(self.pairing))
        except BaseException:
            session.close()
            raise
        self._opened(session)
        return session
