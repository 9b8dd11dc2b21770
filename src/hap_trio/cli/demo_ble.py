"""`hap demo --ble`: an accessory and a controller in one process, over a virtual radio: no hardware is needed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio
from attrs import frozen

import hap_trio
from hap_trio.ble import PeripheralServer, open_peripheral
from hap_trio.cli.discover import category_name
from hap_trio.cli.stage import Stage
from hap_trio.testing import open_air
from hapcore.accessory.events import SessionClosed, SessionOpened
from hapcore.catalogue import characteristic_name
from hapcore.catalogue.services import Lightbulb
from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import DiscoveredAccessory
from hapcore.ids import Caller

__all__ = ["show"]

E = TypeVar("E")

NAME = "Demo lamp"
#: The whole takes two or three seconds; if something hangs, say so instead of hanging with it.
LIMIT = 60.0


@frozen
class _Set:
    """What is on the stage."""

    stage: Stage
    light: Lightbulb
    server: PeripheralServer
    home: hap_trio.Controller
    #: Has the lamp go out of range, and come back.
    hide: Callable[[], None]
    reappear: Callable[[], None]


async def show(as_json: bool) -> None:
    """Run the demonstration."""
    stage = Stage(as_json, timed=True)
    with trio.fail_after(LIMIT):
        async with _set(stage) as scene:
            lamp = await _pair(scene)
            async with lamp.subscribe([scene.light.on.id, scene.light.brightness.id]) as changes:
                stage.show("subscribed", "the controller listens for events")
                await _linked(scene, lamp, changes)
                await _apart(scene, lamp, changes)
            await scene.home.remove("lamp")
            again = "no" if scene.server.paired else "yes"
            stage.show("unpaired", f"unpaired: the lamp can be paired again ({again})")
    stage.show("done", "[green]Done.[/green] Now try, with a Bluetooth dongle: hap serve lightbulb --ble")


@asynccontextmanager
async def _set(stage: Stage) -> AsyncGenerator[_Set]:
    light = Lightbulb(NAME, on=False, brightness=40)
    # Its changes are worth that the controller comes and reads; those of On are broadcast with the value.
    light.brightness.disconnected_events = True

    @light.on.setter
    def switch(value: bool, caller: Caller) -> None:
        stage.show(
            "accessory-written",
            f"   the lamp is switched {'[yellow]on[/yellow]' if value else 'off'} by {caller.pairing_id.decode()}",
            on=value,
        )

    with tempfile.TemporaryDirectory(prefix="hap-demo-") as name:
        folder = Path(name)
        async with open_air() as air:
            radio = await air.peripheral(NAME)
            async with (
                open_peripheral(light, name=NAME, state=folder / "lamp.json", radio=radio) as server,
                hap_trio.open_controller(folder / "pairings.json", mdns=False, ble=await air.bleak()) as home,
            ):
                stage.show(
                    "advertising",
                    f"A lamp advertises on a virtual radio, device id {server.device_id}, "
                    f"setup code [bold]{server.setup_code}[/bold]",
                    device_id=server.device_id,
                )
                yield _Set(stage, light, server, home, lambda: air.vanish(radio), lambda: air.come_back(radio))


async def _discover(home: hap_trio.Controller, device_id: str) -> DiscoveredAccessory:
    """The lamp, once its scan response has told the whole name: an advertisement has room for its beginning."""
    async for found in home.discover():
        if found.device_id == device_id and found.name == NAME:
            return found
    raise AssertionError("nobody ends the search")


async def _pair(scene: _Set) -> hap_trio.Client:
    stage, home = scene.stage, scene.home
    found = await _discover(home, scene.server.device_id)
    stage.show(
        "discovered",
        f"its advertisement is heard: {found.name!r}, {category_name(found.category).lower()}, "
        f"configuration {found.config_number}, state {found.state_number}, {found.rssi} dBm, not paired yet",
        device_id=found.device_id,
        paired=found.paired,
        state_number=found.state_number,
    )
    lamp = await home.pair(found, setup_code=scene.server.setup_code, alias="lamp")
    stage.show("paired", "paired: both sides know each other's long-term keys, stored on disk", alias="lamp")
    accessories = await lamp.accessories()
    names = [
        f"{one.aid}.{one.iid} {characteristic_name(one.type)}"
        for service in accessories[0].services
        if service.type == scene.light.type.uuid
        for one in service.characteristics
    ]
    stage.show("listed", f"its light service has {', '.join(names)}", characteristics=names)
    return lamp


async def _linked(scene: _Set, lamp: hap_trio.Client, changes: AsyncIterator[CharacteristicChanged]) -> None:
    """What happens while there is a link."""
    stage, light = scene.stage, scene.light
    await lamp.write({light.on.id: True})
    value = (await lamp.read([light.on.id]))[light.on.id].value
    stage.show("switched", f"the controller wrote On and reads it back: {value!r}", value=value)
    light.brightness.value = 75
    change = await anext(changes)
    stage.show("event", f"somebody turned the knob: {_told(change)}, by a notification", **_details(change))


async def _apart(scene: _Set, lamp: hap_trio.Client, changes: AsyncIterator[CharacteristicChanged]) -> None:
    """What happens while there is none."""
    stage, light, happened = scene.stage, scene.light, scene.server.events()
    scene.hide()
    await _next(happened, SessionClosed)
    scene.reappear()
    stage.show("disconnected", "the lamp was out of range for a moment: the link is lost")
    light.on.value = False
    change = await anext(changes)
    stage.show(
        "broadcast",
        f"somebody pulled the cord: {_told(change)}, in an encrypted advertisement; nobody has connected",
        **_details(change),
        connected=lamp.connected,
    )
    light.brightness.value = 20
    change = await anext(changes)
    stage.show(
        "disconnected-event",
        f"somebody turned the knob: {_told(change)}; the lamp advertised a new state, the controller came and read",
        **_details(change),
    )
    session = await _next(happened, SessionOpened)
    how = "the session was resumed with one message each way" if session.resumed else "it was verified anew"
    stage.show("resumed", f"for that {how}", resumed=session.resumed)


async def _next(happened: AsyncIterator[object], kind: type[E]) -> E:
    async for event in happened:
        if isinstance(event, kind):
            return event
    raise AssertionError("the lamp is served to the end")


def _told(change: CharacteristicChanged) -> str:
    return f"event {change.id} = [yellow]{change.value!r}[/yellow]"


def _details(change: CharacteristicChanged) -> dict[str, object]:
    return {"characteristic": str(change.id), "value": change.value}
