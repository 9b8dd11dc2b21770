"""What the tools for pairings print."""

from __future__ import annotations

from collections.abc import Iterable

from hap_trio.cli.terminal import clean
from hapcore.discovery import Transport
from hapcore.pairing.records import PairingEntry
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = ["added", "pairing", "pairings", "prepared", "removed"]


def pairing(alias: str) -> str:
    """What `pair` and `pair_ble` print."""
    return f'Pairing for "{alias}" was established.'


def removed(alias: str) -> str:
    """What `remove_pairing` prints."""
    return f'Pairing for "{alias}" was removed.'


def pairings(entries: Iterable[PairingEntry]) -> str:
    """What `list_pairings` prints."""
    lines: list[str] = []
    for entry in sorted(entries, key=lambda one: one.identifier):
        kind = "admin" if entry.admin else "regular"
        lines += [
            f"Pairing Id: {clean(entry.identifier.decode(errors='replace'))}",
            f"\tPublic Key: 0x{entry.ltpk.hex()}",
            f"\tPermissions: {int(entry.admin)} ({kind})",
        ]
    return "\n".join(lines)


def prepared(waiting: PreparedPairing) -> str:
    """What `prepare_add_remote_pairing` prints."""
    return (
        "Please add this to homekit.add_additional_pairing:\n"
        f"    -i {waiting.controller_id} -k {waiting.controller_ltpk.hex()}"
    )


def added(record: PairedAccessory) -> str:
    """What `add_additional_pairing` prints: `record` is ours, of the accessory that somebody was added to."""
    ble = record.transport is Transport.BLE
    mac = f" -m {record.addresses[0]}" if ble and record.addresses else ""
    return (
        "Please add this to homekit.finish_add_remote_pairing:\n"
        f"    -c {'BLE' if ble else 'IP'} -i {record.pairing.accessory_id}{mac} "
        f"-k {record.pairing.accessory_ltpk.hex()}"
    )
