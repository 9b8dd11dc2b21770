"""`hap pairings prepare` and `hap pairings finish`: a pairing that another controller makes for us."""

from __future__ import annotations

import click

from hap_trio.cli.common import (
    Style,
    adapter_option,
    address_option,
    alias_option,
    ble_option,
    controller,
    emit,
    file_option,
    interface_option,
    radio,
    recorded,
    run,
    say,
    styled,
    tidy,
)
from hap_trio.cli.former import shapes
from hap_trio.cli.progress import steps
from hapcore.discovery import Transport
from hapcore.errors import PeerError

__all__ = ["finish", "prepare", "public_key"]


def public_key(ctx: click.Context, parameter: click.Parameter, value: str) -> bytes:
    """Read 64 hexadecimal digits."""
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise click.BadParameter("a public key has 64 hexadecimal digits", ctx, parameter)
    return key


async def _prepare(file: str, alias: str, style: Style) -> None:
    async with controller(file, mdns=False) as home:
        again = next((one for one in home.prepared if one.alias == alias), None)
        waiting = again or await home.prepare(alias)
    key = waiting.controller_ltpk.hex()
    if style is Style.JSON:
        emit({"event": "prepared", "alias": alias, "identifier": waiting.controller_id, "public_key": key})
    elif style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.prepared(waiting))
    else:
        say(f"[bold]{tidy(alias)}[/bold] is prepared{' already' if again else ''}. An admin of the accessory adds it:")
        say(f"hap pairings add -a NAME -i {waiting.controller_id} -k {key}")


@click.command()
@alias_option
@file_option
@styled
def prepare(alias: str, file: str, style: Style) -> None:
    """Make the keys for a pairing that an admin of the accessory adds. Again for the same alias: the same keys.

    \b
    Example: hap pairings prepare -a lamp
    """
    run(_prepare, file, alias, style)


async def _finish(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    accessory_id: str,
    key: bytes,
    ble: bool,
    style: Style,
) -> None:
    transport = Transport.BLE if ble else Transport.IP
    async with controller(file, mdns=address is None, interfaces=interfaces, ble=radio(ble)) as home:
        with steps(f"Trying the pairing with {accessory_id}"):
            try:
                await home.complete(alias, accessory_id, key, transport=transport, address=address)
            except PeerError as error:
                error.add_note(f"{alias} stays prepared: finish it later, or drop it with `hap unpair -a {alias}`")
                raise
    if style is Style.JSON:
        emit({"event": "paired", "alias": alias, "device_id": accessory_id})
    elif style is Style.TEXT:
        say(f"Paired with {tidy(accessory_id)} as [bold]{tidy(alias)}[/bold].")


@click.command()
@alias_option
@click.option("-i", "--accessory-id", required=True, help="The accessory's id, which `hap pairings add` told.")
@click.option("-k", "--key", required=True, callback=public_key, help="Its public key, 64 hexadecimal digits.")
@file_option
@address_option
@interface_option
@ble_option
@adapter_option
@recorded
@styled
def finish(
    alias: str,
    accessory_id: str,
    key: bytes,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    ble: bool,
    style: Style,
) -> None:
    """Use a pairing that was prepared and has been added. It is tried first; until it works it stays prepared.

    \b
    Example: hap pairings finish -a lamp -i 12:34:56:78:9A:BC -k 17fe02...90a1
    """
    run(_finish, file, alias, address, interfaces, accessory_id, key, ble, style)
