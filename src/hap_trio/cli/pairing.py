"""`hap pair`, `hap unpair` and `hap identify`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import click
import trio
from attrs import evolve

from hap_trio.cli.asking import code_option, prompted
from hap_trio.cli.common import (
    Problem,
    Style,
    adapter_option,
    address_option,
    alias_option,
    client,
    controller,
    emit,
    file_option,
    interface_option,
    json_option,
    keeper,
    radio,
    recorded,
    run,
    say,
    styled,
    tidy,
)
from hap_trio.cli.former import shapes
from hap_trio.cli.progress import steps
from hap_trio.cli.whereabouts import Whereabouts, located
from hapcore.errors import PairingRefused
from hapcore.home.target import Method, Target

__all__ = ["register"]

#: What `PairingRefused.error` says.
_UNKNOWN, _AUTHENTICATION, _UNAVAILABLE = 1, 2, 6

_METHODS = {"auto": None, "hw": Method.PAIR_SETUP_WITH_AUTH, "sw": Method.PAIR_SETUP}


def _check_alias(alias: str, taken: tuple[str, ...], prepared: tuple[str, ...]) -> None:
    if alias in prepared:
        raise Problem(
            f"{alias!r} is prepared for another controller to add: finish it with `hap pairings finish -a {alias}`, or "
            f"drop it with `hap unpair -a {alias}`"
        )
    if alias in taken:
        raise Problem(f"{alias!r} is taken; choose another alias, or `hap unpair -a {alias}` first")


@contextmanager
def _advising(method: Method | None) -> Generator[None]:
    """What the command line can add to the reasons of a refusal."""
    try:
        yield
    except PairingRefused as error:
        if error.error == _UNAVAILABLE:
            error.add_note("`hap pairings prepare` makes the keys for an admin to add")
        elif error.error in (_UNKNOWN, _AUTHENTICATION) and error.step == 2:
            error.add_note(f"-s {'sw' if method is Method.PAIR_SETUP_WITH_AUTH else 'hw'} takes the other method")
        raise


async def _pair(
    file: str,
    alias: str,
    where: Whereabouts,
    code: str | None,
    method: Method | None,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    async with controller(file, mdns=where.mdns, interfaces=interfaces, ble=radio(where.ble)) as home:
        _check_alias(alias, home.aliases, tuple(one.alias for one in home.prepared if not one.begun))
        with steps(f"Looking for {where}") as shown:
            target = Target.of(await where.find(home), method)
            shown.say(f"Starting to pair with {where}")
            with _advising(target.start.method):
                # The accessory may show its code only once pairing has begun.
                async with home.start_pairing(target, alias) as started:
                    if code is None:
                        with shown.paused():
                            code = await trio.to_thread.run_sync(prompted, style is Style.HOMEKIT_PYTHON)
                    shown.say("Proving the code and exchanging keys")
                    accessory = await started.finish(code)
    if style is Style.JSON:
        emit({"event": "paired", "alias": alias, "device_id": accessory.pairing.accessory_id})
    elif style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.pairing(alias))
    else:
        say(f"Paired with {tidy(accessory.pairing.accessory_id)} as [bold]{tidy(alias)}[/bold].")


@click.command()
@located(qr=True)
@code_option
@click.option(
    "-s",
    "--method",
    type=click.Choice(list(_METHODS)),
    default="auto",
    show_default=True,
    help="With (hw) or without (sw) authentication hardware; auto goes by its feature flags.",
)
@alias_option
@file_option
@interface_option
@adapter_option
@recorded
@styled
def pair(
    where: Whereabouts,
    code: str | None,
    method: str,
    alias: str,
    file: str,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    """Pair with an accessory and remember it under an alias.

    Without a code it asks for one after pairing has begun: accessories with a display show it only then.

    \b
    Example: hap pair -d 12:34:56:78:9A:BC -p 031-45-154 -a lamp
             hap pair --qr X-HM://0052XACGQ7OSX -a lamp
             hap pair --address 192.0.2.7:51826 -a lamp
             hap pair --ble -d 12:34:56:78:9A:BC -a sensor
    """
    payload = where.qr
    if payload is not None:
        if payload.paired:
            raise click.UsageError("This QR code says that its accessory is paired, and leaves out its code.")
        if code is None and payload.code is not None:
            code = payload.code.text
        if where.given > 1:
            where = evolve(where, qr=None)
        elif payload.setup_id is None:
            raise click.UsageError("This QR code does not say which accessory it belongs to: give -d, too.")
    if where.given != 1:
        raise click.UsageError("Give one of -d DEVICE_ID, --address HOST:PORT, -m ADDRESS and --qr X-HM://...")
    run(_pair, file, alias, where, code, _METHODS[method], interfaces, style)


async def _unpair(
    file: str, alias: str, address: str | None, force: bool, interfaces: tuple[str, ...], style: Style
) -> None:
    mdns = address is None and not force
    opened = controller(file, mdns=False) if force else keeper(file, alias, mdns=mdns, interfaces=interfaces)
    async with opened as home:
        try:
            await home.remove(alias, address=address, force=force)
        except PairingRefused as error:
            if error.error == _AUTHENTICATION:
                error.add_note(f"`hap unpair --force -a {alias}` forgets it here only")
            raise
    if style is Style.JSON:
        emit({"event": "unpaired", "alias": alias})
    elif style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.removed(alias))
    else:
        say(f"[bold]{tidy(alias)}[/bold] is not paired any more.")


@click.command(short_help="Remove a pairing.")
@alias_option
@click.option("--force", is_flag=True, help="Only forget it here: the accessory is gone or was reset.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def unpair(alias: str, force: bool, file: str, address: str | None, interfaces: tuple[str, ...], style: Style) -> None:
    """Remove the pairing on the accessory, then forget it. One that is only prepared is just forgotten.

    \b
    Example: hap unpair -a lamp
    """
    run(_unpair, file, alias, address, force, interfaces, style)


async def _identify(
    file: str, alias: str | None, where: Whereabouts, interfaces: tuple[str, ...], as_json: bool
) -> None:
    if alias is not None:
        async with client(file, alias, where.address, interfaces) as accessory:
            await accessory.identify()
    else:
        async with controller(None, mdns=where.mdns, interfaces=interfaces, ble=radio(where.ble)) as home:
            with steps(f"Looking for {where}"):
                found = await where.find(home)
            await home.identify(found)
    if as_json:
        emit({"event": "identified"})
    else:
        say("It should show itself now.")


@click.command(short_help="Have an accessory show itself (blink, beep).")
@click.option("-a", "--alias", help="A paired accessory.")
@located(qr=False)
@file_option
@interface_option
@adapter_option
@recorded
@json_option
def identify(
    alias: str | None,
    where: Whereabouts,
    file: str,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Have an accessory show itself (blink, beep): a paired one by its alias, an unpaired one by id or address.

    \b
    Example: hap identify -d 12:34:56:78:9A:BC
             hap identify -m CA:FE:00:11:22:33
             hap identify -a lamp
    """
    if alias is None and where.given != 1:
        raise click.UsageError("Give one of -a ALIAS, -d DEVICE_ID, --address HOST:PORT and -m ADDRESS.")
    if alias is not None and (where.device_id or where.mac):
        raise click.UsageError("An alias says enough: leave out -d and -m.")
    run(_identify, file, alias, where, interfaces, as_json)


def register(group: click.Group) -> None:
    """Add the commands."""
    for command in (pair, unpair, identify):
        group.add_command(command)
