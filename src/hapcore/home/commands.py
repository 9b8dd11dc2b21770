"""What an application can ask of a home. Each command ends in exactly one `Done` or `Failed`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final, TypeVar

from attrs import field, frozen

from hapcore.controller.commands import Read
from hapcore.discovery import DiscoveredAccessory, Transport
from hapcore.engine import Command
from hapcore.errors import LocalProtocolError
from hapcore.home.target import Where
from hapcore.ids import CharacteristicId
from hapcore.setup_code import SetupCode, SetupPayload
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = [
    "Adopt",
    "Ask",
    "CancelPairing",
    "Close",
    "Complete",
    "Disconnect",
    "Discover",
    "Find",
    "FinishPairing",
    "Follow",
    "IdentifyAt",
    "Prepare",
    "Remove",
    "StartPairing",
    "Stop",
    "Supervise",
]

R = TypeVar("R")
#: Seconds between polls. More often than each second is what events are for; a day is as good as never.
MIN_POLL: Final = 1.0
MAX_POLL: Final = 86400.0
#: Seconds between two requests of the home's own.
MAX_PACE: Final = 60.0
#: Characteristics one request reads. Small devices run out of memory above this.
MAX_BATCH: Final = 49


@frozen
class Ask(Command[R]):
    """Any command of `hapcore.controller`, for a paired accessory. Connects and verifies first where that is needed.

    `address` "HOST:PORT" says where it is, instead of what is stored and announced. Reads, writes and subscriptions
    wait for the database, by which values are checked and converted. Fails as the command does, and with
    `Disconnected`, `PairingRefused` or `AccessoryChanged` when there is no way to the accessory.
    """

    alias: str
    command: Command[R]
    address: str | None = None


def _ids(ids: Iterable[tuple[int, int]]) -> tuple[CharacteristicId, ...]:
    return Read(ids).ids


@frozen
class Follow(Command[None]):
    """Have `News(to, CharacteristicChanged)` come from now on, until `Stop(to)`, or `Ended(to)` with the connection.

    `to` is whatever the caller tells its readers apart by. Fails with `Refused` where one of the ids has no events.
    """

    alias: str
    ids: tuple[CharacteristicId, ...] = field(converter=_ids)
    to: Hashable
    address: str | None = None


@frozen
class Stop(Command[None]):
    """No more news `to` this reader. Unknown ones are no error."""

    to: Hashable


def _optional_ids(ids: Iterable[tuple[int, int]] | None) -> tuple[CharacteristicId, ...] | None:
    return None if ids is None else _ids(ids)


def _optional_aliases(aliases: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(aliases, str):
        raise LocalProtocolError(f"wanted a list of names, such as [{aliases!r}]", argument="aliases")
    return None if aliases is None else tuple(dict.fromkeys(aliases))


@frozen
class Supervise(Command[None]):
    """Keep accessories connected and followed, until `Stop(to)`: have `News(to, Happening)` come, whatever happens.

    `aliases` None means all that are paired, and will be. `ids` are the characteristics to follow, of each of them;
    None: all that say when they change, and those that can be read but do not say it, except for what never changes
    (names, serial numbers) and what has to be asked in a certain way (TLV8 and data). What does not say when it changes
    is read every `poll` seconds, as is one characteristic of an accessory that says everything by itself, to see
    whether it is still there. `pace` seconds lie between two requests nobody has asked for, and each reads at most
    `batch` (1 to 49) characteristics; the application's own requests go in between. Over Bluetooth LE, where each poll
    costs a battery a connection, an hour lies between polls at least.

    It ends by itself only where the last of the `aliases` is removed. Raises `LocalProtocolError` for an unknown alias.
    """

    to: Hashable
    aliases: tuple[str, ...] | None = field(default=None, converter=_optional_aliases)
    ids: tuple[CharacteristicId, ...] | None = field(default=None, converter=_optional_ids)
    poll: float = 60.0
    pace: float = 0.05
    batch: int = MAX_BATCH

    def __attrs_post_init__(self) -> None:
        for argument, value, least, most in (
            ("poll", self.poll, MIN_POLL, MAX_POLL),
            ("pace", self.pace, 0, MAX_PACE),
            ("batch", self.batch, 1, MAX_BATCH),
        ):
            if not least <= value <= most:
                raise LocalProtocolError(f"{value} is not within {least:g} to {most:g}", argument=argument)


@frozen
class Discover(Command[None]):
    """Have `News(to, DiscoveredAccessory)` come, of what is there and of every change, until `Stop(to)` or `Ended(to)`.

    It ends after `timeout` seconds (None: never). `submit` raises `LocalProtocolError` for a home without discovery.
    """

    to: Hashable
    timeout: float | None = None


@frozen
class Find(Command[DiscoveredAccessory]):
    """Look for an accessory by its device id, or by what its QR code says (HAP 2.2, 2.3).

    Fails with `TimedOut` when it is not seen within `timeout` seconds, and with `LocalProtocolError` for a payload
    without setup id: nothing that an accessory announces could be compared with it.
    """

    wanted: str | SetupPayload
    timeout: float = 10.0


@frozen(eq=False)
class StartPairing(Command[None]):
    """Connect to an unpaired accessory and do the first half of Pair Setup (HAP 4.2): it may show its code now.

    The command object itself names the pairing from then on, until `CancelPairing`, which must follow in any case.
    Fails with `PairingRefused`, `Refused` or `Disconnected`.
    """

    where: Where
    alias: str


@frozen
class FinishPairing(Command[str]):
    """The second half, with the code. The pairing is stored when the result, its alias, is told.

    Fails with `PairingRefused` for a wrong code; another one may follow. Where the pairing cannot be stored
    (`EffectFailed`) it is removed from the accessory again, within 10 s; if that fails too, a note in the error says
    so. Neither `CancelPairing` nor `Close` ends it while something is being stored.
    """

    pairing: StartPairing
    setup_code: SetupCode


@frozen
class CancelPairing(Command[None]):
    """Let go of a pairing, wherever it stands; a `FinishPairing` on its way is finished first. Unknown is no error."""

    pairing: StartPairing


@frozen
class IdentifyAt(Command[None]):
    """Have an accessory that nobody has paired make itself noticed (HAP 8.9). Fails with `Refused` if it is paired."""

    where: Where


@frozen
class Remove(Command[None]):
    """Remove our pairing from the accessory, at `address` if given, then forget it; one that is prepared is forgotten.

    `force` forgets it also where the accessory cannot be reached, or does not know us any more.
    """

    alias: str
    address: str | None = None
    force: bool = False


@frozen
class Prepare(Command[PreparedPairing]):
    """Draw keys for a pairing that another controller is to make, and store them (HAP 6).

    An admin of the accessory adds the result's `controller_id` and `controller_ltpk`; `Complete` is the rest, `Remove`
    drops the keys again. `submit` raises `LocalProtocolError` for an alias that is taken.
    """

    alias: str


@frozen
class Complete(Command[str]):
    """The pairing that was prepared under `alias` has been added: try it, then store it. The result is the alias.

    `accessory_id` and `accessory_ltpk` are told by the controller that added it. `address` "HOST:PORT" says where it
    is, for a network without mDNS. While the accessory cannot be reached, or does not know us yet, the command fails
    and the pairing stays prepared.
    """

    alias: str
    accessory_id: str
    accessory_ltpk: bytes
    transport: Transport = Transport.IP
    address: str | None = None


@frozen
class Adopt(Command[None]):
    """Store a pairing, made here or elsewhere. Fails with `EffectFailed` where that is not possible."""

    record: PairedAccessory


@frozen
class Disconnect(Command[None]):
    """Close the connection to an accessory, if there is one. What waits for it fails with `Disconnected`."""

    alias: str
    address: str | None = None


@frozen
class Close(Command[None]):
    """The end: all connections close, everything unanswered fails with `Disconnected`, all readers get `Ended`.

    A pairing that is being stored is stored. Any command after this is refused.
    """
