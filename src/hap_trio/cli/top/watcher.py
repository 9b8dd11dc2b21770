"""The part of `hap top` that speaks with the accessories, in a thread beside the screen's."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

import trio
from attrs import frozen

import hap_trio
from hap_trio.cli.common import status_text
from hap_trio.cli.terminal import clean
from hap_trio.cli.top.board import Board, Presence
from hapcore.discovery import Transport
from hapcore.errors import HapError
from hapcore.home.supervision import Available, DatabaseChanged, Gap, Happening, Source, Unavailable, ValueChanged
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.handle import Handle

__all__ = ["Open", "RoundTrip", "Said", "Watcher"]

#: Seconds between two questions that measure how quick an accessory answers.
PROBE: Final = 10.0
#: Opens the controller that everything is asked of.
Open: TypeAlias = Callable[[], AbstractAsyncContextManager[hap_trio.Controller]]


@frozen
class RoundTrip:
    """An accessory has answered after so many seconds."""

    alias: str
    seconds: float


@frozen
class Said:
    """Something for the last line of the screen."""

    text: str


class Watcher:
    """Follows all accessories and carries out writes. `run` is for trio; the rest may be called from another thread."""

    def __init__(self, start: Open, clock: Callable[[], float]) -> None:
        self._open = start
        self._clock = clock
        self._news: SimpleQueue[tuple[float, Happening | RoundTrip | Said]] = SimpleQueue()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._stopped = False
        self._writes, self._to_write = trio.open_memory_channel[tuple[str, Handle[Value], Value]](math.inf)
        #: The name of the characteristic that round trips are measured with, of each accessory that is there.
        self._probes: dict[str, CharacteristicId] = {}

    def absorb(self, board: Board) -> str | None:
        """Bring a board up to date; the last thing said, or None."""
        said = None
        while True:
            try:
                when, news = self._news.get_nowait()
            except Empty:
                return said
            if isinstance(news, Said):
                said = news.text
            else:
                _note(board, news, when)

    def write(self, alias: str, number: Handle[Value], value: Value) -> None:
        """Have a value set; what comes of it is news."""
        self._do(self._writes.send_nowait, (alias, number, value))

    def stop(self) -> None:
        """Have `run` end, also one that has not begun."""
        self._stopped = True
        self._do(self._scope.cancel)

    def _do(self, act: Callable[..., object], *args: object) -> None:
        if self._token is not None:
            try:
                self._token.run_sync_soon(act, *args)
            except trio.RunFinishedError:
                return  # then there is nothing left to do

    async def run(self) -> None:
        """Follow until `stop()`."""
        self._token = trio.lowlevel.current_trio_token()
        if self._stopped:  # by then nobody could be told
            return
        with self._scope:
            async with self._open() as home, trio.open_nursery() as nursery:
                nursery.start_soon(self._carry_out, home)
                nursery.start_soon(self._measure, home)
                async with home.supervise() as happenings:
                    await self._follow(happenings)

    async def _follow(self, happenings: AsyncIterable[Happening]) -> None:
        async for one in happenings:
            self._tell(one)
            if isinstance(one, DatabaseChanged):
                self._choose(one)

    def _choose(self, database: DatabaseChanged) -> None:
        board = Board((database.alias,))
        lane = board.lane(database.alias)
        lane.describe(database.accessories)
        if (probe := lane.probe) is not None:
            self._probes[database.alias] = probe

    async def _carry_out(self, home: hap_trio.Controller) -> None:
        async with trio.open_nursery() as nursery:
            async for alias, number, value in self._to_write:
                nursery.start_soon(self._set, home, alias, number, value)

    async def _set(self, home: hap_trio.Controller, alias: str, number: Handle[Value], value: Value) -> None:
        try:
            status = (await home.connect(alias).write({number: value}))[number].status
        except HapError as error:
            self._tell(Said(f"{alias}: {clean(str(error))}"))
            return
        if status is HapStatus.SUCCESS:
            self._tell(ValueChanged(alias, number, value, Source.READ))  # who writes hears no event
        else:
            self._tell(Said(f"{alias}: {number}: {status_text(status)}"))

    async def _measure(self, home: hap_trio.Controller) -> None:
        while True:
            await trio.sleep(PROBE)
            for alias, probe in list(self._probes.items()):  # more may come while one is asked
                await self._ask(home, alias, probe)

    async def _ask(self, home: hap_trio.Controller, alias: str, probe: CharacteristicId) -> None:
        begun = self._clock()
        try:
            accessory = home.connect(alias)
            if not accessory.connected or home.record(alias).transport is Transport.BLE:
                return  # over Bluetooth LE a question keeps a connection open that costs a battery
            await accessory.read([probe])
        except HapError:
            return  # that it is away is told by the supervision
        self._tell(RoundTrip(alias, self._clock() - begun))

    def _tell(self, news: Happening | RoundTrip | Said) -> None:
        self._news.put((self._clock(), news))


def _note(board: Board, news: Happening | RoundTrip, when: float) -> None:
    lane = board.lane(news.alias)
    match news:
        case Available():
            lane.presence, lane.reason = Presence.HERE, ""
        case Unavailable(reason=reason):
            lane.presence, lane.reason = Presence.AWAY, clean(str(reason))
        case Gap():
            lane.gaps += 1
        case DatabaseChanged(accessories=accessories):
            lane.describe(accessories)
        case ValueChanged(id=number, value=value, source=source):
            lane.change(number, value, when, counted=source is not Source.READ)
        case RoundTrip(seconds=seconds):
            lane.took(seconds)
