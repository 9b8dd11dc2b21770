"""`hap pairings`: who is paired with an accessory."""

from __future__ import annotations

import click

from hap_trio.cli.common import (
    Problem,
    adapter_option,
    address_option,
    alias_option,
    client,
    emit,
    file_option,
    interface_option,
    json_option,
    recorded,
    run,
    say,
)

__all__ = ["register"]


@click.group()
def pairings() -> None:
    """See and change who is paired with an accessory. For admins.

    \b
    Example: hap pairings list -a lamp
    """


async def _list(file: str, alias: str, address: str | None, interfaces: tuple[str, ...], as_json: bool) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        entries = await accessory.pairings()
    for entry in entries:
        name = entry.identifier.decode(errors="replace")
        if as_json:
            emit({"identifier": name, "public_key": entry.ltpk.hex(), "admin": entry.admin})
        else:
            click.echo(f"{name}  {'admin' if entry.admin else 'user '}  {entry.ltpk.hex()}")


@pairings.command("list")
@alias_option
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def list_(alias: str, file: str, address: str | None, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the paired controllers.

    \b
    Example: hap pairings list -a lamp
    """
    run(_list, file, alias, address, interfaces, as_json)


def _key(ctx: click.Context, parameter: click.Parameter, value: str) -> bytes:
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise click.BadParameter("a public key has 64 hexadecimal digits", ctx, parameter)
    return key


async def _add(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    identifier: str,
    key: bytes,
    admin: bool,
    as_json: bool,
) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        await accessory.add_pairing(identifier.encode(), key, admin=admin)
    if as_json:
        emit({"event": "added", "identifier": identifier, "admin": admin})
    else:
        say(f"{identifier} may use the accessory now{', as an admin' if admin else ''}.")


@pairings.command()
@alias_option
@click.option("-i", "--identifier", required=True, help="The other controller's pairing id.")
@click.option("-k", "--key", required=True, callback=_key, help="Its long-term public key, 64 hexadecimal digits.")
@click.option("--admin", is_flag=True, help="It may change pairings, too.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def add(
    alias: str,
    identifier: str,
    key: bytes,
    admin: bool,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Let another controller in, or change its rights.

    \b
    Example: hap pairings add -a lamp -i 3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162 -k d04ab2...8737 --admin
    """
    run(_add, file, alias, address, interfaces, identifier, key, admin, as_json)


async def _remove(
    file: str, alias: str, address: str | None, interfaces: tuple[str, ...], identifier: str, as_json: bool
) -> None:
    async with client(file, alias, address, interfaces) as accessory:
        if identifier == accessory.pairing.controller_id:
            raise Problem(f"that is this controller; use `hap unpair -a {alias}`")
        await accessory.remove_pairing(identifier.encode())
    if as_json:
        emit({"event": "removed", "identifier": identifier})
    else:
        say(f"{identifier} is not paired any more.")


@pairings.command()
@alias_option
@click.option("-i", "--identifier", required=True, help="The other controller's pairing id.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def remove(
    alias: str, identifier: str, file: str, address: str | None, interfaces: tuple[str, ...], as_json: bool
) -> None:
    """Remove another controller. With the last admin everybody is removed.

    \b
    Example: hap pairings remove -a lamp -i 3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162
    """
    run(_remove, file, alias, address, interfaces, identifier, as_json)


def register(group: click.Group) -> None:
    """Add the commands."""
    group.add_command(pairings)
