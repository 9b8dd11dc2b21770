"""The commands of a controller as methods, written once for adapters that await and for adapters that block.

A class that derives from `Requests` and from `Awaiting` or `Blocking` only provides `do()`. Type checkers then see
`await lamp.read(...)` or `lamp.read(...)` with exact arguments and results.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Generic, ParamSpec, TypeVar, cast, overload

from hapcore.controller.commands import (
    AddPairing,
    CharacteristicWrite,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    Snapshot,
    Write,
)
from hapcore.controller.device import Device
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.controller.typed import Describe, GetValue, SetValue
from hapcore.engine import Command
from hapcore.ids import CharacteristicId, Value
from hapcore.model.handle import Handle, Readable
from hapcore.model.remote import AccessoryDescription
from hapcore.model.snapshot import SnapshotReason
from hapcore.pairing.records import PairingEntry

__all__ = ["Awaiting", "Blocking", "Requests", "request"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
K = TypeVar("K", bound=tuple[int, int])


class Awaiting:
    """An adapter whose calls are awaited."""

    __slots__ = ()

    @abstractmethod
    def do(self, command: Command[R]) -> Coroutine[object, object, R]:
        """Carry out any command of `hapcore.ip.controller`; raises the `HapError` it failed with."""


class Blocking:
    """An adapter whose calls return when they are done."""

    __slots__ = ()

    @abstractmethod
    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`; raises the `HapError` it failed with."""


class request(Generic[P, R]):  # noqa: N801 - used like a decorator
    """A method that builds a command and hands it to `do()`."""

    def __init__(self, build: Callable[P, Command[R]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> request[P, R]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, Coroutine[object, object, R]]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: Awaiting | Blocking | None, owner: type) -> object:
        if instance is None:
            return self
        build, do = self._build, instance.do

        def send(*args: P.args, **kwargs: P.kwargs) -> object:
            return do(build(*args, **kwargs))

        send.__name__, send.__doc__ = build.__name__.lstrip("_"), build.__doc__
        return send


def _accessories() -> Command[tuple[AccessoryDescription, ...]]:
    """Read the whole database. Values are checked and converted by it from then on."""
    return GetAccessories()


def _read(
    ids: Iterable[tuple[int, int]],
    *,
    meta: bool = False,
    perms: bool = False,
    type: bool = False,  # noqa: A002 - the protocol's word
    ev: bool = False,
) -> Command[Mapping[CharacteristicId, ReadResult]]:
    """Read values by (aid, iid); the flags ask for more than the value. Each result has a status of its own."""
    return Read(ids, meta=meta, perms=perms, type=type, ev=ev)


def _write(
    values: Mapping[K, Value] | Iterable[CharacteristicWrite], *, timed: int | None = None
) -> Command[Mapping[CharacteristicId, WriteResult]]:
    """Write values by (aid, iid) in one request, or `CharacteristicWrite`s for more than plain values.

    `timed` makes it a timed write that must arrive within so many milliseconds. Each result has its own status.
    """
    if isinstance(values, Mapping):
        pairs = cast("Mapping[tuple[int, int], Value]", values)
        return Write([CharacteristicWrite(one, value) for one, value in pairs.items()], timed_ms=timed)
    return Write(values, timed_ms=timed)


def _device() -> Command[Device]:
    """The database as typed objects: `(await lamp.device()).lightbulb.on`. Read where it is not known yet."""
    return Describe()


def _get(handle: Readable[T]) -> Command[T]:
    """Read one characteristic of a `device()`: its value in its own type. Raises `Refused` where it is refused."""
    return GetValue(handle)


def _set(handle: Handle[T], value: T, *, timed: int | None = None) -> Command[None]:
    """Write one characteristic of a `device()`, `timed` as in `write`. Raises `Refused` where it is refused."""
    return SetValue(handle, value, timed)


def _snapshot(
    width: int, height: int, *, aid: int | None = None, reason: SnapshotReason | None = None
) -> Command[bytes]:
    """Have a camera take a picture: a JPEG, of that many pixels or another size of the same shape. Over IP only.

    `aid` is the camera behind a bridge. Raises `Refused` where there is no camera or it is switched off.
    """
    return Snapshot(width, height, aid, reason)


def _pairings() -> Command[tuple[PairingEntry, ...]]:
    """Who is paired with the accessory. For admins."""
    return ListPairings()


def _add_pairing(identifier: bytes, ltpk: bytes, *, admin: bool = False) -> Command[None]:
    """Pair another controller by its identifier and 32-byte public key, or change its rights. For admins."""
    return AddPairing(identifier, ltpk, admin)


def _remove_pairing(identifier: bytes) -> Command[None]:
    """Remove a controller. For admins."""
    return RemovePairing(identifier)


def _identify(aid: int = 1) -> Command[None]:
    """Have the accessory make itself noticed."""
    return Identify(aid)


class Requests:
    """What a session with an accessory can do. All calls raise a `HapError` when they fail:

    `Disconnected` (with `TimedOut`) when the connection ends or no answer comes, `Refused` when the accessory says no,
    `RemoteProtocolError` when its answer makes no sense, `LocalProtocolError` and `ValueRefused` for our own mistakes.
    """

    __slots__ = ()
    accessories = request(_accessories)
    read = request(_read)
    write = request(_write)
    device = request(_device)
    get = request(_get)
    set = request(_set)
    snapshot = request(_snapshot)
    pairings = request(_pairings)
    add_pairing = request(_add_pairing)
    remove_pairing = request(_remove_pairing)
    identify = request(_identify)
