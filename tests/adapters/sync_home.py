"""A lamp and a home in one thread, for the tests of hap_sync: who waits for the one serves the other."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen

import hap_sync
from hapcore.catalogue.services import Lightbulb
from hapcore.pairing.records import new_controller_identity
from hapcore.state import PairedAccessory

CODE = "031-45-154"
WRONG_CODE = "031-45-155"


@frozen
class House:
    """A served lamp and a controller that has not paired it yet."""

    light: Lightbulb
    server: hap_sync.AccessoryServer
    home: hap_sync.Controller

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def pair(self, alias: str = "lamp") -> hap_sync.Client:
        return self.home.pair(self.address, CODE, alias)

    def add_controller(self, admin: hap_sync.Client) -> hap_sync.Client:
        """A second controller, added by the first."""
        new = new_controller_identity(hap_sync.system_entropy)
        admin.add_pairing(new.identifier.encode(), new.ltpk, admin=False)
        pairing = evolve(admin.pairing, controller_id=new.identifier, controller_ltsk=new.ltsk)
        self.home.save(PairedAccessory("second", pairing, addresses=("127.0.0.1",), port=self.server.port))
        return self.home.connect("second")


def lamp() -> Lightbulb:
    return Lightbulb("Desk lamp", on=False, brightness=40)


@contextmanager
def open_lamp(
    light: Lightbulb | None = None, **settings: Any
) -> Generator[tuple[Lightbulb, hap_sync.AccessoryServer], None, None]:
    light = light or lamp()
    settings = {"setup_code": CODE, "address": "127.0.0.1", "mdns": False, **settings}
    with hap_sync.open_server(light, **settings) as server:
        yield light, server


@contextmanager
def open_house(path: Any = None, **settings: Any) -> Generator[House, None, None]:
    with open_lamp(**settings) as (light, server), hap_sync.open_controller(path, mdns=False) as home:
        yield House(light, server, home)
