"""A decoded conversation: one entry for each message, event or gap, for terminals, reports and programs alike."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

__all__ = ["Direction", "Entry", "Kind", "Touched"]


class Kind(Enum):
    """What an entry is."""

    OPENED = "opened"
    CLOSED = "closed"
    PAIRING = "pairing"
    REQUEST = "request"
    RESPONSE = "response"
    EVENT = "event"
    GAP = "gap"
    NOTE = "note"


class Direction(Enum):
    """Where a message went."""

    TO_ACCESSORY = "to accessory"
    TO_CONTROLLER = "to controller"
    NEITHER = "neither"


@frozen
class Touched:
    """A characteristic that a message carries.

    `name` is "Lightbulb.On" where the database is known, "1.9" (aid and iid) otherwise. `value` is text for people,
    TLV8 decoded by name where the type is known; None where the message has no value of it. `status` is that of
    HAP 8.6, 0 or negative; None where the message has none.
    """

    aid: int
    iid: int
    name: str
    value: str | None = None
    status: int | None = None


def _size(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen(kw_only=True)
class Entry:
    """One thing that happened in a conversation.

    `number` is its position, from 0 and without holes in each source. `time` is in seconds of the source's clock: since
    1970 for captures. `connection` is stable for one connection ("192.168.1.4:51622 > 192.168.1.9:5001", controller
    first) and `accessory` is the device id where it is known, else the accessory's address. `title` is one line.

    An answer has `took`, seconds since the request, and `answers`, the number of the request's entry. `details` are
    pairs of name and text, secrets only by their size. `data` is the message as it was decrypted, or the bytes that
    could not be read. Texts are as the peer sent them: whoever shows them must escape them.
    """

    number: int
    time: float
    connection: str
    accessory: str
    kind: Kind
    direction: Direction
    title: str
    took: float | None = None
    details: tuple[tuple[str, str], ...] = ()
    touched: tuple[Touched, ...] = ()
    data: bytes = field(default=b"", repr=_size)
    answers: int | None = None
