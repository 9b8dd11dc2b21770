"""Examples served on the loopback interface, and a controller that has paired them."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib import util
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
import trio

import hap_sync
import hap_trio
from hap_trio import server as trio_server
from hap_trio.stream import dial
from hapcore.controller.commands import VerifyPairing
from hapcore.ids import CharacteristicId, Value
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing, new_controller_identity

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOPBACK = "127.0.0.1"
#: Seconds: a hang shall be told.
LIMIT = 30.0


def load(name: str) -> ModuleType:
    """An example as a new module: what was done to the last one is forgotten."""
    spec = util.spec_from_file_location(Path(name).stem, EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Visit:
    """A controller that has just paired."""

    def __init__(self, client: hap_trio.Client, home: hap_trio.Controller, server: Any) -> None:
        self.client = client
        self.home = home
        self.server = server
        self.accessories: tuple[AccessoryDescription, ...] = ()

    async def look(self) -> None:
        """Read the whole database."""
        self.accessories = await self.client.accessories()

    def find(self, kind: CharacteristicType[Any], number: int = 0) -> CharacteristicId:
        """The first characteristic of a type, or a later one."""
        found = [
            one.id
            for accessory in self.accessories
            for service in accessory.services
            for one in service.characteristics
            if one.type == kind.uuid
        ]
        return found[number]

    async def read(self, kind: CharacteristicType[Any]) -> Value:
        """Its value."""
        one = self.find(kind)
        return (await self.client.read([one]))[one].value

    async def write(self, kind: CharacteristicType[Any], value: Value) -> int:
        """Write it, and return the status."""
        one = self.find(kind)
        return (await self.client.write({one: value}))[one].status

    @asynccontextmanager
    async def session(self, pairing: Pairing | None = None) -> AsyncGenerator[hap_trio.Session]:
        """A connection that knows nothing of the database: what it writes goes as it is."""
        stream = await dial(LOOPBACK, self.server.port)
        async with hap_trio.open_connection(stream) as session:
            await session.do(VerifyPairing(pairing or self.client.pairing))
            yield session

    async def guest(self) -> Pairing:
        """Another controller, who is no admin."""
        identity, ours = new_controller_identity(lambda _, length: bytes(range(length))), self.client.pairing
        await self.client.add_pairing(identity.identifier.encode(), identity.ltpk)
        return Pairing(ours.accessory_id, ours.accessory_ltpk, identity.identifier, identity.ltsk)


@asynccontextmanager
async def controlling(server: Any) -> AsyncGenerator[Visit]:
    """A controller that has paired with what `server` serves: just now, or in an earlier run."""
    where = f"{LOOPBACK}:{server.port}"
    async with hap_trio.open_controller("controller.json", mdns=False) as home:
        if not home.aliases:
            await home.pair(where, server.setup_code, "it")
        client = home.connect("it", where)
        visit = Visit(client, home, server)
        await visit.look()
        yield visit


@contextmanager
def patched(monkeypatch: pytest.MonkeyPatch, wrapped: Callable[..., object]) -> Generator[None]:
    """Have the examples serve by way of `wrapped`."""
    with monkeypatch.context() as patch:
        patch.setattr(hap_trio, "open_server", wrapped)
        patch.setattr(trio_server, "open_server", wrapped)
        yield


@asynccontextmanager
async def visiting(monkeypatch: pytest.MonkeyPatch, main: Callable[..., Awaitable[object]]) -> AsyncGenerator[Visit]:
    """Run the `main` of an example on trio as it is, but for this machine alone, and pair with it."""
    told, servers = trio.open_memory_channel[hap_trio.AccessoryServer](1)
    original = hap_trio.open_server

    @asynccontextmanager
    async def wrapped(what: Any, **settings: Any) -> AsyncGenerator[hap_trio.AccessoryServer]:
        async with original(what, **settings | {"address": LOOPBACK, "mdns": False}) as server:
            await told.send(server)
            yield server

    with patched(monkeypatch, wrapped), trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(main)
            async with controlling(await servers.receive()) as visit:
                yield visit
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def visiting_sync(monkeypatch: pytest.MonkeyPatch, main: Callable[[], object]) -> AsyncGenerator[Visit]:
    """The same for one that blocks: in a thread, because the controller is in this one."""
    told, servers = trio.open_memory_channel[hap_sync.AccessoryServer](1)
    original, token = hap_sync.open_server, trio.lowlevel.current_trio_token()

    @contextmanager
    def wrapped(what: Any, **settings: Any) -> Generator[hap_sync.AccessoryServer]:
        with original(what, **settings | {"address": LOOPBACK, "mdns": False}) as server:
            token.run_sync_soon(told.send_nowait, server)
            yield server

    monkeypatch.setattr(hap_sync, "open_server", wrapped)
    thread = Thread(target=main, daemon=True)
    thread.start()
    with trio.fail_after(LIMIT):
        server = await servers.receive()
        try:
            async with controlling(server) as visit:
                yield visit
        finally:
            server.call_soon(server.stop)
            await trio.to_thread.run_sync(partial(thread.join, LIMIT))
            assert not thread.is_alive(), "it does not stop"
    sys.stdout.flush()
