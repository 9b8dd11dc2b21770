"""`hap accessories`."""

from __future__ import annotations

import json
from enum import IntEnum, IntFlag

import click
from rich.markup import escape
from rich.tree import Tree

from hap_trio.cli.common import (
    Style,
    adapter_option,
    address_option,
    alias_option,
    client,
    console,
    emit,
    file_option,
    interface_option,
    plain,
    recorded,
    run,
    shown,
    styled,
)
from hap_trio.cli.former import shapes
from hap_trio.cli.progress import steps
from hap_trio.cli.terminal import clean, clean_json
from hapcore.catalogue import characteristic_name, service_name
from hapcore.model.handle import handle
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription

__all__ = ["register"]


def _described(one: CharacteristicDescription) -> dict[str, object]:
    meta = one.metadata
    record: dict[str, object] = {
        "iid": one.iid,
        "type": one.type,
        "name": characteristic_name(one.type),
        "format": meta.format.value,
        "perms": sorted(permission.value for permission in meta.perms),
        "value": plain(one.value),
        "description": meta.description,
        "unit": meta.unit.value if meta.unit is not None else None,
        "minValue": meta.min,
        "maxValue": meta.max,
        "minStep": meta.step,
        "maxLen": meta.max_len,
        "valid-values": list(meta.valid_values) if meta.valid_values is not None else None,
    }
    return {name: value for name, value in record.items() if value is not None or name == "value"}


def _record(accessory: AccessoryDescription) -> dict[str, object]:
    return {
        "aid": accessory.aid,
        "services": [
            {
                "iid": service.iid,
                "type": service.type,
                "name": service_name(service.type),
                "primary": service.primary,
                "hidden": service.hidden,
                "linked": list(service.linked),
                "characteristics": [_described(one) for one in service.characteristics],
            }
            for service in accessory.services
        ],
    }


def _line(one: CharacteristicDescription) -> str:
    value = "" if one.value is None else f" = {shown(one.value)}"
    if isinstance(named := handle(one).value, IntEnum | IntFlag):
        value += f" ({named.name.lower().replace('_', ' ')})" if named.name else ""
    perms = ",".join(sorted(permission.value for permission in one.metadata.perms))
    return f"{one.aid}.{one.iid} {characteristic_name(one.type) or one.type}{value} [{perms}]"


def _tree(accessories: tuple[AccessoryDescription, ...]) -> None:
    for accessory in accessories:
        name = "" if accessory.name is None else f" {escape(clean(accessory.name))}"
        tree = Tree(f"accessory {accessory.aid}{name}")
        for service in accessory.services:
            branch = tree.add(
                f"[bold]{escape(service_name(service.type) or service.type)}[/bold] {accessory.aid}.{service.iid}"
            )
            for one in service.characteristics:
                branch.add(escape(_line(one)))
        console.print(tree)


async def _accessories(
    file: str, alias: str, address: str | None, interfaces: tuple[str, ...], form: str, style: Style
) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        with steps(f"Reading what {alias} has"):
            found = await accessory.accessories()
    if style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.tree(found) if form == "json" else shapes.accessories(found))
    elif style is Style.JSON:
        for one in found:
            emit(_record(one))
    elif form == "json":
        text = json.dumps([_record(one) for one in found], indent=2, ensure_ascii=False)
        click.echo("\n".join(map(clean_json, text.split("\n"))))
    elif form == "compact":
        for one in found:
            for service in one.services:
                click.echo(f"{one.aid}.{service.iid} {service_name(service.type) or service.type}")
                for characteristic in service.characteristics:
                    click.echo(f"  {_line(characteristic)}")
    else:
        _tree(found)


@click.command(short_help="Show everything a paired accessory has.")
@alias_option
@click.option(
    "-o", "--output", "form", type=click.Choice(["tree", "compact", "json"]), default="tree", show_default=True
)
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def accessories(
    alias: str, form: str, file: str, address: str | None, interfaces: tuple[str, ...], style: Style
) -> None:
    """Show everything a paired accessory has: services, characteristics, values.

    \b
    Example: hap accessories -a lamp -o compact
             hap accessories -a lamp --format homekit_python
    """
    run(_accessories, file, alias, address, interfaces, form, style)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(accessories)
