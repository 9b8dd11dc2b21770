"""A paired accessory as the application uses it: always there, connected when needed."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias, TypeVar

from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.methods import Blocking
from hapcore.engine import Command
from hapcore.home import Disconnect, Follow, Stop
from hapcore.home.keeping import Known, Wish

from .feed import Feed
from .pump import Pump

__all__ = ["Client", "Following", "following"]

R = TypeVar("R")
#: A block in which one is told things, by a feed.
Following: TypeAlias = AbstractContextManager[Feed[R]]


@contextmanager
def following(pump: Pump, feed: Feed[R], wish: Wish) -> Generator[Feed[R], None, None]:
    """Have `feed` filled as it wishes."""
    try:
        pump.do(wish(feed))
        yield feed
    finally:
        pump.post(Stop(feed))


class Client(Known[Pump], Blocking):
    """One paired accessory. Every call connects and verifies first where that is not done yet, or no longer true.

    All calls raise a `HapError`: `Disconnected` when the accessory cannot be reached, the connection ends or no answer
    comes in time; `PairingRefused` when it does not know us any more; `AccessoryChanged` when another device has its
    address; `Refused` when it says no; `LocalProtocolError` and `ValueRefused` for our own mistakes. Ctrl-C in a call
    only loses its result; whether the accessory carried it out is unknown then.
    """

    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return self._pump.do(self._asking(command))

    def subscribe(self, ids: Iterable[tuple[int, int]]) -> Following[CharacteristicChanged]:
        """`with lamp.subscribe(ids) as changes: for change in changes: ...`. Other calls may be made in the block.

        The iteration raises `Disconnected` when the connection ends; subscribe again to reconnect.
        """
        return following(self._pump, Feed(self._pump.loop), lambda to: Follow(self.alias, ids, to, self._address))

    def close(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        self._pump.post(Disconnect(self.alias, self._address))
