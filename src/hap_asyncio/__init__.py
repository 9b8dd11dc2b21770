"""HomeKit accessories and controllers on asyncio.

An accessory: `await hap_asyncio.serve(Lightbulb("Desk lamp"), setup_code="031-45-154", state="lamp.json")`.
A controller: `async with hap_asyncio.open_controller("pairings.json") as home: ...`.
"""

from typing import TYPE_CHECKING

from hap_asyncio.client import Client
from hap_asyncio.controller import Controller, Discovery, StartedPairing, open_controller
from hap_asyncio.entropy import system_entropy
from hap_asyncio.feed import Feed
from hap_asyncio.server import AccessoryServer, Settings, open_server, serve
from hap_asyncio.session import Session, open_connection
from hap_sync.store import FileStore, MemoryStore

if TYPE_CHECKING:
    from hap_asyncio.mdns import Mdns, open_mdns

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


def __getattr__(name: str) -> object:
    """`Mdns` and `open_mdns` cost the import of zeroconf: only who uses them pays."""
    if name in ("Mdns", "open_mdns"):
        from hap_asyncio import mdns

        return getattr(mdns, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
