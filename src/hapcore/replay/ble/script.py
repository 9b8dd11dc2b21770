"""What a recording over Bluetooth LE is turned into: attribute values, indications, advertisements, in order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from attrs import field, frozen

from hapcore.crypto.secret import Secret
from hapcore.replay.script import Accessory, Controller

__all__ = [
    "Advert",
    "Answer",
    "Attribute",
    "Case",
    "Confirm",
    "Connect",
    "Disconnected",
    "Indication",
    "Kind",
    "Read",
    "Script",
    "Secured",
    "Step",
    "Write",
]


class Kind(Enum):
    """What a handle of the recorded table is."""

    VALUE = "value"
    CONFIGURATION = "client configuration"
    SERVICE_IID = "service instance id"
    CHARACTERISTIC_IID = "characteristic instance id"


@frozen
class Attribute:
    """A handle of the recorded table, and the instance id of the service or characteristic it belongs to."""

    kind: Kind
    iid: int


@frozen
class Answer:
    """A whole response, joined from its fragments."""

    status: int
    body: bytes = field(repr=False)


@frozen
class Connect:
    """The central connected; the longest attribute values it took and sent."""

    t: float
    max_read: int
    max_write: int


@frozen
class Disconnected:
    """The link is gone, dropped by the accessory or not."""

    t: float
    by_accessory: bool


@frozen
class Write:
    """An attribute was written; `plain` where it was encrypted. What came of it was not seen where it was `lost`."""

    t: float
    handle: int
    raw: bytes = field(repr=False)
    plain: bytes | None = field(default=None, repr=False)
    refused: bool = False
    lost: bool = False


@frozen
class Read:
    """An attribute was read; `answer` is the response it belongs to, `counter` the number of its record."""

    t: float
    handle: int
    raw: bytes = field(repr=False)
    plain: bytes | None = field(default=None, repr=False)
    counter: int | None = None
    refused: bool = False
    lost: bool = False
    answer: Answer | None = None


@frozen
class Indication:
    """The accessory indicated a characteristic."""

    t: float
    handle: int


@frozen
class Confirm:
    """The central confirmed an indication; in a case without any it does so at once."""

    t: float


@frozen
class Secured:
    """From here on attribute values are encrypted with the keys of that session of the case."""

    t: float
    session: int


@frozen
class Advert:
    """What the accessory advertised from then on; no `data` where it was silent.

    `gsn` is the state number of a regular one, `event` number, instance id and value of an encrypted one.
    """

    t: float
    data: bytes | None
    scan_response: bytes = b""
    interval: float = 0.0
    gsn: int | None = None
    event: tuple[int, int, bytes] | None = None


Step: TypeAlias = Connect | Disconnected | Write | Read | Indication | Confirm | Secured | Advert


@frozen
class Case:
    """A part of the recording; they follow each other on one accessory."""

    name: str
    note: str
    steps: tuple[Step, ...]
    #: Keys from the accessory to the controller, by session.
    keys: tuple[Secret | None, ...]

    @property
    def confirms(self) -> bool:
        """Whether the central confirmed by itself."""
        return any(isinstance(step, Confirm) for step in self.steps)


@frozen
class Script:
    """A whole recording."""

    name: str
    format: str
    accessory: Accessory
    controllers: tuple[Controller, ...]
    cases: tuple[Case, ...]
    attributes: Mapping[int, Attribute]
    #: What the accessory drew, whatever for.
    draws: tuple[Secret, ...]
