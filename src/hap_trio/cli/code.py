"""`hap code`: setup codes, and the labels and tags that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from hap_sync.store import FileStore
from hap_trio.cli.common import emit, json_option
from hap_trio.cli.label import draw, label_option, write_secret
from hap_trio.cli.problem import Problem
from hap_trio.cli.telling import qr_code
from hap_trio.entropy import system_entropy
from hapcore.accessory.config import Config
from hapcore.accessory.stored import Stored
from hapcore.catalogue.categories import Category
from hapcore.errors import LocalProtocolError
from hapcore.setup_code import CHANGING_TAG_ONLY, SetupCode, SetupPayload, new_setup_code, new_setup_id
from hapcore.state import STATE

__all__ = ["code_option", "register"]

_CATEGORIES: Mapping[str, int] = {one.name.lower().replace("_", "-"): int(one) for one in Category if one}


def _code(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return SetupCode(value).text
    except ValueError as error:
        raise click.BadParameter(str(error).partition(": ")[2] or str(error), ctx, parameter) from None


code_option = click.option(
    "--setup-code",
    "code",
    callback=_code,
    metavar="XXX-XX-XXX",
    help="The setup code; drawn at the first start if not given.",
)


def _category(ctx: click.Context, parameter: click.Parameter, value: str) -> int:
    if value in _CATEGORIES:
        return _CATEGORIES[value]
    if value.isdecimal() and int(value) in range(256):
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a number nor one of {', '.join(_CATEGORIES)}", ctx, parameter)


def _stored(file: str) -> tuple[SetupCode, str]:
    """Code and setup id of an accessory that has a state; only as long as they are of use."""
    if not Path(file).exists():
        raise Problem(f"{file}: there is no such file")
    table = FileStore(file, STATE, exclusive=False).load()
    if "setup" not in table:
        raise Problem(f"{file}: there is no code in it yet; it is drawn when the accessory is served")
    stored = Stored(table, Config(name="code"), system_entropy)
    if stored.pairings:
        raise Problem(f"{file}: it is paired, and its code is shown no more; remove its pairings first")
    return stored.setup.code, stored.setup.setup_id


@click.command("code", short_help="Draw a setup code; make its label or tag.")
@click.option("--state", type=click.Path(dir_okay=False), help="Take code and setup id from this state file.")
@click.option("--setup-code", "code", callback=_code, metavar="XXX-XX-XXX", help="This code; else one is drawn.")
@click.option("--setup-id", metavar="ABCD", help="This setup id; else one is drawn.")
@click.option(
    "--category",
    callback=_category,
    default="other",
    show_default=True,
    help="What the accessory is: lightbulb, bridge, door-lock ..., or a number.",
)
@click.option("--ble", is_flag=True, help="It speaks Bluetooth LE.")
@click.option("--no-ip", is_flag=True, help="It does not speak HAP over the network.")
@label_option
@click.option("--nfc", type=click.Path(dir_okay=False), metavar="FILE", help="Write the NDEF message for an NFC tag.")
@json_option
def code_command(
    state: str | None,
    code: str | None,
    setup_id: str | None,
    category: int,
    ble: bool,
    no_ip: bool,
    qr: str | None,
    nfc: str | None,
    as_json: bool,
) -> None:
    """Draw a setup code, and make the label or the tag that carries it.

    What is printed here is what `hap serve` takes as --setup-code and --setup-id. Whoever has the code can pair: keep
    the files as you keep the label.

    \b
    Example: hap code --category lightbulb --qr label.svg
             hap code --state lamp.json --category lightbulb --nfc tag.ndef
    """
    if state is not None and (code is not None or setup_id is not None):
        raise click.UsageError("--state goes without --setup-code and --setup-id.")
    if no_ip and not ble:
        raise click.UsageError("--no-ip goes with --ble: else nobody could reach it.")
    if state is None:
        number = new_setup_code(system_entropy) if code is None else SetupCode(code)
        known = number, setup_id or new_setup_id(system_entropy)
    else:
        known = _stored(state)
    try:
        payload = SetupPayload(*known, category, ip=not no_ip, ble=ble)
    except LocalProtocolError as error:
        raise click.UsageError(str(error)) from None
    if qr is not None:
        draw(payload, qr)
    if nfc is not None:
        write_secret(nfc, payload.ndef())
    if (qr or nfc) and category in CHANGING_TAG_ONLY:
        click.echo("hap: accessories of this category may only have a tag that changes, no fixed label", err=True)
    _tell(payload, as_json)


def _tell(payload: SetupPayload, as_json: bool) -> None:
    text = "" if payload.code is None else payload.code.text
    record = {"setup_code": text, "setup_id": payload.setup_id, "setup_uri": payload.uri(), "nfc": payload.ndef().hex()}
    if as_json:
        emit(record)
        return
    click.echo(f"Setup code  {text}")
    click.echo(f"Setup id    {payload.setup_id}")
    click.echo(f"Payload     {payload.uri()}")
    click.echo(f"NFC tag     {payload.ndef().hex()}")
    click.echo(qr_code(payload.uri()))


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(code_command)
