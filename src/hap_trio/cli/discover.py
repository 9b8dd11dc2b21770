"""`hap discover`."""

from __future__ import annotations

import click
import trio
from rich.table import Table

from hap_trio.cli.common import (
    adapter_option,
    ble_option,
    console,
    controller,
    emit,
    interface_option,
    json_option,
    radio,
    run,
    say,
)
from hapcore.catalogue.categories import Category
from hapcore.discovery import DiscoveredAccessory, Transport

__all__ = ["register"]


def category_name(number: int) -> str:
    """The name of an accessory category, or its number where it has none."""
    try:
        return Category(number).name.replace("_", " ").capitalize()
    except ValueError:
        return str(number)


def record(found: DiscoveredAccessory) -> dict[str, object]:
    """An accessory as a JSON object."""
    if found.transport is Transport.BLE:
        return {
            "transport": "ble",
            "device_id": found.device_id,
            "name": found.name,
            "paired": found.paired,
            "address": found.addresses[0],
            "rssi": found.rssi,
            "category": found.category,
            "config_number": found.config_number,
            "state_number": found.state_number,
            "status_flags": int(found.status_flags),
            "setup_hash": found.setup_hash,
        }
    return {
        "device_id": found.device_id,
        "name": found.name,
        "paired": found.paired,
        "addresses": list(found.addresses),
        "port": found.port,
        "model": found.model,
        "category": found.category,
        "config_number": found.config_number,
        "state_number": found.state_number,
        "feature_flags": int(found.feature_flags),
        "status_flags": int(found.status_flags),
        "protocol_version": found.protocol_version,
        "setup_hash": found.setup_hash,
    }


def table(found: list[DiscoveredAccessory], ble: bool) -> Table:
    """Accessories as people read of them."""
    common = ("device id", "name", "category")
    special = ("configuration", "state", "rssi") if ble else ("model",)
    shown = Table(*common, *special, "paired", "address", box=None)
    for one in found:
        rssi = "?" if one.rssi is None else f"{one.rssi} dBm"
        more = (str(one.config_number), str(one.state_number), rssi) if ble else (one.model,)
        where = one.addresses[0] if one.addresses else "?"
        paired = "yes" if one.paired else "no"
        shown.add_row(
            one.device_id, one.name, category_name(one.category), *more, paired, where if ble else f"{where}:{one.port}"
        )
    return shown


async def _discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], ble: bool, as_json: bool) -> None:
    seen: dict[str, DiscoveredAccessory] = {}
    async with controller(None, mdns=True, interfaces=interfaces, ble=radio(ble)) as home:
        with trio.move_on_after(seconds):
            async for found in home.discover():
                if unpaired and found.paired:
                    continue
                if as_json and seen.get(found.device_id) != found:
                    emit(record(found))
                seen[found.device_id] = found
    if as_json:
        return
    if not seen:
        say(f"No {'unpaired ' if unpaired else ''}accessory {'was heard' if ble else 'answered'} in {seconds:g} s.")
        return
    console.print(table(sorted(seen.values(), key=lambda one: one.name), ble))


@click.command()
@click.option("-t", "--time", "seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True)
@click.option("--unpaired", is_flag=True, help="Only accessories that can be paired.")
@interface_option
@ble_option
@adapter_option
@json_option
def discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], ble: bool, as_json: bool) -> None:
    """List the accessories on the network, or with --ble those that advertise over Bluetooth LE.

    \b
    Example: hap discover -t 10 --unpaired
             hap discover --ble
    """
    run(_discover, seconds, unpaired, interfaces, ble, as_json)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(discover)
