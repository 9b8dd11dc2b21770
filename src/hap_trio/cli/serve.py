"""`hap serve`."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import click
import trio
from attrs import frozen
from click.core import ParameterSource

import hap_trio
from hap_trio.ble import PeripheralServer, open_peripheral
from hap_trio.cli.code import code_option
from hap_trio.cli.common import ble_option, emit, json_option, recorded, recording, run
from hap_trio.cli.kinds import Built, Thing, build
from hap_trio.cli.label import label_option
from hap_trio.cli.radio import advising, need
from hap_trio.cli.telling import introduce, label, report
from hapcore.ip.accessory import Server

__all__ = ["code_option", "introduce", "local_address", "port_option", "register", "state_option"]


@frozen
class _Place:
    """Where to serve: on the network, or with `hci` over that Bluetooth controller."""

    address: str | None
    port: int
    mdns: bool
    hci: str | None
    #: A fresh code is shown for each attempt to pair, as on a display.
    display: bool
    setup_id: str | None

    @asynccontextmanager
    async def open(
        self, what: Thing | list[Thing], *, name: str | None, state: str | None, code: str | None
    ) -> AsyncGenerator[hap_trio.AccessoryServer | PeripheralServer]:
        """Serve for the length of a block."""
        tape = recording()
        show = _leave_it_to_the_report if self.display else None
        if self.hci is not None:
            from hapcore.ble.accessory.peripheral import Peripheral  # most commands need nothing of it

            # Both kinds of engine are made and run in the same words.
            engine = cast("Callable[..., Server]", Peripheral if tape is None else tape.peripheral)
            with advising():
                async with open_peripheral(
                    what,
                    name=name,
                    state=state,
                    setup_code=code,
                    setup_id=self.setup_id,
                    show_code=show,
                    radio=self.hci,
                    engine=engine,
                ) as peripheral:
                    yield peripheral
            return
        async with hap_trio.open_server(
            what,
            name=name,
            state=state,
            address=self.address,
            port=self.port,
            setup_code=code,
            setup_id=self.setup_id,
            show_code=show,
            mdns=self.mdns,
            engine=Server if tape is None else tape.server,
        ) as server:
            yield server


def _leave_it_to_the_report(code: str | None) -> None:
    """What a display would show is an event, too, and printed among the others."""


async def _serve(
    what: Built, name: str | None, state: str | None, code: str | None, place: _Place, qr: str | None, as_json: bool
) -> None:
    name, state, code = name or what.name, state or what.state, code or what.code
    # Both signals end the block in good order: mDNS goodbye, connections closed; everything else is on disk already.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with (
            place.open(what.things, name=name, state=state, code=code) as server,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(report, server, as_json)
            nursery.start_soon(what.live)
            if qr is not None:
                label(server, qr)
            introduce(server, name or server.database.accessories[0].name, as_json, place.hci)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break
    if as_json:
        emit({"event": "stopped"})


def local_address(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Names are no help here: an address tells on which interface to listen."""
    if value is not None:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is no IP address", ctx, parameter) from None
    return value


def listening_address(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """An address, or the name of an interface of this machine."""
    return value if value in {name for _, name in socket.if_nameindex()} else local_address(ctx, parameter, value)


state_option = click.option(
    "--state", type=click.Path(dir_okay=False), help="The file that keeps identity and pairings."
)
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port; any free one when not given."
)


@click.command()
@click.argument("kind", default="lightbulb", metavar="[KIND | HOUSE.toml | MODULE:ATTRIBUTE]")
@click.option("--count", type=click.IntRange(1, 149), default=3, show_default=True, help="Lamps behind a bridge.")
@click.option("--seed", type=int, help="What happens in busy-home, and when: the same each time.")
@click.option("--name", help="How it announces itself.")
@state_option
@click.option("--address", callback=listening_address, help="Listen on this local address, or interface (eth0), only.")
@port_option
@code_option
@click.option("--setup-id", metavar="ABCD", help="The setup id that stands on the label with the code.")
@click.option("--display", is_flag=True, help="Show a fresh setup code for each attempt to pair, like a display.")
@label_option
@click.option("--no-mdns", is_flag=True, help="Do not announce it; controllers need its address then.")
@ble_option
@click.option(
    "--hci",
    metavar="TRANSPORT",
    default="usb:0",
    show_default=True,
    help="The Bluetooth controller for --ble, as Bumble names it.",
)
@recorded
@json_option
def serve(
    kind: str,
    count: int,
    seed: int | None,
    name: str | None,
    state: str | None,
    address: str | None,
    port: int,
    code: str | None,
    setup_id: str | None,
    display: bool,
    qr: str | None,
    no_mdns: bool,
    ble: bool,
    hci: str,
    as_json: bool,
) -> None:
    """Serve an accessory until Ctrl-C or SIGTERM.

    KIND is one of lightbulb, switch, outlet, thermostat, temperature-sensor, lock, fan, bridge, and busy-home: a bridge
    with a dozen devices that live by themselves. HOUSE.toml describes accessories and what is run when they are
    switched. MODULE:ATTRIBUTE names an accessory or service of your own, a list of them, or a function that makes one.
    Without --state it is a new device at each start, but for a HOUSE.toml, which has its state beside it.

    With --ble it is served over Bluetooth LE instead, by a Bluetooth controller that nothing else uses.

    \b
    Example: hap serve lightbulb --name "Desk lamp" --state lamp.json
             hap serve lightbulb --state lamp.json --qr label.svg
             hap serve busy-home
             hap serve house.toml
             hap serve lock --ble --hci usb:0
    """
    _check(ble)
    if display and (code is not None or setup_id is not None or qr is not None):
        raise click.UsageError("--display has a new code each time: it goes without --setup-code, --setup-id and --qr.")
    place = _Place(address, port, not no_mdns, hci if ble else None, display, setup_id)
    run(_serve, build(kind, name, count, seed), name, state, code, place, qr, as_json)


def _check(ble: bool) -> None:
    """Refuse options that would have no effect, and Bluetooth where nothing can drive it."""
    context = click.get_current_context()
    useless = ("address", "port", "no_mdns") if ble else ("hci",)
    for name in useless:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(f"{option} has no meaning {'with' if ble else 'without'} --ble.")
    if ble:
        need("bumble")


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(serve)
