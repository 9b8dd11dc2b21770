"""What an accessory's engine wants done by a GATT server, carried out here for the adapters of all worlds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from hap_asyncio.feed import Feed
from hap_asyncio.tasks import Tasks, settle
from hapcore.ble.accessory.effects import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.accessory.peripheral import Peripheral
from hapcore.ble.gatt import GattService
from hapcore.engine import Output
from hapcore.entropy import Entropy
from hapcore.ip.accessory.settings import Served, make_server
from hapcore.ip.accessory.settings import Settings as CoreSettings

from .peripheral import GattRefusal, GattServer, RadioError

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["GattPort", "Settings", "Tell", "make_peripheral"]

_log = logging.getLogger("hap_asyncio")
#: The ATT error for what should not happen: an access over a link that is gone.
_UNLIKELY: Final = 0x0E
_EFFECTS: Final = (GattReply, GattRefuse, GattIndicate, DropLink, SetAdvertisement, StopAdvertising)
#: Gives the engine an input, wherever it is: called with what to do with it and the time there.
Tell: TypeAlias = Callable[[Callable[[Peripheral, float], object]], object]
#: From where the engine is: call a function here, after everything that was to be called before.
Cross: TypeAlias = Callable[[Callable[[], object]], object]


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, of which `address` and `port` mean nothing here, and

    - `radio`: a GATT server, or how Bumble names a Bluetooth controller: "usb:0", "hci-socket:0" ...; "usb:0".
    """

    radio: GattServer | str


def make_peripheral(what: Served, settings: CoreSettings, state: Mapping[str, bytes], entropy: Entropy) -> Peripheral:
    """The engine, in the words that make one for the network; see `make_server`."""
    words = settings.copy()
    words.setdefault("engine", cast("Callable[..., Server]", Peripheral))
    return cast("Peripheral", make_server(what, words, state, entropy))


class GattPort:
    """Answers for the attributes of a `GattServer`. `carry_out` is called where the engine is, the rest happens here.

    Where these are two threads, what the engine says of a link may come when there is another one already.
    """

    def __init__(self, tell: Tell, cross: Cross) -> None:
        self.radio: GattServer
        #: The services that are offered.
        self.published: tuple[GattService, ...] = ()
        self._stack = AsyncExitStack()
        self._tell = tell
        self._cross = cross
        self._over = False
        self._air = Feed[SetAdvertisement | StopAdvertising](limit=1)  # only the latest counts
        self._tasks = Tasks()
        self._link = 0
        #: The link the engine knows of.
        self._known = 0
        self._answer: asyncio.Future[bytes] | None = None

    async def open(self, radio: GattServer | str, engine: Peripheral) -> None:
        """Begin with this radio and this engine. Raises `RadioError`."""
        if isinstance(radio, str):
            from .radio import open_radio, static_address  # costs the import of Bumble

            address = static_address(bytes.fromhex(engine.device_id.replace(":", "")))
            radio = await self._stack.enter_async_context(open_radio(radio, address=address, name=engine.config.name))
        self.radio = radio
        self._stack.push_async_callback(self._leave)
        await self.publish(engine.gatt)
        self._tasks.start(self._keep_on_air())

    async def publish(self, services: tuple[GattService, ...]) -> None:
        """Offer these services, in place of those before. Raises `RadioError`."""
        self.published = services
        await self.radio.publish(services, self)

    async def aclose(self) -> None:
        """Drop whoever is connected, be silent, let go of the radio."""
        self._over = True
        await settle(self._stack.aclose())

    async def _leave(self) -> None:
        await self._tasks.aclose()
        try:
            await self.radio.stop_advertising()
            await self.radio.drop(self._link)
        except RadioError as error:
            _log.info("the radio was gone already: %s", error)

    def carry_out(self, effect: Output) -> bool:
        """Begin what the engine wants; False when the effect is none of these."""
        if not isinstance(effect, _EFFECTS):
            return False
        if not self._over:
            self._cross(partial(self._begin, effect, self._known))
        return True

    # What the GATT server tells.

    def link_opened(self, link: int, max_read: int, max_write: int) -> None:
        """See `GattApplication`."""
        self._link = link

        def put(engine: Peripheral, now: float) -> None:
            self._known = link
            engine.link_opened(now, max_read=max_read, max_write=max_write)

        self._tell(put)

    def mtu_changed(self, link: int, max_read: int, max_write: int) -> None:
        """See `GattApplication`."""
        if link == self._link:
            self._tell(lambda engine, now: engine.mtu_changed(max_read, max_write, now))

    def link_closed(self, link: int) -> None:
        """See `GattApplication`."""
        if link == self._link:
            self._link = 0
            self._tell(lambda engine, now: engine.link_closed(now))

    async def answer_read(self, link: int, handle: int) -> bytes:
        """See `GattApplication`."""
        return await self._access(link, lambda engine, now: engine.receive_read(handle, now))

    async def answer_write(self, link: int, handle: int, data: bytes) -> None:
        """See `GattApplication`."""
        await self._access(link, lambda engine, now: engine.receive_write(handle, data, now))

    async def answer_subscribe(self, link: int, handle: int, enabled: bool) -> None:
        """See `GattApplication`."""
        await self._access(link, lambda engine, now: engine.receive_subscribe(handle, enabled, now))

    async def _access(self, link: int, put: Callable[[Peripheral, float], object]) -> bytes:
        if link != self._link:
            raise GattRefusal(_UNLIKELY)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._tell(put)
        try:
            return await answer
        finally:
            if self._answer is answer:  # an access of the next link may be under way by now
                self._answer = None

    # What the engine wants.

    def _begin(self, effect: Output, link: int) -> None:
        if isinstance(effect, SetAdvertisement | StopAdvertising):
            self._air.put(effect)
        elif link != self._link:
            return
        elif isinstance(effect, GattIndicate):
            self._tasks.start(self._indicate(link, effect.handle))
        elif isinstance(effect, DropLink):
            self._tasks.start(self._do("dropping a link", partial(self.radio.drop, link)))
        elif self._answer is not None and not self._answer.done():
            if isinstance(effect, GattReply):
                self._answer.set_result(effect.data)
            elif isinstance(effect, GattRefuse):
                self._answer.set_exception(GattRefusal(effect.code))

    async def _indicate(self, link: int, handle: int) -> None:
        await self._do("an indication", partial(self.radio.indicate, link, handle))
        if link == self._link:
            self._tell(lambda engine, now: engine.indication_confirmed(now))

    async def _keep_on_air(self) -> None:
        async for wanted in self._air:
            if isinstance(wanted, SetAdvertisement):
                advertise = partial(self.radio.advertise, wanted.data, wanted.scan_response, wanted.interval)
                await self._do("advertising", advertise)
            else:
                await self._do("advertising", self.radio.stop_advertising)

    async def _do(self, what: str, call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await call()
        except RadioError as error:
            _log.error("%s: %s", what, error)
