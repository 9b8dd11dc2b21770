"""Commands that speak in types: the database as objects, one value in its own Python type."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final, Generic, TypeVar, cast

from attrs import frozen

from hapcore.controller.commands import CharacteristicWrite, Read, Subscribe, Write
from hapcore.controller.device import Device
from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.engine import Command
from hapcore.errors import LocalProtocolError, Refused, RemoteProtocolError
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.handle import Handle, Readable

__all__ = ["BY_DATABASE", "Describe", "GetValue", "SetValue", "getting", "setting"]

T = TypeVar("T")
Y = TypeVar("Y")
S = TypeVar("S")


@frozen
class Describe(Command[Device]):
    """The database as typed objects. It is read where it is not known yet; `GetAccessories` always reads it.

    Values in it are those of the last reading of the whole database.
    """


def _expect_handle(one: object) -> None:
    if not isinstance(one, Readable):
        text = f"wanted a characteristic of a device, such as device.lightbulb.on, got {type(one).__name__}"
        raise LocalProtocolError(text, argument="handle")


@frozen
class GetValue(Command[T], Generic[T]):
    """Read one characteristic (HAP 8.7); the result is its value in its own type.

    Fails with `Refused` where the accessory refuses it, and with `RemoteProtocolError` where there is no value of the
    type in the answer, as for buttons: they have events only.
    """

    handle: Readable[T]

    def __attrs_post_init__(self) -> None:
        _expect_handle(self.handle)

    def read(self) -> Read:
        """The command this one is made of."""
        return Read([self.handle])

    def result(self, results: Mapping[CharacteristicId, ReadResult]) -> T:
        """What comes of its results."""
        found = results[self.handle]
        _check(self.handle, "reading", found.status)
        value = self.handle.typed(found.value)
        if value is None:
            kind = self.handle.kind
            wanted = "a value" if kind is None else f"a value of the type {kind.python.__name__}"
            raise RemoteProtocolError(f"{wanted} of {_called(self.handle)}", "none that can be understood")
        return value


@frozen
class SetValue(Command[None], Generic[T]):
    """Write one characteristic (HAP 8.8). `submit` raises `ValueRefused` for a value that does not fit it.

    Numbers are rounded half up to its step. `timed_ms` as for `Write`. Fails with `Refused` where the accessory
    refuses it.
    """

    handle: Handle[T]
    value: T
    timed_ms: int | None = None

    def __attrs_post_init__(self) -> None:
        _expect_handle(self.handle)

    def write(self) -> Write:
        """The command this one is made of."""
        return Write([CharacteristicWrite(self.handle, cast("Value", self.value))], self.timed_ms)

    def result(self, results: Mapping[CharacteristicId, WriteResult]) -> None:
        """What comes of its results."""
        _check(self.handle, "writing", results[self.handle].status)


def getting(command: GetValue[T], procedure: Generator[Y, S, object]) -> Generator[Y, S, T]:
    """Within an engine: what a `Read` does, with the result of `command`."""
    return command.result(cast("Mapping[CharacteristicId, ReadResult]", (yield from procedure)))


def setting(command: SetValue[T], procedure: Generator[Y, S, object]) -> Generator[Y, S, None]:
    """Within an engine: what a `Write` does, with the result of `command`."""
    command.result(cast("Mapping[CharacteristicId, WriteResult]", (yield from procedure)))


def _called(handle: Readable[object]) -> str:
    return f"{handle.name} ({handle})"


def _check(handle: Readable[object], doing: str, status: Status) -> None:
    if status:
        text = status.text if isinstance(status, HapStatus) else f"status {status}"
        raise Refused(f"{doing} {_called(handle)} was refused: {text}", hap_status=int(status))


#: Commands that count on the database: values are checked and converted by it.
BY_DATABASE: Final[frozenset[type[Command[Any]]]] = frozenset([Read, Write, Subscribe, Describe, GetValue, SetValue])
