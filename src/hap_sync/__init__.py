"""HomeKit accessories and controllers in plain, blocking Python: no event loop of yours, no threads for IP.

An accessory: `hap_sync.serve(Lightbulb("Desk lamp"), setup_code="031-45-154", state="lamp.json")`.
A controller: `with hap_sync.open_controller("pairings.json") as home: ...`.

Whatever a thread has opened here is served while any of its calls waits, and only then: requests are answered, events
arrive and deadlines are kept as long as a call such as `run()`, `read()` or the iteration over changes is active.
"""

from typing import TYPE_CHECKING

from hap_sync.entropy import system_entropy
from hap_sync.feed import Feed
from hap_sync.mdns import Mdns, open_mdns
from hap_sync.server import AccessoryServer, Settings, open_server, serve
from hap_sync.store import FileStore, MemoryStore
from hap_sync.wire import Transport
from hapcore.lazy import lazily

if TYPE_CHECKING:
    from hap_sync.client import Client
    from hap_sync.controller import Controller, Discovery, StartedPairing, open_controller
    from hap_sync.session import Session, open_connection
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
    "Transport",
    "open_connection",
    "open_controller",
    "open_mdns",
    "open_server",
    "serve",
    "system_entropy",
]
