"""An accessory of ours and a controller of ours, with real ATT between them and no hardware."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from hap_asyncio.ble.bumble import BumbleServer
from hap_asyncio.ble.central import Central, open_central
from hap_asyncio.ble.client import PeerClient, open_peer
from hap_asyncio.ble.server import PeripheralServer, open_peripheral
from hap_asyncio.testing.radio import Air, open_air
from hap_sync.store import MemoryStore, Store
from hapcore.catalogue import service_types as types
from hapcore.catalogue.characteristics import common
from hapcore.controller.commands import FinishPairSetup, StartPairSetup
from hapcore.engine import Event
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.metadata import Permission
from hapcore.model.service import Service
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode

CODE = "031-45-154"


class Lamp:
    """`on` broadcasts, `brightness` only raises the state number, `locked` wants timed writes."""

    def __init__(self) -> None:
        self.on = Characteristic(common.ON, False)
        self.brightness = Characteristic(common.BRIGHTNESS, 50, disconnected_events=True)
        timed = [Permission.READ, Permission.WRITE, Permission.TIMED_WRITE]
        self.swing = Characteristic(common.TARGET_AIR_QUALITY, perms=timed)
        self.name = Characteristic(common.NAME, "Lamp")
        self.service = Service(types.LIGHTBULB, [self.on, self.brightness, self.swing, self.name])
        self.accessory = Accessory("Lamp", services=[self.service])


class Home:
    """The lamp's server, and a central to open peers with."""

    def __init__(self, air: Air, lamp: Lamp, radio: BumbleServer, server: PeripheralServer, central: Central) -> None:
        self.air = air
        self.lamp = lamp
        self.radio = radio
        self.server = server
        self.central = central
        self.store: Store = MemoryStore()
        self.pairing: Pairing | None = None

    async def pair(self) -> Pairing:
        """Our first controller's."""
        async with open_peer(self.central, device_id=self.server.device_id, store=self.store) as peer:
            await peer.do(StartPairSetup())
            self.pairing = await peer.do(FinishPairSetup(SetupCode(CODE)))
            await peer.accessories()
        return self.pairing

    @asynccontextmanager
    async def paired(self, **settings: Any) -> AsyncGenerator[PeerClient, None]:
        """A client with the pairing, and what was learnt of the accessory."""
        pairing = self.pairing or await self.pair()
        async with open_peer(self.central, pairing, store=self.store, **settings) as peer:
            yield peer


@asynccontextmanager
async def open_home(*, max_mtu: int = 517, like_bluez: bool = False, **settings: Any) -> AsyncGenerator[Home, None]:
    async with AsyncExitStack() as stack:
        air = await stack.enter_async_context(open_air())
        lamp = Lamp()
        radio = await air.peripheral("Lamp", max_mtu=max_mtu)
        server = await stack.enter_async_context(
            open_peripheral(lamp.accessory, radio=radio, setup_code=CODE, **settings)
        )
        backend = await air.bleak(like_bluez=like_bluez)
        central = await stack.enter_async_context(open_central(backend))
        yield Home(air, lamp, radio, server, central)


async def heard(events: Any, kind: type[Event]) -> Any:
    """The next event of this kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"it ended without {kind.__name__}")
