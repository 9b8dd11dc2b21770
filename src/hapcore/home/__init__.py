"""A home: the engine above the single connections of a controller, with their life and the pairings."""

from __future__ import annotations

from hapcore.home.commands import (
    Adopt,
    Ask,
    CancelPairing,
    Close,
    Complete,
    Disconnect,
    Discover,
    Find,
    FinishPairing,
    Follow,
    IdentifyAt,
    Prepare,
    Remove,
    StartPairing,
    Stop,
    Supervise,
)
from hapcore.home.effects import Browse, Connect, StopBrowsing, Via
from hapcore.home.events import Ended, News, NotStored, Told
from hapcore.home.home import Home
from hapcore.home.supervision import (
    Available,
    DatabaseChanged,
    Gap,
    Happening,
    Source,
    Unavailable,
    ValueChanged,
)

__all__ = [
    "ValueChanged",
    "Unavailable",
    "Source",
    "Happening",
    "Gap",
    "DatabaseChanged",
    "Available",
    "Adopt",
    "Ask",
    "Browse",
    "CancelPairing",
    "Close",
    "Complete",
    "Connect",
    "Disconnect",
    "Discover",
    "Ended",
    "Find",
    "FinishPairing",
    "Follow",
    "Home",
    "IdentifyAt",
    "News",
    "NotStored",
    "Prepare",
    "Remove",
    "StartPairing",
    "Stop",
    "StopBrowsing",
    "Supervise",
    "Told",
    "Via",
]
