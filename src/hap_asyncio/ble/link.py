"""One accessory's link, carried out with bleak: connecting, the table, reading, writing, indications."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTService
from bleak.exc import BleakGATTProtocolError

from hap_asyncio.tasks import Tasks, settle
from hapcore.ble.controller.effects import (
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattSubscribe,
    GattWrite,
)
from hapcore.ble.controller.inputs import GattResult
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.uuids import SERVICE_INSTANCE_ID
from hapcore.engine import Output

from .central import Central, problem

__all__ = ["GattLink", "Told"]

#: Seconds for one attempt to connect and find the services; BlueZ may take 11 while other programs scan. The engine
#: gives up all attempts together after 30.
_CONNECT_LIMIT: Final = 15.0
#: Seconds for one operation. The engine drops the link sooner; this is for what hangs after all.
_OPERATION_LIMIT: Final = 30.0
#: Seconds for the end of a link: BlueZ takes two and a half.
_PARTING: Final = 5.0
#: Hosts lose about one fresh connection in nine; so often it is tried again before the engine hears of it.
_FRESH_ATTEMPTS: Final = 3
#: Seconds before it is tried again.
_PAUSE: Final = 0.1
#: So a link looks on BlueZ that ends in the middle of an operation; accessories that give up say it, too.
_UNLIKELY: Final = 0x0E


class Told(Protocol):
    """Who hears what became of it."""

    def result(self, result: GattResult) -> None:
        """An operation has ended."""

    def indicated(self, handle: int) -> None:
        """A characteristic has changed."""

    def lost(self) -> None:
        """The link is gone."""


class GattLink:
    """Carries out the effects of one `Peer`. At most one operation is under way; what was cancelled ends the link."""

    def __init__(self, central: Central, told: Told) -> None:
        self._central = central
        self._told = told
        self._tasks = Tasks()
        self._client: BleakClient | None = None
        #: Whether the engine knows of the link.
        self._up = False
        self._dropping = asyncio.Lock()
        self._operation: asyncio.Task[None] | None = None

    def carry_out(self, effect: Output) -> bool:
        """Begin what the engine wants; False when the effect is none of these."""
        match effect:
            case GattConnect(operation, address):
                self._begin(self._connect(operation, address))
            case GattDisconnect():
                self._tasks.start(self._drop(self._client))
            case GattRead(operation, handle):
                self._begin(self._operate(operation, partial(self._read, handle)))
            case GattReadDescriptor(operation, handle, uuid):
                self._begin(self._operate(operation, partial(self._read_descriptor, handle, uuid)))
            case GattWrite(operation, handle, data, response):
                self._begin(self._operate(operation, partial(self._write, handle, data, response)))
            case GattSubscribe(operation, handle, enabled):
                self._begin(self._operate(operation, partial(self._subscribe, handle, enabled)))
            case _:
                return False
        return True

    async def aclose(self) -> None:
        """Drop the link, if there is one, and wait until it is gone."""
        if self._client is not None:
            await settle(self._drop(self._client))
        await self._tasks.aclose()

    def _begin(self, what: Any) -> None:
        self._operation = self._tasks.start(what)

    async def _connect(self, operation: int, address: str) -> None:
        for attempt in range(1, _FRESH_ATTEMPTS + 1):
            client = self._client = self._central.client(address, self._ended, _CONNECT_LIMIT)
            try:
                async with asyncio.timeout(_CONNECT_LIMIT), self._central.quiet():
                    await client.connect()
                table = tuple(_service(one) for one in client.services)
            except Exception as error:  # noqa: BLE001 - bleak's backends raise whatever their platform does
                gone = "disconnected" in str(error)
                if not gone:  # bleak has cleaned up; on BlueZ it would ask over a bus that is closed, and say so aloud
                    await self._release(client)
                if gone and attempt < _FRESH_ATTEMPTS:
                    await asyncio.sleep(_PAUSE)
                    continue
                self._client = None
                self._told.result(GattResult(operation, error=problem(error)))
                return
            self._up = True
            self._told.result(GattResult(operation, table=table, max_write=_max_write(client)))
            return

    async def _operate(self, operation: int, what: Callable[[BleakClient], Awaitable[bytes | None]]) -> None:
        client = self._client
        if client is None or not self._up:
            self._told.result(GattResult(operation, error="there is no link"))
            return
        try:
            async with asyncio.timeout(_OPERATION_LIMIT):
                data = await what(client)
        except BleakGATTProtocolError as error:
            if error.code == _UNLIKELY:
                await self._drop(client)
            else:
                self._told.result(GattResult(operation, error=problem(error)))
        except Exception as error:  # noqa: BLE001 - as above
            if client.is_connected and not isinstance(error, TimeoutError):
                self._told.result(GattResult(operation, error=problem(error)))
            else:
                await self._drop(client)
        else:
            self._told.result(GattResult(operation, data=data))

    async def _read(self, handle: int, client: BleakClient) -> bytes:
        return bytes(await client.read_gatt_char(_find(client, handle)))

    async def _read_descriptor(self, handle: int, uuid: str, client: BleakClient) -> bytes:
        descriptor = _find(client, handle).get_descriptor(uuid)
        return b"" if descriptor is None else bytes(await client.read_gatt_descriptor(descriptor))

    async def _write(self, handle: int, data: bytes, response: bool, client: BleakClient) -> None:
        await client.write_gatt_char(_find(client, handle), data, response=response)

    async def _subscribe(self, handle: int, enabled: bool, client: BleakClient) -> None:
        characteristic = _find(client, handle)
        if enabled:
            await client.start_notify(characteristic, lambda _, __: self._told.indicated(handle))
        else:
            await client.stop_notify(characteristic)

    async def _drop(self, client: BleakClient | None) -> None:
        """End the link and whatever is under way over it: a late answer would be taken for that of another request."""
        async with self._dropping:
            if client is not self._client:
                return  # somebody else has done it
            operation, self._operation = self._operation, None
            if operation is not None and operation is not asyncio.current_task():
                operation.cancel()
                await asyncio.wait([operation], timeout=_PARTING)
            if client is not None:
                await self._release(client)
            self._client, self._up = None, False
            self._told.lost()

    async def _release(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(_PARTING):
                await client.disconnect()
        except Exception:  # noqa: BLE001, S110 - it is gone one way or the other, and nothing more can be done
            pass

    def _ended(self, client: BleakClient) -> None:
        """bleak's call when a link has ended. As long as the services are looked for, that fails by itself."""
        if client is self._client and self._up:
            self._tasks.start(self._drop(client))


def _find(client: BleakClient, handle: int) -> BleakGATTCharacteristic:
    found = client.services.characteristics.get(handle)
    if found is None:
        raise LookupError(f"no characteristic {handle} in the table")
    return found


def _max_write(client: BleakClient) -> int:
    """The longest value that one packet carries, as far as the host knows; what it says of the MTU is not true."""
    return min((one.max_write_without_response_size for one in client.services.characteristics.values()), default=0)


def _service(service: BleakGATTService) -> GattService:
    iid_handle = 0
    characteristics: list[GattCharacteristic] = []
    for one in service.characteristics:
        uuid = one.uuid.upper()
        if uuid == SERVICE_INSTANCE_ID:
            iid_handle = one.handle
            continue
        characteristics.append(
            GattCharacteristic(
                uuid,
                0,
                one.handle,
                readable="read" in one.properties,
                writable="write" in one.properties,
                indicates="indicate" in one.properties or "notify" in one.properties,
            )
        )
    return GattService(service.uuid.upper(), 0, service.handle, characteristics, iid_handle)
