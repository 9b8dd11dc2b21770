"""HomeKit accessories and controllers on trio.

An accessory: `await hap_trio.serve(Lightbulb("Desk lamp"), setup_code="031-45-154", state="lamp.json")`.
A controller: `async with hap_trio.open_controller("pairings.json") as home: ...`.
"""

from hap_sync.store import FileStore, MemoryStore
from hap_trio.client import Client
from hap_trio.controller import Controller, Discovery, StartedPairing, open_controller
from hap_trio.entropy import system_entropy
from hap_trio.feed import Feed
from hap_trio.mdns import Mdns, open_mdns
from hap_trio.server import AccessoryServer, Settings, open_server, serve
from hap_trio.session import Session, open_connection

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
