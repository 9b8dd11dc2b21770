"""A bridge of 150 with 16 controllers, and one handler that sleeps 20 seconds: what the others notice of it."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from statistics import quantiles

import trio
from bench import Bench
from report import Row, Table

import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import Accessory

ACCESSORIES = 150
CONTROLLERS = 16
NAP = 20.0
#: Seconds of one sample for each second of the others: the sleeper has to be met at work.
LENGTH = 4
#: Seconds between two batches of the controller that polls.
POLL = 0.5
CODE = "031-45-154"


def slow(bench: Bench) -> Table:
    """Milliseconds from a read of one value to its answer, over loopback, each controller as fast as it can."""
    table = Table("A handler that hangs", ("p50 ms", "p99 ms", "reads/s"))
    for asleep in (False, True) * bench.size.rounds:
        label = "with one that sleeps 20 s" if asleep else "all handlers answer"
        took, rate = trio.run(_sample, asleep, bench.size.seconds * LENGTH)
        cuts = quantiles(took, n=100)
        for column, value in zip(("p50 ms", "p99 ms", "reads/s"), (cuts[49] * 1e3, cuts[98] * 1e3, rate), strict=True):
            table.add(Row(label, ""), column, value)
    return table


def _house(*, asleep: bool) -> tuple[list[Accessory], list[Lightbulb]]:
    lamps = [Lightbulb(f"Lamp {number}", on=False, brightness=number % 100) for number in range(ACCESSORIES - 1)]
    for lamp in lamps:
        lamp.on.getter(lambda _caller: True)
    if asleep:

        @lamps[0].on.getter
        async def _(_caller: object) -> bool:
            await trio.sleep(NAP)
            return True

    bridged = [Accessory(f"Lamp {at}", services=[lamp], key=f"lamp {at}") for at, lamp in enumerate(lamps)]
    return [Accessory.bridge("Bridge"), *bridged], lamps


async def _sample(asleep: bool, seconds: float) -> tuple[list[float], float]:
    accessories, lamps = _house(asleep=asleep)
    took: list[float] = []
    where = {"address": "127.0.0.1", "mdns": False, "setup_code": CODE}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(hap_trio.open_server(accessories, **where))
        home = await stack.enter_async_context(hap_trio.open_controller(mdns=False))
        first = await home.pair(f"127.0.0.1:{server.port}", CODE, "bridge")
        others = []
        for _ in range(1, CONTROLLERS):
            away = await stack.enter_async_context(hap_trio.open_controller(mdns=False))
            record = home.record("bridge")
            await away.save(record)
            others.append(away.connect("bridge"))
        end = time.perf_counter() + seconds

        async def read(client: hap_trio.Client, number: int) -> None:
            ids = [[lamp.on.id] for lamp in lamps[1:]]
            at = number
            while (start := time.perf_counter()) < end:
                await client.read(ids[at % len(ids)])
                took.append(time.perf_counter() - start)
                at += CONTROLLERS

        async def poll(client: hap_trio.Client) -> None:
            """As hubs do: a batch at times, the sleeper in it."""
            wanted: list[CharacteristicId] = [lamp.on.id for lamp in lamps[:49]]
            while time.perf_counter() < end:
                found = await client.read(wanted)
                assert sum(not one.status for one in found.values()) >= len(wanted) - 1
                await trio.sleep(POLL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll, first)
            for number, client in enumerate(others):
                nursery.start_soon(read, client, number)
            if asleep:
                await trio.sleep(seconds)
                nursery.cancel_scope.cancel()
    return took, len(took) / seconds
