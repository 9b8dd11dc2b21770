"""`hap pair`, `hap unpair` and `hap identify`."""

from __future__ import annotations

import click
import trio

from hap_trio.cli.common import (
    Problem,
    adapter_option,
    address_option,
    alias_option,
    ble_option,
    client,
    controller,
    device_option,
    emit,
    file_option,
    interface_option,
    json_option,
    keeper,
    radio,
    recorded,
    run,
    say,
    target,
)
from hapcore.setup_code import SetupCode

__all__ = ["register"]

_seconds_option = click.option(
    "-t", "--time", "seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Time to find it."
)


def _code(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what cannot be a setup code before anything is sent."""
    if value is None:
        return None
    try:
        return SetupCode(value, allow_trivial=True).text
    except ValueError as error:
        raise click.BadParameter(str(error).partition(": ")[2], ctx, parameter) from None


def _ask_code() -> str:
    """Ask until it looks like a setup code."""
    while True:
        answer: str = click.prompt("Setup code (XXX-XX-XXX)", err=True)
        try:
            return SetupCode(answer, allow_trivial=True).text
        except ValueError as error:
            click.echo(str(error).partition(": ")[2], err=True)


def _no_address(ble: bool, address: str | None) -> None:
    if ble and address is not None:
        raise click.UsageError("Over Bluetooth LE an accessory is found by its id: give -d DEVICE_ID.")


async def _pair(
    file: str,
    alias: str,
    device_id: str | None,
    address: str | None,
    code: str | None,
    seconds: float,
    interfaces: tuple[str, ...],
    ble: bool,
    as_json: bool,
) -> None:
    async with controller(file, mdns=address is None, interfaces=interfaces, ble=radio(ble)) as home:
        if alias in home.aliases:
            raise Problem(f"{alias!r} is taken; choose another alias, or `hap unpair -a {alias}` first")
        where = await target(home, device_id, address, seconds)
        # The accessory may show its code only once pairing has begun.
        async with home.start_pairing(where, alias) as started:
            if code is None:
                code = await trio.to_thread.run_sync(_ask_code)
            accessory = await started.finish(code)
    if as_json:
        emit({"event": "paired", "alias": alias, "device_id": accessory.pairing.accessory_id})
    else:
        say(f"Paired with {accessory.pairing.accessory_id} as [bold]{alias}[/bold].")


@click.command()
@device_option
@address_option
@click.option("-p", "--code", callback=_code, help="The setup code, XXX-XX-XXX; asked for when missing.")
@alias_option
@file_option
@_seconds_option
@interface_option
@ble_option
@adapter_option
@recorded
@json_option
def pair(
    device_id: str | None,
    address: str | None,
    code: str | None,
    alias: str,
    file: str,
    seconds: float,
    interfaces: tuple[str, ...],
    ble: bool,
    as_json: bool,
) -> None:
    """Pair with an accessory and remember it under an alias.

    \b
    Example: hap pair -d 12:34:56:78:9A:BC -p 031-45-154 -a lamp
             hap pair --address 192.0.2.7:51826 -a lamp
             hap pair --ble -d 12:34:56:78:9A:BC -a sensor
    """
    if (device_id is None) == (address is None):
        raise click.UsageError("Give either -d DEVICE_ID or --address HOST:PORT.")
    _no_address(ble, address)
    run(_pair, file, alias, device_id, address, code, seconds, interfaces, ble, as_json)


async def _unpair(
    file: str, alias: str, address: str | None, force: bool, interfaces: tuple[str, ...], as_json: bool
) -> None:
    mdns = address is None and not force
    opened = controller(file, mdns=False) if force else keeper(file, alias, mdns=mdns, interfaces=interfaces)
    async with opened as home:
        await home.remove(alias, address=address, force=force)
    if as_json:
        emit({"event": "unpaired", "alias": alias})
    else:
        say(f"[bold]{alias}[/bold] is not paired any more.")


@click.command()
@alias_option
@click.option("--force", is_flag=True, help="Only forget it here: the accessory is gone or was reset.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def unpair(alias: str, force: bool, file: str, address: str | None, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Remove the pairing on the accessory, then forget it.

    \b
    Example: hap unpair -a lamp
    """
    run(_unpair, file, alias, address, force, interfaces, as_json)


async def _identify(
    file: str,
    alias: str | None,
    device_id: str | None,
    address: str | None,
    seconds: float,
    interfaces: tuple[str, ...],
    ble: bool,
    as_json: bool,
) -> None:
    if alias is not None:
        async with client(file, alias, address, interfaces) as accessory:
            await accessory.identify()
    else:
        async with controller(None, mdns=address is None, interfaces=interfaces, ble=radio(ble)) as home:
            await home.identify(await target(home, device_id, address, seconds))
    if as_json:
        emit({"event": "identified"})
    else:
        say("It should show itself now.")


@click.command()
@click.option("-a", "--alias", help="A paired accessory.")
@device_option
@address_option
@file_option
@_seconds_option
@interface_option
@ble_option
@adapter_option
@recorded
@json_option
def identify(
    alias: str | None,
    device_id: str | None,
    address: str | None,
    file: str,
    seconds: float,
    interfaces: tuple[str, ...],
    ble: bool,
    as_json: bool,
) -> None:
    """Have an accessory show itself (blink, beep): a paired one by its alias, an unpaired one by id or address.

    \b
    Example: hap identify -d 12:34:56:78:9A:BC
    """
    if alias is None and (device_id is None) == (address is None):
        raise click.UsageError("Give -a ALIAS, -d DEVICE_ID or --address HOST:PORT.")
    _no_address(ble, address)
    run(_identify, file, alias, device_id, address, seconds, interfaces, ble, as_json)


def register(group: click.Group) -> None:
    """Add the commands."""
    for command in (pair, unpair, identify):
        group.add_command(command)
