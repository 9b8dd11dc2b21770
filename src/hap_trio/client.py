"""A paired accessory as the application uses it: always there, connected when needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import trio

from hapcore.engine import Command
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, PeerError, RemoteProtocolError
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import (
    AddPairing,
    CharacteristicChanged,
    CharacteristicWrite,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    ReadResult,
    RemovePairing,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing, PairingEntry

from .feed import Feed
from .session import Session, open_connection
from .stream import dial

__all__ = ["Address", "Client", "Finder"]

R = TypeVar("R")
K = TypeVar("K", bound=tuple[int, int])
#: Host and port.
Address = tuple[str, int]
#: Where an accessory may be, best first. Finders are asked in turn until one of their addresses will do.
Finder = Callable[[], Awaitable[Iterable[Address]]]


class Client:
    """One paired accessory. Every call connects and verifies first where that is not done yet, or no longer true.

    All calls raise a `HapError`: `Disconnected` when the accessory cannot be reached, the connection ends or no answer
    comes in time; `PairingRefused` when it does not know us any more; `AccessoryChanged` when another device has its
    address; `Refused` when it says no; `LocalProtocolError` and `ValueRefused` for our own mistakes. Several tasks may
    call at a time. A cancelled call only loses its result; whether the accessory carried it out is unknown then.
    """

    def __init__(
        self,
        alias: str,
        pairing: Pairing,
        nursery: trio.Nursery,
        finders: Iterable[Finder],
        entropy: Entropy,
    ) -> None:
        self.alias = alias
        self.pairing = pairing
        self._nursery = nursery
        self._finders = tuple(finders)
        self._entropy = entropy
        self._session: Session | None = None
        self._connecting = trio.Lock()
        self._database: tuple[AccessoryDescription, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether there is a verified session at the moment."""
        return self._session is not None and not self._session.closed

    async def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return await (await self._ready()).do(command)

    async def accessories(self) -> tuple[AccessoryDescription, ...]:
        """Read the whole database. Values are checked and converted by it from then on."""
        self._database = await self.do(GetAccessories())
        return self._database

    async def read(
        self,
        ids: Iterable[tuple[int, int]],
        *,
        meta: bool = False,
        perms: bool = False,
        type: bool = False,  # noqa: A002 - the protocol's word
        ev: bool = False,
    ) -> Mapping[CharacteristicId, ReadResult]:
        """Read values by (aid, iid); the flags ask for more than the value. Each result has a status of its own."""
        await self._known()
        return await self.do(Read(ids, meta=meta, perms=perms, type=type, ev=ev))

    async def write(
        self, values: Mapping[K, Value] | Iterable[CharacteristicWrite], *, timed: int | None = None
    ) -> Mapping[CharacteristicId, WriteResult]:
        """Write values by (aid, iid) in one request, or `CharacteristicWrite`s for more than plain values.

        `timed` makes it a timed write that must arrive within so many milliseconds. Each result has its own status.
        """
        await self._known()
        if isinstance(values, Mapping):
            given = cast("Mapping[tuple[int, int], Value]", values)
            values = [CharacteristicWrite(one, value) for one, value in given.items()]
        return await self.do(Write(tuple(values), timed_ms=timed))

    @asynccontextmanager
    async def subscribe(self, ids: Iterable[tuple[int, int]]) -> AsyncGenerator[Feed[CharacteristicChanged], None]:
        """`async with lamp.subscribe(ids) as changes: async for change in changes: ...`.

        The iteration raises `Disconnected` when the connection ends; subscribe again to reconnect.
        """
        await self._known()
        async with (await self._ready()).subscribe(ids) as changes:
            yield changes

    async def pairings(self) -> tuple[PairingEntry, ...]:
        """Who is paired with the accessory. For admins."""
        return await self.do(ListPairings())

    async def add_pairing(self, identifier: bytes, ltpk: bytes, *, admin: bool = False) -> None:
        """Pair another controller by its identifier and 32-byte public key, or change its rights. For admins."""
        await self.do(AddPairing(identifier, ltpk, admin))

    async def remove_pairing(self, identifier: bytes) -> None:
        """Remove a controller. For admins. Our own: `Controller.remove()` forgets the record, too."""
        await self.do(RemovePairing(identifier))

    async def identify(self, aid: int = 1) -> None:
        """Have the accessory make itself noticed."""
        await self.do(Identify(aid))

    async def aclose(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        if self._session is not None:
            self._session.close()
        await trio.lowlevel.checkpoint()

    async def _known(self) -> None:
        """Have the database at hand: without it values could not be checked or converted."""
        if not self._database:
            await self.accessories()

    async def _ready(self) -> Session:
        if self._session is None or self._session.closed:
            async with self._connecting:
                if self._session is None or self._session.closed:
                    self._session = await self._connect()
        return self._session

    async def _connect(self) -> Session:
        failures: list[PeerError] = []
        tried: set[Address] = set()
        for find in self._finders:
            for address in await find():
                if address not in tried:
                    tried.add(address)
                    try:
                        session: Session = await self._nursery.start(self._carry, *address)
                    except (Disconnected, RemoteProtocolError) as error:
                        failures.append(error)
                    else:
                        return session
        if not failures:
            raise Disconnected(f"{self.alias} ({self.pairing.accessory_id}) was not found")
        # An accessory that answered wrongly says more than an address where nobody answered.
        failures.sort(key=lambda error: isinstance(error, Disconnected))
        for other in failures[1:]:
            failures[0].add_note(f"also tried: {other}")
        raise failures[0]

    async def _carry(self, host: str, port: int, *, task_status: trio.TaskStatus[Session]) -> None:
        """Be the task behind one connection."""
        stream = await dial(host, port)
        async with open_connection(stream, host, entropy=self._entropy, database=self._database) as session:
            await session.do(VerifyPairing(self.pairing))
            task_status.started(session)
            await session.ended.wait()
