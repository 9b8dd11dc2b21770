"""A GATT server over Bumble: links, accesses, advertisements, and what of Bumble is put right."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from attrs import frozen
from bumble import att, core, hci
from bumble.device import Connection, Device

from hap_asyncio.tasks import Tasks, settle
from hapcore.ble.advert import MAX_ADVERTISEMENT
from hapcore.ble.gatt import MAX_ATTRIBUTE, GattService

from .attributes import AttributeServer
from .peripheral import GattApplication, GattRefusal, RadioError, largest_read

__all__ = ["BumbleServer"]

T = TypeVar("T")
_log = logging.getLogger("hap_asyncio")
#: Seconds a controller may take for anything; then it is not there any more.
_LIMIT: Final = 5.0
#: Seconds until a controller that refused to advertise is asked again.
_AGAIN: Final = 1.0
#: Accesses of one central that wait for their turn. ATT allows one at a time; who sends more is dropped.
_QUEUE_LIMIT: Final = 8


@frozen
class _Advertisement:
    data: bytes
    scan_response: bytes
    interval: float


class _Link:
    """One central's connection."""

    def __init__(self, number: int, connection: Connection) -> None:
        self.number = number
        self.connection = connection
        self.turn = asyncio.Lock()
        self.accesses: set[asyncio.Task[Any]] = set()


