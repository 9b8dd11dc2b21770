"""A lamp and a home over loopback, for the tests of hap_trio."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen

import hap_trio
from hapcore.catalogue.services import Lightbulb

CODE = "031-45-154"
WRONG_CODE = "031-45-155"


@frozen
class House:
    """A served lamp and a controller that has not paired it yet."""

    light: Lightbulb
    server: hap_trio.AccessoryServer
    home: hap_trio.Controller

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    async def pair(self, alias: str = "lamp") -> hap_trio.Client:
        return await self.home.pair(self.address, CODE, alias)


def lamp() -> Lightbulb:
    return Lightbulb("Desk lamp", on=False, brightness=40)


@asynccontextmanager
async def open_lamp(
    light: Lightbulb | None = None, **settings: Any
) -> AsyncGenerator[tuple[Lightbulb, hap_trio.AccessoryServer], None]:
    light = light or lamp()
    settings = {"setup_code": CODE, "address": "127.0.0.1", "mdns": False, **settings}
    async with hap_trio.open_server(light, **settings) as server:
        yield light, server


@asynccontextmanager
async def open_house(path: Any = None, **settings: Any) -> AsyncGenerator[House, None]:
    async with open_lamp(**settings) as (light, server), hap_trio.open_controller(path, mdns=False) as home:
        yield House(light, server, home)
