"""What passed through the proxy, told as the entries of a decoded conversation."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable

from hapcore.accessory.events import (
    PairingAdded,
    PairingRemoved,
    PeerMisbehaved,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    SubscriptionChanged,
)
from hapcore.decode.model import Direction, Entry, Kind, Touched
from hapcore.decode.names import Names
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model.remote import AccessoryDescription

__all__ = ["Account"]

Details = Iterable[tuple[str, str]]


def _who(pairing_id: bytes) -> str:
    return pairing_id.decode(errors="replace")


def _lane(caller: Caller) -> str:
    return f"controller {caller.connection} > proxy"


class Account:
    """Numbers what happens, gives it a time and the names of what it touches, and hands it to `tell`.

    `accessory` is the device id of the accessory behind, `clock` gives seconds since 1970.
    """

    def __init__(self, accessory: str, clock: Callable[[], float], tell: Callable[[Entry], object]) -> None:
        self.clock = clock
        self._accessory = accessory
        self._tell = tell
        self._count = 0
        self._names = Names()

    def know(self, accessories: Iterable[AccessoryDescription]) -> None:
        """Names come from this database from now on."""
        self._names.learn(accessories)

    def name(self, number: CharacteristicId) -> str:
        """ "Lightbulb.On", or "1.9" for what is not in the database."""
        return self._names.name(*number)

    def text(self, number: CharacteristicId, value: Value, *, answer: bool = True) -> str:
        """A value for people; `answer` where the accessory says it."""
        plain = b64encode(value).decode() if isinstance(value, bytes) else value
        return self._names.text(*number, plain, answer=answer)

    def asked(self, number: CharacteristicId) -> Touched:
        """A characteristic that is to be read."""
        return Touched(*number, self.name(number))

    def written(self, number: CharacteristicId, value: Value) -> Touched:
        """A characteristic that is to be written."""
        return Touched(*number, self.name(number), self.text(number, value, answer=False))

    def answered(self, number: CharacteristicId, result: Value | HapStatus) -> Touched:
        """A characteristic with its value, or with the status that says why there is none."""
        if isinstance(result, HapStatus):
            return Touched(*number, self.name(number), status=int(result))
        return Touched(*number, self.name(number), self.text(number, result))

    def request(self, caller: Caller, title: str, touched: Iterable[Touched], details: Details = ()) -> Entry:
        """A controller asks something."""
        return self._put(
            Kind.REQUEST, Direction.TO_ACCESSORY, _lane(caller), title, touched=tuple(touched), details=tuple(details)
        )

    def response(self, request: Entry, title: str, touched: Iterable[Touched], details: Details = ()) -> None:
        """The answer that the controller gets."""
        self._put(
            Kind.RESPONSE,
            Direction.TO_CONTROLLER,
            request.connection,
            title,
            answers=request,
            touched=tuple(touched),
            details=tuple(details),
        )

    def event(self, touched: Iterable[Touched], details: Details = ()) -> None:
        """The accessory tells of changes."""
        self._put(
            Kind.EVENT,
            Direction.TO_CONTROLLER,
            "proxy > accessory",
            "EVENT",
            touched=tuple(touched),
            details=tuple(details),
        )

    def note(self, title: str, *, connection: str = "proxy > accessory", kind: Kind = Kind.NOTE) -> None:
        """Anything else that is worth a line."""
        self._put(kind, Direction.NEITHER, connection, title)

    def news(self, event: object) -> None:
        """What the proxy's own server reports of controllers; other events are none of our business."""
        match event:
            case SessionOpened(caller):
                self.note(f"session with {_who(caller.pairing_id)}", connection=_lane(caller), kind=Kind.OPENED)
            case SessionClosed(caller, reason):
                self.note(
                    "closed" if reason is None else f"closed: {reason}", connection=_lane(caller), kind=Kind.CLOSED
                )
            case PairingAdded(identifier, admin):
                self.note(
                    f"paired with {_who(identifier)}{' (admin)' if admin else ''}",
                    connection="proxy",
                    kind=Kind.PAIRING,
                )
            case PairingRemoved(identifier):
                self.note(f"no longer paired with {_who(identifier)}", connection="proxy", kind=Kind.PAIRING)
            case SetupAttemptFailed(failures, limit):
                self.note(f"wrong setup code ({failures} of {limit})", connection="proxy", kind=Kind.PAIRING)
            case SubscriptionChanged(caller, number, enabled):
                word = "subscribes to" if enabled else "unsubscribes from"
                self.note(f"{word} {self.name(number)} ({number})", connection=_lane(caller))
            case PeerMisbehaved(connection, error):
                self.note(f"the peer misbehaved: {error}", connection=f"controller {connection} > proxy")
            case _:
                pass

    def _put(
        self,
        kind: Kind,
        direction: Direction,
        connection: str,
        title: str,
        *,
        answers: Entry | None = None,
        touched: tuple[Touched, ...] = (),
        details: tuple[tuple[str, str], ...] = (),
    ) -> Entry:
        now = self.clock()
        entry = Entry(
            number=self._count,
            time=now,
            connection=connection,
            accessory=self._accessory,
            kind=kind,
            direction=direction,
            title=title,
            took=None if answers is None else now - answers.time,
            details=details,
            touched=touched,
            answers=None if answers is None else answers.number,
        )
        self._count += 1
        self._tell(entry)
        return entry
