"""The commands of a home as methods, written once for adapters that await and for adapters that block."""

from __future__ import annotations

from hapcore.controller.methods import request
from hapcore.discovery import DiscoveredAccessory, Transport
from hapcore.engine import Command
from hapcore.home.commands import Adopt, Complete, Find, IdentifyAt, Prepare, Remove
from hapcore.home.target import Where
from hapcore.setup_code import SetupPayload
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = ["HomeRequests"]


def _find(wanted: str | SetupPayload, timeout: float = 10.0) -> Command[DiscoveredAccessory]:
    """Look for one accessory by its device id, or by what its QR code says (`SetupPayload.parse`).

    Raises `TimedOut` when it is not seen within `timeout` seconds, `LocalProtocolError` for a code without setup id.
    """
    return Find(wanted, timeout)


def _identify(where: Where) -> Command[None]:
    """Have an accessory that nobody has paired make itself noticed. Raises `Refused` when it is paired."""
    return IdentifyAt(where)


def _remove(alias: str, *, address: str | None = None, force: bool = False) -> Command[None]:
    """Unpair: remove our pairing from the accessory (at `address`, if given), then the record.

    `force` drops the record also where the accessory cannot be reached, or does not know us any more.
    """
    return Remove(alias, address, force)


def _save(record: PairedAccessory) -> Command[None]:
    """Store a pairing, made here or elsewhere. Raises `StateError` or `OSError`."""
    return Adopt(record)


def _prepare(alias: str) -> Command[PreparedPairing]:
    """Draw and store keys for a pairing that an admin of the accessory adds: `controller_id`, `controller_ltpk`."""
    return Prepare(alias)


def _complete(
    alias: str,
    accessory_id: str,
    accessory_ltpk: bytes,
    *,
    transport: Transport = Transport.IP,
    address: str | None = None,
) -> Command[str]:
    """Try, and store, the pairing that was prepared and has been added; then `connect(alias)` works.

    Raises `Disconnected`, `PairingRefused` or `AccessoryChanged` where it does not work yet: it stays prepared.
    """
    return Complete(alias, accessory_id, accessory_ltpk, transport, address)


class HomeRequests:
    """What a controller can do beside speaking with its accessories. All calls raise a `HapError` when they fail."""

    __slots__ = ()
    find = request(_find)
    identify = request(_identify)
    remove = request(_remove)
    save = request(_save)
    prepare = request(_prepare)
    complete = request(_complete)
