"""`hap watch`."""

from __future__ import annotations

import click
import trio

from hap_trio.cli.common import (
    Style,
    adapter_option,
    address_option,
    alias_option,
    characteristics_option,
    client,
    emit,
    file_option,
    interface_option,
    plain,
    recorded,
    run,
    say,
    shown,
    styled,
)
from hap_trio.cli.former import shapes
from hapcore.errors import Disconnected
from hapcore.ids import CharacteristicId

__all__ = ["register"]


async def _watch(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    count: int | None,
    seconds: float | None,
    style: Style,
) -> bool:
    seen = 0
    async with client(file, alias, address, interfaces) as accessory, accessory.subscribe(ids) as changes:
        if style is Style.JSON:
            emit({"event": "watching", "characteristics": [str(one) for one in ids]})
        elif style is Style.TEXT:
            say(f"watching {', '.join(map(str, ids))}; Ctrl-C ends it")
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            async for change in changes:
                seen += 1
                if style is Style.JSON:
                    emit({"event": "change", "aid": change.id.aid, "iid": change.id.iid, "value": plain(change.value)})
                elif style is Style.HOMEKIT_PYTHON:
                    click.echo(shapes.change(change.id, change.value))
                else:
                    click.echo(f"{change.id} = {shown(change.value)}")
                if seen == count:
                    return True
            else:
                raise Disconnected("the accessory closed the connection")
    return count is None or seen >= count


@click.command()
@alias_option
@characteristics_option
@click.option("-e", "--count", type=click.IntRange(min=1), help="End after so many changes.")
@click.option(
    "-s",
    "--seconds",
    type=click.FloatRange(min=0),
    help="End after so many seconds, with exit code 1 if --count was not reached.",
)
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def watch(
    alias: str,
    ids: tuple[CharacteristicId, ...],
    count: int | None,
    seconds: float | None,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    """Print changes as they happen, until Ctrl-C.

    \b
    Example: hap watch -a lamp -c 1.9 -c 1.10 --count 5
    """
    if not run(_watch, file, alias, address, interfaces, ids, count, seconds, style):
        raise click.exceptions.Exit(1)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(watch)
