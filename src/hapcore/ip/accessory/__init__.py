"""The accessory's side of HAP over IP: `Server` and what goes in and out of it."""

from hapcore.accessory.commands import AnswerRead, AnswerWrite, ReplaceDatabase, RequestId, Shutdown, UpdateValues
from hapcore.accessory.config import Config
from hapcore.accessory.events import (
    CharacteristicsWritten,
    CharacteristicWrite,
    HideSetupCode,
    IdentifyRequested,
    PairingAdded,
    PairingRemoved,
    PeerMisbehaved,
    ReadRequested,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    ShowSetupCode,
    SubscriptionChanged,
    WriteRequested,
)
from hapcore.ip.accessory.server import Server

__all__ = [
    "AnswerRead",
    "AnswerWrite",
    "CharacteristicWrite",
    "CharacteristicsWritten",
    "Config",
    "HideSetupCode",
    "IdentifyRequested",
    "PairingAdded",
    "PairingRemoved",
    "PeerMisbehaved",
    "ReadRequested",
    "ReplaceDatabase",
    "RequestId",
    "Server",
    "SessionClosed",
    "SessionOpened",
    "SetupAttemptFailed",
    "ShowSetupCode",
    "Shutdown",
    "SubscriptionChanged",
    "UpdateValues",
    "WriteRequested",
]
