"""What an accessory server tells the application."""

from __future__ import annotations

from attrs import field, frozen

from hapcore.accessory.commands import RequestId
from hapcore.engine import ConnectionId, Event
from hapcore.errors import HapError
from hapcore.ids import Caller, CharacteristicId, Value
from hapcore.model.snapshot import SnapshotWanted
from hapcore.setup_code import SetupCode, SetupPayload

__all__ = [
    "CharacteristicWrite",
    "CharacteristicsWritten",
    "HideSetupCode",
    "IdentifyRequested",
    "PairingAdded",
    "PairingRemoved",
    "PeerMisbehaved",
    "ReadRequested",
    "SessionClosed",
    "SessionOpened",
    "SetupAttemptFailed",
    "ShowSetupCode",
    "SnapshotRequested",
    "SubscriptionChanged",
    "WriteRequested",
]


def _hidden(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class CharacteristicWrite:
    """One checked and converted value out of a write request (HAP 8.8).

    `auth_data` is the decoded additional authorization data, `remote` whether the write came through a home hub,
    `timed` whether it was prepared, `response` whether the controller wants the value read back.
    """

    id: CharacteristicId
    value: Value
    auth_data: bytes | None = field(default=None, repr=_hidden)
    remote: bool = False
    timed: bool = False
    response: bool = False


@frozen
class WriteRequested(Event):
    """A controller writes characteristics that the application decides about; answer with `AnswerWrite`."""

    request: RequestId
    caller: Caller
    writes: tuple[CharacteristicWrite, ...]


@frozen
class ReadRequested(Event):
    """A controller reads characteristics whose values the application fetches; answer with `AnswerRead`."""

    request: RequestId
    caller: Caller
    ids: tuple[CharacteristicId, ...]


@frozen
class SnapshotRequested(Event):
    """A controller wants a picture of the camera with this accessory id; answer with `AnswerSnapshot` (HAP 8.9)."""

    request: RequestId
    caller: Caller
    aid: int
    wanted: SnapshotWanted


@frozen
class CharacteristicsWritten(Event):
    """A controller wrote characteristics that need no decision; the values are stored already."""

    caller: Caller
    writes: tuple[CharacteristicWrite, ...]


@frozen
class IdentifyRequested(Event):
    """A controller that is not paired asks the accessory to show itself (HAP 8.9)."""

    connection: ConnectionId


@frozen
class SubscriptionChanged(Event):
    """A controller subscribed to, or unsubscribed from, the events of a characteristic."""

    caller: Caller
    id: CharacteristicId
    enabled: bool


@frozen
class SessionOpened(Event):
    """A paired controller has proved who it is; the connection is encrypted.

    `resumed`: it went on from an earlier session, in one message each way; over Bluetooth LE only.
    """

    caller: Caller
    resumed: bool = False


@frozen
class SessionClosed(Event):
    """A verified session ended; `reason` is None when the controller closed it or it was removed in good order."""

    caller: Caller
    reason: HapError | None = None


@frozen
class PairingAdded(Event):
    """A controller was paired, or its permissions changed."""

    identifier: bytes
    admin: bool


@frozen
class PairingRemoved(Event):
    """A pairing was removed; with the last one the accessory can be paired again."""

    identifier: bytes


@frozen
class SetupAttemptFailed(Event):
    """Somebody tried to pair with a wrong setup code; at `limit` failures pair-setup is locked (HAP 4.3).

    It stays so over restarts, and is over when the stored counter is gone: the application resets the state, as
    `hap reset --attempts` does.
    """

    failures: int
    limit: int

    @property
    def locked(self) -> bool:
        """Whether nobody can pair any more."""
        return self.failures >= self.limit


@frozen
class ShowSetupCode(Event):
    """Somebody begins to pair: the display has to show this code until `HideSetupCode` (HAP 2.1).

    `payload` is for a QR code. Said only by an accessory with `Config.display`.
    """

    code: SetupCode
    payload: SetupPayload


@frozen
class HideSetupCode(Event):
    """The attempt to pair is over, one way or another: its code is worth nothing any more."""


@frozen
class PeerMisbehaved(Event):
    """A peer broke the protocol; its connection was answered as the protocol says, or closed."""

    connection: ConnectionId
    error: HapError
