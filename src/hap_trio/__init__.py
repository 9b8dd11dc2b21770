"""HomeKit accessories and controllers on trio.

An accessory: `await hap_trio.serve(Lightbulb("Desk lamp"), setup_code="031-45-154", state="lamp.json")`.
A controller: `async with hap_trio.open_controller("pairings.json") as home: ...`.
"""

from typing import TYPE_CHECKING

from hap_sync.store import FileStore, MemoryStore
from hap_trio.entropy import system_entropy
from hap_trio.feed import Feed
from hap_trio.mdns import Mdns, open_mdns
from hap_trio.server import AccessoryServer, Settings, open_server, serve
from hapcore.lazy import lazily

if TYPE_CHECKING:
    from hap_trio.client import Client
    from hap_trio.controller import Controller, Discovery, StartedPairing, open_controller
    from hap_trio.session import Session, open_connection
else:  # the half of controllers: an accessory starts sooner without it
    __getattr__ = lazily(__name__, "client", "controller", "session")

__all__ = [
    "AccessoryServer",
    "Client",
    "Controller",
    "Discovery",
    "Feed",
    "FileStore",
    "Mdns",
    "MemoryStore",
    "Session",
    "Settings",
    "StartedPairing",
    "open_connection",
    "open_controller",
    "open_mdns",
    "open_server",
    "serve",
    "system_entropy",
]
