"""Events to subscribed controllers: who gets what, when (HAP 9.6).

At most one event message a second and connection, carrying the latest values; presses of buttons go out at once and are
never merged; nothing is sent while a request is being answered; the connection whose write caused a change is not told.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

from hapcore.codec.http import write_event
from hapcore.engine import ConnectionId
from hapcore.ids import CharacteristicId
from hapcore.ip.accessory.session import Session
from hapcore.model.characteristic import AnyCharacteristic

__all__ = ["Notifier"]

#: Presses kept for a connection that cannot take them now. A person does not press faster; the oldest go first.
MAX_PRESSES = 64


def _message(characteristics: Iterable[AnyCharacteristic]) -> bytes:
    body = b",".join([b'%b,"value":%b}' % (c.wire_prefix, c.event_to_wire()) for c in characteristics])
    return write_event(b'{"characteristics":[%b]}' % body)


class Notifier:
    """The subscriptions of all connections, and the appointments for messages that have to wait their second."""

    def __init__(
        self, sessions: Mapping[ConnectionId, Session], send: Callable[[Session, bytes], None], interval: float
    ) -> None:
        self._sessions = sessions
        self._send = send
        self._interval = interval
        self._subscribers: dict[CharacteristicId, dict[ConnectionId, Session]] = {}
        self._appointments: list[tuple[float, ConnectionId]] = []

    def subscribe(self, session: Session, characteristic: AnyCharacteristic) -> bool:
        """True if this changed anything."""
        if characteristic.id in session.subscriptions:
            return False
        session.subscriptions[characteristic.id] = characteristic
        self._subscribers.setdefault(characteristic.id, {})[session.connection] = session
        return True

    def unsubscribe(self, session: Session, number: CharacteristicId) -> bool:
        """True if this changed anything."""
        if session.subscriptions.pop(number, None) is None:
            return False
        session.pending.pop(number, None)
        subscribers = self._subscribers[number]
        del subscribers[session.connection]
        if not subscribers:
            del self._subscribers[number]
        return True

    def forget(self, session: Session) -> None:
        """Drop everything of a connection that is gone."""
        for number in tuple(session.subscriptions):
            self.unsubscribe(session, number)
        session.presses.clear()

    def changed(self, changes: Iterable[tuple[AnyCharacteristic, frozenset[ConnectionId]]], now: float) -> None:
        """Tell all subscribers of `changes`: (characteristic, connections that know it already) pairs."""
        touched: dict[ConnectionId, Session] = {}
        for characteristic, knowing in changes:
            subscribers = self._subscribers.get(characteristic.id)
            if not subscribers:
                continue
            if characteristic.immediate:
                self._press(characteristic, [s for s in subscribers.values() if s.connection not in knowing])
                continue
            for session in subscribers.values():
                if session.connection not in knowing:
                    session.pending[characteristic.id] = characteristic
                    touched[session.connection] = session
        # Most subscribers of a change have exactly this change pending: the message is then written once for all.
        written: dict[tuple[CharacteristicId, ...], bytes] = {}
        for session in touched.values():
            self.flush(session, now, written)

    def remind(self, session: Session, number: CharacteristicId) -> None:
        """Have the next message say what this holds, if its events are wanted."""
        characteristic = session.subscriptions.get(number)
        if characteristic is not None:
            session.pending[number] = characteristic

    def _press(self, characteristic: AnyCharacteristic, sessions: list[Session]) -> None:
        message = _message((characteristic,))
        for session in sessions:
            if session.quiet and not session.presses:
                self._send(session, message)
                continue
            if len(session.presses) >= MAX_PRESSES:
                session.presses.popleft()
            session.presses.append(message)

    def flush(
        self, session: Session, now: float, written: dict[tuple[CharacteristicId, ...], bytes] | None = None
    ) -> None:
        """Send what is due to one connection, or make an appointment for it."""
        if not session.quiet:
            return
        while session.presses and session.quiet:
            self._send(session, session.presses.popleft())
        if not session.pending:
            return
        due = now if session.last_event is None else session.last_event + self._interval
        if due > now:
            if session.event_due is None:
                session.event_due = due
                heapq.heappush(self._appointments, (due, session.connection))
            return
        key = tuple(session.pending)
        message = written.get(key) if written is not None else None
        if message is None:
            message = _message(session.pending.values())
            if written is not None:
                written[key] = message
        session.pending.clear()
        session.last_event = now
        self._send(session, message)

    def next_appointment(self) -> float | None:
        """When `keep_appointments` is due."""
        return self._appointments[0][0] if self._appointments else None

    def keep_appointments(self, now: float) -> None:
        """Flush every connection whose second is over."""
        while self._appointments and self._appointments[0][0] <= now:
            _, connection = heapq.heappop(self._appointments)
            session = self._sessions.get(connection)
            if session is not None:
                session.event_due = None
                self.flush(session, now)
