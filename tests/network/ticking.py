"""What runs on the hosts where accessories are watched over: one that changes all the time, and a controller.

    python tests/network/ticking.py serve JSON
    python tests/network/ticking.py watch (trio | asyncio | sync) JSON

The accessory has a button that says a number by itself every so often, each higher by one, and a counter that keeps the
last of them; both are told as {"event": "tick"}. JSON holds the settings of `serve()`, the "first" number, and the
seconds "every" which. It is told "stop" and "go" in lines. The controller pairs those of JSON's "pair" (device ids and
setup codes by alias), watches over all, with the settings of `supervise()`, and prints all that happens. Each line that
is printed is a JSON object with the "time" of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import trio

import hap_asyncio
import hap_sync
import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.home.supervision import Available, DatabaseChanged, Gap, Happening, Unavailable, ValueChanged
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata, Permission
from hapcore.model.uuid import PROGRAMMABLE_SWITCH_EVENT

NAME = "Test lamp"
CODE = "031-45-154"
_NUMBER = Metadata(Format.UINT32, (Permission.READ, Permission.EVENTS))
_COUNT = CharacteristicType("Count", "C0FFEE00-0000-4000-8000-0000000000C0", _NUMBER, int)
#: A button, whose events are never merged; but it says which press it is.
_PRESS = CharacteristicType("Press", PROGRAMMABLE_SWITCH_EVENT, _NUMBER, int)


def tell(event: str, **more: object) -> None:
    """Print what happened."""
    print(json.dumps({"event": event, "time": time.monotonic(), **more}, default=repr), flush=True)


# --- the accessory -----------------------------------------------------------------------------------------------


class Ticking:
    """The accessory, and the numbers it says."""

    def __init__(self, first: int, every: float) -> None:
        light = Lightbulb(on=False, brightness=50)
        self._count = light.add(Characteristic(_COUNT, first))
        self._press = light.add(Characteristic(_PRESS, first))
        self.accessory = Accessory(NAME, services=[light])
        self._number = first
        self._every = every
        self.going = trio.Event()
        self.going.set()

    def ids(self) -> dict[str, str]:
        """Where the numbers are said."""
        return {"count": str(self._count.id), "press": str(self._press.id)}

    async def tick(self) -> None:
        """Count, for ever."""
        while True:
            while not self.going.is_set():  # who is told to stop while it is about to go on stops
                await self.going.wait()
            self._number += 1
            tell("tick", number=self._number)
            self._count.value = self._number
            self._press.value = self._number
            await trio.sleep(self._every)

    async def obey(self) -> None:
        """What stdin says."""
        stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))  # a thread that reads could not be cancelled
        async for lines in stdin:
            if lines.split()[-1] == b"go":
                self.going.set()
            else:
                self.going = trio.Event()
                tell("stopped", number=self._number)


async def _serve(first: int = 0, every: float = 0.25, **settings: Any) -> None:
    ticking = Ticking(first, every)
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        given = {"setup_code": CODE, **settings}
        async with hap_trio.open_server(ticking.accessory, **given) as server, trio.open_nursery() as nursery:
            tell("serving", device_id=server.device_id, port=server.port, ids=ticking.ids())
            nursery.start_soon(ticking.tick)
            nursery.start_soon(ticking.obey)
            async for _ in signals:
                nursery.cancel_scope.cancel()


# --- the controller ----------------------------------------------------------------------------------------------


def _happened(item: Happening, ahead: float) -> None:
    """Print it; `ahead` is what the monotonic clock is ahead of that of the controller."""
    name = type(item).__name__
    match item:
        case ValueChanged(alias, one, value, source):
            tell(name, alias=alias, id=str(one), value=value, source=source.value)
        case Gap(alias, since, until):
            tell(name, alias=alias, since=since + ahead, until=until + ahead)
        case Unavailable(alias, reason):
            tell(name, alias=alias, reason=f"{type(reason).__name__}: {reason}")
        case Available(alias) | DatabaseChanged(alias):
            tell(name, alias=alias)


async def _watch_trio(file: str, pair: dict[str, list[str]], **wanted: Any) -> None:
    async with hap_trio.open_controller(file) as home:
        for alias, (device_id, code) in pair.items():
            await home.pair(await home.find(device_id), code, alias)
        tell("paired")
        ahead = time.monotonic() - trio.current_time()
        async with home.supervise(**wanted) as happenings:
            async for item in happenings:
                _happened(item, ahead)


async def _watch_asyncio(file: str, pair: dict[str, list[str]], **wanted: Any) -> None:
    async with hap_asyncio.open_controller(file) as home:
        for alias, (device_id, code) in pair.items():
            await home.pair(await home.find(device_id), code, alias)
        tell("paired")
        ahead = time.monotonic() - asyncio.get_running_loop().time()
        async with home.supervise(**wanted) as happenings:
            async for item in happenings:
                _happened(item, ahead)


def _watch_sync(file: str, pair: dict[str, list[str]], **wanted: Any) -> None:
    with hap_sync.open_controller(file) as home:
        for alias, (device_id, code) in pair.items():
            home.pair(home.find(device_id), code, alias)
        tell("paired")
        with home.supervise(**wanted) as happenings:
            for item in happenings:
                _happened(item, 0.0)


def main(what: str, *given: str) -> None:
    """Do it."""
    settings = json.loads(given[-1])
    match what, *given[:-1]:
        case ("serve",):
            trio.run(lambda: _serve(**settings))
        case "watch", "trio":
            trio.run(lambda: _watch_trio(**settings))
        case "watch", "asyncio":
            asyncio.run(_watch_asyncio(**settings))
        case "watch", "sync":
            _watch_sync(**settings)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
