"""The accessory's side: an engine, a listener, the application's handlers, an announcement."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import NoReturn, TypedDict, TypeVar, Unpack, cast

import trio

from hapcore.discovery import Advertise, Unadvertise
from hapcore.engine import Command, Event, Output
from hapcore.entropy import Entropy
from hapcore.errors import HapError
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.ip.accessory import (
    AnswerRead,
    AnswerWrite,
    Config,
    IdentifyRequested,
    ReadRequested,
    Server,
    Shutdown,
    UpdateValues,
    WriteRequested,
)
from hapcore.model.accessory import Accessory, IdentifyFn
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database
from hapcore.model.service import Service
from hapcore.setup_code import SetupCode
from hapcore.state import STATE

from .background import background
from .entropy import system_entropy
from .feed import Feed
from .handlers import Consultation, Question, Results
from .mdns import Mdns, open_mdns
from .pump import Pump, Store
from .store import FileStore, MemoryStore
from .stream import accept, listen

__all__ = ["AccessoryServer", "Served", "Settings", "open_server", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_trio")

#: What can be served: an accessory, a service to make one of, or several, which get a bridge at their head.
Served = Accessory | Service | Iterable[Accessory | Service]


class AccessoryServer:
    """A running accessory, from `open_server()`."""

    def __init__(self, engine: Server, nursery: trio.Nursery, store: Store) -> None:
        self._engine = engine
        self._nursery = nursery
        self._pump = Pump(engine, nursery, self._report, store)
        self._feeds: weakref.WeakSet[Feed[Event]] = weakref.WeakSet()
        #: What is to be announced; only the latest counts.
        self._announcements = Feed[Advertise | Unadvertise](limit=1)
        self.host = ""
        self.port = 0

    @property
    def device_id(self) -> str:
        """Six bytes in hexadecimal, kept for life: "12:34:56:78:9A:BC"."""
        return self._engine.device_id

    @property
    def setup_code(self) -> str:
        """What a person types to pair: "031-45-154"."""
        return self._engine.setup_code.text

    @property
    def setup_uri(self) -> str:
        """What the QR code says: "X-HM://..."."""
        return self._engine.setup_payload.uri()

    @property
    def paired(self) -> bool:
        """Whether any controller is paired."""
        return self._engine.paired

    @property
    def database(self) -> Database:
        """What is served."""
        return self._engine.database

    def events(self) -> Feed[Event]:
        """What happens from now on, the events of `hapcore.ip.accessory`: pairings, sessions, writes, subscriptions.

        Never holds up the server: a reader 1000 events behind loses the oldest, and `lost` counts them. The iteration
        ends with the server.
        """
        feed = Feed[Event]()
        self._feeds.add(feed)
        return feed

    async def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.ip.accessory`, such as `UpdateValues`, and wait for its result."""
        return await self._pump.do(command)

    def attach(self, stream: trio.abc.Stream) -> None:
        """Serve a controller on any byte stream; the server owns and closes it."""
        wire = self._pump.adopt(stream, self._engine.connection_opened(trio.current_time()))
        self._nursery.start_soon(self._pump.attend, wire)

    def start(self, listener: socket.socket) -> None:
        self.host, self.port = listener.getsockname()[:2]
        for characteristic in self.database.characteristics:
            characteristic.bind(self._update)
        for accessory in self.database.accessories:
            if (identify := accessory.identify_fn) is not None:
                accessory.identify_characteristic.setter(_without_arguments(identify))
        self._pump.drain()
        self._nursery.start_soon(self._accept, listener)

    async def announce(self, mdns: Mdns, addresses: Sequence[str]) -> None:
        async for event in self._announcements:
            if isinstance(event, Advertise):
                try:
                    await mdns.advertise(event.record, self.port, addresses)
                except (OSError, HapError) as error:  # the accessory is there all the same, for those who know where
                    _log.error("could not announce %s: %s", event.record.name, error)

    def stop(self) -> None:
        for characteristic in self.database.characteristics:
            characteristic.bind(None)
        self._pump.post(Shutdown())
        for feed in self._feeds:
            feed.close()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            self.attach(await accept(listener))

    def _update(self, characteristic: AnyCharacteristic, value: Value) -> None:
        self._pump.post(UpdateValues({characteristic.id: value}))

    def _report(self, event: Output) -> None:
        if isinstance(event, Advertise | Unadvertise):
            self._announcements.put(event)
        elif isinstance(event, Event):
            for feed in self._feeds:
                feed.put(event)
            if isinstance(event, WriteRequested):
                self._ask_to_write(event)
            elif isinstance(event, ReadRequested):
                self._ask_to_read(event)
            elif isinstance(event, IdentifyRequested):
                self._ask([(CharacteristicId(1, 1), self.database.accessories[0].identify_fn, ())], lambda _: None)

    def _ask(self, questions: Iterable[Question], answer: Callable[[Results], None]) -> None:
        Consultation(questions, answer).start(self._nursery)

    def _ask_to_write(self, event: WriteRequested) -> None:
        def answer(results: Results) -> None:
            statuses = {one: result for one, result in results.items() if isinstance(result, HapStatus)}
            values = {
                write.id: cast("Value", results[write.id])
                for write in event.writes
                if write.response and write.id not in statuses and results[write.id] is not None
            }
            self._pump.post(AnswerWrite(event.request, statuses, values))

        self._ask([(one.id, self._find(one.id).setter_fn, (one.value, event.caller)) for one in event.writes], answer)

    def _ask_to_read(self, event: ReadRequested) -> None:
        def answer(results: Results) -> None:
            self._pump.post(AnswerRead(event.request, cast("Mapping[CharacteristicId, Value | HapStatus]", results)))

        self._ask([(one, self._find(one).getter_fn, (event.caller,)) for one in event.ids], answer)

    def _find(self, one: CharacteristicId) -> AnyCharacteristic:
        found = self.database.find(*one)
        assert found is not None  # noqa: S101 - the engine asks about what it serves
        return found


