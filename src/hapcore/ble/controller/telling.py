"""What a peer knows of its accessory and tells about it: the memory and the news of the engine."""

from __future__ import annotations

import re
from typing import Final

from hapcore.ble.controller.events import AvailabilityChanged, PairingForgotten
from hapcore.ble.controller.knowledge import Knowledge
from hapcore.ble.controller.layout import AID
from hapcore.ble.controller.listening import Listener, News
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.states import State
from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import device_key
from hapcore.engine import Engine, Persist
from hapcore.entropy import Entropy
from hapcore.errors import HapError, LocalProtocolError
from hapcore.ids import CharacteristicId, Value
from hapcore.model.remote import AccessoryDescription
from hapcore.model.uuid import IMMEDIATE
from hapcore.pairing.records import Pairing

__all__ = ["MISSED_AFTER", "Telling", "cache_key"]

#: Seconds after a broadcast in which changes of what does not broadcast are looked for: after a broadcast accessories
#: signal nothing else (HAP-BLE A.1.5).
MISSED_AFTER: Final = 60.0

_DEVICE_ID: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


def cache_key(device_id: str) -> str:
    """Under which the cache of a peer is stored."""
    return f"ble/{device_key(device_id)}"


class Telling(Engine):
    """The half of a peer that does not act."""

    def __init__(
        self, *, entropy: Entropy, pairing: Pairing | None, device_id: str, cache: bytes | None, name: str
    ) -> None:
        super().__init__()
        identity = device_key(pairing.accessory_id if pairing is not None else device_id)
        if not _DEVICE_ID.fullmatch(identity):
            raise LocalProtocolError("is not of the form XX:XX:XX:XX:XX:XX", argument="device_id")
        if device_id and device_key(device_id) != identity:
            raise LocalProtocolError(f"the pairing is with {identity}", argument="device_id")
        #: As it was heard; the longest, because advertisements cut it.
        self.name = name
        #: Of the last advertisement, in dBm.
        self.rssi: int | None = None
        knowledge = Knowledge.decode(cache)
        if pairing is not None:
            knowledge.belong(pairing.controller_id)
        self._session = Session(identity, pairing, knowledge, entropy)
        self._listener = Listener(self._session)
        self._state = self._planned = State.UNPAIRED if pairing is None else State.PAIRED
        #: What is in the store.
        self._saved = self._session.knowledge.mark()
        self._reachable: bool | None = None
        #: The database must be read before it is used.
        self._unread_database = self._session.database is None
        #: What is subscribed to must be read and switched on; and whether a link is to be made for it.
        self._refresh_due = False
        self._refresh_now = False
        #: Whether the broadcast key may be another one.
        self._doubt = False
        #: When to look for what broadcasts do not tell.
        self._look_at: float | None = None

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """How we stand with the accessory."""
        return self._state

    @property
    def device_id(self) -> str:
        """The accessory's, in upper case."""
        return self._session.device_id

    @property
    def pairing(self) -> Pairing | None:
        """Ours with the accessory; a new one after pair-setup."""
        return self._session.pairing

    @property
    def identifier(self) -> bytes:
        """The 6 bytes by which encrypted advertisements name the accessory."""
        return self._listener.identifier

    @property
    def cache_key(self) -> str:
        """Under which the cache is stored."""
        return cache_key(self._session.device_id)

    @property
    def accessories(self) -> tuple[AccessoryDescription, ...]:
        """The database with the last known values; empty where it was never read."""
        session = self._session
        if session.database is None:
            return ()
        return (session.database.with_values(session.values, session.subscribed),)

    # --- what is told ---------------------------------------------------------------------------------------------

    def _take_news(self, news: News) -> None:
        if News.RECONFIGURED in news:
            self._unread_database = True
        if News.CHANGED in news and self._session.subscribed:
            self._missed()
        if News.UNREADABLE in news:
            self._doubt = True
        if News.RESET in news:
            self._emit(PairingForgotten())
        if News.KEEP in news:
            self._save()

    def _look_later(self) -> None:
        session = self._session
        if self._look_at is None and set(session.subscribed) - session.knowledge.broadcasting:
            self._look_at = self._now + MISSED_AFTER
            session.stale = True

    def _tell(self, iid: int, value: Value) -> None:
        known = self._session.find(iid)
        if value is not None or (known is not None and known.description.type in IMMEDIATE):
            self._emit(CharacteristicChanged(CharacteristicId(AID, iid), value))

    def _available(self, reason: HapError | None) -> None:
        reachable = reason is None
        if reachable is not self._reachable:
            self._reachable = reachable
            self._emit(AvailabilityChanged(reachable, reason))

    def _save(self) -> None:
        pairing = self._session.pairing
        if pairing is None or self._closed():
            return
        self._session.knowledge.belong(pairing.controller_id)
        mark = self._session.knowledge.mark()
        if mark != self._saved:
            self._saved = mark
            self._emit(Persist(self.cache_key, self._session.knowledge.encode()))

    def _missed(self) -> None:
        """A change was not read before the link went."""
        self._session.stale = self._refresh_due = self._refresh_now = True

    def _closed(self) -> bool:
        return self._state is State.CLOSED
