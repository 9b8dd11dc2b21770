"""What a controller needs of the asyncio side to speak with accessories over Bluetooth LE."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from hap_sync.loop import Loop
from hap_sync.pump import Pump
from hapcore.home.keeping import Hands

from .across import Across, bridge_to

if TYPE_CHECKING:  # costs the import of asyncio and bleak: only who uses Bluetooth LE pays
    from hap_asyncio.ble.hands import Air

__all__ = ["Ble", "open_hands"]

#: Nothing; True for the computer's Bluetooth; the name of an adapter; or bleak's backends, here or across a bridge.
Ble: TypeAlias = "Air | Across[Air] | None"


@contextmanager
def open_hands(ble: Ble, loop: Loop, pump: Pump) -> Generator[Hands | None, None, None]:
    """What carries out the effects of a home's engine over Bluetooth LE, for the length of a block."""
    if not ble:
        yield None
        return
    from hap_asyncio.ble.hands import CentralHands

    with bridge_to(ble, loop) as bridge:
        air = ble.it if isinstance(ble, Across) else ble
        hands = CentralHands(air, lambda put: bridge.report(lambda: pump.give(put, time.monotonic)), bridge.post)
        try:
            yield hands
        finally:
            with loop.shielded():  # at most some seconds, until the links are gone
                bridge.run(hands.aclose)
