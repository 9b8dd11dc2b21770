"""What a file describes, read and checked."""

from __future__ import annotations

from attrs import frozen

from hapcore.house.actions import Action
from hapcore.house.values import from_answer
from hapcore.ids import Caller, Value
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic

__all__ = ["Follow", "House", "Listen", "Place", "Poll", "Write"]


@frozen
class Place:
    """A characteristic by the keys it has in the file; `service` is None for the only one of its accessory."""

    accessory: str
    service: str | None
    name: str
    characteristic: AnyCharacteristic

    def __str__(self) -> str:
        return ".".join((self.accessory, *(() if self.service is None else (self.service,)), self.name))

    def environment(self, caller: Caller | None = None) -> dict[str, str]:
        """The variables that tell a command what it is about, and who wrote it."""
        told = {
            "HAP_ACCESSORY": self.accessory,
            "HAP_SERVICE": self.service or "",
            "HAP_CHARACTERISTIC": self.name,
        }
        if caller is not None:
            # Identifiers are bytes of the peer's choice; no variable can hold a NUL.
            who = caller.pairing_id.decode("ascii", "replace")
            told["HAP_CONTROLLER"] = "".join(one if one.isprintable() else "?" for one in who)
        return told


@frozen
class Write:
    """What is done when a controller writes a characteristic."""

    place: Place
    action: Action


@frozen
class Poll:
    """How the value of a characteristic is asked for.

    A value not older than `max_age` seconds is good enough for who reads; every `every` seconds it is asked for though
    nobody reads, so that changes become events (None: never).
    """

    place: Place
    action: Action
    path: tuple[str, ...]
    max_age: float
    every: float | None

    def value(self, answer: bytes) -> Value:
        """The value in an answer; `ValueRefused` where there is none that fits."""
        return from_answer(self.place.characteristic, answer, self.path)


@frozen
class Listen:
    """A command that goes on, and prints a value in each line: those of buttons and sensors that tell by themselves."""

    place: Place
    command: tuple[str, ...]
    path: tuple[str, ...]

    def value(self, line: bytes) -> Value:
        """The value in a line; `ValueRefused` where there is none that fits."""
        return from_answer(self.place.characteristic, line, self.path)


@frozen
class Follow:
    """A characteristic that takes the value of another as soon as that has been written: what is told is done."""

    target: AnyCharacteristic
    current: AnyCharacteristic


@frozen
class House:
    """Everything in a file. `accessories` has a bridge at its head where there is one; `state` is as it was written."""

    accessories: tuple[Accessory, ...]
    name: str | None
    state: str | None
    setup_code: str | None
    writes: tuple[Write, ...]
    polls: tuple[Poll, ...]
    listens: tuple[Listen, ...]
    follows: tuple[Follow, ...]
