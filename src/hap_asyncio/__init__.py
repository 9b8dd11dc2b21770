"""HomeKit accessories and controllers on asyncio.

An accessory: `await hap_asyncio.serve(Lightbulb("Desk lamp"), setup_code="031-45-154", state="lamp.json")`.
A controller: `async with hap_asyncio.open_controller("pairings.json") as home: ...`.
"""

from typing import TYPE_CHECKING

from hap_asyncio.entropy import system_entropy
from hap_asyncio.feed import Feed
from hap_asyncio.server import AccessoryServer, Settings, open_server, serve
from hap_sync.store import FileStore, MemoryStore
from hapcore.lazy import lazily

if TYPE_CHECKING:
    from hap_asyncio.client import Client
    from hap_asyncio.controller import Controller, Discovery, StartedPairing, open_controller
    from hap_asyncio.mdns import Mdns, open_mdns
    from hap_asyncio.session import Session, open_connection
else:  # the half of controllers, and zeroconf: an accessory starts sooner without them
    __getattr__ = lazily(__name__, "controller", "client", "session", "mdns")

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
