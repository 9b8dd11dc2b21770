"""What is on the air and how often (HAP-BLE A.1.6)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hapcore.ble.accessory.broadcasts import Interval
from hapcore.ble.accessory.effects import SetAdvertisement, StopAdvertising
from hapcore.ble.advert import (
    EncryptedAdvert,
    RegularAdvert,
    advertising_data,
    fold_config_number,
    scan_response,
    seal_broadcast,
)
from hapcore.engine import Output
from hapcore.setup_code import setup_hash

if TYPE_CHECKING:
    from hapcore.ble.accessory.peripheral import Peripheral

__all__ = ["EVENT_SECONDS", "FAST_INTERVAL", "START_SECONDS", "Advertiser", "Broadcast"]

#: So long after the start everything is fast, to be found at once.
START_SECONDS: Final = 30.0
#: So long after a change, or a disconnect: at least 3 s by the rules, 4.8 s with Apple's accessories.
EVENT_SECONDS: Final = 4.8
FAST_INTERVAL: Final = 0.02


@frozen
class Broadcast:
    """A changed value that is on the air, under a state number that no other one has."""

    number: int
    iid: int
    value: bytes
    interval: Interval


class Advertiser:
    """Nothing while a central is connected; else the regular advertisement, or the changed value in its place."""

    def __init__(self, peripheral: Peripheral, interval: float, emit: Callable[[Output], None]) -> None:
        self._peripheral = peripheral
        self._interval = interval
        self._emit = emit
        self._running = False
        self._connected = False
        self._started = False
        self._fast_until: float | None = None
        self._event_until: float | None = None
        self._broadcast: Broadcast | None = None
        self._shown: SetAdvertisement | None = None

    @property
    def connected(self) -> bool:
        """Whether a central is connected, so that nothing is advertised."""
        return self._connected

    def start(self, now: float) -> None:
        """Begin; the first time for 30 s fast."""
        self._running = True
        if not self._started and not self._connected:
            self._started = True
            self._fast_until = now + START_SECONDS
        self.update()

    def stop(self) -> None:
        """For good."""
        self._running = False
        self._fast_until = self._event_until = None
        self.update()

    def connect(self) -> None:
        """A central is there: whatever was on the air ends."""
        self._connected = self._started = True
        self._fast_until = self._event_until = None
        self._broadcast = None
        self.update()

    def disconnect(self, now: float) -> None:
        """It has gone: fast for a while, so that it can come back quickly."""
        self._connected = False
        self._fast_until = now + EVENT_SECONDS if self._running else None
        self.update()

    def changed(self, now: float) -> None:
        """The state number has gone up."""
        self._event_until = now + EVENT_SECONDS if self._running else None
        self.update()

    def broadcast(self, broadcast: Broadcast, now: float) -> None:
        """A value changed and is broadcast; it takes the place of the one before.

        What has been overtaken meanwhile is not: its number would be used twice.
        """
        if self._running and not self._connected and broadcast.number == self._peripheral.state_number.value:
            self._broadcast = broadcast
            self.changed(now)

    def next_timeout(self) -> float | None:
        """When the advertisement changes by itself."""
        return min((one for one in (self._fast_until, self._event_until) if one is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Go back to slower intervals. After a broadcast that nobody reacted to comes the regular one, fast."""
        if self._fast_until is not None and self._fast_until <= now:
            self._fast_until = None
        if self._event_until is not None and self._event_until <= now:
            ended, self._event_until = self._event_until, None
            if self._broadcast is not None:
                self._broadcast = None
                self._event_until = ended + EVENT_SECONDS
        self.update()

    def update(self) -> None:
        """Say what has to be on the air now, if it is something else than before."""
        wanted = None if self._connected or not self._running else self._make()
        if wanted == self._shown:
            return
        self._shown = wanted
        self._emit(StopAdvertising() if wanted is None else wanted)

    def _make(self) -> SetAdvertisement:
        peripheral = self._peripheral
        name = peripheral.config.name
        number = peripheral.state_number.value
        key = peripheral.broadcasts.key
        event = self._broadcast
        if event is not None and key is not None:
            identifier = peripheral.advertising_identifier
            payload = seal_broadcast(key, identifier, event.number, event.iid, event.value)
            return SetAdvertisement(
                advertising_data(EncryptedAdvert(identifier, payload), name), b"", event.interval.seconds
            )
        fast = self._fast_until is not None or self._event_until is not None
        setup = peripheral.stored.setup
        regular = RegularAdvert(
            peripheral.device_id,
            peripheral.config.category,
            number,
            fold_config_number(peripheral.config_number),
            status=0 if peripheral.paired else 1,
            setup_hash=b64decode(setup_hash(setup.setup_id, peripheral.device_id)),
        )
        return SetAdvertisement(
            advertising_data(regular, name), scan_response(name), FAST_INTERVAL if fast else self._interval
        )
