"""What an application can ask of a connection to an accessory. Each command ends in exactly one `Done` or `Failed`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from hapcore.controller.results import ReadResult, Status, WriteResult
from hapcore.engine import Command
from hapcore.ids import CharacteristicId, Value
from hapcore.model.remote import AccessoryDescription
from hapcore.model.snapshot import SnapshotReason
from hapcore.pairing.items import Method
from hapcore.pairing.records import ControllerIdentity, Pairing, PairingEntry
from hapcore.setup_code import SetupCode

__all__ = [
    "AddPairing",
    "CharacteristicWrite",
    "Close",
    "FinishPairSetup",
    "GetAccessories",
    "Identify",
    "ListPairings",
    "Read",
    "RemovePairing",
    "Snapshot",
    "StartPairSetup",
    "Subscribe",
    "Unsubscribe",
    "VerifyPairing",
    "Write",
]


def _ids(ids: Iterable[tuple[int, int]]) -> tuple[CharacteristicId, ...]:
    return tuple(one if type(one) is CharacteristicId else _id(one) for one in ids)


def _id(one: tuple[int, int]) -> CharacteristicId:
    return CharacteristicId(*one)


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class StartPairSetup(Command[None]):
    """First half of Pair Setup, M1 and M2 (HAP 4.2): the accessory may now show its setup code.

    `method` is `PAIR_SETUP_WITH_AUTH` only for accessories whose feature flags say so; None reads them over Bluetooth
    LE, and is `PAIR_SETUP` over IP, where they stand in the announcement. `expected_id` is the device id
    that was discovered; another one in M6 fails the pairing. `identity` is used again for every accessory if given,
    otherwise the pairing gets a fresh one. As long as the connection lives, `FinishPairSetup` may come minutes later.

    Fails with `PairingRefused` (already paired, busy, too many attempts) or `Refused`.
    """

    method: Method | None = None
    expected_id: str | None = None
    identity: ControllerIdentity | None = None


@frozen
class FinishPairSetup(Command[Pairing]):
    """Second half of Pair Setup, M3 to M6. Store the result before anything else: the accessory has.

    Fails with `PairingRefused` (a wrong code is TLV error 2 in step 4); a new `StartPairSetup` must come first then.
    """

    setup_code: SetupCode


@frozen
class VerifyPairing(Command[None]):
    """Pair Verify (HAP 5.1): afterwards everything is encrypted and the accessory can be used.

    Fails with `AccessoryChanged` (another device has the address; the connection is closed), or `PairingRefused`
    (error 2 in step 4: the accessory does not know us any more).
    """

    pairing: Pairing


@frozen
class Identify(Command[None]):
    """Let the accessory show which one it is (HAP 8.9).

    Without a session this is for unpaired accessories only. In a session it writes the Identify characteristic of
    accessory `aid`, after reading the database if it is not known yet.
    """

    aid: int = 1


@frozen
class GetAccessories(Command[tuple[AccessoryDescription, ...]]):
    """Read the whole database (HAP 8.6). The engine keeps it and converts later values by it."""


@frozen
class Read(Command[Mapping[CharacteristicId, ReadResult]]):
    """Read characteristics (HAP 8.7); the result has every id asked for, in the order asked.

    The flags ask for more than the value; it comes in `ReadResult.fields`. Some accessories answer flags with broken
    JSON, so take metadata from `GetAccessories` where that will do. More than 49 ids go in several requests.
    """

    ids: tuple[CharacteristicId, ...] = field(converter=_ids)
    meta: bool = False
    perms: bool = False
    type: bool = False
    ev: bool = False


@frozen
class CharacteristicWrite:
    """One value to write (HAP 8.8).

    `auth_data` goes to characteristics that need additional authorization, `remote` says that a home hub passes the
    write on, `response` asks for the value a characteristic answers a write with.
    """

    id: CharacteristicId = field(converter=_id)
    value: Value
    auth_data: bytes | None = field(default=None, repr=_size)
    remote: bool = False
    response: bool = False


def _writes(writes: Iterable[CharacteristicWrite]) -> tuple[CharacteristicWrite, ...]:
    return tuple(writes)


@frozen
class Write(Command[Mapping[CharacteristicId, WriteResult]]):
    """Write values in one request; each has a result of its own, none is undone when another fails (HAP 8.8).

    `timed_ms` makes it a timed write (HAP 9.3) that the accessory must receive within so many milliseconds; without
    it a timed write is used where the database says that a characteristic wants one. `submit` raises `ValueRefused`
    for a value that does not fit its characteristic.
    """

    writes: tuple[CharacteristicWrite, ...] = field(converter=_writes)
    timed_ms: int | None = None


@frozen
class Subscribe(Command[Mapping[CharacteristicId, Status]]):
    """Ask for events; one request for each accessory behind a bridge (HAP 9.6). Ends with the connection."""

    ids: tuple[CharacteristicId, ...] = field(converter=_ids)


@frozen
class Unsubscribe(Command[Mapping[CharacteristicId, Status]]):
    """Ask for no more events."""

    ids: tuple[CharacteristicId, ...] = field(converter=_ids)


@frozen
class Snapshot(Command[bytes]):
    """Have a camera take a picture; the result is a JPEG of at most 8 MiB. Over IP only.

    `width` and `height` in pixels, 1 to 65535, are a wish: the picture may have another size of the same shape. `aid`
    is the camera behind a bridge. Some cameras want to be told the `reason`.

    Fails with `Refused` where the accessory has no camera, or it is switched off, and with `RemoteProtocolError` where
    what came is no JPEG. `submit` raises `LocalProtocolError` over Bluetooth LE.
    """

    width: int
    height: int
    aid: int | None = None
    reason: SnapshotReason | None = None


@frozen
class ListPairings(Command[tuple[PairingEntry, ...]]):
    """Who is paired with the accessory (HAP 6). Only for admins."""


@frozen
class AddPairing(Command[None]):
    """Pair another controller, or change its rights (HAP 6). Only for admins.

    `identifier` is 1 to 36 bytes, `ltpk` the 32 bytes of its long-term public key.
    """

    identifier: bytes
    ltpk: bytes
    admin: bool = False


@frozen
class RemovePairing(Command[None]):
    """Remove a controller (HAP 6); unknown ones count as removed. Removing ourselves ends the connection."""

    identifier: bytes


@frozen
class Close(Command[None]):
    """End the connection now. Everything unanswered fails with `Disconnected`."""
