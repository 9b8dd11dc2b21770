"""What a home wants done, beside sending, closing and storing."""

from __future__ import annotations

from attrs import frozen

from hapcore.engine import ConnectionId, Effect
from hapcore.home.target import Address

__all__ = ["Browse", "Connect", "StopBrowsing", "Via"]


@frozen
class Connect(Effect):
    """Open a byte stream to `address`, then call `connected()`, or `effect_failed()` with the reason.

    The effects and inputs of the stream bear the same number. `CloseConnection` before that gives the attempt up.
    """

    connection: ConnectionId
    address: Address


@frozen
class Browse(Effect):
    """Look for accessories and hand on what is seen to `receive_discovery()`: first all there are, then the changes."""


@frozen
class StopBrowsing(Effect):
    """Nobody looks any more."""


@frozen
class Via(Effect):
    """An effect of the engine behind a link that is none of bytes, for the transport of that link."""

    connection: ConnectionId
    effect: Effect
