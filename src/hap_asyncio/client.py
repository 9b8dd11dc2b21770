"""A paired accessory as the application uses it: always there, connected when needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

from hapcore.controller.methods import Awaiting, Requests
from hapcore.engine import Command
from hapcore.errors import Disconnected, PeerError, RemoteProtocolError
from hapcore.home.book import telling
from hapcore.home.target import Address
from hapcore.ip.controller import CharacteristicChanged, GetAccessories, Read, Subscribe, VerifyPairing, Write
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing

from .feed import Feed
from .session import Session

__all__ = ["Client", "Dial", "Finder"]

R = TypeVar("R")
#: Where an accessory may be, best first. Finders are asked in turn until one of their addresses will do.
Finder: TypeAlias = Callable[[], Awaitable[Iterable[Address]]]
#: Connects to an address, with what is known of the accessory's database.
Dial: TypeAlias = Callable[[Address, Iterable[AccessoryDescription]], Awaitable[Session]]


class Client(Requests, Awaiting):
    """One paired accessory. Every call connects and verifies first where that is not done yet, or no longer true.

    All calls raise a `HapError`: `Disconnected` when the accessory cannot be reached, the connection ends or no answer
    comes in time; `PairingRefused` when it does not know us any more; `AccessoryChanged` when another device has its
    address; `Refused` when it says no; `LocalProtocolError` and `ValueRefused` for our own mistakes. Several tasks may
    call at a time. A cancelled call only loses its result; whether the accessory carried it out is unknown then.
    """

    def __init__(self, alias: str, pairing: Pairing, dial: Dial, finders: Iterable[Finder]) -> None:
        self.alias = alias
        self.pairing = pairing
        self._dial = dial
        self._finders = tuple(finders)
        self._session: Session | None = None
        self._connecting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether there is a verified session at the moment."""
        return self._session is not None and not self._session.closed

    async def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return await (await self._ready(command)).do(command)

    @asynccontextmanager
    async def subscribe(self, ids: Iterable[tuple[int, int]]) -> AsyncGenerator[Feed[CharacteristicChanged], None]:
        """`async with lamp.subscribe(ids) as changes: async for change in changes: ...`.

        The iteration raises `Disconnected` when the connection ends; subscribe again to reconnect.
        """
        async with (await self._ready(Subscribe(ids))).subscribe(ids) as changes:
            yield changes

    async def aclose(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        if self._session is not None:
            await self._session.aclose()

    async def _ready(self, command: Command[R]) -> Session:
        session = self._session
        if session is None or session.closed:
            async with self._connecting:
                session = self._session
                if session is None or session.closed:
                    session = self._session = await self._connect()
        if not session.engine.accessories and isinstance(command, Read | Write | Subscribe):
            await session.do(GetAccessories())  # values are checked and converted by the database
        return session

    async def _connect(self) -> Session:
        failures: list[PeerError] = []
        tried: set[Address] = set()
        for find in self._finders:
            for address in await find():
                if address not in tried:
                    tried.add(address)
                    try:
                        return await self._open(address)
                    except (Disconnected, RemoteProtocolError) as error:
                        failures.append(error)
        raise telling(failures, f"{self.alias} ({self.pairing.accessory_id})")

    async def _open(self, address: Address) -> Session:
        session = await self._dial(address, self._session.engine.accessories if self._session else ())
        try:
            await session.do(VerifyPairing(self.pairing))
        except BaseException:
            await session.aclose()
            raise
        return session