class BumbleServer:
    """A `GattServer` over a Bumble device that is switched on; from `open_radio()`. One central at a time.

    `max_mtu` is the largest ATT MTU to agree to, 23 to 517.
    """

    def __init__(self, device: Device, max_mtu: int = 517) -> None:
        self.device = device
        self._max_mtu = max_mtu
        self._table: AttributeServer | None = None
        self._application: GattApplication
        self._link: _Link | None = None
        self._links = 0
        self._wanted: _Advertisement | None = None
        self._shown: _Advertisement | None = None
        self._radio = asyncio.Lock()
        self._tasks = Tasks()
        self._closed = self._gone = False
        device.on(device.EVENT_CONNECTION, self._opened)
        device.host.on("flush", self._lost)

    @property
    def address(self) -> str:
        """The static address on the air."""
        return self.device.static_address.to_string(with_type_qualifier=False)

    @property
    def links(self) -> int:
        """How often a central has connected."""
        return self._links

    async def publish(self, services: Sequence[GattService], application: GattApplication) -> None:
        """See `GattServer`."""
        table = AttributeServer(self.device, services, self)
        table.max_mtu = self._max_mtu
        self.device.gatt_server = table
        self.device.add_default_services()
        table.publish()
        self._table, self._application = table, application

    async def advertise(self, data: bytes, scan_response: bytes, interval: float) -> None:
        """See `GattServer`."""
        if max(len(data), len(scan_response)) > MAX_ADVERTISEMENT:
            raise RadioError(f"{len(data)} and {len(scan_response)} bytes to advertise: 31 fit into each packet")
        self._wanted = _Advertisement(data, scan_response, interval)
        await self._advertise()

    async def stop_advertising(self) -> None:
        """See `GattServer`."""
        self._wanted = None
        await self._advertise()

    async def indicate(self, link: int, handle: int) -> None:
        """See `GattServer`."""
        table, open_link = self._table, self._link
        if (
            table is None
            or open_link is None
            or open_link.number != link
            or not table.indicates(open_link.connection, handle)
        ):
            return
        try:
            await table.indicate_subscriber(open_link.connection, table.attribute(handle), b"")
        except (TimeoutError, core.BaseBumbleError, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            raise RadioError("an indication was not confirmed") from error

    async def drop(self, link: int) -> None:
        """See `GattServer`."""
        if self._link is not None and self._link.number == link:
            await self._disconnect(self._link.connection)

    async def aclose(self) -> None:
        """See `GattServer`."""
        self._closed = True
        self._wanted = None
        try:
            await settle(self._advertise())
            for connection in list(self.device.connections.values()):
                await settle(self._disconnect(connection))
        except RadioError as error:
            _log.info("the radio was gone already: %s", error)
        await self._tasks.aclose()

    # What the attribute table asks for.

    async def answer_read(self, connection: Connection, handle: int) -> bytes:
        """The application's answer to a read."""
        return await self._ask(connection, lambda link: self._application.answer_read(link, handle))

    async def answer_write(self, connection: Connection, handle: int, data: bytes) -> None:
        """The application's answer to a write."""
        await self._ask(connection, lambda link: self._application.answer_write(link, handle, data))

    async def answer_subscribe(self, connection: Connection, handle: int, enabled: bool) -> None:
        """The application's answer to a subscription."""
        await self._ask(connection, lambda link: self._application.answer_subscribe(link, handle, enabled))

    async def _ask(self, connection: Connection, what: Callable[[int], Awaitable[T]]) -> T:
        link, task = self._link, asyncio.current_task()
        if link is None or link.connection is not connection or task is None:
            raise att.ATT_Error(error_code=att.ATT_UNLIKELY_ERROR_ERROR)
        if len(link.accesses) >= _QUEUE_LIMIT:
            self._tasks.start(self._part(connection))
            raise att.ATT_Error(error_code=att.ATT_INSUFFICIENT_RESOURCES_ERROR)
        link.accesses.add(task)
        try:
            async with link.turn:
                return await what(link.number)
        except GattRefusal as refusal:
            raise att.ATT_Error(error_code=refusal.code) from None
        finally:
            link.accesses.discard(task)

    # What Bumble tells.

    def _opened(self, connection: Connection) -> None:
        if connection.role != hci.Role.PERIPHERAL:
            return
        self._shown = None  # a controller stops by itself
        if self._link is not None or self._table is None or self._closed:
            self._tasks.start(self._part(connection))
            return
        self._links += 1
        link = self._link = _Link(self._links, connection)
        connection.on(connection.EVENT_DISCONNECTION, partial(self._ended, link))
        connection.on(connection.EVENT_CONNECTION_ATT_MTU_UPDATE, partial(self._sized, link))
        self._application.link_opened(link.number, largest_read(connection.att_mtu), MAX_ATTRIBUTE)

    def _lost(self) -> None:
        """The controller is gone, and with it the central."""
        if not self._closed:
            _log.error("the Bluetooth controller is gone")
        self._closed = self._gone = True
        if self._link is not None:
            self._ended(self._link, 0)

    def _sized(self, link: _Link) -> None:
        if self._link is link:
            self._application.mtu_changed(link.number, largest_read(link.connection.att_mtu), MAX_ATTRIBUTE)

    def _ended(self, link: _Link, _reason: int) -> None:
        if self._link is not link:
            return
        self._link = None
        for task in link.accesses:
            task.cancel()
        self._application.link_closed(link.number)
        if not self._closed:
            self._tasks.start(self._insist())

    # The controller.

    async def _advertise(self) -> None:
        """Make the air what is wanted. Connections may come at any moment between."""
        async with self._radio:
            while (wanted := None if self._link is not None else self._wanted) != self._shown:
                await self._ordered(self._show(wanted))

    async def _show(self, wanted: _Advertisement | None) -> None:
        if wanted is None:
            await self.device.stop_advertising()
        else:
            await self.device.start_advertising(
                advertising_data=wanted.data,
                scan_response_data=wanted.scan_response,
                advertising_interval_min=wanted.interval * 1000,
                advertising_interval_max=wanted.interval * 1000,
            )
        self._shown = wanted

    async def _insist(self) -> None:
        """Be on the air again, however often the controller refuses."""
        while not self._closed:
            try:
                await self._advertise()
            except RadioError as error:
                _log.error("advertising: %s", error)
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _part(self, connection: Connection) -> None:
        try:
            await self._disconnect(connection)
        except RadioError as error:
            _log.error("disconnecting: %s", error)

    async def _disconnect(self, connection: Connection) -> None:
        if connection.handle in self.device.connections:
            reason = hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
            await self._ordered(self.device.disconnect(connection, reason))

    async def _ordered(self, commands: Coroutine[object, object, None]) -> None:
        """Have the controller do something. It is never cancelled half-way: answers would go to the wrong command."""
        if self._gone:
            commands.close()
            raise RadioError("the Bluetooth controller is gone")
        task = asyncio.ensure_future(commands)
        task.add_done_callback(_seen)
        await settle(asyncio.wait([task], timeout=_LIMIT))
        if not task.done():
            task.cancel()
            raise RadioError(f"the Bluetooth controller did not answer within {_LIMIT:g} s")
        if task.cancelled():
            raise RadioError("the Bluetooth controller is gone")
        if (error := task.exception()) is not None:
            raise RadioError(f"the Bluetooth controller refused: {error!r}") from error


def _seen(task: asyncio.Future[None]) -> None:
    """Whoever wanted to know what went wrong may have gone meanwhile."""
    if not task.cancelled():
        task.exception()
