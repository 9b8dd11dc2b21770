"""A device that lives, and what its life depends on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import trio
from attrs import frozen

from hapcore.model.accessory import Accessory
from hapcore.model.service import Service

__all__ = ["Device", "Dice", "Wake", "device"]


class Dice(Random):
    """Chance that is the same each time for the same seed."""

    async def pause(self, low: float, high: float) -> None:
        """Some seconds."""
        await trio.sleep(self.uniform(low, high))


class Wake:
    """Ends a pause early: somebody has asked for something."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def up(self, *_: object) -> None:
        """Fits as a setter."""
        self._event.set()

    async def within(self, seconds: float) -> bool:
        """Whether somebody did within so many seconds."""
        with trio.move_on_after(seconds):
            await self._event.wait()
        woken, self._event = self._event.is_set(), trio.Event()
        return woken


@frozen
class Device:
    """An accessory, and its life; that has no end."""

    accessory: Accessory
    live: Callable[[], Awaitable[object]]


def device(key: str, service: Service, live: Callable[[], Awaitable[object]]) -> Device:
    """A device of one service, named like it."""
    name = service.label or key
    return Device(Accessory(name, services=[service], key=key, manufacturer="Busy home", model=service.type.name), live)
