"""bleak's client over a virtual air."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, hci
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy, Client

from .adapter import Adapter, Heard
from .table import Habits, discover

__all__ = ["AirClient"]

T = TypeVar("T")
#: The largest MTU this computer offers; Linux offers the same.
_MTU = 517
#: Bytes of a write that are not the value: opcode and handle.
_HEADER = 3


class AirClient(BaseBleakClient):
    """A bleak client backend; `Air.bleak()` makes the class for one adapter and its habits."""

    adapter: ClassVar[Adapter]
    habits: ClassVar[Habits]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 10.0,
        services: set[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout, **kwargs)
        self._device = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._wanted = services
        self._connection: Connection | None = None
        self._gatt: Client
        self._gone: asyncio.Future[None]
        self._subscribed: dict[int, Callable[[bytes], object]] = {}

    @property
    def name(self) -> str:
        return (self._device.name if self._device is not None else None) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection is not None and not self.habits.bluez else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:  # noqa: ARG002 - nothing here asks for pairing
        if self._connection is not None:
            raise BleakError("the client is connected already")
        limit = float(kwargs.get("timeout", self._timeout))
        async with asyncio.timeout(limit):
            address = await self._find(limit) if self._device is None else self._device.details["address"]
            connection = await self.adapter.dial(address, limit)
            self._begin(connection)
            try:
                await self._do(self._gatt.request_mtu(_MTU))
                self.services = await self._do(discover(self._gatt, self._wanted, self.habits, self._fits))
            except BleakError as error:
                await self.disconnect()
                raise BleakError("failed to discover services, device disconnected") from error
            except BaseException:
                await self.disconnect()
                raise

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            await self.adapter.hang_up(connection)

    async def pair(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the contract
        raise BleakError("a virtual adapter does not pair")

    async def unpair(self) -> None:
        raise BleakError("a virtual adapter does not pair")

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        del use_cached, kwargs
        return bytearray(await self._do(self._gatt.read_value(characteristic.obj)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        del use_cached, kwargs
        return bytearray(await self._do(self._gatt.read_value(descriptor.obj)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        await self._do(self._gatt.write_value(characteristic.obj, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._do(self._gatt.write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        del kwargs
        proxy: CharacteristicProxy[bytes] = characteristic.obj

        def changed(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribed[characteristic.handle] = changed
        await self._do(self._gatt.subscribe(proxy, changed))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        changed = self._subscribed.pop(characteristic.handle, None)
        await self._do(self._gatt.unsubscribe(characteristic.obj, changed))

    async def _find(self, limit: float) -> hci.Address:
        """By address alone: which kind of address it is, its advertisements tell."""
        found: asyncio.Future[hci.Address] = asyncio.get_running_loop().create_future()

        def hear(heard: Heard) -> None:
            if heard.address.to_string(with_type_qualifier=False) == self.address.upper() and not found.done():
                found.set_result(heard.address)

        await self.adapter.listen(hear, active=True)
        try:
            await asyncio.wait([found], timeout=limit / 2)
        finally:
            await self.adapter.unlisten(hear)
        if not found.done():
            raise BleakDeviceNotFoundError(self.address, f"device with address {self.address} was not found")
        return found.result()

    def _begin(self, connection: Connection) -> None:
        self._connection = connection
        self._gatt = connection.gatt_client
        self._gone = asyncio.get_running_loop().create_future()
        connection.on(connection.EVENT_DISCONNECTION, self._ended)
        if connection.handle not in self.adapter.device.connections:
            self._ended(0)  # lost before we could listen

    def _ended(self, _reason: int) -> None:
        if self._connection is not None:
            self._connection = None
            self._gone.set_result(None)
            self.services = None
            self._subscribed.clear()
            if self._disconnected_callback is not None:
                self._disconnected_callback()

    def _fits(self) -> int:
        return self._connection.att_mtu - _HEADER if self._connection is not None else 20

    async def _do(self, what: Coroutine[object, object, T]) -> T:
        """Have Bumble do it, as long as there is a connection.

        It is not cancelled with its caller: Bumble would give the late answer to the next request.
        """
        if self._connection is None:
            what.close()
            raise BleakError("not connected")
        task = self.adapter.begin(what)
        watched: list[asyncio.Future[Any]] = [task, self._gone]
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() or task.cancelled():
            task.cancel()
            raise BleakGATTProtocolError(0x0E) if self.habits.bluez else BleakError("disconnected")
        error = task.exception()
        if isinstance(error, att.ATT_Error):
            raise BleakGATTProtocolError(error.error_code) from error
        if isinstance(error, (core.BaseBumbleError, core.TimeoutError)):
            raise BleakError(str(error)) from error
        return task.result()
