"""What advertisements say between two links: state numbers, broadcasts, resets (HAP-BLE A.1.8)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Flag, auto
from typing import Final

from hapcore.ble.advert import EncryptedAdvert, RegularAdvert, open_broadcast
from hapcore.ble.controller.access import decoded
from hapcore.ble.controller.knowledge import add_states
from hapcore.ble.controller.session import Session
from hapcore.errors import RemoteProtocolError
from hapcore.ids import Value

__all__ = ["Listener", "News", "candidates"]

#: Broadcasts that may have been missed since the last one that was heard.
WINDOW: Final = 99


class News(Flag):
    """What an advertisement means."""

    NOTHING = 0
    #: Something changed while there was no link: read again what is subscribed to.
    CHANGED = auto()
    #: The database is another one.
    RECONFIGURED = auto()
    #: A broadcast could not be read: the key has changed, or too many were missed.
    UNREADABLE = auto()
    #: Our pairing is gone.
    RESET = auto()
    #: What is kept has changed.
    KEEP = auto()


def candidates(gsn: int) -> Iterator[int]:
    """State numbers a broadcast may carry, the likeliest first: the next, the same again, those after."""
    yield add_states(gsn, 1)
    yield gsn
    for steps in range(2, WINDOW + 1):
        yield add_states(gsn, steps)


class Listener:
    """Compares what is heard with what is known."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own = bytes.fromhex(session.device_id.replace(":", ""))
        self._reset_told = False
        self._last = b""
        #: The configuration number heard last, 0 for none.
        self.config_number = 0

    @property
    def identifier(self) -> bytes:
        """By which encrypted advertisements name the accessory."""
        return self._session.knowledge.identifier or self._own

    def regular(self, advert: RegularAdvert, *, linked: bool) -> News:
        """A plain one. What comes while there is a link is a leftover: accessories are silent then."""
        knowledge, news = self._session.knowledge, News.NOTHING
        if linked:
            return news
        if advert.config_number != self.config_number:
            self.config_number = advert.config_number
            self._session.unfinished.clear()
        known = knowledge.config_number
        if known and advert.config_number and advert.config_number != known:
            news |= News.RECONFIGURED
        if advert.gsn and advert.gsn != knowledge.gsn:
            if knowledge.gsn:
                news |= News.CHANGED
            knowledge.gsn = advert.gsn
            news |= News.KEEP
        if advert.paired:
            self._reset_told = False
        elif self._session.pairing is not None and not self._reset_told:
            self._reset_told = True
            news |= News.RESET
        return news

    def encrypted(self, advert: EncryptedAdvert) -> tuple[News, int, Value]:
        """An encrypted one of ours: what it means, and the characteristic (0: none) with its new value."""
        if advert.payload == self._last:
            return News.NOTHING, 0, None
        self._last = advert.payload
        opened = self.open(advert)
        if opened is None:
            return News.UNREADABLE | News.CHANGED, 0, None
        gsn, iid, value = opened
        knowledge = self._session.knowledge
        if not knowledge.may_follow(gsn):
            return News.NOTHING, 0, None
        knowledge.prove(gsn)
        return self._value(iid, value)

    def open(self, advert: EncryptedAdvert) -> tuple[int, int, bytes] | None:
        """State number, instance id and value (8 bytes) of an encrypted one; None where our key does not fit."""
        knowledge = self._session.knowledge
        key = knowledge.key
        if key is not None and knowledge.gsn:
            for gsn in candidates(knowledge.gsn):
                opened = open_broadcast(key, advert.identifier, advert.payload, gsn)
                if opened is not None:
                    return gsn, *opened
        return None

    def _value(self, iid: int, data: bytes) -> tuple[News, int, Value]:
        meta = self._session.metadata(iid)
        if meta is None:
            return News.KEEP | News.CHANGED, 0, None
        try:
            value = decoded(meta, data, "a broadcast")
        except RemoteProtocolError:
            return News.KEEP | News.CHANGED, 0, None
        self._session.values[iid] = value
        return News.KEEP, iid, value
