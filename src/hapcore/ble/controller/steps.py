"""What the machines of the commands yield: each step is one thing to ask of the accessory over the link."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, cast

from attrs import field, frozen

from hapcore.ble.gatt import GattCharacteristic
from hapcore.codec.pdu import Response

__all__ = [
    "Answer",
    "Ask",
    "Errand",
    "Procedure",
    "ReadAttribute",
    "ReadInstanceId",
    "Step",
    "Switch",
    "ask",
    "read",
    "switch",
]


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


@frozen
class Ask:
    """One PDU; answered with its `Response`. `repeatable` says that asking twice does no harm."""

    opcode: int
    to: GattCharacteristic
    iid: int
    what: str
    body: bytes | None = field(default=None, repr=_size)
    repeatable: bool = True
    slow: bool = False


@frozen
class ReadAttribute:
    """A plain attribute that is no HAP characteristic; answered with its bytes, None where that was refused."""

    handle: int


@frozen
class ReadInstanceId:
    """The instance id descriptor of a characteristic; answered with its bytes, None where that was refused."""

    handle: int


@frozen
class Switch:
    """Indications on or off; answered with whether that worked."""

    handle: int
    enabled: bool


Step: TypeAlias = Ask | ReadAttribute | ReadInstanceId | Switch
#: What a step is answered with; the functions below know which.
Answer: TypeAlias = Response | bytes | bool | None
#: One command on its way: yields steps, is sent answers, returns the result, raises a `HapError`.
Procedure: TypeAlias = Generator[Step, Answer, object]
#: A part of a procedure without a result.
Errand: TypeAlias = Generator[Step, Answer, None]


def ask(step: Ask) -> Generator[Step, Answer, Response]:
    """One PDU."""
    return cast("Response", (yield step))


def read(step: ReadAttribute | ReadInstanceId) -> Generator[Step, Answer, bytes | None]:
    """One plain value."""
    return cast("bytes | None", (yield step))


def switch(step: Switch) -> Generator[Step, Answer, bool]:
    """Whether indications could be switched."""
    return bool((yield step))
