"""A lamp and a home over loopback, a clock that jumps, cancellation at a chosen await: for the tests of hap_asyncio."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from attrs import frozen

import hap_asyncio
from hapcore.catalogue.services import Lightbulb

T = TypeVar("T")
CODE = "031-45-154"
WRONG_CODE = "031-45-155"
#: Real seconds; only a test that hangs takes so long.
LIMIT = 30
#: Real seconds without anything to do until virtual time jumps: loopback and threads answer sooner.
GRACE = 0.02


class _PatientSelector(selectors.DefaultSelector):
    def __init__(self, clock: JumpingLoop) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            ready = super().select(LIMIT)
            assert ready, "nothing would ever happen"
            return ready
        if timeout <= GRACE:
            return super().select(timeout)
        ready = super().select(GRACE)
        if not ready:
            self._clock.jumped += timeout - GRACE
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where nothing is to be done before a timer is due, its time is now."""

    def __init__(self) -> None:
        self.jumped = 0.0
        super().__init__(_PatientSelector(self))

    def time(self) -> float:
        return super().time() + self.jumped


def run(main: Coroutine[Any, Any, T], loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop) -> T:
    """Not asyncio.run(): trio-asyncio, once imported by another test, gives that a loop of its own.

    What the loop reports to nobody in particular (an error in a callback, a task that failed unseen) fails the test.
    """
    reported: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        return await main

    with asyncio.Runner(loop_factory=loop) as runner:
        result = runner.run(watched())
    assert not reported, reported
    return result


def on_asyncio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an ordinary test of an `async def`; an argument called `house` is opened for it."""
    return _on(asyncio.SelectorEventLoop, test)


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The same with a clock that jumps."""
    return _on(JumpingLoop, test)


def _on(
    loop: Callable[[], asyncio.AbstractEventLoop], test: Callable[..., Coroutine[Any, Any, None]]
) -> Callable[..., None]:
    signature = inspect.signature(test)
    names = [name for name in signature.parameters if name != "house"]

    async def play(**fixtures: Any) -> None:
        if len(names) == len(signature.parameters):
            await test(**fixtures)
        else:
            async with open_house() as house:
                await test(house=house, **fixtures)

    async def limited(**fixtures: Any) -> None:
        stop = asyncio.current_task()
        assert stop is not None
        alarm = loops[0].call_later(LIMIT, stop.cancel) if type(loops[0]) is not JumpingLoop else None
        await play(**fixtures)
        if alarm is not None:
            alarm.cancel()

    loops: list[asyncio.AbstractEventLoop] = []

    def make() -> asyncio.AbstractEventLoop:
        loops[:] = [loop()]
        return loops[0]

    @functools.wraps(test)
    def ordinary(**fixtures: Any) -> None:
        run(limited(**fixtures), make)

    ordinary.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[signature.parameters[name] for name in names]
    )
    return ordinary


class CancelledAt:
    """Await it to run a coroutine that is cancelled when it waits for the `number`th time, counted from 1."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, T]) -> None:
        self.waits = 0
        self._number = number
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            try:
                waited = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self._number:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited
                error = None
            except BaseException as thrown:  # noqa: BLE001 - all of them belong to the coroutine
                error = thrown


async def cancelled_at(number: int, coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Run it in a task and cancel it there; whether it waited so often, and so was."""
    cut = CancelledAt(number, coroutine)

    async def play() -> None:
        await cut

    (done,), _ = await asyncio.wait([asyncio.create_task(play())])
    if not done.cancelled():
        done.result()
    return cut.waits >= number


@frozen
class House:
    """A served lamp and a controller that has not paired it yet."""

    light: Lightbulb
    server: hap_asyncio.AccessoryServer
    home: hap_asyncio.Controller

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    async def pair(self, alias: str = "lamp") -> hap_asyncio.Client:
        return await self.home.pair(self.address, CODE, alias)


def lamp() -> Lightbulb:
    return Lightbulb("Desk lamp", on=False, brightness=40)


@asynccontextmanager
async def open_lamp(
    light: Lightbulb | None = None, **settings: Any
) -> AsyncGenerator[tuple[Lightbulb, hap_asyncio.AccessoryServer], None]:
    light = light or lamp()
    settings = {"setup_code": CODE, "address": "127.0.0.1", "mdns": False, **settings}
    async with hap_asyncio.open_server(light, **settings) as server:
        yield light, server


@asynccontextmanager
async def open_house(path: Any = None, **settings: Any) -> AsyncGenerator[House, None]:
    async with open_lamp(**settings) as (light, server), hap_asyncio.open_controller(path, mdns=False) as home:
        yield House(light, server, home)


async def settled() -> None:
    """Let everything happen that can happen without waiting: loopback is as quick as the loop."""
    for _ in range(20):
        await asyncio.sleep(0)
