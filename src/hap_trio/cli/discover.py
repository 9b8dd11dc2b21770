"""`hap discover`."""

from __future__ import annotations

import click
import trio
from rich.table import Table
from rich.text import Text

from hap_trio.cli.common import (
    Style,
    adapter_option,
    ble_option,
    clean,
    console,
    controller,
    emit,
    interface_option,
    radio,
    run,
    say,
    styled,
)
from hap_trio.cli.former import shapes
from hap_trio.cli.progress import looking
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
    """Accessories as people read of them. What is to be copied is never cut; names fold where there is no room."""
    shown = Table(
        *("device id", "name", "category", "heard" if ble else "model", "paired", "address"),
        box=None,
        padding=(0, 1, 0, 0),
    )
    for column in shown.columns:
        column.overflow, column.no_wrap = "fold", column.header not in ("name", "model")
    for one in found:
        rssi = "?" if one.rssi is None else f"{one.rssi} dBm"
        where = one.addresses[0] if one.addresses else "?"
        paired = "yes" if one.paired else "no"
        place = where if ble else f"[{where}]:{one.port}" if ":" in where else f"{where}:{one.port}"
        # No markup, and no emoji for what stands between two colons of an address.
        cells = (one.device_id, one.name, category_name(one.category), rssi if ble else one.model, paired, place)
        shown.add_row(*(Text(clean(cell)) for cell in cells))
    return shown


async def _discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], ble: bool, style: Style) -> None:
    seen: dict[str, DiscoveredAccessory] = {}
    async with controller(None, mdns=True, interfaces=interfaces, ble=radio(ble)) as home:
        with looking(seconds) as shown, trio.move_on_after(seconds):
            async for found in home.discover():
                if unpaired and found.paired:
                    seen.pop(found.device_id, None)  # somebody was faster
                    continue
                if style is Style.JSON and seen.get(found.device_id) != found:
                    emit(record(found))
                seen[found.device_id] = found
                shown.show(len(seen))
    if style is Style.HOMEKIT_PYTHON:
        if ble:
            click.echo()
        for one in seen.values():
            click.echo(shapes.discovered(one))
        return
    if style is Style.JSON:
        return
    if not seen:
        say(f"No {'unpaired ' if unpaired else ''}accessory {'was heard' if ble else 'answered'} in {seconds:g} s.")
        return
    console.print(table(sorted(seen.values(), key=lambda one: one.name), ble))


@click.command(short_help="List the accessories that are there.")
@click.option("-t", "--time", "seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True)
@click.option("-u", "--unpaired", is_flag=True, help="Only accessories that can be paired.")
@interface_option
@ble_option
@adapter_option
@styled
def discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], ble: bool, style: Style) -> None:
    """List the accessories on the network, or with --ble those that advertise over Bluetooth LE.

    \b
    Example: hap discover -t 10 --unpaired
             hap discover --ble
    """
    run(_discover, seconds, unpaired, interfaces, ble, style)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(discover)
