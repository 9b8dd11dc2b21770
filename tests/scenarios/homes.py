"""The three adapters behind one blocking face, so that a scenario is written once and runs with each of them.

Over sockets every accessory, and every trio or asyncio controller, lives in a thread of its own; a blocking controller
lives in the thread of the test. In memory both sides live in one program, see memory.py. What a scenario calls is the
adapter's public API, by the names that all three share.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import trio
from tests.scenarios import memory

import hap_asyncio
import hap_sync
import hap_trio

KINDS = ("trio", "asyncio", "sync")
#: Seconds after which something hangs.
LIMIT = 30.0


class Thread:
    """Runs `main(started)` in a thread; `started` hands out what the test needs, or the error."""

    def __init__(self, main: Callable[[Future[Any]], object]) -> None:
        self.started: Future[Any] = Future()
        self._thread = threading.Thread(target=self._run, args=(main,))
        self._thread.start()

    def _run(self, main: Callable[[Future[Any]], object]) -> None:
        try:
            main(self.started)
        except BaseException as error:
            if self.started.done():
                raise
            self.started.set_exception(error)

    def join(self) -> None:
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()


class TrioWorld:
    """A trio program that does what it is told from outside."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        def main(started: Future[Any]) -> None:
            async def run() -> None:
                self._token = trio.lowlevel.current_trio_token()
                self._end = trio.Event()
                async with opened() as thing:
                    started.set_result(thing)
                    await self._end.wait()

            trio.run(run)

        self._thread = Thread(main)
        self.thing = self._thread.started.result(LIMIT)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            with trio.fail_after(LIMIT):
                found = function(*arguments)
                return await found if inspect.isawaitable(found) else found

        return trio.from_thread.run(call, trio_token=self._token)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        """Call, and cancel the call when the accessory holds it up."""

        async def call() -> None:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def cancel() -> None:
                        await trio.to_thread.run_sync(hold.asked.wait, LIMIT)
                        scope.cancel()

                    nursery.start_soon(cancel)
                    await function(*arguments)
            assert scope.cancelled_caught

        trio.from_thread.run(call, trio_token=self._token)

    def close(self) -> None:
        trio.from_thread.run_sync(self._end.set, trio_token=self._token)
        self._thread.join()


class AsyncioWorld:
    """The same for asyncio."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        def main(started: Future[Any]) -> None:
            async def run() -> None:
                self._loop = asyncio.get_running_loop()
                self._end = asyncio.Event()
                async with opened() as thing:
                    started.set_result(thing)
                    await self._end.wait()

            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(run())

        self._thread = Thread(main)
        self.thing = self._thread.started.result(LIMIT)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            found = function(*arguments)
            return await found if inspect.isawaitable(found) else found

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(LIMIT)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        async def call() -> None:
            task = asyncio.ensure_future(function(*arguments))
            await asyncio.to_thread(hold.asked.wait, LIMIT)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return
            raise AssertionError("it was not cancelled")

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(LIMIT)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


class SyncWorld:
    """A blocking controller: its calls are made right here."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._stack = ExitStack()
        self.thing = self._stack.enter_context(opened())

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        """What cancels a blocking call is Ctrl-C."""

        def press() -> None:
            assert hold.asked.wait(LIMIT)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        thread = threading.Thread(target=press)
        thread.start()
        try:
            function(*arguments)
        except KeyboardInterrupt:
            return
        finally:
            thread.join()
        raise AssertionError("it was not interrupted")

    def close(self) -> None:
        self._stack.close()


class SyncServerWorld:
    """A blocking server in a thread of its own."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        def main(started: Future[Any]) -> None:
            with opened() as server:
                started.set_result(server)
                server.run()

        self._thread = Thread(main)
        self.thing = self._thread.started.result(LIMIT)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thing.call_soon(lambda: done.put(function(*arguments)))
        return done.get(timeout=LIMIT)

    def close(self) -> None:
        self.thing.call_soon(self.thing.stop)
        self._thread.join()


class Hold:
    """A setter of the accessory that blocks until the story lets it go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.calls = 0
        self._go = threading.Event()

    def setter(self, value: int, caller: object) -> None:
        del value, caller
        self.calls += 1
        self.asked.set()
        assert self._go.wait(LIMIT)

    def release(self) -> None:
        self._go.set()


