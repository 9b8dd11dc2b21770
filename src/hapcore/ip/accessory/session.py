"""One connection of an accessory server."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum

from hapcore.codec.http import RequestReader
from hapcore.crypto.frames import FrameOpener, FrameSealer
from hapcore.engine import ConnectionId
from hapcore.ids import Caller, CharacteristicId
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.pairing.verify import VerifyDesk

__all__ = ["Prepared", "Security", "Session"]


class Security(Enum):
    """How far a connection has come."""

    PLAIN = "plain"
    SECURED = "secured"
    TRANSIENT = "transient"
    CLOSED = "closed"


class Prepared:
    """The one timed write a connection may have prepared (HAP 9.3)."""

    __slots__ = ("deadline", "pid")

    def __init__(self, pid: int, deadline: float) -> None:
        self.pid = pid
        self.deadline = deadline


#: Largest body of a request before pair-verify: a pairing message has less than 1 KiB, and whoever has proved nothing
#: shall not make us keep a megabyte. HAP 8.3 asks for 64 KiB.
PLAIN_BODY = 64 * 1024


class Session:
    """Everything the engine remembers about one connection; gone when it closes."""

    __slots__ = (
        "busy",
        "caller",
        "close_after_reply",
        "connection",
        "event_due",
        "last_active",
        "last_event",
        "opener",
        "paused",
        "pending",
        "prepared",
        "presses",
        "reader",
        "sealer",
        "security",
        "setups",
        "stream",
        "subscriptions",
        "verify",
    )

    def __init__(self, connection: ConnectionId, verify: VerifyDesk, now: float) -> None:
        self.connection = connection
        self.security = Security.PLAIN
        self.reader = RequestReader(max_body=PLAIN_BODY)
        self.opener: FrameOpener | None = None
        self.sealer: FrameSealer | None = None
        self.verify = verify
        #: Pair-setup messages that came so far.
        self.setups = 0
        self.caller: Caller | None = None
        #: A request is being answered: nothing else may be sent, further requests wait.
        self.busy = False
        #: The transport cannot take more: no events, no further requests.
        self.paused = False
        self.close_after_reply = False
        self.subscriptions: dict[CharacteristicId, AnyCharacteristic] = {}
        #: Changed characteristics whose values the next event message carries.
        self.pending: dict[CharacteristicId, AnyCharacteristic] = {}
        #: Event messages that may not be merged (every press of a button counts), waiting for their turn.
        self.presses: deque[bytes] = deque()
        self.last_event: float | None = None
        #: When the engine will look at `pending` again; None when no such appointment stands.
        self.event_due: float | None = None
        self.prepared: Prepared | None = None
        #: The rest of a long response, in parts, not yet put together or sealed.
        self.stream: deque[Sequence[bytes]] | None = None
        self.last_active = now

    @property
    def quiet(self) -> bool:
        """Nothing of a message is half way in either direction: an event may be sent (HAP 8.10)."""
        return not (self.busy or self.paused or self.reader.buffered)
