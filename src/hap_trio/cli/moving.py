"""`hap import` and `hap export`: pairings from, and for, other controllers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from hap_trio.cli.common import Problem, clean, controller, emit, file_option, json_option, run, say, tidy
from hapcore.migration.pairings import Kind, MovedIn, read_pairings, write_pairings
from hapcore.state import PairedAccessory

__all__ = ["register"]

_KINDS = [kind.value for kind in Kind if kind is not Kind.HOME_ASSISTANT]


async def _import(found: MovedIn, file: str, replace: bool, as_json: bool) -> None:
    async with controller(file, mdns=False) as home:
        taken = set(home.aliases)
        clashes = [one.alias for one in found.pairings if one.alias in taken]
        if clashes and not replace:
            raise Problem(f"{', '.join(map(repr, clashes))}: there already; --replace takes the new pairings")
        for one in found.pairings:
            await home.save(one)
            _tell(as_json, "imported", one.alias, one.pairing.accessory_id)
    for each in found.left_out:
        if as_json:
            emit({"event": "left out", "alias": each.alias, "reason": each.reason})
        else:
            click.echo(clean(f"hap: {each.alias} was left out: {each.reason}"), err=True)
    if found.left_out:
        raise click.exceptions.Exit(1)
    if not found.pairings:
        raise Problem("there are no pairings in the file")


def _tell(as_json: bool, event: str, alias: str, device_id: str) -> None:
    if as_json:
        emit({"event": event, "alias": alias, "device_id": device_id})
    else:
        say(f"{event.capitalize()} [bold]{tidy(alias)}[/bold] ({tidy(device_id)}).")


@click.command("import")
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@file_option
@click.option("-a", "--alias", help="A name for the pairing of a file that holds just one.")
@click.option("--replace", is_flag=True, help="Overwrite pairings of the same name.")
@json_option
def import_(source: str, file: str, alias: str | None, replace: bool, as_json: bool) -> None:
    """Take over the pairings of another controller.

    Reads the files of homekit_python, aiohomekit, Home Assistant (.storage/core.config_entries) and hap-controller, and
    our own. The accessories notice nothing: use the old program and this one in turn, not together.

    \b
    Example: hap import ~/.local/share/aiohomekit/pairing.json
    """
    run(_import, read_pairings(Path(source).read_bytes(), alias), file, replace, as_json)


async def _export(file: str, kind: Kind, aliases: tuple[str, ...], output: str | None) -> None:
    async with controller(file, mdns=False) as home:
        chosen: list[PairedAccessory] = [home.record(alias) for alias in aliases or home.aliases]
    if not chosen:
        raise Problem("there are no pairings to export")
    content = write_pairings(chosen, kind)
    if output is None:
        if sys.stdout.isatty():
            raise Problem("it holds secret keys, which nobody should see: -o names a file, or pass it on with |")
        sys.stdout.buffer.write(content)
        return
    try:
        # Nobody else may read it, not even for a moment.
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Problem(f"{output} is there already; choose another name") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    click.echo(f"hap: {output} holds secret keys: whoever has it controls these accessories", err=True)


@click.command()
@click.option("--to", "kind", type=click.Choice(_KINDS), required=True, help="Whose form.")
@click.option("-a", "--alias", "aliases", multiple=True, help="Which pairings; all of them when missing.")
@file_option
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A new file; standard output when missing.")
def export(kind: str, aliases: tuple[str, ...], file: str, output: str | None) -> None:
    """Write pairings for another controller.

    \b
    Example: hap export --to aiohomekit -o pairing.json
    """
    run(_export, file, Kind(kind), aliases, output)


def register(group: click.Group) -> None:
    """Add the commands."""
    group.add_command(import_)
    group.add_command(export)
