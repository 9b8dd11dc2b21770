"""`hap demo`: an accessory and a controller in one process, over real TCP and mDNS on loopback."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import trio

import hap_trio
from hap_trio.cli.common import ble_option, json_option, run
from hap_trio.cli.radio import need
from hap_trio.cli.stage import Stage
from hapcore.catalogue import characteristic_name
from hapcore.catalogue.services import Lightbulb
from hapcore.ids import Caller

__all__ = ["register"]

LOOPBACK = "127.0.0.1"
#: The whole demonstration takes a few seconds; if something hangs, say so instead of hanging with it.
LIMIT = 60.0


@asynccontextmanager
async def _lamp(folder: Path, stage: Stage) -> AsyncGenerator[tuple[Lightbulb, hap_trio.AccessoryServer]]:
    light = Lightbulb("Demo lamp", on=False, brightness=40)

    @light.on.setter
    def switch(value: bool, caller: Caller) -> None:
        stage.show(
            "accessory-written",
            f"   the lamp is switched {'[yellow]on[/yellow]' if value else 'off'} by {caller.pairing_id.decode()}",
            on=value,
        )

    async with hap_trio.open_server(light, name="Demo lamp", state=folder / "lamp.json", address=LOOPBACK) as server:
        stage.show(
            "listening",
            f"A lamp is served on {server.host}:{server.port}, device id {server.device_id}, "
            f"setup code [bold]{server.setup_code}[/bold]",
            host=server.host,
            port=server.port,
            device_id=server.device_id,
        )
        yield light, server


async def _demo(as_json: bool) -> None:
    stage = Stage(as_json)
    with tempfile.TemporaryDirectory(prefix="hap-demo-") as name, trio.fail_after(LIMIT):
        folder = Path(name)
        async with (
            _lamp(folder, stage) as (light, server),
            hap_trio.open_controller(folder / "pairings.json", interfaces=[LOOPBACK]) as home,
        ):
            await _control(stage, light, server, home)
    stage.show("done", "[green]Done.[/green] Now try: hap serve lightbulb")


async def _control(stage: Stage, light: Lightbulb, server: hap_trio.AccessoryServer, home: hap_trio.Controller) -> None:
    found = await home.find(server.device_id, timeout=LIMIT)
    stage.show(
        "discovered",
        f"mDNS found {found.name!r} at {found.addresses[0]}:{found.port}, not paired yet",
        device_id=found.device_id,
        paired=found.paired,
    )
    lamp = await home.pair(found, setup_code=server.setup_code, alias="lamp")
    stage.show("paired", "paired: both sides know each other's long-term keys, stored on disk", alias="lamp")
    accessories = await lamp.accessories()
    names = [
        f"{one.aid}.{one.iid} {characteristic_name(one.type)}"
        for service in accessories[0].services
        if service.type == light.type.uuid
        for one in service.characteristics
    ]
    stage.show("listed", f"its light service has {', '.join(names)}", characteristics=names)
    async with lamp.subscribe([light.on.id, light.brightness.id]) as changes:
        stage.show("subscribed", "the controller listens for events")
        await lamp.write({light.on.id: True})
        value = (await lamp.read([light.on.id]))[light.on.id].value
        stage.show("switched", f"the controller wrote On and reads it back: {value!r}", value=value)
        light.brightness.value = 75
        change = await anext(changes)
        stage.show(
            "event",
            f"somebody turned the knob: event {change.id} = [yellow]{change.value!r}[/yellow]",
            characteristic=str(change.id),
            value=change.value,
        )
    await home.remove("lamp")
    stage.show("unpaired", f"unpaired: the lamp can be paired again ({'no' if server.paired else 'yes'})")


@click.command(short_help="Show an accessory and a controller at work.")
@ble_option
@json_option
def demo(ble: bool, as_json: bool) -> None:
    """Show an accessory and a controller at work, over real TCP and mDNS on the loopback interface.

    With --ble over Bluetooth LE, on a virtual radio: no Bluetooth hardware is needed.

    \b
    Example: hap demo
             hap demo --ble
    """
    if ble:
        need("bleak", "bumble")
        from hap_trio.cli.demo_ble import show  # costs the import of asyncio, bleak and Bumble

        run(show, as_json)
    else:
        run(_demo, as_json)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(demo)
