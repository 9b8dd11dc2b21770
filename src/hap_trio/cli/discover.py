"""`hap discover`."""

from __future__ import annotations

import click
import trio
from rich.table import Table

from hap_trio.cli.common import console, controller, emit, interface_option, json_option, run, say
from hapcore.catalogue.categories import Category
from hapcore.discovery import DiscoveredAccessory

__all__ = ["register"]


def category_name(number: int) -> str:
    """The name of an accessory category, or its number where it has none."""
    try:
        return Category(number).name.replace("_", " ").capitalize()
    except ValueError:
        return str(number)


def record(found: DiscoveredAccessory) -> dict[str, object]:
    """An accessory as a JSON object."""
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


async def _discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    seen: dict[str, DiscoveredAccessory] = {}
    async with controller(None, mdns=True, interfaces=interfaces) as home:
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
        say(f"No {'unpaired ' if unpaired else ''}accessory answered in {seconds:g} s.")
        return
    table = Table("device id", "name", "category", "model", "paired", "address", box=None)
    for found in sorted(seen.values(), key=lambda one: one.name):
        where = f"{found.addresses[0]}:{found.port}" if found.addresses else "?"
        paired = "yes" if found.paired else "no"
        table.add_row(found.device_id, found.name, category_name(found.category), found.model, paired, where)
    console.print(table)


@click.command()
@click.option("-t", "--time", "seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True)
@click.option("--unpaired", is_flag=True, help="Only accessories that can be paired.")
@interface_option
@json_option
def discover(seconds: float, unpaired: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the accessories on the network.

    \b
    Example: hap discover -t 10 --unpaired
    """
    run(_discover, seconds, unpaired, interfaces, as_json)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(discover)
