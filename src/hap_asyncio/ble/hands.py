"""What a controller's home wants done over Bluetooth LE, carried out here for the adapters of all worlds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from hapcore.ble.controller.effects import Scan
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.engine import ConnectionId, Effect
from hapcore.home import Home, Via

from .central import Backend, Central
from .link import GattLink

__all__ = ["Air", "CentralHands", "Cross", "Tell"]

#: What to listen and connect with: True for the computer's Bluetooth, the name of an adapter, or bleak's backends.
Air: TypeAlias = bool | str | Backend
#: Gives the home an input, wherever its engine is: called with what to do with it and the time there.
Tell: TypeAlias = Callable[[Callable[[Home, float], object]], object]
#: From where the engine is: call a function here, after everything that was to be called before.
Cross: TypeAlias = Callable[[Callable[[], object]], object]


class CentralHands:
    """Carries out the effects of a home; `carry_out` is called where the engine is, the rest happens here."""

    def __init__(self, air: Air, tell: Tell, cross: Cross) -> None:
        backend = None if isinstance(air, bool | str) else air
        self._central = Central(backend, air if isinstance(air, str) else None)
        self._tell = tell
        self._cross = cross
        self._over = False
        self._links: dict[ConnectionId, GattLink] = {}
        self._failed: Callable[[str], object] = lambda _reason: None

    def carry_out(self, effect: Effect) -> None:
        """Begin what the home wants; what comes of it is told to it. After the end nothing is begun any more."""
        if not self._over:
            self._cross(partial(self._begin, effect))

    async def aclose(self) -> None:
        """Drop all links and stop scanning; wait until all is quiet."""
        self._over = True
        for link in list(self._links.values()):
            await link.aclose()
        await self._central.aclose()

    def _begin(self, effect: Effect) -> None:
        if isinstance(effect, Via):
            link = self._links.get(effect.connection)
            if link is None:
                link = self._links[effect.connection] = GattLink(self._central, _Told(self, effect.connection))
            link.carry_out(effect.effect)
        elif isinstance(effect, Scan) and effect.on:
            self._central.listen(self._hear, partial(self._deaf, effect))
        elif isinstance(effect, Scan):
            self._central.unlisten(self._hear)

    def _hear(self, advertisement: Advertisement) -> None:
        self._tell(lambda home, now: home.receive_advertisement(advertisement, now))

    def _deaf(self, effect: Scan, reason: str) -> None:
        self._tell(lambda home, now: home.effect_failed(effect, reason, now))

    def told(self, put: Callable[[Home, float], object]) -> None:
        """Something happened to a link."""
        self._tell(put)

    def lost(self, number: ConnectionId) -> None:
        """A link is gone; another one of the same accessory is made anew."""
        self._links.pop(number, None)
        self._tell(lambda home, now: home.link_lost(number, now))


class _Told:
    """Who hears of one link."""

    def __init__(self, hands: CentralHands, number: ConnectionId) -> None:
        self._hands = hands
        self._number = number

    def result(self, result: GattResult) -> None:
        self._hands.told(lambda home, now: home.receive_gatt(self._number, result, now))

    def indicated(self, handle: int) -> None:
        self._hands.told(lambda home, now: home.receive_indication(self._number, handle, now))

    def lost(self) -> None:
        self._hands.lost(self._number)
