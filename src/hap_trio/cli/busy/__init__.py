"""`hap serve busy-home`: a bridge with a dozen devices that nobody has, and that live all the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import partial

import trio

from hap_trio.cli.built import Built
from hap_trio.cli.busy.climate import humidity, temperature, thermostat
from hap_trio.cli.busy.device import Device, Dice
from hap_trio.cli.busy.doors import blinds, contact, garage, lock
from hap_trio.cli.busy.rooms import button, fan, lamp, leak, motion, outlet
from hapcore.model.accessory import Accessory

__all__ = ["devices", "home"]

_MAKERS = (
    lamp,
    thermostat,
    lock,
    garage,
    blinds,
    outlet,
    fan,
    motion,
    contact,
    temperature,
    humidity,
    leak,
    button,
)


def devices(seed: int) -> list[Device]:
    """All of them. What happens to one depends on the seed, and on what controllers do to it, but on no other."""
    return [make(Dice(f"{seed} {make.__name__}")) for make in _MAKERS]


async def live(them: Iterable[Device]) -> None:
    """Have them live."""
    async with trio.open_nursery() as nursery:
        for one in them:
            nursery.start_soon(one.live)


def home(name: str | None, seed: int | None) -> Built:
    """The bridge and what is behind it."""
    them = devices(secrets.randbits(32) if seed is None else seed)
    return Built([Accessory.bridge(name or "Busy home"), *(one.accessory for one in them)], live=partial(live, them))
