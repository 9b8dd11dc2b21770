"""A virtual air: Bluetooth LE in one process, without hardware, for programs without async."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from hap_sync.ble.across import Across, bridge_to
from hap_sync.bridge import Bridge
from hap_sync.loop import thread_loop

if TYPE_CHECKING:  # costs the import of asyncio, Bumble and bleak
    from hap_asyncio.ble.bumble import BumbleServer
    from hap_asyncio.testing.radio import Air as Inner
    from hap_asyncio.testing.radio import Bleak

__all__ = ["Air", "Radio", "open_air"]

#: What an accessory is served over.
Radio: TypeAlias = "Across[BumbleServer]"


class Air:
    """Everybody here hears everybody else; from `open_air()`. It lives in a thread with an asyncio loop."""

    def __init__(self, bridge: Bridge, inner: Inner) -> None:
        self._bridge = bridge
        self._air = inner

    def peripheral(self, name: str = "HAP", address: str | None = None, *, max_mtu: int = 517) -> Radio:
        """What an accessory is served over: `open_peripheral(light, radio=...)`. `max_mtu` is 23 to 517."""
        return Across(self._bridge, self._bridge.run(self._air.peripheral, name, address, max_mtu=max_mtu))

    def bleak(self, *, like_bluez: bool = False) -> Across[Bleak]:
        """What a controller finds and reaches accessories over: `open_controller(ble=...)`."""
        return Across(self._bridge, self._bridge.run(self._air.bleak, like_bluez=like_bluez))

    def lend(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Lend controllers to other processes, which name them "tcp-client:127.0.0.1:PORT". Returns the port."""
        return self._bridge.run(self._air.lend, host, port)

    def vanish(self, radio: Radio) -> None:
        """An accessory goes out of range."""
        self._bridge.post(partial(self._air.vanish, radio.it.device))

    def come_back(self, radio: Radio) -> None:
        """It is in range again."""
        self._bridge.post(partial(self._air.come_back, radio.it.device))

    def unplug(self, radio: Radio) -> None:
        """Its host loses its controller, as when a dongle is pulled out."""
        self._bridge.post(partial(self._air.unplug, radio.it.device))

    def lose_connections(self, count: int) -> None:
        """The next `count` connections break before their first packet, as happens on a bad line."""
        self._bridge.post(partial(self._air.lose_connections, count))


@contextmanager
def open_air(*, interval: float = 0.02) -> Generator[Air, None, None]:
    """Bluetooth LE without hardware, for the length of a block.

    Nobody waits longer than `interval` seconds between two advertisements, whatever the accessory asked for;
    `math.inf` is as on the real air. At the end everything is disconnected and silent.
    """
    from hap_asyncio.testing.radio import open_air as open_inner

    opening = open_inner(interval=interval)
    with thread_loop() as loop, bridge_to(None, loop) as bridge:
        air = bridge.run(opening.__aenter__)
        try:
            yield Air(bridge, air)
        finally:
            with loop.shielded():
                bridge.run(opening.__aexit__, None, None, None)
