"""The three adapters over their networks in memory, in virtual time: a controller and an accessory in one program.

The story is told by the thread of the test. The loop of a program runs only while a call of the story does, and time
passes only there; between two calls it stands still, however long the test thinks.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Self

import trio

import hap_asyncio.testing
import hap_sync.testing
import hap_trio.testing
from hapcore.testing import Damage, Weather

#: Real seconds after which something hangs, and virtual ones.
LIMIT = 30.0
PATIENCE = 300.0


class Program:
    """A program in a thread of its own that carries out one call after the other, and nothing in between."""

    def __init__(self, start: Callable[[Program], object]) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=start, args=(self,), daemon=True)
        self._thread.start()

    async def carry_on(self) -> None:
        """The main task. Where it waits for the next call, all the program does."""
        while (given := self._calls.get()) is not None:
            call, answer = given
            try:
                answer.set_result(await call())
            except Exception as error:  # noqa: BLE001 - it is for the story to judge
                answer.set_exception(error)

    def run(self, call: Callable[..., Any]) -> Any:
        """Await `call()` there."""
        answer: Future[Any] = Future()
        self._calls.put((call, answer))
        return answer.result(LIMIT)

    def close(self) -> None:
        self._calls.put(None)
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()


class Faulty:
    """A transport, or its reader or writer, one of whose methods raises what no transport should, from a call on."""

    def __init__(self, real: Any, method: str, after: int) -> None:
        self._real = real
        self._method = method
        self._left = after

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._left -= 1
            if self._left < 0:
                raise ArithmeticError("what no transport raises")
        return getattr(self._real, name)


class TrioWorld:
    """Both sides on trio, under its mock clock."""

    kind = "trio"
    adapter = hap_trio

    @staticmethod
    def damaged(end: Any, damage: Damage) -> Any:
        return hap_trio.testing.DamagedStream(end, damage)

    @staticmethod
    def raising(end: Any, reading: bool, after: int) -> Any:
        return Faulty(end, "receive_some" if reading else "send_all", after)

    def __init__(self, weather: Weather) -> None:
        self.network = hap_trio.testing.Network(weather)
        self._stack = ExitStack()
        self._stack.enter_context(self.network.dialled())
        self._program = Program(lambda program: hap_trio.testing.run(self._main, program))
        self._nursery: trio.Nursery

    async def _main(self, program: Program) -> None:
        async with trio.open_nursery() as self._nursery:
            await program.carry_on()
            self._nursery.cancel_scope.cancel()

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            with trio.fail_after(PATIENCE):
                found = function(*arguments)
                return await found if inspect.isawaitable(found) else found

        return self._program.run(call)

    def now(self) -> float:
        return float(self.run(trio.current_time))

    def pass_time(self, seconds: float) -> None:
        self.run(trio.sleep, seconds)

    def open(self, opened: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """What the context manager gives, and the function that ends it."""
        end, over = trio.Event(), trio.Event()

        async def keep(*, task_status: trio.TaskStatus[Any]) -> None:
            try:
                async with opened() as thing:
                    task_status.started(thing)
                    await end.wait()
            finally:
                over.set()

        async def close() -> None:
            end.set()
            await over.wait()

        return self.run(partial(self._nursery_start, keep)), partial(self.run, close)

    async def _nursery_start(self, keep: Callable[..., Any]) -> Any:
        return await self._nursery.start(keep)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        async def call() -> bool:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(function, *arguments)
                await hold.asked.wait()
                nursery.cancel_scope.cancel()
            return nursery.cancel_scope.cancelled_caught

        assert self.run(call)

    def hold(self) -> Hold:
        return Hold(self, trio.Event(), trio.Event())

    def lasting(self, seconds: float) -> Callable[..., Any]:
        """A setter that takes so long."""

        async def setter(value: object, caller: object) -> None:
            await trio.sleep(seconds)

        return setter

    def knock(self, host: str) -> Stranger:
        async def call() -> hap_trio.testing.MemoryStream:
            near, far = self.network.streams()
            self.network.hosts[host](far)
            return near

        near = self.run(call)
        return Stranger(self, near.send_all, near.receive_some, near.aclose)

    def close(self) -> None:
        self._program.close()
        self._stack.close()


class AsyncioWorld:
    """Both sides on asyncio, on the virtual clock of its testing module."""

    kind = "asyncio"
    adapter = hap_asyncio

    @staticmethod
    def damaged(end: Any, damage: Damage) -> Any:
        return hap_asyncio.testing.damaged(*end, damage)

    @staticmethod
    def raising(end: Any, reading: bool, after: int) -> Any:
        reader, writer = end
        return (Faulty(reader, "read", after), writer) if reading else (reader, Faulty(writer, "write", after))

    def __init__(self, weather: Weather) -> None:
        self.network = hap_asyncio.testing.Network(weather)
        self._stack = ExitStack()
        self._stack.enter_context(self.network.dialled())
        self._program = Program(lambda program: hap_asyncio.testing.run(program.carry_on()))

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            async with asyncio.timeout(PATIENCE):
                found = function(*arguments)
                return await found if inspect.isawaitable(found) else found

        return self._program.run(call)

    def now(self) -> float:
        return float(self.run(lambda: asyncio.get_running_loop().time()))

    def pass_time(self, seconds: float) -> None:
        self.run(asyncio.sleep, seconds)

    def open(self, opened: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        end = asyncio.Event()
        started: Future[Any] = Future()

        async def keep() -> None:
            try:
                async with opened() as thing:
                    started.set_result(thing)
                    await end.wait()
            except Exception as error:
                if started.done():
                    raise
                started.set_exception(error)

        async def open_() -> tuple[Any, asyncio.Task[None]]:
            task = asyncio.create_task(keep())
            return await asyncio.wrap_future(started), task

        thing, task = self.run(open_)

        async def close() -> None:
            end.set()
            await task

        return thing, partial(self.run, close)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        async def call() -> bool:
            task = asyncio.ensure_future(function(*arguments))
            await hold.asked.wait()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            return task.cancelled()

        assert self.run(call)

    def hold(self) -> Hold:
        return Hold(self, asyncio.Event(), asyncio.Event())

    def lasting(self, seconds: float) -> Callable[..., Any]:
        return lambda value, caller: asyncio.sleep(seconds)

    def knock(self, host: str) -> Stranger:
        async def call() -> tuple[hap_asyncio.testing.MemoryReader, hap_asyncio.testing.MemoryWriter]:
            near, far = self.network.streams()
            self.network.hosts[host](*far)
            return near

        reader, writer = self.run(call)

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        return Stranger(self, send, reader.read, writer.close)

    def close(self) -> None:
        self._program.close()
        self._stack.close()


class SyncWorld:
    """Both sides in blocking code, in the thread of the test: whichever side waits carries the other."""

    kind = "sync"
    adapter = hap_sync

    @staticmethod
    def damaged(end: Any, damage: Damage) -> Any:
        return hap_sync.testing.DamagedTransport(end, damage)

    @staticmethod
    def raising(end: Any, reading: bool, after: int) -> Any:
        return Faulty(end, "recv" if reading else "sendall", after)

    def __init__(self, weather: Weather) -> None:
        self._stack = ExitStack()
        self._clock = self._stack.enter_context(hap_sync.testing.virtual_time())
        self.network = hap_sync.testing.Network(weather, clock=self._clock)
        self._stack.enter_context(self.network.dialled())
        self._loop = self._stack.enter_context(hap_sync.loop.thread_loop())

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def now(self) -> float:
        return self._clock()

    def pass_time(self, seconds: float) -> None:
        self._loop.wait(lambda: False, seconds)

    def open(self, opened: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        manager = opened()
        return manager.__enter__(), partial(manager.__exit__, None, None, None)

    def cancelled(self, function: Callable[..., Any], *arguments: Any, hold: Hold) -> None:
        """What cancels a blocking call is Ctrl-C, here while it carries the setter of the other side."""
        hold.asked.set = partial(signal.raise_signal, signal.SIGINT)
        try:
            function(*arguments)
        except KeyboardInterrupt:
            return
        raise AssertionError("it was not interrupted")

    def hold(self) -> Hold:
        return Hold(self, threading.Event(), threading.Event())

    def lasting(self, seconds: float) -> Callable[..., Any]:
        return lambda value, caller: self.pass_time(seconds)

    def knock(self, host: str) -> Stranger:
        near, far = self.network.transports()
        self.network.hosts[host](far)

        def receive(size: int) -> bytes:
            found: list[bytes] = []

            def arrived() -> bool:
                with suppress(BlockingIOError):
                    found.append(near.recv(size))
                return bool(found)

            assert self._loop.wait(arrived, PATIENCE)
            return found[0]

        return Stranger(self, near.sendall, receive, near.close)

    def close(self) -> None:
        self._stack.close()


class Hold:
    """A setter of the accessory that takes until the story lets it go; blocking code only notes that it was asked."""

    def __init__(self, world: World, asked: Any, go: Any) -> None:
        self.asked = asked
        self.calls = 0
        self._world = world
        self._go = go

    def setter(self, value: int, caller: object) -> Any:
        del value, caller
        self.calls += 1
        self.asked.set()
        return None if self._world.kind == "sync" else self._wait()

    async def _wait(self) -> None:
        await self._go.wait()

    def release(self) -> None:
        self._world.run(self._go.set)


class Stranger:
    """Somebody who has connected: a socket as far as stories need one."""

    def __init__(self, world: World, send: Callable[..., Any], receive: Callable[..., Any], close: Any) -> None:
        self._world = world
        self._send = send
        self._receive = receive
        self._close = close
        self._link = world.network.links[-1]

    def sendall(self, data: bytes) -> None:
        self._world.run(self._send, data)

    def recv(self, size: int) -> bytes:
        return bytes(self._world.run(self._receive, size))

    def reset(self) -> None:
        """End it without a word, as a crash does."""
        self._world.run(self._link.cut, self._world.now())

    def close(self) -> None:
        self._world.run(self._close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def spoiled(world: World, where: int, spoil: Callable[[Any], Any]) -> Iterator[None]:
    """Within the block, one end of each new connection is spoiled: 0 that of the controller, 1 the accessory's."""
    network: Any = world.network
    name = "transports" if world.kind == "sync" else "streams"
    make = getattr(network, name)

    def made() -> tuple[Any, Any]:
        ends = list(make())
        ends[where] = spoil(ends[where])
        return ends[0], ends[1]

    setattr(network, name, made)
    try:
        yield
    finally:
        delattr(network, name)


World = TrioWorld | AsyncioWorld | SyncWorld
WORLDS: dict[str, Callable[[Weather], World]] = {one.kind: one for one in (TrioWorld, AsyncioWorld, SyncWorld)}
