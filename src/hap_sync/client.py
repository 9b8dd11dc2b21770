"""A paired accessory as the application uses it: always there, connected when needed."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.methods import Blocking
from hapcore.engine import Command
from hapcore.home import Disconnect, Follow, Home, Stop
from hapcore.home.keeping import Known

from .feed import Feed
from .loop import Loop
from .pump import Pump

__all__ = ["Client"]

R = TypeVar("R")


class Client(Known, Blocking):
    """One paired accessory. Every call connects and verifies first where that is not done yet, or no longer true.

    All calls raise a `HapError`: `Disconnected` when the accessory cannot be reached, the connection ends or no answer
    comes in time; `PairingRefused` when it does not know us any more; `AccessoryChanged` when another device has its
    address; `Refused` when it says no; `LocalProtocolError` and `ValueRefused` for our own mistakes. Ctrl-C in a call
    only loses its result; whether the accessory carried it out is unknown then.
    """

    def __init__(self, engine: Home, pump: Pump, loop: Loop, alias: str, address: str | None) -> None:
        super().__init__(engine, alias, address)
        self._pump = pump
        self._loop = loop

    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return self._pump.do(self._asking(command))

    @contextmanager
    def subscribe(self, ids: Iterable[tuple[int, int]]) -> Generator[Feed[CharacteristicChanged], None, None]:
        """`with lamp.subscribe(ids) as changes: for change in changes: ...`. Other calls may be made in the block.

        The iteration raises `Disconnected` when the connection ends; subscribe again to reconnect.
        """
        feed = Feed[CharacteristicChanged](self._loop)
        try:
            self._pump.do(Follow(self.alias, ids, feed, self._address))
            yield feed
        finally:
            self._pump.post(Stop(feed))

    def close(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        self._pump.post(Disconnect(self.alias, self._address))
