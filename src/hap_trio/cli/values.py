"""`hap get` and `hap put`."""

from __future__ import annotations

from pathlib import Path

import click

from hap_trio.cli.common import (
    CHARACTERISTIC,
    Problem,
    Style,
    adapter_option,
    address_option,
    alias_option,
    characteristics_option,
    clean,
    client,
    emit,
    file_option,
    interface_option,
    plain,
    recorded,
    run,
    shown,
    status_text,
    styled,
)
from hap_trio.cli.former import shapes
from hapcore.controller import CharacteristicWrite, WriteResult
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.handle import handle
from hapcore.model.remote import AccessoryDescription

__all__ = ["register"]


async def _get(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    flags: dict[str, bool],
    style: Style,
) -> bool:
    async with client(file, alias, address, interfaces) as accessory:
        results = await accessory.read(ids, **flags)
    if style is Style.HOMEKIT_PYTHON:
        click.echo(shapes.characteristics(results))
        return not any(result.status for result in results.values())
    for one, result in results.items():
        if style is Style.JSON:
            known = {"aid": one.aid, "iid": one.iid, "status": int(result.status), **result.fields}
            emit(known if result.status else {**known, "value": plain(result.value)})
        elif result.status:
            click.echo(f"hap: {one}: {status_text(result.status)}", err=True)
        else:
            details = "".join(clean(f"  {name}={value}") for name, value in result.fields.items())
            click.echo(f"{one} = {shown(result.value)}{details}")
    return not any(result.status for result in results.values())


@click.command()
@alias_option
@characteristics_option
@click.option("-m", "--meta", is_flag=True, help="Also format, unit and limits.")
@click.option("-p", "--perms", is_flag=True, help="Also the permissions.")
@click.option("-t", "--type", "type_", is_flag=True, help="Also the type.")
@click.option("-e", "--ev", is_flag=True, help="Also whether events are on.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def get(
    alias: str,
    ids: tuple[CharacteristicId, ...],
    meta: bool,
    perms: bool,
    type_: bool,
    ev: bool,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    """Read characteristics.

    \b
    Example: hap get -a lamp -c 1.9 -c 1.10
    """
    flags = {"meta": meta, "perms": perms, "type": type_, "ev": ev}
    if not run(_get, file, alias, address, interfaces, ids, flags, style):
        raise click.exceptions.Exit(1)


def _given(text: str) -> str:
    """What is to be written: the text, or what stands in the file that it names."""
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    try:
        return Path(text[1:]).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except ValueError:
        raise Problem(f"{text[1:]}: this is no text; give bytes in base64") from None


def _parse(
    accessories: tuple[AccessoryDescription, ...], wanted: tuple[tuple[CharacteristicId, str], ...], tolerant: bool
) -> dict[tuple[int, int], Value]:
    known = {
        (one.aid, one.iid): one
        for accessory in accessories
        for service in accessory.services
        for one in service.characteristics
    }
    values: dict[tuple[int, int], Value] = {}
    for number, text in wanted:
        description = known.get(number)
        if description is None and tolerant:
            continue
        if description is None:
            raise Problem(f"{number}: there is no such characteristic; `hap accessories` lists them")
        values[number] = handle(description).from_text(_given(text))
    return values


async def _put(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    wanted: tuple[tuple[CharacteristicId, str], ...],
    timed: int | None,
    pin: str | None,
    style: Style,
) -> bool:
    former = style is Style.HOMEKIT_PYTHON
    async with client(file, alias, address, interfaces) as accessory:
        values = _parse(await accessory.accessories(), wanted, former)
        data = None if pin is None else _given(pin).encode()
        writes = [CharacteristicWrite(one, value, auth_data=data) for one, value in values.items()]
        results = dict(await accessory.write(writes, timed=timed)) if writes else {}
    if former:
        absent = WriteResult(HapStatus.DOES_NOT_EXIST)
        results.update({one: absent for one, _ in wanted if one not in values})
    for one, result in results.items():
        if former:
            if result.status:
                click.echo(shapes.put_failure(one, result))
        elif style is Style.JSON:
            emit({"aid": one.aid, "iid": one.iid, "status": int(result.status)})
        elif result.status:
            click.echo(f"hap: {one}: {status_text(result.status)}", err=True)
        else:
            click.echo(f"{one} <- {shown(values[one])}")
    return not any(result.status for result in results.values())


@click.command()
@alias_option
@click.option(
    "-c",
    "--characteristic",
    "wanted",
    type=(CHARACTERISTIC, str),
    multiple=True,
    required=True,
    metavar="AID.IID VALUE",
    help="A characteristic and its new value: 1.9 true; @FILE takes it from a file, @@ stands for @.",
)
@click.option(
    "--timed", type=click.IntRange(min=1), metavar="MS", help="Make it a timed write of so many milliseconds."
)
@click.option(
    "--auth", "pin", metavar="TEXT", help="Additional authorization data, such as the PIN of a lock; or @FILE."
)
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@styled
def put(
    alias: str,
    wanted: tuple[tuple[CharacteristicId, str], ...],
    timed: int | None,
    pin: str | None,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    style: Style,
) -> None:
    """Write characteristics, all in one request.

    A value is a number, a text, true or false, or a name such as secured; bytes are given in base64. Characteristics
    that ask for a timed write get one by themselves.

    \b
    Example: hap put -a lamp -c 1.9 true -c 1.10 80
             hap put -a door -c 1.10 unsecured --auth @pin.txt
    """
    if not run(_put, file, alias, address, interfaces, wanted, timed, pin, style):
        raise click.exceptions.Exit(1)


def register(group: click.Group) -> None:
    """Add the commands."""
    for command in (get, put):
        group.add_command(command)
