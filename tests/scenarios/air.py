"""The three adapters over a virtual air: a controller and an accessory of one adapter in one program, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio
from tests.scenarios import memory
from tests.scenarios.homes import Accessory, Controller

import hap_asyncio.ble
import hap_asyncio.testing.radio
import hap_sync.ble
import hap_sync.loop
import hap_sync.testing
import hap_trio.ble
import hap_trio.testing


class TrioAir(memory.TrioWorld):
    """On trio; the air is across the bridge."""

    open_air = staticmethod(hap_trio.testing.open_air)

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._program = memory.Program(lambda program: trio.run(self._main, program))


class AsyncioAir(memory.AsyncioWorld):
    """On asyncio, as the air is."""

    open_air = staticmethod(hap_asyncio.testing.radio.open_air)

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._program = memory.Program(self._live)

    def _live(self, program: memory.Program) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(program.carry_on())


class SyncAir(memory.SyncWorld):
    """In blocking code; the air is in a thread."""

    open_air = staticmethod(hap_sync.testing.open_air)

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._loop = self._stack.enter_context(hap_sync.loop.thread_loop())


AIRS: dict[str, Callable[[], Any]] = {one.kind: one for one in (TrioAir, AsyncioAir, SyncAir)}


class Sky:
    """A world with its air, and one radio of an accessory in it."""

    def __init__(self, kind: str) -> None:
        self.world = AIRS[kind]()
        self.air, self._end = self.world.open(self.world.open_air)
        self.radio = self.world.run(partial(self.air.peripheral, "Lamp"))

    def vanish(self) -> None:
        """The accessory goes out of range."""
        self.world.run(self.air.vanish, self._device)

    def come_back(self) -> None:
        """It is there again."""
        self.world.run(self.air.come_back, self._device)

    @property
    def _device(self) -> Any:
        return self.radio.device if self.world.kind == "asyncio" else self.radio

    def close(self) -> None:
        self._end()
        self.world.close()


class AirAccessory(Accessory):
    """A served accessory; its address is its device id."""

    def __init__(self, sky: Sky, what: Any, **settings: Any) -> None:
        self._world = sky.world
        opened = partial(sky.world.adapter.ble.open_peripheral, what, radio=sky.radio, **settings)
        self.server, self._end = sky.world.open(opened)
        self._open = True

    @property
    def address(self) -> str:
        return str(self.server.device_id)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._end()


class AirController(Controller):
    """A controller with a Bluetooth adapter of its own."""

    def __init__(self, sky: Sky, path: Path | None) -> None:
        self._world = sky.world
        self._backend = sky.world.run(sky.air.bleak)
        opened = partial(sky.world.adapter.open_controller, path, mdns=False, ble=self._backend)
        self.home, self._end = sky.world.open(opened)

    def connect(self, alias: str, address: str | None = None) -> Any:
        del address
        return super().connect(alias, None)  # type: ignore[arg-type]

    def close(self) -> None:
        self._end()
