"""`hap get`, `hap put` and `hap watch`."""

from __future__ import annotations

import click
import trio

from hap_trio.cli.common import (
    CHARACTERISTIC,
    Problem,
    adapter_option,
    address_option,
    alias_option,
    characteristics_option,
    client,
    emit,
    file_option,
    interface_option,
    json_option,
    plain,
    recorded,
    run,
    say,
    shown,
    status_text,
)
from hapcore.errors import Disconnected
from hapcore.ids import CharacteristicId, Value
from hapcore.model.remote import AccessoryDescription
from hapcore.model.values import parse_text

__all__ = ["register"]


async def _get(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    flags: dict[str, bool],
    as_json: bool,
) -> bool:
    async with client(file, alias, address, interfaces) as accessory:
        results = await accessory.read(ids, **flags)
    for one, result in results.items():
        if as_json:
            known = {"aid": one.aid, "iid": one.iid, "status": int(result.status), **result.fields}
            emit(known if result.status else {**known, "value": plain(result.value)})
        elif result.status:
            click.echo(f"hap: {one}: {status_text(result.status)}", err=True)
        else:
            details = "".join(f"  {name}={value}" for name, value in result.fields.items())
            click.echo(f"{one} = {shown(result.value)}{details}")
    return not any(result.status for result in results.values())


@click.command()
@alias_option
@characteristics_option
@click.option("--meta", is_flag=True, help="Also format, unit and limits.")
@click.option("--perms", is_flag=True, help="Also the permissions.")
@click.option("--type", "type_", is_flag=True, help="Also the type.")
@click.option("--ev", is_flag=True, help="Also whether events are on.")
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
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
    as_json: bool,
) -> None:
    """Read characteristics.

    \b
    Example: hap get -a lamp -c 1.9 -c 1.10
    """
    flags = {"meta": meta, "perms": perms, "type": type_, "ev": ev}
    if not run(_get, file, alias, address, interfaces, ids, flags, as_json):
        raise click.exceptions.Exit(1)


def _parse(
    accessories: tuple[AccessoryDescription, ...], wanted: tuple[tuple[CharacteristicId, str], ...]
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
        if description is None:
            raise Problem(f"{number}: there is no such characteristic; `hap accessories` lists them")
        values[number] = parse_text(description.metadata, text)
    return values


async def _put(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    wanted: tuple[tuple[CharacteristicId, str], ...],
    timed: int | None,
    as_json: bool,
) -> bool:
    async with client(file, alias, address, interfaces) as accessory:
        values = _parse(await accessory.accessories(), wanted)
        results = await accessory.write(values, timed=timed)
    for one, result in results.items():
        if as_json:
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
    help="A characteristic and its new value: 1.9 true",
)
@click.option(
    "--timed", type=click.IntRange(min=1), metavar="MS", help="Make it a timed write of so many milliseconds."
)
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def put(
    alias: str,
    wanted: tuple[tuple[CharacteristicId, str], ...],
    timed: int | None,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write characteristics, all in one request. data and tlv8 values are given in base64.

    Characteristics that ask for a timed write get one by themselves.

    \b
    Example: hap put -a lamp -c 1.9 true -c 1.10 80
    """
    if not run(_put, file, alias, address, interfaces, wanted, timed, as_json):
        raise click.exceptions.Exit(1)


async def _watch(
    file: str,
    alias: str,
    address: str | None,
    interfaces: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    count: int | None,
    seconds: float | None,
    as_json: bool,
) -> bool:
    seen = 0
    async with client(file, alias, address, interfaces) as accessory, accessory.subscribe(ids) as changes:
        if as_json:
            emit({"event": "watching", "characteristics": [str(one) for one in ids]})
        else:
            say(f"watching {', '.join(map(str, ids))}; Ctrl-C ends it")
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            async for change in changes:
                seen += 1
                if as_json:
                    emit({"event": "change", "aid": change.id.aid, "iid": change.id.iid, "value": plain(change.value)})
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
@click.option("--count", type=click.IntRange(min=1), help="End after so many changes.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="End after so many seconds; 1 if --count was not reached."
)
@file_option
@address_option
@interface_option
@adapter_option
@recorded
@json_option
def watch(
    alias: str,
    ids: tuple[CharacteristicId, ...],
    count: int | None,
    seconds: float | None,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print changes as they happen, until Ctrl-C.

    \b
    Example: hap watch -a lamp -c 1.9 -c 1.10 --count 5
    """
    if not run(_watch, file, alias, address, interfaces, ids, count, seconds, as_json):
        raise click.exceptions.Exit(1)


def register(group: click.Group) -> None:
    """Add the commands."""
    for command in (get, put, watch):
        group.add_command(command)
