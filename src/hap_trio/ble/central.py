"""What a controller needs of the asyncio side to speak with accessories over Bluetooth LE."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import trio

from hap_trio.pump import Pump
from hapcore.home.keeping import Hands

from .across import Across, bridge_to

if TYPE_CHECKING:  # costs the import of asyncio and bleak: only who uses Bluetooth LE pays
    from hap_asyncio.ble.hands import Air

__all__ = ["Ble", "open_hands"]

#: Nothing; True for the computer's Bluetooth; the name of an adapter; or bleak's backends, here or across a bridge.
Ble: TypeAlias = "Air | Across[Air] | None"


@asynccontextmanager
async def open_hands(ble: Ble, pump: Pump) -> AsyncGenerator[Hands | None, None]:
    """What carries out the effects of a home's engine over Bluetooth LE, for the length of a block."""
    if not ble:
        yield None
        return
    from hap_asyncio.ble.hands import CentralHands

    async with bridge_to(ble) as bridge:
        air = ble.it if isinstance(ble, Across) else ble
        hands = CentralHands(air, lambda put: bridge.report(pump.give, put, trio.current_time), bridge.post)
        try:
            yield hands
        finally:
            with trio.CancelScope(shield=True):  # at most some seconds, until the links are gone
                await bridge.run(hands.aclose)
