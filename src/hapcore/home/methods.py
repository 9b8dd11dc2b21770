"""The commands of a home as methods, written once for adapters that await and for adapters that block."""

from __future__ import annotations

from hapcore.controller.methods import request
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Command
from hapcore.home.commands import Adopt, Find, IdentifyAt, Remove
from hapcore.home.target import Where
from hapcore.state import PairedAccessory

__all__ = ["HomeRequests"]


def _find(device_id: str, timeout: float = 10.0) -> Command[DiscoveredAccessory]:
    """Look for one accessory by its device id. Raises `TimedOut` when it is not seen within `timeout` seconds."""
    return Find(device_id, timeout)


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


class HomeRequests:
    """What a controller can do beside speaking with its accessories. All calls raise a `HapError` when they fail."""

    __slots__ = ()
    find = request(_find)
    identify = request(_identify)
    remove = request(_remove)
    save = request(_save)
