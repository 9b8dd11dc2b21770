"""The attribute table that Bumble serves: HAP's services, with long reads made of one read (HAP-BLE A.2.4)."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportIncompatibleMethodOverride=false
# pyright: reportUnusedCoroutine=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from bumble import att, gatt
from bumble.device import Connection, Device
from bumble.gatt_server import Server

from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.uuids import CHARACTERISTIC_INSTANCE_ID, SERVICE_INSTANCE_ID

__all__ = ["AttributeServer", "Accesses"]

#: What a central may write into a client configuration.
_NOTHING: Final = b"\0\0"
_INDICATIONS: Final = b"\2\0"


class Accesses(Protocol):
    """What the table asks for; each call answers for a connection, and may raise `att.ATT_Error`."""

    async def answer_read(self, connection: Connection, handle: int) -> bytes:
        """A value."""
        ...

    async def answer_write(self, connection: Connection, handle: int, data: bytes) -> None:
        """A value was written."""

    async def answer_subscribe(self, connection: Connection, handle: int, enabled: bool) -> None:
        """Indications were switched on or off."""


class AttributeServer(Server):
    """Bumble's GATT server, with the values of HAP characteristics kept for the blobs of a long read."""

    def __init__(self, device: Device, services: Iterable[GattService], accesses: Accesses) -> None:
        super().__init__(device)
        self._accesses = accesses
        self._live: dict[int, gatt.Characteristic[bytes]] = {}
        #: The value a central is reading in pieces: Bumble's handle, the value, and where the next piece begins.
        self._reading: dict[att.Bearer, tuple[int, bytes, int]] = {}
        self._services = [self._service(one) for one in services]

    def publish(self) -> None:
        """Add HAP's services to the table."""
        self.add_services(self._services)

    def attribute(self, handle: int) -> gatt.Characteristic[bytes]:
        """The value attribute of one of HAP's characteristics."""
        return self._live[handle]

    def indicates(self, connection: Connection, handle: int) -> bool:
        """Whether the central asked for indications of it."""
        attribute = self._live.get(handle)
        return attribute is not None and self.subscribers.get(connection, {}).get(attribute.handle) == _INDICATIONS

    def on_disconnection(self, bearer: att.Bearer) -> None:
        self._reading.pop(bearer, None)
        # Bumble leaves whoever waits for a confirmation to a time limit.
        confirmation = self.pending_confirmations.get(bearer)
        if confirmation is not None and not confirmation.done():
            confirmation.cancel()
        super().on_disconnection(bearer)

    # Its own takes writes of everything, and logs what is refused with a traceback.
    def on_att_write_command(self, bearer: att.Bearer, request: att.ATT_Write_Command) -> None:
        """Nothing here is written without a response: that is for nobody (HAP-BLE A.2.2)."""

    def on_att_read_blob_request(self, bearer: att.Bearer, request: att.ATT_Read_Blob_Request) -> None:
        """The next piece of a value that is being read: from what was read, never from the application."""
        handle, offset = request.attribute_handle, request.value_offset
        if offset == 0 or all(one.handle != handle for one in self._live.values()):
            super().on_att_read_blob_request(bearer, request)
            return
        known, value, reached = self._reading.get(bearer, (0, b"", 0))
        if known != handle:
            raise att.ATT_Error(error_code=att.ATT_REQUEST_NOT_SUPPORTED_ERROR, att_handle=handle)
        size = bearer.att_mtu - 1
        if offset != min(reached or size, len(value)):
            raise att.ATT_Error(error_code=att.ATT_INVALID_OFFSET_ERROR, att_handle=handle)
        part = value[offset : offset + size]
        self._reading[bearer] = (handle, value, offset + len(part))
        self.send_response(bearer, att.ATT_Read_Blob_Response(part_attribute_value=part))

    def _service(self, service: GattService) -> gatt.Service:
        characteristics: list[gatt.Characteristic[bytes]] = []
        if service.iid:
            characteristics.append(
                gatt.Characteristic(
                    SERVICE_INSTANCE_ID,
                    gatt.Characteristic.Properties.READ,
                    gatt.Characteristic.READABLE,
                    _static(service.iid.to_bytes(2, "little")),
                )
            )
        for one in service.characteristics:
            attribute = self._live[one.handle] = self._characteristic(one)
            characteristics.append(attribute)
        return gatt.Service(service.uuid, characteristics)

    def _characteristic(self, one: GattCharacteristic) -> gatt.Characteristic[bytes]:
        properties = gatt.Characteristic.Properties(0)
        if one.readable:
            properties |= gatt.Characteristic.Properties.READ
        if one.writable:
            properties |= gatt.Characteristic.Properties.WRITE
        descriptors: list[gatt.Descriptor] = []
        attribute: gatt.Characteristic[bytes] = gatt.Characteristic(
            one.uuid,
            properties,
            gatt.Characteristic.READABLE | gatt.Characteristic.WRITEABLE,
            att.AttributeValue(self._reader(one), self._writer(one)),
            descriptors,
        )
        if one.indicates:
            attribute.properties |= gatt.Characteristic.Properties.INDICATE
            descriptors.append(self._configuration(one, attribute))
        descriptors.append(
            gatt.Descriptor(
                CHARACTERISTIC_INSTANCE_ID, gatt.Descriptor.READABLE, _static(one.iid.to_bytes(2, "little"))
            )
        )
        return attribute

    def _reader(self, one: GattCharacteristic) -> Callable[[Connection], Awaitable[bytes]]:
        async def read(connection: Connection) -> bytes:
            if not one.readable:
                raise att.ATT_Error(error_code=att.ATT_READ_NOT_PERMITTED_ERROR)
            self._reading.pop(connection, None)
            value = await self._accesses.answer_read(connection, one.handle)
            self._reading[connection] = (self._live[one.handle].handle, value, 0)
            return value

        return read

    def _writer(self, one: GattCharacteristic) -> Callable[[Connection, bytes], Awaitable[None]]:
        async def write(connection: Connection, data: bytes) -> None:
            if not one.writable:
                raise att.ATT_Error(error_code=att.ATT_WRITE_NOT_PERMITTED_ERROR)
            self._reading.pop(connection, None)
            await self._accesses.answer_write(connection, one.handle, data)

        return write

    def _configuration(self, one: GattCharacteristic, attribute: gatt.Characteristic[bytes]) -> gatt.Descriptor:
        async def write(connection: Connection, data: bytes) -> None:
            if len(data) != 2:
                raise att.ATT_Error(error_code=att.ATT_INVALID_ATTRIBUTE_LENGTH_ERROR)
            if data not in (_NOTHING, _INDICATIONS):
                raise att.ATT_Error(error_code=att.ATT_REQUEST_NOT_SUPPORTED_ERROR)
            await self._accesses.answer_subscribe(connection, one.handle, data == _INDICATIONS)
            self.write_cccd(connection, attribute, data)

        return gatt.Descriptor(
            gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
            gatt.Descriptor.READABLE | gatt.Descriptor.WRITEABLE,
            att.AttributeValue(lambda connection: self.read_cccd(connection, attribute), write),
        )


def _static(value: bytes) -> att.AttributeValue[bytes]:
    """A value that never changes: Bumble takes writes of plain values, whatever the permissions say."""

    def write(_connection: Connection, _data: bytes) -> None:
        raise att.ATT_Error(error_code=att.ATT_WRITE_NOT_PERMITTED_ERROR)

    return att.AttributeValue(lambda _connection: value, write)
