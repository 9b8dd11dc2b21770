"""`hap snapshot`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

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
)
from hapcore.ip.controller.pictures import MAX_PIXELS

__all__ = ["register"]

_OUTPUT = click.Path(dir_okay=False, allow_dash=True)
_PIXELS = click.IntRange(1, MAX_PIXELS)


async def _picture(
    file: str, alias: str, address: str | None, interfaces: tuple[str, ...], size: tuple[int, int], aid: int | None
) -> bytes:
    async with client(file, alias, address, interfaces) as camera:
        return await camera.snapshot(*size, aid=aid)


@click.command()
@alias_option
@click.option("-o", "--output", required=True, type=_OUTPUT, help="Where it goes; - is stdout.")
@click.option("--width", type=_PIXELS, default=1280, show_default=True, help="Pixels; a wish.")
@click.option("--height", type=_PIXELS, default=720, show_default=True, help="Pixels; a wish.")
@click.option("--aid", type=click.IntRange(min=1), help="Which camera, behind a bridge.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def snapshot(
    alias: str,
    output: str,
    width: int,
    height: int,
    aid: int | None,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Have a camera take a picture: a JPEG. The camera may choose another size of the same shape.

    \b
    Example: hap snapshot -a doorbell -o door.jpg
    """
    if output == "-" and sys.stdout.isatty():
        raise Problem("a picture is nothing for a terminal: -o names a file, or pass it on with |")
    image = cast("bytes", run(_picture, file, alias, address, interfaces, (width, height), aid))
    if output == "-":
        sys.stdout.buffer.write(image)
        return
    Path(output).write_bytes(image)
    if as_json:
        emit({"event": "snapshot", "file": output, "bytes": len(image)})
    else:
        click.echo(f"{output}: {len(image)} bytes")


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(snapshot)
