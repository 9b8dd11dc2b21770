"""`hap pairings`: who is paired with an accessory, and how another controller gets in."""

from __future__ import annotations

import click

from hap_trio.cli.common import (
    Problem,
    Style,
    adapter_option,
    address_option,
    alias_option,
    clean,
    client,
    controller,
    emit,
    file_option,
    interface_option,
    recorded,
    run,
    say,
    styled,
    tidy,
)
from hap_trio.cli.former import shapes
from hap_trio.cli.remote import finish, prepare, public_key
from hapcore.discovery import Transport

__all__ = ["register"]


@click.group()
def pairings() -> None:
    """See and change who is paired with an accessory. For admins.

    A second controller gets in like this: it prepares keys, an admin adds them, it finishes.

    \b
    Example: hap pairings list -a lamp
             hap pairings prepare -a lamp
             hap pairings add -a lamp -i 3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162 -k d04ab2...8737
             hap pairings finish -a lamp -i 12:34:56:78:9A:BC -k 17fe02...90a1
    """


async def _list(file: str, alias: str, address: str | None, interfaces: tuple[str, ...], style: Style) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        entries = await accessory.pairings()
    if style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.pairings(entries))
        return
    for entry in entries:
        name = entry.identifier.decode(errors="replace")
        if style is Style.JSON:
            emit({"identifier": name, "public_key": entry.ltpk.hex(), "admin": entry.admin})
        else:
            click.echo(f"{clean(name)}  {'admin' if entry.admin else 'user '}  {entry.ltpk.hex()}")


@pairings.command("list")
@alias_option
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def list_(alias: str, file: str, address: str | None, interfaces: tuple[str, ...], style: Style) -> None:
    """List the paired controllers.

    \b
    Example: hap pairings list -a lamp
    """
    run(_list, file, alias, address, interfaces, style)


async def _add(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    identifier: str,
    key: bytes,
    admin: bool,
    style: Style,
) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        await accessory.add_pairing(identifier.encode(), key, admin=admin)
    async with controller(file, mdns=False) as home:
        record = home.record(alias)
    accessory_id, accessory_key = record.pairing.accessory_id, record.pairing.accessory_ltpk.hex()
    if style is Style.JSON:
        emit(
            {
                "event": "added",
                "identifier": identifier,
                "admin": admin,
                "accessory_id": accessory_id,
                "accessory_key": accessory_key,
            }
        )
    elif style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.added(record))
    else:
        say(f"{tidy(identifier)} may use the accessory now{', as an admin' if admin else ''}.")
        over = " --ble" if record.transport is Transport.BLE else ""
        say(f"It finishes with: hap pairings finish -a NAME{over} -i {tidy(accessory_id)} -k {accessory_key}")


@pairings.command()
@alias_option
@click.option("-i", "--identifier", required=True, help="The other controller's pairing id.")
@click.option(
    "-k", "--key", required=True, callback=public_key, help="Its long-term public key, 64 hexadecimal digits."
)
@click.option("--admin", is_flag=True, help="It may change pairings, too.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def add(
    alias: str,
    identifier: str,
    key: bytes,
    admin: bool,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    """Let another controller in, or change its rights.

    \b
    Example: hap pairings add -a lamp -i 3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162 -k d04ab2...8737 --admin
    """
    run(_add, file, alias, address, interfaces, identifier, key, admin, style)


async def _remove(
    file: str, alias: str, address: str | None, interfaces: tuple[str, ...], identifier: str, style: Style
) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        if identifier == accessory.pairing.controller_id:
            raise Problem(f"that is this controller; use `hap unpair -a {alias}`")
        await accessory.remove_pairing(identifier.encode())
    if style is Style.JSON:
        emit({"event": "removed", "identifier": identifier})
    elif style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.removed(alias))
    else:
        say(f"{tidy(identifier)} is not paired any more.")


@pairings.command()
@alias_option
@click.option("-i", "--identifier", required=True, help="The other controller's pairing id.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def remove(
    alias: str, identifier: str, file: str, address: str | None, interfaces: tuple[str, ...], style: Style
) -> None:
    """Remove another controller. With the last admin everybody is removed.

    \b
    Example: hap pairings remove -a lamp -i 3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162
    """
    run(_remove, file, alias, address, interfaces, identifier, style)


def register(group: click.Group) -> None:
    """Add the commands."""
    for command in (prepare, finish):
        pairings.add_command(command)
    group.add_command(pairings)