def _without_arguments(identify: IdentifyFn) -> Callable[[bool, Caller], Awaitable[object] | object]:
    return lambda _value, _caller: identify()


class Settings(TypedDict, total=False):
    """How to serve. Everything has a default.

    - `state`: the file that keeps identity and pairings. Without one every start makes a new, unpaired device.
    - `name`, `category`: how the accessory announces itself; those of the first accessory.
    - `setup_code`: "XXX-XX-XXX"; drawn once and kept.
    - `address`: an IP address of ours to listen on; all of them. `port`: any free one.
    - `mdns`: False announces nothing, an open `Mdns` is shared; one of its own, on the interface of `address`.
    - `entropy`: where random bytes come from; the operating system.
    """

    state: str | os.PathLike[str] | None
    name: str | None
    category: int | None
    setup_code: str | None
    address: str | None
    port: int
    mdns: bool | Mdns
    entropy: Entropy


@asynccontextmanager
async def open_server(what: Served, **settings: Unpack[Settings]) -> AsyncGenerator[AccessoryServer, None]:
    """Serve accessories for the length of a block, see `Settings`.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow, `OSError` when the port is taken. Leaving the block withdraws the announcement and closes
    all connections.
    """
    state, code = settings.get("state"), settings.get("setup_code")
    store: FileStore | MemoryStore = MemoryStore() if state is None else FileStore(state, STATE)
    database = Database.of(what, name=settings.get("name"), category=settings.get("category"))
    head = database.accessories[0]
    config = Config(
        name=settings.get("name") or head.name,
        category=settings.get("category") or head.category,
        setup_code=None if code is None else SetupCode(code),
    )
    address, mdns = settings.get("address"), settings.get("mdns", True)
    # Who listens on one address only must not be announced with others.
    addresses = [] if address is None or ipaddress.ip_address(address).is_unspecified else [address]
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(store))
        table = await trio.to_thread.run_sync(store.load)
        entropy = settings.get("entropy", system_entropy)
        engine = Server(database.accessories, config=config, state=table, entropy=entropy)
        listener = stack.enter_context(listen(address, settings.get("port", 0)))
        if mdns is True:
            mdns = await stack.enter_async_context(open_mdns(addresses or None))
        if mdns:
            stack.push_async_callback(_withdraw, mdns, engine.device_id)
        nursery = await stack.enter_async_context(background())
        server = AccessoryServer(engine, nursery, store)
        server.start(listener)
        if mdns:
            nursery.start_soon(server.announce, mdns, addresses)
        try:
            yield server
        finally:
            server.stop()


async def _withdraw(mdns: Mdns, device_id: str) -> None:
    with trio.CancelScope(shield=True):
        await mdns.withdraw(device_id)


async def serve(
    what: Served,
    *,
    task_status: trio.TaskStatus[AccessoryServer] = trio.TASK_STATUS_IGNORED,
    **settings: Unpack[Settings],
) -> NoReturn:
    """Serve until cancelled. `await nursery.start(serve, ...)` returns the `AccessoryServer`."""
    async with open_server(what, **settings) as server:
        task_status.started(server)
        await trio.sleep_forever()
    raise AssertionError("sleep_forever() returned")
