"""Options and output that the commands have in common."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import click
import platformdirs
import trio
from rich.console import Console

import hap_trio
from hap_sync.recording import Recording
from hap_trio.cli.problem import Problem
from hap_trio.cli.radio import adapter_option, advising, ble_option, radio
from hap_trio.cli.style import Style, styled
from hap_trio.cli.terminal import clean, clean_json, tidy
from hapcore.discovery import Transport
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.ip.controller import Connection

__all__ = [
    "Json",
    "Problem",
    "Style",
    "adapter_option",
    "address_option",
    "alias_option",
    "ble_option",
    "characteristics_option",
    "clean",
    "client",
    "controller",
    "device_option",
    "emit",
    "file_option",
    "interface_option",
    "json_option",
    "keeper",
    "plain",
    "radio",
    "recorded",
    "recording",
    "run",
    "say",
    "shown",
    "status_text",
    "styled",
    "tidy",
]

F = TypeVar("F", bound=Callable[..., object])
Json: TypeAlias = Mapping[str, object]

console = Console(highlight=False, soft_wrap=True, emoji=False)


def _default_file() -> str:
    return str(Path(platformdirs.user_data_dir("hapcore", appauthor=False)) / "pairings.json")


class _Characteristic(click.ParamType[CharacteristicId]):
    name = "aid.iid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CharacteristicId:
        try:
            return CharacteristicId.parse(str(value))
        except ValueError as error:
            self.fail(str(error).partition(": ")[2] or str(error), param, ctx)


CHARACTERISTIC = _Characteristic()

json_option = click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object a line.")
file_option = click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(dir_okay=False),
    default=_default_file,
    show_default="the user's data folder",
    help="The pairings file.",
)
alias_option = click.option("-a", "--alias", required=True, help="Your name for the paired accessory.")
device_option = click.option("-d", "--device-id", help="The device id that `hap discover` shows.")
address_option = click.option("--address", metavar="HOST:PORT", help="Where it is; then mDNS is not needed.")
interface_option = click.option(
    "--interface",
    "interfaces",
    multiple=True,
    metavar="ADDRESS",
    help="Use mDNS on this interface or local address only.",
)


def _secrets_need_a_file(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value and not ctx.params.get("record"):
        raise click.UsageError("--with-secrets goes with --record FILE.")
    if value:
        click.echo("hap: the recording will hold keys and setup codes: give it to nobody you would not pair", err=True)
    return value


_record_option = click.option(
    "--record",
    type=click.Path(dir_okay=False),
    is_eager=True,
    help="Write a transcript for `hap replay`; .gz packs it.",
)
_secrets_option = click.option(
    "--with-secrets",
    is_flag=True,
    callback=_secrets_need_a_file,
    help="Leave the secrets in the transcript, for replaying every byte.",
)


def recorded(function: F) -> F:
    """Give a command the options --record and --with-secrets; `recording` in its context is what they opened."""

    @wraps(function)
    def command(*args: Any, record: str | None, with_secrets: bool, **more: Any) -> object:
        with nullcontext() if record is None else Recording(record, with_secrets=with_secrets) as recording:
            click.get_current_context().obj = recording
            return function(*args, **more)

    return cast("F", _record_option(_secrets_option(command)))


def recording() -> Recording | None:
    """Where the current command is to be recorded."""
    found: object = click.get_current_context().obj
    return found if isinstance(found, Recording) else None


characteristics_option = click.option(
    "-c", "--characteristic", "ids", type=CHARACTERISTIC, multiple=True, required=True, help="A characteristic: 1.9"
)


def run(function: Callable[..., Any], *args: object) -> object:
    """Run an async function; what it returns is what the command returns."""
    return trio.run(partial(function, *args))


def emit(record: Json) -> None:
    """One JSON object on a line of its own, at once: whoever reads a pipe is waiting for it."""
    click.echo(clean_json(json.dumps(record, ensure_ascii=False)))


def say(text: str) -> None:
    """A line for people, with rich's markup; what comes from elsewhere goes through `tidy` first."""
    console.print(text)


def plain(value: Value) -> object:
    """A value as JSON can say it: bytes become base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def shown(value: Value) -> str:
    """A value as a person reads it, in the form `hap put` takes."""
    return clean(value) if isinstance(value, str) else json.dumps(plain(value))


def status_text(status: int) -> str:
    """What a status means, with its number."""
    return f"{HapStatus(status).text} ({status})" if status in HapStatus.__members__.values() else f"status {status}"


@asynccontextmanager
async def controller(
    file: str | None, *, mdns: bool, interfaces: tuple[str, ...] = (), ble: str | bool | None = None
) -> AsyncGenerator[hap_trio.Controller]:
    """A controller on the pairings file, its folder made if need be. With a radio (`ble`) it looks nowhere else."""
    if file is not None:
        Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tape = recording()
    engine = Connection if tape is None else tape
    among = list(interfaces) or None
    async with hap_trio.open_controller(file, mdns=mdns and not ble, interfaces=among, engine=engine, ble=ble) as home:
        with advising():
            yield home


async def over_air(file: str, alias: str) -> bool:
    """Whether a paired accessory is spoken to over Bluetooth LE. Unknown ones are for others to complain of."""
    async with hap_trio.open_controller(file, mdns=False) as home:
        return alias in home.aliases and home.record(alias).transport is Transport.BLE


@asynccontextmanager
async def keeper(
    file: str, alias: str, *, mdns: bool, interfaces: tuple[str, ...] = ()
) -> AsyncGenerator[hap_trio.Controller]:
    """A controller for one paired accessory: the radio is used only if that needs it, and then nothing else."""
    ble = radio() if await over_air(file, alias) else None
    async with controller(file, mdns=mdns, interfaces=interfaces, ble=ble) as home:
        yield home


@asynccontextmanager
async def client(
    file: str, alias: str, address: str | None, interfaces: tuple[str, ...] = ()
) -> AsyncGenerator[hap_trio.Client]:
    """A connection to a paired accessory, closed at the end."""
    async with keeper(file, alias, mdns=address is None, interfaces=interfaces) as home:
        yield home.connect(alias, address=address)