class Stranger:
    """Somebody who has connected and speaks no HAP, or not yet."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self.sendall = self._socket.sendall
        self.recv = self._socket.recv
        self.close = self._socket.close

    def reset(self) -> None:
        """End it without a word, as a crash does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


ADAPTERS = {"trio": hap_trio, "asyncio": hap_asyncio, "sync": hap_sync}
_ASYNC = {"trio": TrioWorld, "asyncio": AsyncioWorld}


class Accessory:
    """A served accessory, on a port of this machine."""

    def __init__(self, kind: str, what: Any, **settings: Any) -> None:
        settings = {"address": "127.0.0.1", "mdns": False, **settings}
        world = _ASYNC.get(kind, SyncServerWorld)
        self._world: Any = world(partial(ADAPTERS[kind].open_server, what, **settings))
        self._open = True
        self.server = self._world.thing

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def port(self) -> int:
        return int(self.server.port)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something in the accessory's own thread."""
        return self._world.run(function, *arguments)

    def set(self, characteristic: Any, value: Any) -> None:
        """The application sets a value."""
        self.run(setattr, characteristic, "value", value)

    def stranger(self) -> Stranger | memory.Stranger:
        """Somebody who connects."""
        return Stranger(self.port)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._world.close()


class MemoryAccessory(Accessory):
    """The same, as the host "lamp" of a network in memory."""

    def __init__(self, world: memory.World, what: Any, **settings: Any) -> None:
        settings = {"address": "127.0.0.1", "mdns": False, **settings}
        self._world: Any = world
        self.server, self._end = world.open(partial(world.adapter.open_server, what, **settings))
        world.network.hosts["lamp"] = self.server.attach
        self._open = True

    @property
    def address(self) -> str:
        return "lamp:1"

    def stranger(self) -> memory.Stranger:
        found: memory.Stranger = self._world.knock("lamp")
        return found

    def close(self) -> None:
        if self._open:
            self._open = False
            del self._world.network.hosts["lamp"]
            self._end()


@contextmanager
def _told(world: Any, manager: Any) -> Iterator[Callable[[], Any]]:
    """A block in which one is told things; the function gives the next one."""
    if hasattr(manager, "__aenter__"):
        feed = world.run(manager.__aenter__)
        try:
            yield lambda: world.run(feed.__anext__)
        finally:
            world.run(manager.__aexit__, None, None, None)
    else:
        with manager as feed:
            yield partial(feed.wait, LIMIT)


class Lamp:
    """A client of the controller: every call of its API blocks until done."""

    def __init__(self, world: Any, client: Any) -> None:
        self._world = world
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            return self._world.run(partial(method, *arguments, **named))

        return call

    def value(self, number: tuple[int, int]) -> Any:
        """Read one value."""
        return self.read([number])[number].value

    def cancelled(self, name: str, *arguments: Any, hold: Any) -> None:
        self._world.cancelled(getattr(self.client, name), *arguments, hold=hold)

    def close(self) -> None:
        self._world.run(getattr(self.client, "aclose", None) or self.client.close)

    @contextmanager
    def watching(self, ids: list[tuple[int, int]]) -> Iterator[Callable[[], Any]]:
        """Subscribe; the function gives the next change."""
        with _told(self._world, self.client.subscribe(ids)) as change:
            yield change


class Controller:
    """An open controller."""

    def __init__(self, kind: str, path: Path | None) -> None:
        world = _ASYNC.get(kind, SyncWorld)
        self._world: Any = world(partial(ADAPTERS[kind].open_controller, path, mdns=False))
        self.home = self._world.thing

    def pair(self, address: str, code: str, alias: str) -> Lamp:
        return Lamp(self._world, self._world.run(self.home.pair, address, code, alias))

    def connect(self, alias: str, address: str) -> Lamp:
        return Lamp(self._world, self._world.run(self.home.connect, alias, address))

    @contextmanager
    def supervising(self, **options: Any) -> Iterator[Callable[[], Any]]:
        """Watch over accessories; the function gives what happens next."""
        with _told(self._world, self.home.supervise(**options)) as happening:
            yield happening

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.home, name)
        return lambda *arguments, **named: self._world.run(partial(method, *arguments, **named))

    def close(self) -> None:
        self._world.close()


class MemoryController(Controller):
    """One that dials in a network in memory."""

    def __init__(self, world: memory.World, path: Path | None) -> None:
        self._world = world
        self.home, self._end = world.open(partial(world.adapter.open_controller, path, mdns=False))

    def close(self) -> None:
        self._end()
