"""Opening what a controller needs to speak with accessories over Bluetooth LE. Nothing is imported before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from hap_asyncio.pump import Pump
from hap_asyncio.tasks import settle
from hapcore.home.keeping import Hands

if TYPE_CHECKING:
    from .hands import Air

__all__ = ["Ble", "open_hands"]

#: Nothing; True for the computer's Bluetooth; the name of an adapter; or bleak's backends.
Ble: TypeAlias = "Air | None"


@asynccontextmanager
async def open_hands(ble: Ble, pump: Pump) -> AsyncGenerator[Hands | None, None]:
    """What carries out the effects of a home's engine over Bluetooth LE, for the length of a block."""
    if not ble:
        yield None
        return
    from .hands import CentralHands

    hands = CentralHands(ble, partial(pump.give, clock=asyncio.get_running_loop().time), lambda begin: begin())
    try:
        yield hands
    finally:
        await settle(hands.aclose())
