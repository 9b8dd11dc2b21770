"""The controller's side of IP: one engine for each connection to an accessory."""

from __future__ import annotations

from hapcore.controller.commands import (
    AddPairing,
    CharacteristicWrite,
    Close,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    Snapshot,
    StartPairSetup,
    Subscribe,
    Unsubscribe,
    VerifyPairing,
    Write,
)
from hapcore.controller.events import CharacteristicChanged, EventUnreadable, SessionClosed
from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.controller.typed import Describe, GetValue, SetValue
from hapcore.ip.controller.connection import PAIRING_TIMEOUT, REQUEST_TIMEOUT, Connection
from hapcore.ip.controller.states import State

__all__ = [
    "PAIRING_TIMEOUT",
    "REQUEST_TIMEOUT",
    "AddPairing",
    "CharacteristicChanged",
    "CharacteristicWrite",
    "Close",
    "Connection",
    "Describe",
    "EventUnreadable",
    "FinishPairSetup",
    "GetAccessories",
    "GetValue",
    "Identify",
    "ListPairings",
    "Read",
    "ReadResult",
    "RemovePairing",
    "SessionClosed",
    "SetValue",
    "Snapshot",
    "StartPairSetup",
    "State",
    "Status",
    "Subscribe",
    "Unsubscribe",
    "VerifyPairing",
    "Write",
    "WriteResult",
]
