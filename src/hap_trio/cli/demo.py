"""`hap demo`: an accessory and a controller in one process, over real TCP and mDNS on loopback."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import trio

import hap_trio
from hap_trio.cli.common import emit, json_option, run, say
from hapcore.catalogue import characteristic_name
from hapcore.catalogue.services import Lightbulb
from hapcore.ids import Caller

__all__ = ["register"]

LOOPBACK = "127.0.0.1"
#: The whole demonstration takes a few seconds; if something hangs, say so instead of hanging with it.
LIMIT = 60.0


class _Stage:
    """Shows each step as it happens."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._step = 0

    def show(self, step: str, text: str, **details: object) -> None:
        self._step += 1
        if self._as_json:
            emit({"step": self._step, "name": step, **details})
        else:
            say(f"[bold cyan]{self._step}[/bold cyan]  {text}")


@asynccontextmanager
async def _lamp(folder: Path, stage: _Stage) -> AsyncGenerator[tuple[Lightbulb, hap_trio.AccessoryServer]]:
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
    stage = _Stage(as_json)
    with tempfile.TemporaryDirectory(prefix="hap-demo-") as name, trio.fail_after(LIMIT):
        folder = Path(name)
        async with (
            _lamp(folder, stage) as (light, server),
            hap_trio.open_controller(folder / "pairings.json", interfaces=[LOOPBACK]) as home,
        ):
            await _control(stage, light, server, home)
    stage.show("done", "[green]Done.[/green] Now try: hap serve lightbulb")


async def _control(
    stage: _Stage, light: Lightbulb, server: hap_trio.AccessoryServer, home: hap_trio.Controller
) -> None:
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


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Show an accessory and a controller at work, over real TCP and mDNS on the loopback interface.

    \b
    Example: hap demo
    """
    run(_demo, as_json)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(demo)
